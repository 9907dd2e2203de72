//! Structured random programs.

//! Generators and oracles for tests.
//!
//! | module | what it is for |
//! |---|---|
//! | [`BlobBuilder`] | programs from instructions |
//! | [`operands`] | every form of operands of a format, with values at which arithmetic turns |
//! | [`Guest`], [`Setup`] | running one guest on several engines and comparing all that can be observed |
//! | [`random`] | structured random programs |
#![forbid(unsafe_code)]

mod build;
mod compare;
pub mod operands;
pub mod random;

pub use build::BlobBuilder;
pub use compare::{Guest, Observation, Pages, Setup, first_difference};

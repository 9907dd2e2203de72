//! Random functions in Cranelift IR, compiled by the PVM back end and run, against Cranelift's interpreter.
//!
//! [`functions`] makes a program of a seed; [`check`] runs it both ways, on several arguments, with and without the
//! optimiser.

mod expressions;
mod generate;
mod harness;
mod oracle;
mod shrink;

pub use generate::functions;
pub use harness::{Outcome, RESULTS, program, run};
pub use oracle::{Checked, check, text};
pub use shrink::shrink;

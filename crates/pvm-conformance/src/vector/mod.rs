//! Test vectors in JSON.
//!
//! Two kinds: [`Vector`] is one run of one program (the public PVM vectors, version 0.4); [`GasVector`] is a program
//! with the costs of its blocks and, mostly, a script of steps (the draft of the 0.8 gas model). [`VectorFile`] is
//! either, told apart by its fields.
//!
//! Absent fields mean nothing is there: no memory, registers of zero, no expectation. Fields and kinds of steps that
//! nobody knows are errors, because ignoring them would pass vectors without having checked them. `is_writable` and
//! `is-writable` are the same field: the files have both spellings.

mod error;
mod fields;
mod gas;
mod parts;
mod pvm;

pub use error::{Problem, VectorError};
pub use gas::{Assertion, GasVector, Step};
pub use parts::{Chunk, Pages, Registers, Status};
pub use pvm::{Expected, Vector};

use fields::Fields;

/// A vector of either kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum VectorFile {
    /// One run of one program.
    Pvm(Vector),
    /// The costs of a program's blocks, and steps.
    Gas(GasVector),
}

impl VectorFile {
    /// Reads a vector. It has costs or steps if it is a gas vector.
    ///
    /// # Errors
    ///
    /// Where it is not JSON, or a field is missing, unknown, or has a value that it cannot have.
    pub fn parse(bytes: &[u8]) -> Result<VectorFile, VectorError> {
        let fields = Fields::parse(bytes)?;
        if fields.has("block-gas-costs") || fields.has("steps") {
            GasVector::read(fields).map(VectorFile::Gas)
        } else {
            Vector::read(fields).map(VectorFile::Pvm)
        }
    }
}

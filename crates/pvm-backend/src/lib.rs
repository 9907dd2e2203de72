//! The PVM back end: from Cranelift IR to PVM programs.
//!
//! ```text
//! Function ── optimise ──> Function ── lower ──> VCode ── allocate ──> Output ── emit ──> Body ── flatten ──> List ── link ──> Blob
//!             Cranelift's              instruction         regalloc2             registers,         order,            jump table,
//!             own passes               selection                                 frame              fall-through      lengths
//! ```
//!
//! [`compile`] takes a [`Source`]: functions, entry points and data, and makes a standard program of it. What values are in
//! registers, and how functions call each other, says the module `abi`; which part of a value is needed at all, `need`.
#![forbid(unsafe_code)]

mod abi;
mod allocate;
mod code;
mod error;
mod frame;
mod hoist;
mod link;
mod lower;
mod need;
mod optimise;
mod pattern;
mod program;
mod vcode;

pub use error::{CompileError, Problem};
pub use program::{CodePointer, Compiled, Data, Options, Source, Unit, compile, frontend_config};

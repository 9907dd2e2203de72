//! Conformance data: reading it, running it, and naming the first difference.
//!
//! | module | what it knows |
//! |---|---|
//! | [`vector`] | PVM test vectors (JSON, version 0.4) and the vectors of the 0.8 line's draft gas model |
//! | [`trace`] | host-call traces (JIP-7, earlier JIP-6): reader and writer |
//! | [`looks_like_vector`], [`looks_like_trace`] | which of them a file is |
//! | [`Suite::executable`] | tests that are RISC-V programs, as those of `riscv-tests` |
//! | [`Suite`], [`replay()`] | running them on the engine: the first difference, if there is one |
//! | [`Recorder`] | writing the trace of a run |
//! | `script` | WebAssembly scripts, with feature `wasm` |
//!
//! Files are data from elsewhere, so everything is checked while it is read, and what is wrong is reported with the field
//! or line; no input makes a reader panic or allocate more than a small multiple of the input's size.
#![forbid(unsafe_code)]

mod executable;
mod recognise;
mod recorder;
mod replay;
mod run;
#[cfg(feature = "wasm")]
pub mod script;
pub mod trace;
pub mod vector;

pub use recognise::{looks_like_trace, looks_like_vector};
pub use recorder::Recorder;
pub use replay::replay;
pub use run::{Case, Difference, Suite};

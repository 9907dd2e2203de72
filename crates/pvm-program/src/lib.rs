//! Programs: from bytes on disk to code and a memory layout.
//!
//! | module | what it knows |
//! |---|---|
//! | [`natural`] | the variable-length numbers of the JAM codec |
//! | [`Blob`] | the program blob: code, bitmask, jump table |
//! | [`StandardProgram`], [`ServiceFile`] | the standard program and the JAM service file around it |
//! | [`PolkaVmFile`] | the `.polkavm` container |
//! | [`Program`] | any of them, recognised by content |
//! | [`Executable`] | a RISC-V program: a static ELF file, or a flat binary |
//! | [`MemoryImage`] | what guest memory holds before the first instruction |
//! | [`Code`] | instructions by program counter, and where basic blocks start |
//!
//! Everything is validated before anything is allocated: no field can claim more than the input holds. Decoding is strict,
//! as the Gray Paper is: exactly one sequence of bytes stands for a program.
#![forbid(unsafe_code)]

mod blob;
mod code;
mod elf;
mod error;
mod image;
mod metadata;
pub mod natural;
mod polkavm;
mod program;
mod reader;
mod service;
mod standard;

pub use blob::Blob;
pub use code::Code;
pub use elf::{Executable, FLOAT_ABI, ProgramHeaders, Symbol, SymbolKind};
pub use error::{LoadError, Problem};
pub use image::{Heap, MemoryImage, Segment};
pub use metadata::Metadata;
pub use polkavm::{PolkaVmFile, Section};
pub use program::{Attempt, Export, Format, Program, Unrecognised};
pub use pvm_ops::HALT_ADDRESS;
pub use service::ServiceFile;
pub use standard::{MAX_ARGUMENTS, StandardProgram};

/// Memory below this address is never accessible; an access there is a panic and no fault (Gray Paper A.7).
pub const LOWEST_ADDRESS: u32 = 0x1_0000;

/// The zone that memory areas are aligned to, in bytes (Gray Paper A.37: `Z_Z`).
pub const ZONE_SIZE: u32 = 0x1_0000;

//! Errors of the API. What a guest does wrong is an [`crate::Exit`], not an error.

use pvm_program::{MAX_ARGUMENTS, Unrecognised};
use pvm_vm::MemoryError;

/// Why there is no engine.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The compiler does not work here.
    #[cfg(feature = "cranelift")]
    #[error("{0}; everything can still be interpreted with `Jit::Off`")]
    Compiler(#[from] pvm_codegen::CompileError),
}

/// Why there is no module.
#[derive(Debug, thiserror::Error)]
pub enum ModuleError {
    /// The bytes are no program.
    #[error(transparent)]
    Unrecognised(#[from] Unrecognised),
}

/// Why there is no instance.
#[derive(Debug, thiserror::Error)]
pub enum InstanceError {
    /// Memory could not be had.
    #[error(transparent)]
    Memory(#[from] MemoryError),
    /// Too many argument bytes.
    #[error("{len} bytes of arguments are more than the limit of {MAX_ARGUMENTS}")]
    Arguments {
        /// How many there are.
        len: usize,
    },
    /// Arguments for a program that takes none.
    #[error("a {format} program takes no argument data")]
    NoArguments {
        /// The program's container.
        format: pvm_program::Format,
    },
}

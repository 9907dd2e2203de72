//! Errors of the API. What a guest does wrong is an [`crate::Exit`], not an error.

use pvm_gas::GasModel;
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
    /// The program's guest is not metered like that.
    #[error("a RISC-V program cannot be metered by the model `{model}`: there are `instruction` and `none`")]
    GasModel {
        /// What was asked for.
        model: GasModel,
    },
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
    /// Argument data for a RISC-V program, which finds its arguments in memory.
    #[error("a RISC-V program takes no argument data: its arguments are put onto its stack")]
    RiscvArguments,
    /// Arguments for a program that takes none.
    #[error("a {format} program takes no argument data")]
    NoArguments {
        /// The program's container.
        format: pvm_program::Format,
    },
}

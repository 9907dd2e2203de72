//! Why a run or a call has no result.

use crate::{Exit, InstanceError};
use pvm_vm::MemoryError;
use std::error::Error;
use std::io;

/// Why a run has ended that the guest did not end.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// A host function has failed.
    #[error("the host function {number} has failed: {source}")]
    Host {
        /// The number that the guest called.
        number: u64,
        /// What the function returned.
        source: Box<dyn Error + Send + Sync>,
    },
    /// The guest has called a host function that it would have to wait for.
    #[error("the host function {number} is asynchronous: only `run_async` waits for it")]
    Asynchronous {
        /// The number that the guest called.
        number: u64,
    },
    /// The deadline cannot be watched.
    #[error("the host has no thread to watch the deadline: {0}")]
    Timer(io::Error),
}

/// Why a call of a guest's function has no result.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// Something else than its end has stopped the function.
    #[error("the function has not returned: {0}")]
    Stopped(Exit),
    /// The host has failed.
    #[error(transparent)]
    Run(#[from] RunError),
    /// There is no such function.
    #[error("the program has no function `{name}`")]
    Unknown {
        /// Its name.
        name: String,
    },
    /// There are more arguments than registers for them.
    #[error("{count} arguments are more than the {limit} that go into registers")]
    Arguments {
        /// How many there are.
        count: usize,
        /// How many there can be.
        limit: usize,
    },
    /// An argument does not fit into a register.
    #[error("argument {index}, {value:#x}, does not fit into 32 bits")]
    TooWide {
        /// Which it is, from 0.
        index: usize,
        /// What it is.
        value: u64,
    },
    /// The guest has called its host, which called the guest, and so on.
    #[error("calls into the guest are nested more than {limit} deep, which is the limit")]
    Nesting {
        /// [`crate::Config::nesting_limit`].
        limit: u32,
    },
    /// A guest without a stack gets one, and there is no room.
    #[error("no room for a stack of {size} bytes below {end:#x}: {error}")]
    Stack {
        /// Its size.
        size: u64,
        /// Where it would end.
        end: u32,
        /// Why not.
        error: MemoryError,
    },
    /// There is code where functions return to.
    #[error("functions return to {address:#x}, where the guest has code")]
    ReturnAddress {
        /// Where that is.
        address: u32,
    },
    /// Only PVM programs are invoked with bytes as arguments.
    #[error("a RISC-V program cannot be invoked with bytes as arguments; its functions can be called")]
    NotPvm,
    /// The guest could not be brought to its start.
    #[error(transparent)]
    Start(#[from] InstanceError),
}

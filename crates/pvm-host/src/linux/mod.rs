//! The system calls of Linux, as user programs for RISC-V make them, and those of newlib and picolibc.
//!
//! | module | what it does |
//! |---|---|
//! | `calls` | all calls by number |
//! | `guest` | arguments and memory of a call, every pointer checked |
//! | `start` | the stack that a program begins with |
//! | `space`, `shared` | `brk`, `mmap` and their like; files mapped as shared memory |
//! | `files`, `pipe`, `paths`, `folders` | descriptors, paths, what of the host can be reached |
//! | `stat`, `attributes` | what is known of files beside their contents, and what of it is changed |
//! | `run` | programs with their system: user programs, and tests for bare machines |
//! | `time`, `identity` | clocks; everything that a process asks about itself |
//!
//! A process has one thread. It reaches the three standard streams, and files below the [`Folders`] that were opened for it.
//! Calls that are not known fail with `ENOSYS`, and are logged once. No call allocates more than a constant amount for what
//! the guest says, and none lasts longer than a tenth of a second but for the host's files and streams.

mod attributes;
mod calls;
mod errno;
mod files;
mod folders;
mod guest;
mod identity;
mod paths;
mod pipe;
mod run;
mod shared;
mod space;
mod start;
mod stat;
mod time;

pub use errno::Errno;
pub use files::Streams;
pub use folders::Folders;
pub use run::{Stop, run_bare, run_process};
pub use start::MAX_ARGUMENTS as MAX_LINUX_ARGUMENTS;

use files::Files;
use guest::Guest;
use pvm_program::Executable;
use pvm_runtime::{Access, Memory, MemoryError};
use shared::Shared;
use space::Space;
use std::collections::BTreeSet;
use std::time::Instant;

/// The stack of a program if nobody says how large it is to be, in bytes.
pub const DEFAULT_STACK: u64 = 8 << 20;
/// The smallest stack: what a program begins with must fit.
pub const MIN_STACK: u64 = 256 << 10;

/// How many unknown calls are logged: a guest may try all numbers.
const MAX_LOGGED: usize = 32;

/// What a process starts with.
#[derive(Debug)]
pub struct Start<'a> {
    /// Standard input, output and error.
    pub streams: Streams<'a>,
    /// Folders that it may use.
    pub folders: Folders,
    /// Its arguments, of which the first is its own name.
    pub arguments: Vec<Vec<u8>>,
    /// Its environment, in the form `NAME=VALUE`.
    pub environment: Vec<Vec<u8>>,
    /// The size of its stack in bytes, at least [`MIN_STACK`].
    pub stack_size: u64,
}

/// Why a process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The stack is too small.
    #[error("a stack of {size} bytes is less than the minimum of {MIN_STACK}")]
    SmallStack {
        /// What was asked for.
        size: u64,
    },
    /// There is no room for the stack beside the program.
    #[error("there is no room for a stack of {size} bytes beside the program")]
    NoRoom {
        /// What was asked for.
        size: u64,
    },
    /// Arguments and environment are too long, or have a zero byte in them.
    #[error(
        "arguments and environment are more than the limit of {MAX_LINUX_ARGUMENTS} bytes, or have a zero byte in them"
    )]
    Arguments,
    /// Memory for the stack could not be had.
    #[error("the stack: {0}")]
    Memory(#[from] MemoryError),
    /// The host gives no random bytes.
    #[error("no random bytes: {0}")]
    Random(getrandom::Error),
}

/// A process: what the system knows of a program that runs.
#[derive(Debug)]
pub struct Process<'a> {
    files: Files<'a>,
    folders: Folders,
    /// The current folder, an absolute path.
    current: String,
    /// What new files and folders do not allow.
    umask: u32,
    space: Space,
    shared: Shared,
    stack_size: u64,
    started: Instant,
    /// What is to happen on each signal, and which of them wait.
    actions: [[u8; 16]; 64],
    blocked: u64,
    /// When the sleep ends that is under way.
    sleeping_until: Option<Instant>,
    /// Unknown calls that have been logged.
    unknown: BTreeSet<u32>,
    // What a call says beside its result.
    ending: Option<Ending>,
    again: bool,
    flush_code: bool,
}

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// It has called `exit` with this code.
    Exit(u8),
    /// It has sent itself this signal.
    Signal(u8),
}

impl Ending {
    /// The exit code that a shell shows.
    pub const fn code(self) -> u8 {
        match self {
            Ending::Exit(code) => code,
            Ending::Signal(signal) => 128 + signal,
        }
    }
}

/// How it goes on after a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// Behind the call, with this in `a0`.
    Return(u32),
    /// The same, and instructions that were written before are to be seen, as by `fence.i`.
    Flush(u32),
    /// The call is not done: it is to be made again.
    Again,
    /// Not at all.
    End(Ending),
}

impl<'a> Process<'a> {
    /// Starts a process for a program that is in memory, and puts onto the stack what it wants to know. Returns the stack
    /// pointer, too.
    ///
    /// # Errors
    ///
    /// If that does not fit.
    pub fn start(
        executable: &Executable,
        memory: &mut Memory,
        start: Start<'a>,
    ) -> Result<(Process<'a>, u32), StartError> {
        let size = start.stack_size;
        if size < MIN_STACK {
            return Err(StartError::SmallStack { size });
        }
        let mut space = Space::new(&executable.image, executable.end);
        let (bottom, top) = space.take_stack(size).ok_or(StartError::NoRoom { size })?;
        let mut random = [0; 16];
        getrandom::fill(&mut random).map_err(StartError::Random)?;
        let stack = start::stack(executable, &start.arguments, &start.environment, random, top);
        let stack = stack.ok_or(StartError::Arguments)?;
        memory.map(bottom, u64::from(top - bottom), Access::ReadWrite)?;
        let pointer = top - stack.len() as u32;
        memory.initialise(pointer, &stack)?;
        let process = Process {
            files: Files::new(start.streams),
            folders: start.folders,
            current: "/".to_owned(),
            umask: 0o022,
            space,
            shared: Shared::default(),
            stack_size: size,
            started: Instant::now(),
            actions: identity::default_actions(),
            blocked: 0,
            sleeping_until: None,
            unknown: BTreeSet::new(),
            ending: None,
            again: false,
            flush_code: false,
        };
        Ok((process, pointer))
    }

    /// Does the system call of this number with these arguments (`a7`, `a0` to `a5`).
    pub fn call(&mut self, memory: &mut Memory, number: u32, args: [u32; 6]) -> Reply {
        let Some(call) = calls::find(number) else {
            if self.unknown.len() < MAX_LOGGED && self.unknown.insert(number) {
                tracing::warn!(number, "the guest makes a system call that is not known: ENOSYS");
            }
            return Reply::Return(Errno::ENOSYS.result());
        };
        let result = (call.run)(self, &mut Guest { memory, args });
        tracing::trace!(call.name, ?args, ?result, "system call");
        let value = result.unwrap_or_else(Errno::result);
        if let Some(ending) = self.ending {
            if let Err(error) = self.shared.save(memory, None) {
                tracing::warn!(?error, "what the guest has changed in a mapped file is lost");
            }
            self.files.flush();
            return Reply::End(ending);
        }
        match (std::mem::take(&mut self.again), std::mem::take(&mut self.flush_code)) {
            (true, _) => Reply::Again,
            (_, true) => Reply::Flush(value),
            _ => Reply::Return(value),
        }
    }

    /// Writes out what streams hold back.
    pub fn flush(&mut self) {
        self.files.flush();
    }
}

#[cfg(test)]
mod tests;

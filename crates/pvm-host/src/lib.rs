//! Host functions for PVM programs and system calls for RISC-V programs, ready to serve, on top of [`pvm_runtime::Instance`].
//!
//! | item | what it is |
//! |---|---|
//! | [`run`] | runs a guest and has a [`Host`] answer its calls |
//! | [`Host`], [`Caller`] | what a host is asked, and how it reaches the guest |
//! | [`Jam`] | the calls that a JAM program can make of a machine that stands alone: `gas` and `log` |
//! | [`Process`] | the system calls of Linux that a RISC-V user program makes, and newlib's |
//! | [`Observer`] | sees each call and everything that the host did in it; traces are recorded this way |
//! | [`calls`] | the calls of JAM for a [`pvm_runtime::Linker`]: general ones, and inner machines |
//!
//! ```
//! use pvm_host::{Jam, LogMessage, run};
//! use pvm_runtime::{Config, Engine, Exit, Instance, Module, Options};
//!
//! let bytes = pvm_asm::assemble("
//! .rodata
//! text:   .ascii \"hello\"
//! .text
//!         load_imm r7, 2
//!         load_imm r10, text
//!         load_imm r11, 5
//!         ecalli 100
//!         jump_ind r0, 0
//! ")?;
//! let module = Module::new(&Engine::new(&Config::default())?, &bytes, Options::default())?;
//! let mut instance = Instance::new(&module, &[])?;
//! instance.registers_mut()[8] = 0;
//! instance.set_gas(100);
//!
//! let mut lines = Vec::new();
//! let mut host = Jam::new(|message: &LogMessage| lines.push(message.to_string()));
//! assert_eq!(run(&mut instance, Some(&mut host), None), Exit::Halt);
//! assert_eq!((lines, instance.gas()), (vec!["INFO hello".to_owned()], 85));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

pub mod calls;

mod caller;
mod escape;
mod jam;
mod linux;
mod log;
mod serve;

pub use caller::{Caller, Effects};
pub use escape::escape;
pub use jam::{COST, GAS, Jam, LOG, WHAT};
pub use linux::{
    DEFAULT_STACK, Ending, Errno, Folders, MAX_LINUX_ARGUMENTS, MIN_STACK, Process, Reply, Start, StartError, Stop,
    Streams, run_bare, run_process,
};
pub use log::{Level, LogMessage, LogSink, MAX_MESSAGE, MAX_TARGET};
pub use serve::{Host, Observer, Outcome, run};

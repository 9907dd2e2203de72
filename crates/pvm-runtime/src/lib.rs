//! Run PVM and RISC-V programs, interpreted and compiled.
//!
//! * [`Engine`] is set up once, from a [`Config`].
//! * [`Module`] is a program, validated and prepared; it is compiled as it gets hot, once for all its guests.
//! * [`Instance`] is a guest: registers, gas and memory. [`Instance::run`] goes on until something stops it and says
//!   what, an [`Exit`]; everything can be looked at and changed then, and the run resumed.
//!
//! ```
//! use pvm_runtime::{Config, Engine, Exit, Instance, Module, Options};
//!
//! // add_64 r9, r7, r8; ecalli 5; jump_ind r0, 0
//! let program = [0, 0, 7, 200, 0x87, 9, 10, 5, 50, 0, 0b10_1001];
//!
//! let engine = Engine::new(&Config::default())?;
//! let module = Module::new(&engine, &program, Options::default())?;
//! let mut instance = Instance::new(&module, &[])?;
//! instance.set_gas(100);
//! instance.registers_mut()[..9].copy_from_slice(&[0xffff_0000, 0, 0, 0, 0, 0, 0, 40, 2]);
//!
//! assert_eq!(instance.run(), Exit::HostCall { id: 5 });
//! assert_eq!((instance.pc(), instance.registers()[9], instance.gas()), (3, 42, 98));
//! assert_eq!(instance.run(), Exit::Halt);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
#![forbid(unsafe_code)]

mod caller;
mod config;
mod engine;
mod error;
mod instance;
mod linker;
mod module;
mod riscv;
mod source;
mod store;
#[cfg(feature = "cranelift")]
mod tier;
mod timer;

pub use caller::Caller;
pub use config::{Config, Jit, Options};
pub use engine::Engine;
pub use error::{EngineError, InstanceError, ModuleError};
pub use instance::{Exit, Instance, InterruptHandle, Stats};
pub use linker::{HostFuture, HostResult, HostStop, Linker};
pub use module::{CompileStats, Module};
#[cfg(feature = "cranelift")]
pub use pvm_codegen::{OptLevel, Profiling};
pub use pvm_gas::GasModel;
pub use pvm_isa::{Profile, REG_COUNT};
pub use pvm_ops::{Access, MemoryFault, Trap};
pub use pvm_program::{Executable, Format, Program};
pub use pvm_vm::{FaultDetection, Memory, MemoryError};
pub use store::{CallError, Completion, Entry, Invocation, RunError, Slice, Store};

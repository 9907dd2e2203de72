//! Run PVM and RISC-V programs, interpreted and compiled.
//!
//! | type | what it is |
//! |---|---|
//! | [`Config`], [`Engine`] | settings and limits; what all programs share |
//! | [`Module`] | a program, validated and prepared; it is compiled as it gets hot, once for all its guests |
//! | [`Linker`], [`Caller`] | host functions, and the guest as they see it |
//! | [`Store`] | a guest with its linker and the host's data |
//! | [`Instance`] | a guest alone: registers, gas and memory |
//! | [`Snapshot`] | the state of a guest, to go on from |
//!
//! `docs/embedding.md` goes through all of it; the programs under `examples` of this crate show it.
//!
//! # Invoking a program
//!
//! ```
//! use pvm_runtime::{Completion, Config, Engine, Linker, Module, Options, Store};
//!
//! // Returns its arguments: the registers that it starts with name them.
//! let program = pvm_asm::assemble(".format spi\n jump_ind r0, 0")?;
//! let engine = Engine::new(&Config::default())?;
//! let module = Module::new(&engine, &program, Options::default())?;
//! let mut store = Store::new(&module, &Linker::new(), ())?;
//! let invocation = store.invoke(0, 100, b"hello")?;
//! assert_eq!(invocation.completion, Completion::Output(b"hello".to_vec()));
//! assert_eq!(invocation.gas_used, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Host functions, and calls of functions
//!
//! ```
//! use pvm_runtime::{Config, Engine, Linker, Module, Options, Store};
//!
//! let program = pvm_asm::assemble(".format raw\n ecalli 1\n add_imm_64 r7, r7, 1\n jump_ind r0, 0")?;
//! let module = Module::new(&Engine::new(&Config::default())?, &program, Options::default())?;
//! let mut linker = Linker::<Vec<u64>>::new();
//! linker.func(1, |caller| {
//!     caller.charge(10)?;
//!     let number = caller.argument(0);
//!     caller.data_mut().push(number);
//!     caller.set_result(number * number);
//!     Ok(())
//! });
//! let mut store = Store::new(&module, &linker, Vec::new())?;
//! store.instance_mut().set_gas(100);
//! assert_eq!(store.call(0, &[7])?, 50);
//! assert_eq!((store.data(), store.instance().gas()), (&vec![7], 87));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Step by step
//!
//! An [`Exit`] says what has stopped a guest. Everything can be looked at and changed then, and the run resumed.
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
mod snapshot;
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
pub use snapshot::{SNAPSHOT_VERSION, Snapshot, SnapshotError};
pub use store::{CallError, Completion, Entry, Invocation, RunError, Slice, Store};
pub use timer::Alarm;

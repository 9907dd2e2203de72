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
//!
//! # Memory that is filled when it is touched
//!
//! ```
//! use pvm_runtime::{Access, Config, Engine, Exit, Instance, Module, Options};
//!
//! let program = pvm_asm::assemble(".format raw\n load_u32 r7, [0x20000]\n jump_ind r0, 0")?;
//! let module = Module::new(&Engine::new(&Config::default())?, &program, Options::default())?;
//! let mut instance = Instance::new(&module, &[])?;
//! instance.set_gas(100);
//! instance.registers_mut()[0] = 0xffff_0000;
//! assert_eq!(instance.run(), Exit::PageFault { address: 0x20000 });
//! instance.memory_mut().map(0x20000, 0x1000, Access::Read)?;
//! instance.memory_mut().initialise(0x20000, &7u32.to_le_bytes())?;
//! assert_eq!((instance.run(), instance.registers()[7]), (Exit::Halt, 7));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Time and other limits
//!
//! ```
//! use pvm_runtime::{Config, Engine, Exit, Linker, Module, Options, Store};
//! use std::time::{Duration, Instant};
//!
//! let config = Config { memory_limit: 1 << 20, instance_limit: 1, ..Config::default() };
//! let program = pvm_asm::assemble(".format raw\n fallthrough\nloop: jump loop")?;
//! let module = Module::new(&Engine::new(&config)?, &program, Options::default())?;
//! let mut store = Store::new(&module, &Linker::new(), ())?;
//! let error = Store::new(&module, &Linker::new(), ()).unwrap_err();
//! assert!(error.to_string().contains("limit"), "{error}");
//!
//! store.instance_mut().set_gas(1000);
//! assert_eq!(store.run()?, Exit::OutOfGas);
//! store.instance_mut().set_gas(u64::MAX);
//! store.set_deadline(Some(Instant::now() + Duration::from_millis(5)));
//! assert_eq!(store.run()?, Exit::Interrupted);
//!
//! store.set_deadline(None);
//! let handle = store.interrupt_handle();
//! std::thread::spawn(move || handle.interrupt());
//! assert_eq!(store.run()?, Exit::Interrupted);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Waiting without a thread
//!
//! ```
//! use pvm_runtime::{Config, Engine, Exit, Linker, Module, Options, Slice, Store};
//! use std::task::{Context, Poll, Waker};
//!
//! let program = pvm_asm::assemble(".format raw\n ecalli 1\n jump_ind r0, 0")?;
//! let module = Module::new(&Engine::new(&Config::default())?, &program, Options::default())?;
//! let mut linker = Linker::<()>::new();
//! linker.func_async(1, |caller| {
//!     Box::pin(async move {
//!         caller.set_result(std::future::ready(42).await);
//!         Ok(())
//!     })
//! });
//! let mut store = Store::new(&module, &linker, ())?;
//! store.instance_mut().set_gas(100);
//! store.instance_mut().registers_mut()[0] = 0xffff_0000;
//! store.set_slice(Some(Slice::Gas(1_000_000)));
//! // Whatever executor there is; here nothing has to be waited for.
//! let mut run = Box::pin(store.run_async());
//! let Poll::Ready(exit) = run.as_mut().poll(&mut Context::from_waker(Waker::noop())) else { unreachable!() };
//! assert_eq!(exit?, Exit::Halt);
//! drop(run);
//! assert_eq!(store.instance().registers()[7], 42);
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
mod placement;
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
pub use module::Module;
#[cfg(feature = "cranelift")]
pub use pvm_codegen::{OptLevel, Profiling};
pub use pvm_gas::GasModel;
pub use pvm_isa::{Profile, REG_COUNT};
pub use pvm_ops::{Access, MemoryFault, Trap};
pub use pvm_program::{Executable, Format, Program};
pub use pvm_vm::{CompileStats, FaultDetection, Memory, MemoryError};
pub use snapshot::{SNAPSHOT_VERSION, Snapshot, SnapshotError};
pub use store::{CallError, Completion, Entry, Invocation, RunError, Slice, Store};
pub use timer::Alarm;

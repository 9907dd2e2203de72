//! The host calls of JAM, ready to link (Gray Paper, appendix B).
//!
//! | item | calls |
//! |---|---|
//! | [`link_machine`] | `gas`, `log`, and the answer to calls that are not known: what needs nothing but the machine |
//! | [`link_heap`] | `grow_heap` of the 0.8 line (B.6) |
//! | [`link_general`] over [`General`] | `fetch`, `lookup`, `read`, `write`, `info` (B.6) |
//! | [`link_refine`] over [`Refine`] | `historical_lookup`, `export` (B.7) |
//! | [`link_inner`] over [`InnerMachines`] | `machine`, `peek`, `poke`, `pages`, `invoke`, `expunge` (B.7) |
//!
//! Each takes a function that finds what it works on in the host's data, and the profile, as the numbers differ
//! ([`number`]). Every call but `grow_heap` costs [`crate::COST`], taken first: a guest that has less stops without gas, and nothing else
//! happens. Memory that the guest itself may not access makes it panic.
//!
//! ```
//! use pvm_host::calls::{Call, InnerMachines, link_inner, link_machine, number};
//! use pvm_runtime::{Config, Engine, Linker, Module, Options, Profile, Store};
//!
//! #[derive(Default)]
//! struct Host {
//!     machines: InnerMachines,
//! }
//!
//! // Makes a machine of the program that it has in memory, and returns its handle.
//! let machine = number(Call::Machine, Profile::V0_7);
//! let program = pvm_asm::assemble(&format!("
//! .rodata
//! inner:  .hex 00 00 01 00 01
//! .text
//!         load_imm r7, inner
//!         load_imm r8, 5
//!         load_imm r9, 0
//!         ecalli {machine}
//!         jump_ind r0, 0
//! "))?;
//! let module = Module::new(&Engine::new(&Config::default())?, &program, Options::default())?;
//! let mut linker = Linker::<Host>::new();
//! link_machine(&mut linker, |_, message| println!("{message}"));
//! link_inner(&mut linker, Profile::V0_7, |host: &mut Host| &mut host.machines);
//! let mut store = Store::new(&module, &linker, Host::default())?;
//! store.instance_mut().set_gas(100);
//! assert_eq!(store.call(0, &[])?, 0);
//! assert_eq!(store.data().machines.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod general;
mod heap;
mod inner;
mod machine;
mod refine;
mod window;

pub use general::{Account, Full, General, link_general};
pub use heap::{GROW_HEAP, link_heap};
pub use inner::{InnerError, InnerMachines, MOST_MACHINES, link_inner};
pub use machine::link_machine;
pub use refine::{Refine, SEGMENT, link_refine};

use pvm_runtime::{Exit, HostResult, HostStop, Profile};

/// There is none: 2^64 - 1.
pub const NONE: u64 = u64::MAX;
/// The range lies outside of memory that is accessible: 2^64 - 3.
pub const OOB: u64 = u64::MAX - 2;
/// Nobody is known by that number: 2^64 - 4.
pub const WHO: u64 = u64::MAX - 3;
/// There is no room: 2^64 - 5.
pub const FULL: u64 = u64::MAX - 4;
/// That makes no sense: 2^64 - 9.
pub const HUH: u64 = u64::MAX - 8;
/// It is done.
pub const OK: u64 = 0;

/// A call by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // the names of the Gray Paper
pub enum Call {
    Gas,
    Fetch,
    Lookup,
    Read,
    Write,
    Info,
    HistoricalLookup,
    Export,
    Machine,
    Peek,
    Poke,
    Pages,
    Invoke,
    Expunge,
}

/// The number of a call. In the 0.8 line `grow_heap` ([`GROW_HEAP`]) has come in behind `gas`, and the others have moved by one.
pub const fn number(call: Call, profile: Profile) -> u64 {
    match (call, profile) {
        (Call::Gas, _) => call as u64,
        (_, Profile::V0_7 | Profile::Draft) => call as u64,
        (_, Profile::V0_8) => call as u64 + 1,
    }
}

/// The guest panics.
fn panic<T>() -> Result<T, HostStop> {
    Err(HostStop::Exit(Exit::Panic))
}

/// Finds in the host's data what calls work on.
pub type Access<T, S> = fn(&mut T) -> &mut S;

/// What a call returns to the linker once it has its result.
fn answer<T>(caller: &mut pvm_runtime::Caller<'_, T>, result: u64) -> HostResult {
    caller.set_result(result);
    Ok(())
}

//! Snapshots: the whole state of a guest, to go on from it later, in another instance, or on another machine.
//!
//! | module | what it does |
//! |---|---|
//! | `format` | bytes that are the same on every machine (`docs/snapshot-format.md`) |
//! | `reader` | reads numbers, and says where they end |
//! | `state` | takes the state of an instance, and gives it to one |
//!
//! What is known of machine code, and what of the guest is hot, belongs to module and instance, not to the state.

mod format;
mod reader;
mod state;

use crate::InstanceError;
use crate::riscv::CONTROL_WORDS;
use pvm_ops::{Access, PAGE_SIZE};
use pvm_vm::{MemoryError, Template};
use std::sync::{Arc, OnceLock};

pub use format::VERSION as SNAPSHOT_VERSION;

/// The state of a guest. Cheap to clone; clones are the same snapshot, also between threads.
///
/// ```
/// use pvm_runtime::{Config, Engine, Exit, Instance, Module, Options, Snapshot};
///
/// // add_imm_64 r7, r7, 1; ecalli 5; add_imm_64 r7, r7, 2; ecalli 6
/// let program = [0, 0, 10, 149, 0x77, 1, 10, 5, 149, 0x77, 2, 10, 6, 0b0010_1001, 1];
/// let module = Module::new(&Engine::new(&Config::default())?, &program, Options::default())?;
/// let mut instance = Instance::new(&module, &[])?;
/// instance.set_gas(100);
/// assert_eq!(instance.run(), Exit::HostCall { id: 5 });
///
/// let bytes = instance.snapshot().to_bytes();
/// // … to another machine …
/// let snapshot = Snapshot::from_bytes(&bytes)?;
/// for _ in 0..3 {
///     let mut fork = Instance::from_snapshot(&module, &snapshot)?;
///     assert_eq!(fork.run(), Exit::HostCall { id: 6 });
///     assert_eq!((fork.registers()[7], fork.gas()), (3, 96));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct Snapshot {
    contents: Arc<Contents>,
    /// What guests that go on from here begin with, once there was one.
    template: Arc<OnceLock<Arc<Template>>>,
}

impl PartialEq for Snapshot {
    fn eq(&self, other: &Snapshot) -> bool {
        self.contents == other.contents
    }
}

impl Eq for Snapshot {}

impl Snapshot {
    fn new(contents: Contents) -> Snapshot {
        Snapshot { contents: Arc::new(contents), template: Arc::default() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Contents {
    program: Identity,
    machine: Machine,
    /// In the order of their addresses.
    areas: Vec<Area>,
    /// Pages that do not hold zeros only, in the order of their addresses.
    pages: Vec<Page>,
}

/// A page: its address, and what it holds.
type Page = (u32, Box<[u8; PAGE_SIZE as usize]>);

/// What tells whether a snapshot is of a program: a number for each choice, and a sum over the bytes of the program. The sum
/// is against mistakes, not against those who wish to deceive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    guest: u8,
    profile: u8,
    gas_model: u8,
    sum: u64,
}

/// All but memory.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Machine {
    is_paid: bool,
    is_at_host_call: bool,
    pc: u32,
    gas: u64,
    /// The address reserved for a conditional store, or all ones.
    reserved: u64,
    registers: [u64; 32],
    heap_end: u32,
    heap_limit: u32,
    sbrk_returns_new_end: bool,
    /// The control registers of a RISC-V guest, and the instructions that it has executed.
    control: [u32; CONTROL_WORDS],
    retired: u64,
}

/// Pages side by side with the same right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Area {
    address: u32,
    pages: u32,
    access: Access,
}

impl Area {
    fn size(self) -> u64 {
        u64::from(self.pages) * u64::from(PAGE_SIZE)
    }

    fn end(self) -> u64 {
        u64::from(self.address) + self.size()
    }
}

/// Why there is no guest from a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The bytes are no snapshot of this version.
    #[error("no snapshot: {field} at offset {offset}: {problem}")]
    Format {
        /// What is wrong.
        field: &'static str,
        /// Where it is.
        offset: usize,
        /// What is wrong with it.
        problem: String,
    },
    /// It is of another program, or of one that is numbered or metered in another way.
    #[error("the snapshot is of another program: its {field} is {found:#x}, and the module's {expected:#x}")]
    Program {
        /// What differs.
        field: &'static str,
        /// What the snapshot has.
        found: u64,
        /// What the module has.
        expected: u64,
    },
    /// An instance could not be made.
    #[error(transparent)]
    Instance(#[from] InstanceError),
    /// Its memory could not be had.
    #[error(transparent)]
    Memory(#[from] MemoryError),
}

//! Guest code as the interpreter and the compiler see it, whatever instruction set it is written in.

use crate::{Inst, Width};

/// An instruction and where it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// What it means.
    pub inst: Inst,
    /// The program counter of the instruction that follows it in memory.
    pub next: u32,
}

/// Code that can be fetched by program counter.
///
/// Every program counter has an instruction: where the guest has none, it is the trap that running there would be.
pub trait GuestCode {
    /// The instruction at `pc`.
    fn fetch(&self, pc: u32) -> Fetched;

    /// Whether a jump may go to `pc`.
    fn is_block_start(&self, pc: u32) -> bool;

    /// Where dynamic jumps go.
    fn dynamic_jumps(&self) -> DynamicJumps<'_>;

    /// Where the dynamic jump at `pc` is likely to go, as far as anybody knows.
    fn likely_targets(&self, _pc: u32) -> Vec<u32> {
        Vec::new()
    }

    /// Whether the guest is likely to come to `pc`, which code that has run leads to, as far as anybody knows.
    fn is_likely(&self, _pc: u32) -> bool {
        true
    }

    /// Whether the dynamic jump at `pc` is likely to be the return from a call.
    fn is_return(&self, _pc: u32) -> bool {
        false
    }

    /// The width of registers. Those of 32 bits hold sign-extended values.
    fn width(&self) -> Width;
}

/// The guest's rule for dynamic jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DynamicJumps<'a> {
    /// A jump to address `2 * (i + 1)` goes to entry `i` of a table, if that is the start of a block; a jump to
    /// [`HALT_ADDRESS`] ends the program (Gray Paper A.4).
    Table {
        /// The entries. Those that are no block starts may not be jumped to.
        entries: &'a [u32],
        /// How many there are. Those that are not listed are 0: a table whose entries take no bytes can be longer than
        /// any memory.
        count: u64,
    },
    /// A jump goes to the address itself, the lowest bit cleared (RISC-V).
    Direct,
}

impl<'a> DynamicJumps<'a> {
    /// The entries of the table that are listed; none if jumps are direct.
    pub const fn entries(self) -> &'a [u32] {
        match self {
            DynamicJumps::Table { entries, .. } => entries,
            DynamicJumps::Direct => &[],
        }
    }
}

/// The address that ends the program when a dynamic jump goes there (Gray Paper A.4).
pub const HALT_ADDRESS: u32 = 0xffff_0000;

/// What [`State::reserved`] holds if no address is reserved.
pub const NO_ADDRESS: u64 = u64::MAX;

/// What the interpreter and compiled code change as they run: all of the machine but its memory.
///
/// The layout is fixed, as compiled code works on it: what each region reads and writes comes first, where an offset takes a byte on
/// x86-64.
#[derive(Clone, Debug, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// Gas that is left.
    pub gas: u64,
    /// The instruction that runs next, or that stopped the run.
    pub pc: u32,
    /// Whether the gas from `pc` to the end of its segment has been charged already. It has when a run goes on in the
    /// middle of a basic block that was charged as a whole.
    pub paid: bool,
    /// The registers; a guest that has fewer leaves the others alone.
    pub registers: [u64; 32],
    /// Instructions executed so far, where they are counted.
    pub instructions: u64,
    /// The address that a load has reserved for a conditional store, or [`NO_ADDRESS`].
    pub reserved: u64,
}

impl Default for State {
    fn default() -> State {
        State { registers: [0; 32], gas: 0, instructions: 0, reserved: NO_ADDRESS, pc: 0, paid: false }
    }
}

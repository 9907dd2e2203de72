//! Guest code as the interpreter and the compiler see it, whatever instruction set it is written in.

use crate::Inst;

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
    /// The end of the code: program counters from here on are traps.
    fn end(&self) -> u32;

    /// The instruction at `pc`.
    fn fetch(&self, pc: u32) -> Fetched;

    /// Whether a jump may go to `pc`.
    fn is_block_start(&self, pc: u32) -> bool;

    /// The jump table: a dynamic jump to address `2 * (i + 1)` goes to entry `i`, if that is the start of a block
    /// (Gray Paper A.4). Entries that are no block starts may not be jumped to.
    fn jump_table(&self) -> &[u32];

    /// How many entries the jump table has. Those that [`GuestCode::jump_table`] does not list are 0: a table whose
    /// entries take no bytes can be longer than any memory.
    fn jump_count(&self) -> u64 {
        self.jump_table().len() as u64
    }
}

/// The address that ends the program when a dynamic jump goes there (Gray Paper A.4).
pub const HALT_ADDRESS: u32 = 0xffff_0000;

/// What the interpreter and compiled code change as they run: all of the machine but its memory.
///
/// The layout is fixed, as compiled code works on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[repr(C)]
pub struct State {
    /// The registers; a guest that has fewer leaves the others alone.
    pub registers: [u64; 32],
    /// Gas that is left.
    pub gas: u64,
    /// Instructions executed so far, where they are counted.
    pub instructions: u64,
    /// The instruction that runs next, or that stopped the run.
    pub pc: u32,
    /// Whether the gas from `pc` to the end of its segment has been charged already. It has when a run goes on in the
    /// middle of a basic block that was charged as a whole.
    pub paid: bool,
}

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

    /// The entries of the jump table, as program counters; those that are no block starts may not be jumped to.
    /// A dynamic jump to address `2 * (i + 1)` goes to entry `i` (Gray Paper A.4).
    fn jump_table(&self) -> &[u32];
}

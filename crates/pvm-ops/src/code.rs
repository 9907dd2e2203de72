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

    /// One entry of the jump table. Unlike [`GuestCode::jump_table`] this also knows tables whose entries take no
    /// bytes, which can be longer than any memory.
    fn jump_entry(&self, index: u32) -> Option<u32> {
        self.jump_table().get(index as usize).copied()
    }
}

/// Where the dynamic jump to `address` goes (Gray Paper A.4: `djump`, but for the address that halts).
///
/// `None` if it may not be jumped to: zero, odd, beyond the table, or an entry that is no start of a block.
pub fn jump_indirect_target<C: GuestCode + ?Sized>(code: &C, address: u32) -> Option<u32> {
    if address == 0 || address % 2 != 0 {
        return None;
    }
    code.jump_entry(address / 2 - 1).filter(|&pc| code.is_block_start(pc))
}

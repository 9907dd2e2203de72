//! Guest code for tests, as a list of instructions.

use crate::Blocks;
use pvm_ops::{DynamicJumps, Fetched, GuestCode, Inst, Width};

/// Instructions of one byte each, of a guest of 64 bits.
pub struct Listing {
    /// By program counter.
    pub insts: Vec<Inst>,
    /// The jump table.
    pub entries: Vec<u32>,
}

impl Listing {
    /// All blocks.
    pub fn blocks(&self) -> Blocks {
        let starts = (0..self.insts.len() as u32).filter(|&pc| self.is_block_start(pc));
        Blocks::new(self, starts, self.insts.len())
    }
}

impl GuestCode for Listing {
    fn fetch(&self, pc: u32) -> Fetched {
        Fetched { inst: self.insts.get(pc as usize).copied().unwrap_or(Inst::Trap), next: pc.saturating_add(1) }
    }

    fn is_block_start(&self, pc: u32) -> bool {
        pc == 0 || self.insts[pc as usize - 1].ends_block()
    }

    fn dynamic_jumps(&self) -> DynamicJumps<'_> {
        DynamicJumps::Table { entries: &self.entries, count: self.entries.len() as u64 }
    }

    fn width(&self) -> Width {
        Width::W64
    }
}

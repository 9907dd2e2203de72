//! What the blocks of a region do with registers, and which of these are still of use where.

use crate::Blocks;
use crate::blocks::instructions;
use crate::graph::Graph;
use pvm_ops::{GuestCode, Inst, Reg};

/// What each block of a region does, by position. Registers are sets.
pub(crate) struct Uses {
    /// What is read before it is written.
    read: Vec<u32>,
    written: Vec<u32>,
    /// By how many instructions each register is touched.
    touches: Vec<[u32; 32]>,
    /// Whether dynamic jumps may lead there.
    is_target: Vec<bool>,
    /// Whether it ends with one.
    jumps: Vec<bool>,
    /// How many other ways lead behind it, also out of the region.
    ways: Vec<usize>,
}

impl Uses {
    pub(crate) fn new<C: GuestCode>(code: &C, blocks: &Blocks, graph: &Graph<'_>) -> Uses {
        let count = graph.blocks.len();
        let is_target =
            (0..count).map(|at| blocks.get(graph.blocks[at]).is_jump_target && !graph.is_copy(at)).collect();
        let (read, written) = (vec![0; count], vec![0; count]);
        let touches = vec![[0; 32]; count];
        let mut uses = Uses { read, written, touches, is_target, jumps: vec![false; count], ways: vec![1; count] };
        for (at, &id) in graph.blocks.iter().enumerate() {
            for (_, inst) in instructions(code, blocks.get(id)) {
                let sets = inst.registers();
                uses.read[at] |= sets.reads & !uses.written[at];
                uses.written[at] |= sets.writes;
                let mut touched = sets.reads | sets.writes;
                while touched != 0 {
                    uses.touches[at][touched.trailing_zeros() as usize] += 1;
                    touched &= touched - 1;
                }
                match inst {
                    Inst::JumpIndirect { .. } => (uses.jumps[at], uses.ways[at]) = (true, 0),
                    Inst::Branch { .. } => uses.ways[at] = 2,
                    _ => {}
                }
            }
        }
        uses
    }

    /// How many instructions of a block touch a register.
    pub(crate) fn touches(&self, at: usize, reg: Reg) -> u32 {
        self.touches[at][reg.index()]
    }

    pub(crate) fn read(&self, at: usize) -> u32 {
        self.read[at]
    }

    pub(crate) fn written(&self, at: usize) -> u32 {
        self.written[at]
    }

    pub(crate) fn touched(&self, at: usize) -> u32 {
        self.read[at] | self.written[at]
    }

    /// Whether dynamic jumps may lead there.
    pub(crate) fn is_target(&self, at: usize) -> bool {
        self.is_target[at]
    }

    /// Whether the block ends with a dynamic jump.
    pub(crate) fn jumps(&self, at: usize) -> bool {
        self.jumps[at]
    }

    /// How many other ways lead behind the block, also out of the region.
    pub(crate) fn ways(&self, at: usize) -> usize {
        self.ways[at]
    }

    /// What these blocks touch.
    pub(crate) fn touched_in(&self, body: &[usize]) -> u32 {
        body.iter().fold(0, |all, &at| all | self.touched(at))
    }

    /// The registers that may be read before they are written from where each block begins on, within the region.
    pub(crate) fn live(&self, successors: &[Vec<usize>]) -> Vec<u32> {
        let mut live = self.read.clone();
        let mut changed = true;
        while changed {
            changed = false;
            let targets = (0..live.len()).filter(|&at| self.is_target[at]);
            let behind_jumps = targets.fold(0, |all, at| all | live[at]);
            for at in (0..live.len()).rev() {
                let behind = if self.jumps[at] { behind_jumps } else { 0 };
                let behind = successors[at].iter().fold(behind, |all, &to| all | live[to]);
                let new = live[at] | behind & !self.written[at];
                changed |= new != live[at];
                live[at] = new;
            }
        }
        live
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_read_behind_is_live_until_it_is_written() {
        // 0 -> 1 -> 2 -> 1; 2 ends with a dynamic jump, too, which may lead to 3.
        let uses = Uses {
            read: vec![0b0001, 0b0010, 0, 0b1000],
            written: vec![0b0010, 0b0100, 0b1000, 0],
            touches: vec![[0; 32]; 4],
            is_target: vec![false, false, false, true],
            jumps: vec![false, false, true, false],
            ways: vec![1, 1, 1, 0],
        };
        let live = uses.live(&[vec![1], vec![2], vec![1], vec![]]);
        assert_eq!(live, [0b0001, 0b0010, 0b0010, 0b1000]);
        assert_eq!(uses.touched_in(&[1, 2]), 0b1110);
    }
}

//! Which guest registers are parked in the context while a loop runs.
//!
//! Every register is observable at every exit, so all of them are alive all the time: with the gas and the address of
//! guest memory more values than a host has registers. The register allocator cannot know which of them a loop does
//! without. So registers that a loop does not touch are stored before it, as far as room is needed, and loaded behind it.
//! Exits in the loop leave them where they are. An inner loop parks what is parked around it, and more if need be.

use crate::blocks::instructions;
use crate::loops::Loops;
use crate::{Blocks, Region};
use pvm_ops::{GuestCode, Inst, Reg};

/// How many guest registers can be in host registers while a loop runs. Cranelift allocates 14 on x86-64; the gas, the
/// address of guest memory and the address of an access need one each.
const ROOM: u32 = 11;

/// Registers parked in each block of a region, and what passing from block to block takes.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    /// By position, a set of registers.
    parked: Vec<u32>,
    /// By position, the registers that may differ from the context at the end of the block.
    dirty: Vec<u32>,
}

/// What passing from one block to another takes: sets of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    /// To be stored into the context first.
    pub stores: u32,
    /// To be loaded from it then.
    pub loads: u32,
}

impl Parking {
    pub(crate) fn new<C: GuestCode>(code: &C, blocks: &Blocks, region: &Region) -> Parking {
        let count = region.blocks.len();
        let (mut touched, mut written) = (vec![0; count], vec![0; count]);
        let mut is_dynamic = vec![false; count];
        for (at, &id) in region.blocks.iter().enumerate() {
            for (_, inst) in instructions(code, blocks.get(id)) {
                let sets = inst.registers();
                touched[at] |= sets.reads | sets.writes;
                written[at] |= sets.writes;
                is_dynamic[at] |= matches!(inst, Inst::JumpIndirect { .. });
            }
        }
        let used: u32 = touched.iter().fold(0, |all, one| all | one);
        let excess = used.count_ones().saturating_sub(ROOM);
        let mut parking = Parking { parked: vec![0; count], dirty: vec![0; count] };
        if excess == 0 {
            return parking;
        }
        let successors = region.successors(blocks);
        let loops = Loops::find(region, blocks, &successors);
        // How often a register is touched, loops counting more.
        let weight = |reg: Reg| -> u64 {
            let touching = (0..count).filter(|&at| touched[at] & reg.bit() != 0);
            touching.map(|at| 8_u64.pow(loops.depth(at).min(8))).sum()
        };
        let mut by_weight: Vec<Reg> = Reg::ALL.into_iter().filter(|reg| used & reg.bit() != 0).collect();
        by_weight.sort_by_key(|&reg| weight(reg));
        for body in loops.outermost_first().filter(|body| body.iter().all(|&at| !is_dynamic[at])) {
            let touched = body.iter().fold(0, |all, &at| all | touched[at]);
            let around = parking.parked[body[0]];
            let idle = by_weight.iter().map(|reg| reg.bit()).filter(|bit| (touched | around) & bit == 0);
            let more = excess.saturating_sub(around.count_ones()) as usize;
            let parked = idle.take(more).fold(around, |all, bit| all | bit);
            body.iter().for_each(|&at| parking.parked[at] = parked);
        }
        // A dynamic jump within the region may come with any register changed.
        let all = written.iter().fold(0, |all, one| all | one);
        let before = region.blocks.iter().map(|&id| if blocks.get(id).is_jump_target { all } else { 0 }).collect();
        parking.find_dirty(&successors, &written, before);
        parking
    }

    /// Follows what is written along the edges until nothing changes, from what differs `before` each block at first.
    fn find_dirty(&mut self, successors: &[Vec<usize>], written: &[u32], mut before: Vec<u32>) {
        let mut changed = true;
        while changed {
            changed = false;
            for (at, to) in successors.iter().enumerate() {
                self.dirty[at] = before[at] | written[at];
                for &to in to {
                    let new = before[to] | self.dirty[at] & !self.parked[to] & !self.parked[at];
                    changed |= new != before[to];
                    before[to] = new;
                }
            }
        }
    }

    /// The registers that are in the context while the block at this position runs.
    pub(crate) fn parked(&self, at: usize) -> u32 {
        self.parked[at]
    }

    /// What passing along an edge takes.
    pub(crate) fn passage(&self, from: usize, to: usize) -> Passage {
        let (here, there) = (self.parked[from], self.parked[to]);
        Passage { stores: there & !here & self.dirty[from], loads: here & !there }
    }
}

//! Which guest registers stay on the stack.
//!
//! Every register is observable at every exit, so all of them are alive all the time: with the gas and what is computed on
//! the way they are more values than a host has registers. Left alone, the register allocator spills whichever comes last,
//! in the hottest loop if need be. So those that are touched least are *parked*: they are read from a place on the stack
//! and written to it. Each loop parks what it touches least; on the way into it and out of it registers are stored and
//! loaded.

use crate::blocks::instructions;
use crate::loops::Loops;
use crate::{Blocks, Region};
use pvm_ops::{GuestCode, Inst, Reg};

/// How many values have a host register all the time: guest registers, and the gas if there is any. Cranelift allocates 14
/// on x86-64; what is computed on the way needs the others.
const ROOM: u32 = 11;

/// Registers parked in each block of a region, and what passing from block to block takes.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    /// By position, a set of registers.
    parked: Vec<u32>,
    /// By position, the registers that may differ from where they are parked at the end of the block.
    dirty: Vec<u32>,
}

/// What passing from one block to another takes: sets of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    /// To be stored where they are parked first.
    pub stores: u32,
    /// To be loaded from there then.
    pub loads: u32,
}

impl Parking {
    /// Decides for a region; `has_gas` says whether one more register is needed for that.
    pub(crate) fn new<C: GuestCode>(code: &C, blocks: &Blocks, region: &Region, has_gas: bool) -> Parking {
        let count = region.blocks.len();
        let (mut touched, mut written) = (vec![0; count], vec![0; count]);
        // Dynamic jumps lead from any of these to any other of them, so all of them park the same registers.
        let mut is_dynamic: Vec<bool> = region.blocks.iter().map(|&id| blocks.get(id).is_jump_target).collect();
        for (at, &id) in region.blocks.iter().enumerate() {
            for (_, inst) in instructions(code, blocks.get(id)) {
                let sets = inst.registers();
                touched[at] |= sets.reads | sets.writes;
                written[at] |= sets.writes;
                is_dynamic[at] |= matches!(inst, Inst::JumpIndirect { .. });
            }
        }
        let used: u32 = touched.iter().fold(0, |all, one| all | one);
        let excess = (used.count_ones() + u32::from(has_gas)).saturating_sub(ROOM);
        let mut parking = Parking { parked: vec![0; count], dirty: vec![0; count] };
        if excess == 0 {
            return parking;
        }
        let successors = region.successors(blocks);
        let loops = Loops::find(region, &successors);
        // Those that some blocks touch least, loops counting more; where that is equal, those that are parked anyway.
        let choose = |body: &[usize], around: u32| -> u32 {
            let weight = |reg: &Reg| -> u64 {
                let touching = body.iter().filter(|&&at| touched[at] & reg.bit() != 0);
                touching.map(|&at| 8_u64.pow(loops.depth(at).min(8))).sum()
            };
            let mut regs: Vec<Reg> = Reg::ALL.into_iter().filter(|reg| used & reg.bit() != 0).collect();
            regs.sort_by_key(|reg| (weight(reg), around & reg.bit() == 0));
            regs.iter().take(excess as usize).fold(0, |all, reg| all | reg.bit())
        };
        let everywhere: Vec<usize> = (0..count).collect();
        parking.parked.fill(choose(&everywhere, 0));
        for body in loops.outermost_first().filter(|body| body.iter().all(|&at| !is_dynamic[at])) {
            let parked = choose(body, parking.parked[body[0]]);
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

    /// The registers that are parked while the block at this position runs.
    pub(crate) fn parked(&self, at: usize) -> u32 {
        self.parked[at]
    }

    /// The registers that are parked in any block.
    pub(crate) fn anywhere(&self) -> u32 {
        self.parked.iter().fold(0, |all, one| all | one)
    }

    /// What passing along an edge takes.
    pub(crate) fn passage(&self, from: usize, to: usize) -> Passage {
        let (here, there) = (self.parked[from], self.parked[to]);
        Passage { stores: there & !here & self.dirty[from], loads: here & !there }
    }
}

//! Branches around up to three instructions, as conditional moves.
//!
//! Of `least = value < least ? value : least` compilers make a branch around a move where the guest's machine has no conditional
//! moves. Often it cannot be foreseen, and host compilers do not make a branch of it. So both ways are computed, and what the
//! branch would have skipped is kept or not. Such instructions can neither be refused nor leave, so there is no exit among
//! them.

use super::{Current, Next, Translator};
use crate::blocks::{BlockId, Ending, instructions};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;
use pvm_clif::alu;
use pvm_ops::{BinaryOp, Cond, GuestCode, Inst, Reg};

/// So many instructions may be skipped. They are executed in any case, and each has a conditional move.
const MOST_SKIPPED: u32 = 3;

/// What a branch leads around.
pub(super) struct Hammock {
    /// Whether it does so where its condition holds.
    holds: bool,
    skipped: BlockId,
    /// What the block that is skipped costs.
    cost: u64,
    /// The position of the block where both ways meet.
    join: usize,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// What the branch at the end of the current block, which leads on to `next` or `target`, leads around.
    pub(super) fn hammock(&self, current: &Current, next: u32, target: u32) -> Option<Hammock> {
        if self.blocks.is_loop(current.id) {
            return None;
        }
        let (_, Inst::Branch { lhs, rhs, .. }) = *current.insts.last()? else { return None };
        let compared = lhs.bit() | rhs.reg().map_or(0, Reg::bit);
        self.hammock_over(next, target, true, compared).or_else(|| self.hammock_over(target, next, false, compared))
    }

    /// The hammock of a branch that leads to `join` if its condition `holds`, or does not, and else to the block at `pc`.
    fn hammock_over(&self, pc: u32, join: u32, holds: bool, compared: u32) -> Option<Hammock> {
        let (at, join) = (self.member(pc)?, self.member(join)?);
        let is_alike =
            |at| self.parking.parked(at) == self.parking.parked(self.position) && self.parking.zone(at) == self.zone;
        if !is_alike(at) || !is_alike(join) || self.checkpoints[at].compares {
            return None;
        }
        let (skipped, cost) = (self.graph.blocks[at], self.checkpoints[at].cost);
        let block = self.blocks.get(skipped);
        let leads_on = block.successors.into_iter().flatten().eq([self.graph.blocks[join]]);
        if !leads_on || block.len > MOST_SKIPPED + u32::from(block.ending == Ending::Terminator) {
            return None;
        }
        let is_simple = |(_, inst)| match inst {
            // A bound. Other constants are mostly for cases that can be foreseen: then what comes after need not wait for the
            // comparison.
            Inst::LoadImm { dst, .. } => dst.bit() & compared != 0,
            Inst::Binary { op, .. } => {
                use BinaryOp::{Add, And, AndInv, Or, OrInv, Sub, Xnor, Xor};
                matches!(op, Add | Sub | And | Or | Xor | AndInv | OrInv | Xnor)
            }
            Inst::Unary { .. } | Inst::Fallthrough | Inst::Jump { link: None, .. } => true,
            _ => false,
        };
        instructions(self.code, block).all(is_simple).then_some(Hammock { holds, skipped, cost, join })
    }

    /// Ends a block with a branch that leads around something.
    pub(super) fn branch_around(&mut self, cond: Cond, lhs: Value, rhs: Value, hammock: Hammock) {
        let Hammock { holds, skipped, cost, join } = hammock;
        let is_skipped = alu::condition(self.builder, if holds { cond } else { cond.negated() }, lhs, rhs);
        let block = self.blocks.get(skipped);
        self.add_unless_skipped(self.gas, -(cost as i64), is_skipped);
        if self.metering.count_instructions {
            self.add_unless_skipped(self.instructions, i64::from(block.len), is_skipped);
        }

        let insts: Vec<_> = instructions(self.code, block).filter(|(_, inst)| !inst.ends_block()).collect();
        let written = insts.iter().fold(0, |all, (_, inst)| all | inst.registers().writes);
        let written = || Reg::ALL.into_iter().filter(move |reg| written & reg.bit() != 0);
        let formers: Vec<Value> = written().map(|reg| self.read(reg)).collect();
        let mut current = Current::new(skipped, insts, Next::Anywhere, None);
        // What is kept goes where it is parked, not what may be.
        self.parking_now = 0;
        for index in 0..current.insts.len() {
            self.instruction(&mut current, index);
        }
        self.parking_now = u32::MAX;
        for (reg, former) in written().zip(formers) {
            let value = self.read(reg);
            let value = self.builder.ins().select(is_skipped, former, value);
            self.write(reg, value);
        }

        let mut passage = self.parking.passage(self.position, join);
        passage.stores |= self.owed() & self.parking.parked(join);
        self.pass(passage);
        self.builder.ins().jump(self.bodies[join], &[]);
    }

    /// As the registers, by a conditional move: the comparison is made for it anew, and need not be made a value as that of a branch
    /// that is folded.
    fn add_unless_skipped(&mut self, variable: Variable, amount: i64, is_skipped: Value) {
        if amount == 0 {
            return;
        }
        let former = self.builder.use_var(variable);
        self.add(variable, amount);
        let value = self.builder.use_var(variable);
        let value = self.builder.ins().select(is_skipped, former, value);
        self.builder.def_var(variable, value);
    }
}

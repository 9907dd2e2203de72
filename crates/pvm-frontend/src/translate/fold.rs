//! Two branches as one, where the second is all that its block does and both may lead to the same place.
//!
//! Of `while (key[i] && key[i] != wanted)` guests make two branches, of which neither can be foreseen where only both together
//! can. The price is that both conditions are made values.

use super::{Current, Translator};
use crate::blocks::Ending;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;
use pvm_clif::alu;
use pvm_ops::{Cond, GuestCode, Inst, Operand, Reg, Target};

/// A second branch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Second {
    cond: Cond,
    lhs: Reg,
    rhs: Operand,
    /// The positions where both may lead, and where only the second leads.
    common: usize,
    other: usize,
    /// Whether the first branch leads to the common place where its condition holds, and whether the second does.
    holds: [bool; 2],
    /// What its block costs.
    cost: u64,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The branch that can be made one with that at the end of the current block, which leads on to `next` or `target`.
    pub(super) fn second_branch(&self, current: &Current, next: u32, target: u32) -> Option<Second> {
        let is_loop = self.blocks.is_loop(current.id);
        // Guests of 32 bits compare numbers of 64 by such pairs, of which nearly always the first decides.
        if is_loop || self.is_narrow {
            return None;
        }
        self.second_at(next, target, true).or_else(|| self.second_at(target, next, false))
    }

    /// The branch at `pc` if it may lead to `common`, where the first one leads if its condition `holds`, or does not.
    fn second_at(&self, pc: u32, common: u32, holds: bool) -> Option<Second> {
        let at = self.member(pc)?;
        let block = self.blocks.get(self.graph.blocks[at]);
        let checkpoint = self.checkpoints[at];
        let parks_alike = self.parking.parked(at) == self.parking.parked(self.position);
        if block.len != 1 || block.ending != Ending::Terminator || checkpoint.compares || !parks_alike {
            return None;
        }
        let fetched = self.code.fetch(pc);
        let Inst::Branch { cond, lhs, rhs, target: Target::Block(target) } = fetched.inst else { return None };
        let (other, second_holds) = if target == common { (fetched.next, true) } else { (target, false) };
        if (target == common) == (fetched.next == common) || other == pc {
            return None;
        }
        // Whether a loop goes on can be foreseen.
        let (common, other) = (self.member(common)?, self.member_behind(at, other)?);
        if self.loops.depth(common) < self.loops.depth(self.position)
            || self.graph.leaves_unrolled(self.position, common)
        {
            return None;
        }
        Some(Second { cond, lhs, rhs, common, other, holds: [holds, second_holds], cost: checkpoint.cost })
    }

    /// Makes the branch and the one behind it one.
    pub(super) fn branch_folded(&mut self, current: &Current, cond: Cond, lhs: Value, rhs: Value, second: Second) {
        let leads = |cond: Cond, holds: bool| if holds { cond } else { cond.negated() };
        let [first_holds, second_holds] = second.holds;
        let first = alu::condition(self.builder, leads(cond, first_holds), lhs, rhs);
        let (lhs, rhs) = self.compared(second.lhs, second.rhs);
        let either = alu::condition(self.builder, leads(second.cond, second_holds), lhs, rhs);
        let either = self.builder.ins().bor(first, either);

        // Where the first branch alone decides, the block of the second is not run.
        self.add_unless(self.gas, -(second.cost as i64), first);
        if self.metering.count_instructions {
            self.add_unless(self.instructions, 1, first);
        }
        let common = self.way_inside(current, second.common);
        let other = self.way_inside(current, second.other);
        if second_holds {
            self.builder.ins().brif(either, common, &[], other, &[]);
        } else {
            let neither = self.builder.ins().icmp_imm_u(IntCC::Equal, either, 0);
            self.builder.ins().brif(neither, other, &[], common, &[]);
        }
        self.finish_ways();
    }

    /// Adds a constant to a variable unless a condition holds.
    fn add_unless(&mut self, variable: Variable, amount: i64, condition: Value) {
        if amount == 0 {
            return;
        }
        self.add(variable, amount);
        let value = self.builder.use_var(variable);
        let holds = self.builder.ins().uextend(I64, condition);
        let back = if amount == -1 { holds } else { self.builder.ins().imul_imm_s(holds, -amount) };
        let value = self.builder.ins().iadd(value, back);
        self.builder.def_var(variable, value);
    }
}

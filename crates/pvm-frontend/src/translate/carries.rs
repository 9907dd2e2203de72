//! Carries.
//!
//! Guests of 64 bits get the carry of a sum by comparing it with what was added, and add it to what is above; so they borrow, too.
//! Hosts have a flag and instructions for that, so the two sums, or differences, are made as one of 128 bits.
//!
//! Guests of 32 bits add and subtract 64 bits in two steps in the same way. Their registers are zero-extended here. So the sum of two
//! has the carry in bit 32, and a difference is negative where something is borrowed: a shift moves that bit to where guests want it,
//! which is shorter than a comparison whose flag is extended.

use super::parts::Part;
use super::{Current, Translator};
use crate::groups;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::alu;
use pvm_clif::idioms::Carry;
use pvm_ops::{BinaryOp, GuestCode, Inst, Operand, Reg, Width};

/// A sum of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    addends: [Value; 2],
    sum: Value,
}

/// So near each other are what carries and what the carry is added to.
const NEAR: usize = 8;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The result of an instruction that adds the carry of a sum to something, or takes the borrow of a difference from it, if nobody else
    /// wants the carry but exits, which make it themselves. The sum or difference that it comes from is made anew.
    pub(super) fn carried(&mut self, current: &Current, index: usize) -> Option<Value> {
        let Inst::Binary { op, width: Width::W64, dst, lhs: Operand::Reg(lhs), rhs: Operand::Reg(rhs) } =
            current.insts[index].1
        else {
            return None;
        };
        match op {
            BinaryOp::Add => self
                .carried_from(current, index, op, dst, rhs, lhs)
                .or_else(|| self.carried_from(current, index, op, dst, lhs, rhs)),
            BinaryOp::Sub => self.carried_from(current, index, op, dst, rhs, lhs),
            _ => None,
        }
    }

    fn carried_from(
        &mut self,
        current: &Current,
        index: usize,
        op: BinaryOp,
        dst: Reg,
        flag: Reg,
        above: Reg,
    ) -> Option<Value> {
        let value = self.read(flag);
        let carry = Carry::of(self.builder, op, value)?;
        let before = &current.insts[index.saturating_sub(NEAR)..index];
        let compared = before.iter().rposition(|(_, inst)| inst.registers().writes & flag.bit() != 0)?;
        let is_wanted = match flag == dst {
            true => before[compared..].iter().any(|(_, inst)| groups::access(inst).is_some()),
            false => !matches!(self.known(flag).part, Some(Part::Flag(_))),
        };
        if is_wanted {
            return None;
        }
        let high = self.read(above);
        let (low, high) = carry.together(self.builder, high, above == dst);
        let written = before.iter().fold(0, |all, (_, inst)| all | inst.registers().writes);
        let candidates = written & !self.parked;
        for reg in Reg::ALL.into_iter().filter(|reg| candidates & reg.bit() != 0) {
            if self.is_owed(reg) {
                continue;
            }
            let value = self.read(reg);
            if carry.is_low(self.builder, value) {
                self.write(reg, low);
            }
        }
        if flag != dst && op == BinaryOp::Add {
            let value = alu::set(self.builder, IntCC::UnsignedLessThan, low, carry.operands[1], I64);
            self.write(flag, value);
            self.is_part(flag, Some(Part::Flag(value)));
        }
        Some(high)
    }

    /// What is added, before it is, if the carry of the sum can be had by another addition.
    pub(super) fn addends(&mut self, op: BinaryOp, lhs: Operand, rhs: Operand) -> Option<[Value; 2]> {
        // A negative constant takes a register where it is zero-extended.
        let is_short = |operand| matches!(operand, Operand::Reg(_) | Operand::Imm(1..));
        let is_sum = self.is_narrow && op == BinaryOp::Add && is_short(lhs) && is_short(rhs);
        is_sum.then(|| [self.operand(lhs), self.operand(rhs)])
    }

    /// Keeps in mind that a register is the sum of these.
    pub(super) fn is_sum(&mut self, current: &mut Current, dst: Reg, addends: Option<[Value; 2]>) {
        if let Some(addends) = addends {
            current.sums.push(Sum { addends, sum: self.read(dst) });
        }
    }

    /// The result of a comparison of registers of 32 bits, if it is a bit of a sum or a difference.
    pub(super) fn carry(&mut self, current: &Current, op: BinaryOp, lhs: Operand, rhs: Operand) -> Option<Value> {
        match (op, lhs, rhs) {
            (BinaryOp::SetLtS, Operand::Reg(lhs), Operand::Imm(0)) => {
                let value = self.read(lhs);
                Some(self.builder.ins().ushr_imm_u(value, 31))
            }
            (BinaryOp::SetLtU, Operand::Reg(lhs), Operand::Imm(rhs @ 1..)) => {
                let (value, negated) = (self.read(lhs), self.builder.ins().iconst(I64, -i64::from(rhs)));
                let difference = self.builder.ins().iadd(value, negated);
                Some(self.builder.ins().ushr_imm_u(difference, 63))
            }
            (BinaryOp::SetLtU, Operand::Imm(0), Operand::Reg(rhs)) => {
                let value = self.read(rhs);
                let difference = self.builder.ins().ineg(value);
                Some(self.builder.ins().ushr_imm_u(difference, 63))
            }
            (BinaryOp::SetLtU, Operand::Reg(lhs), Operand::Reg(rhs)) => {
                let (lhs, rhs) = (self.read(lhs), self.read(rhs));
                let sum = current.sums.iter().find(|sum| sum.sum == lhs && sum.addends.contains(&rhs));
                let (value, bit) = match sum {
                    Some(&Sum { addends: [a, b], .. }) => (self.builder.ins().iadd(a, b), 32),
                    None => (self.builder.ins().isub(lhs, rhs), 63),
                };
                Some(self.builder.ins().ushr_imm_u(value, bit))
            }
            _ => None,
        }
    }
}

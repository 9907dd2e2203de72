//! Carries and borrows of 32 bits, as bits of sums and differences of 64.
//!
//! Guests of 32 bits add and subtract 64 bits in two steps, and get the carry by comparing the sum with what was added. Their
//! registers are zero-extended here. So the sum of two has the carry in bit 32, and a difference is negative where something is
//! borrowed: a shift moves that bit to where guests want it, which is shorter than a comparison whose flag is extended.

use super::{Current, Translator};
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_ops::{BinaryOp, GuestCode, Operand, Reg};

/// A sum of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Sum {
    addends: [Value; 2],
    sum: Value,
}

impl<C: GuestCode> Translator<'_, '_, C> {
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

//! Sums, products, logic, shifts and rotations.

use super::{Lower, forms};
use crate::need::Need;
use crate::pattern;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Inst, Opcode as Clif, Type, Value};
use pvm_isa::Opcode;
use regalloc2::VReg;

impl Lower<'_> {
    /// Sums, differences, products, negation, absolute value.
    pub(super) fn arithmetic(&mut self, inst: Inst) {
        let (result, ty, Some(dst)) = self.result(inst) else { return };
        let clif = self.func.dfg.insts[inst].opcode();
        let args = self.func.dfg.inst_args(inst);
        let low = self.needs.of(result) == Need::Low;
        match (clif, args) {
            (Clif::Iabs, &[a]) => self.absolute(ty, dst, a),
            // Sums in 64 bits have the right low bits, and cost less to decode.
            (_, &[a, b]) if ty == I64 && !low => self.sum(clif, true, dst, (a, b), false),
            (_, &[a, b]) if ty == I32 || low => self.sum(clif, low || ty == I64, dst, (a, b), true),
            (Clif::Ineg, &[a]) if ty == I64 && !low => self.negate(true, dst, a, false),
            (Clif::Ineg, &[a]) if ty == I32 || low => self.negate(low || ty == I64, dst, a, true),
            _ => self.narrow_arithmetic(inst),
        }
    }

    /// `dst = a op b` in 64 bits or in 32; of the operands the low bits count, or everything.
    pub(super) fn sum(&mut self, clif: Clif, wide: bool, dst: VReg, (a, b): (Value, Value), low: bool) {
        let forms = forms::of(clif, wide).expect("it is one of the operations in the table");
        let (left, right) = (self.immediate(a, low), self.immediate(b, low));
        let register = |lower: &mut Self, value| if low { lower.low_use_of(value) } else { lower.use_of(value) };
        match (left, right, forms.immediate, forms.swapped) {
            // A difference is the sum with the negated constant.
            (_, Some(imm), None, _) if clif == Clif::Isub && imm != i32::MIN => {
                let a = register(self, a);
                self.imm(if wide { Opcode::AddImm64 } else { Opcode::AddImm32 }, dst, a, -imm);
            }
            (_, Some(imm), Some(opcode), _) => {
                let a = register(self, a);
                self.imm(opcode, dst, a, imm);
            }
            (Some(imm), _, _, Some(opcode)) => {
                let b = register(self, b);
                self.imm(opcode, dst, b, imm);
            }
            _ => {
                let (a, b) = (register(self, a), register(self, b));
                self.two(forms.registers, dst, a, b);
            }
        }
    }

    /// A constant operand as an immediate; of one whose low bits count any constant will do.
    pub(super) fn immediate(&self, value: Value, low: bool) -> Option<i32> {
        match low {
            true => pattern::constant(self.func, pattern::low(self.func, value)).map(|bits| bits as i32),
            false => pattern::immediate(self.func, value),
        }
    }

    fn negate(&mut self, wide: bool, dst: VReg, a: Value, low: bool) {
        let a = if low { self.low_use_of(a) } else { self.use_of(a) };
        self.imm(if wide { Opcode::NegAddImm64 } else { Opcode::NegAddImm32 }, dst, a, 0);
    }

    fn absolute(&mut self, ty: Type, dst: VReg, a: Value) {
        let a = self.use_of(a);
        if ty == I64 || ty == I32 {
            let opcode = if ty == I64 { Opcode::NegAddImm64 } else { Opcode::NegAddImm32 };
            let negated = self.new_imm(opcode, a, 0);
            self.two(Opcode::Max, dst, a, negated);
        } else {
            let negated = self.new_imm(Opcode::NegAddImm64, a, 0);
            let greater = self.new_two(Opcode::Max, a, negated);
            self.sign_extend(ty, dst, greater);
        }
    }

    /// The high halves of products.
    pub(super) fn high_product(&mut self, inst: Inst) {
        let (_, ty, Some(dst)) = self.result(inst) else { return };
        let signed = self.func.dfg.insts[inst].opcode() == Clif::Smulhi;
        let &[a, b] = self.func.dfg.inst_args(inst) else { return };
        let (a, b) = (self.use_of(a), self.use_of(b));
        match (ty, signed) {
            (I64, true) => self.two(Opcode::MulUpperSS, dst, a, b),
            (I64, false) => self.two(Opcode::MulUpperUU, dst, a, b),
            (_, true) => {
                let product = self.new_two(Opcode::Mul64, a, b);
                self.imm(Opcode::SharRImm64, dst, product, ty.bits() as i32);
            }
            (I32, false) => {
                // With both factors in the upper halves of their registers, the upper half of the product is the whole
                // product of 64 bits.
                let a = self.new_imm(Opcode::ShloLImm64, a, 32);
                let b = self.new_imm(Opcode::ShloLImm64, b, 32);
                let high = self.new_two(Opcode::MulUpperUU, a, b);
                self.imm(Opcode::SharRImm64, dst, high, 32);
            }
            (_, false) => {
                let (a, b) = (self.zero_extended(ty, a), self.zero_extended(ty, b));
                let product = self.new_two(Opcode::Mul64, a, b);
                let high = self.new_imm(Opcode::ShloRImm64, product, ty.bits() as i32);
                self.sign_extend(ty, dst, high);
            }
        }
    }

    /// Bitwise logic. It keeps registers sign-extended whose operands are.
    pub(super) fn logic(&mut self, inst: Inst) {
        let (result, _, Some(dst)) = self.result(inst) else { return };
        let low = self.needs.of(result) == Need::Low;
        let clif = self.func.dfg.insts[inst].opcode();
        let register = |lower: &mut Self, value| if low { lower.low_use_of(value) } else { lower.use_of(value) };
        match (clif, self.func.dfg.inst_args(inst)) {
            (Clif::Bnot, &[a]) => match self.inverted_xor(a) {
                Some((a, b)) => {
                    let (a, b) = (register(self, a), register(self, b));
                    self.two(Opcode::Xnor, dst, a, b);
                }
                None => {
                    let a = register(self, a);
                    self.imm(Opcode::XorImm, dst, a, -1);
                }
            },
            (Clif::Bitselect, &[mask, a, b]) => {
                let (mask, a, b) = (self.use_of(mask), self.use_of(a), self.use_of(b));
                let from_a = self.new_two(Opcode::And, a, mask);
                let from_b = self.new_two(Opcode::AndInv, b, mask);
                self.two(Opcode::Or, dst, from_a, from_b);
            }
            (_, &[a, b]) => match (self.with_inverse(clif), self.inverted(a), self.inverted(b)) {
                (Some(opcode), _, Some(b)) if self.immediate(a, low).is_none() => {
                    let (a, b) = (register(self, a), register(self, b));
                    self.two(opcode, dst, a, b);
                }
                (Some(opcode), Some(a), _) if self.immediate(b, low).is_none() => {
                    let (a, b) = (register(self, a), register(self, b));
                    self.two(opcode, dst, b, a);
                }
                _ => self.sum(clif, true, dst, (a, b), low),
            },
            _ => {}
        }
    }

    /// The instruction that inverts its right operand first.
    fn with_inverse(&self, clif: Clif) -> Option<Opcode> {
        match clif {
            Clif::Band => Some(Opcode::AndInv),
            Clif::Bor => Some(Opcode::OrInv),
            Clif::Bxor => Some(Opcode::Xnor),
            _ => None,
        }
    }

    /// The value that `value` is the inverse of.
    fn inverted(&self, value: Value) -> Option<Value> {
        match pattern::op(self.func, value) {
            Some((Clif::Bnot, &[arg])) => Some(arg),
            _ => None,
        }
    }

    /// The values that `value` is the exclusive or of, if neither is a constant.
    fn inverted_xor(&self, value: Value) -> Option<(Value, Value)> {
        match pattern::op(self.func, value) {
            Some((Clif::Bxor, &[a, b])) if pattern::constant(self.func, b).is_none() => Some((a, b)),
            _ => None,
        }
    }

    /// Shifts and rotations.
    pub(super) fn shift(&mut self, inst: Inst) {
        let (result, ty, Some(dst)) = self.result(inst) else { return };
        let clif = self.func.dfg.insts[inst].opcode();
        let &[value, by] = self.func.dfg.inst_args(inst) else { return };
        if !matches!(ty, I32 | I64) {
            return self.narrow_shift(inst);
        }
        let low = ty == I32 || clif == Clif::Ishl && self.needs.of(result) == Need::Low;
        let mask = ty.bits() as i32 - 1;
        let amount = self.immediate(by, true).map(|by| by & mask);
        let (clif, amount) = match (clif, amount) {
            (Clif::Rotl, Some(by)) => (Clif::Rotr, Some(-by & mask)),
            other => other,
        };
        // The low bits of what is shifted to the left by a known amount do not depend on the width.
        let wide = ty == I64 || clif == Clif::Ishl && amount.is_some() && self.needs.of(result) == Need::Low;
        let forms = forms::of(clif, wide).expect("it is one of the operations in the table");
        let register = |lower: &mut Self, value| if low { lower.low_use_of(value) } else { lower.use_of(value) };
        match (amount, forms.immediate, self.immediate(value, low), forms.swapped) {
            (Some(by), Some(opcode), ..) => {
                let value = register(self, value);
                self.imm(opcode, dst, value, by);
            }
            (None, _, Some(imm), Some(opcode)) => {
                let by = self.low_use_of(by);
                self.imm(opcode, dst, by, imm);
            }
            _ => {
                let (value, by) = (register(self, value), self.low_use_of(by));
                self.two(forms.registers, dst, value, by);
            }
        }
    }
}

//! Arithmetic on 8 and 16 bits. Front ends hardly use it; the optimiser makes some of it.

use super::{Lower, forms};
use crate::need::Need;
use cranelift_codegen::ir::{Inst, Opcode as Clif, Type, Value};
use pvm_isa::Opcode;
use regalloc2::VReg;

impl Lower<'_> {
    /// Sums and products whose result is needed sign-extended.
    pub(super) fn narrow_arithmetic(&mut self, inst: Inst) {
        let (_, ty, Some(dst)) = self.result(inst) else { return };
        let clif = self.func.dfg.insts[inst].opcode();
        let wide = self.code.vreg();
        match *self.func.dfg.inst_args(inst) {
            [a, b] => self.sum(clif, true, wide, (a, b), false),
            [a] => {
                let a = self.use_of(a);
                self.imm(Opcode::NegAddImm64, wide, a, 0);
            }
            _ => {}
        }
        self.sign_extend(ty, dst, wide);
    }

    /// Shifts and rotations.
    pub(super) fn narrow_shift(&mut self, inst: Inst) {
        let (result, ty, Some(dst)) = self.result(inst) else { return };
        let clif = self.func.dfg.insts[inst].opcode();
        let &[value, by] = self.func.dfg.inst_args(inst) else { return };
        let value = self.use_of(value);
        match clif {
            Clif::Ishl if self.needs.of(result) == Need::Low => self.shift_by(Clif::Ishl, ty, dst, value, by),
            Clif::Sshr => self.shift_by(Clif::Sshr, ty, dst, value, by),
            Clif::Ishl => {
                let wide = self.code.vreg();
                self.shift_by(Clif::Ishl, ty, wide, value, by);
                self.sign_extend(ty, dst, wide);
            }
            Clif::Ushr => {
                let (extended, wide) = (self.zero_extended(ty, value), self.code.vreg());
                self.shift_by(Clif::Ushr, ty, wide, extended, by);
                self.sign_extend(ty, dst, wide);
            }
            // The value twice in a row: what is shifted out of one copy comes in from the other.
            _ => {
                let extended = self.zero_extended(ty, value);
                let above = self.new_imm(Opcode::ShloLImm64, extended, ty.bits() as i32);
                let twice = self.new_two(Opcode::Or, extended, above);
                let rotated = self.code.vreg();
                if clif == Clif::Rotr {
                    self.shift_by(Clif::Ushr, ty, rotated, twice, by);
                } else {
                    let shifted = self.code.vreg();
                    self.shift_by(Clif::Ishl, ty, shifted, twice, by);
                    self.imm(Opcode::ShloRImm64, rotated, shifted, ty.bits() as i32);
                }
                self.sign_extend(ty, dst, rotated);
            }
        }
    }

    /// A shift in 64 bits by an amount that is taken modulo the width of `ty`.
    fn shift_by(&mut self, clif: Clif, ty: Type, dst: VReg, value: VReg, by: Value) {
        let forms = forms::of(clif, true).expect("it is one of the operations in the table");
        let mask = ty.bits() as i32 - 1;
        match (self.immediate(by, true), forms.immediate) {
            (Some(by), Some(opcode)) => self.imm(opcode, dst, value, by & mask),
            _ => {
                let by = self.low_use_of(by);
                let by = self.new_imm(Opcode::AndImm, by, mask);
                self.two(forms.registers, dst, value, by);
            }
        }
    }
}

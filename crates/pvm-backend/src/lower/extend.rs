//! Extensions and reductions that take instructions; [`Lower::source`] sees to the others.

use super::Lower;
use crate::pattern;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{Inst, Opcode as Clif, Type};
use pvm_isa::Opcode;
use regalloc2::VReg;

impl Lower<'_> {
    pub(super) fn extend(&mut self, inst: Inst) {
        let (_, ty, Some(dst)) = self.result(inst) else { return };
        let &[arg] = self.func.dfg.inst_args(inst) else { return };
        match self.func.dfg.insts[inst].opcode() {
            Clif::Uextend => {
                let from = self.func.dfg.value_type(arg);
                let arg = self.low_use_of(arg);
                self.zero_extend(from, dst, arg);
            }
            // A sum of 64 bits that is reduced is a sum of 32 bits.
            Clif::Ireduce if ty == I32 => match pattern::op(self.func, arg) {
                Some((clif @ (Clif::Iadd | Clif::Isub | Clif::Imul), &[a, b])) => {
                    self.sum(clif, false, dst, (a, b), true)
                }
                _ => {
                    let arg = self.low_use_of(arg);
                    self.sign_extend(ty, dst, arg);
                }
            },
            Clif::Ireduce => {
                let arg = self.low_use_of(arg);
                self.sign_extend(ty, dst, arg);
            }
            // Values are sign-extended as they are.
            _ => unreachable!("its users ask for the register of its operand"),
        }
    }

    /// `dst` = the low bits of `a`, as many as `ty` has, sign-extended.
    pub(super) fn sign_extend(&mut self, ty: Type, dst: VReg, a: VReg) {
        match ty {
            I8 => self.one(Opcode::SignExtend8, dst, a),
            I16 => self.one(Opcode::SignExtend16, dst, a),
            I32 => self.imm(Opcode::AddImm32, dst, a, 0),
            _ => self.one(Opcode::MoveReg, dst, a),
        }
    }

    /// `dst` = the low bits of `a`, as many as `ty` has, zero-extended.
    pub(super) fn zero_extend(&mut self, ty: Type, dst: VReg, a: VReg) {
        match ty {
            I8 => self.imm(Opcode::AndImm, dst, a, 0xff),
            I16 => self.one(Opcode::ZeroExtend16, dst, a),
            I32 => {
                let shifted = self.new_imm(Opcode::ShloLImm64, a, 32);
                self.imm(Opcode::ShloRImm64, dst, shifted, 32);
            }
            _ => self.one(Opcode::MoveReg, dst, a),
        }
    }

    /// The low bits of `a`, as many as `ty` has, zero-extended.
    pub(super) fn zero_extended(&mut self, ty: Type, a: VReg) -> VReg {
        if ty == I64 {
            return a;
        }
        let dst = self.code.vreg();
        self.zero_extend(ty, dst, a);
        dst
    }
}

//! Counting bits and reversing bytes.

use super::Lower;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Inst, Opcode as Clif};
use pvm_isa::Opcode::{self, *};

impl Lower<'_> {
    pub(super) fn count(&mut self, inst: Inst) {
        let (_, ty, Some(dst)) = self.result(inst) else { return };
        let clif = self.func.dfg.insts[inst].opcode();
        let &[arg] = self.func.dfg.inst_args(inst) else { return };
        let whole: Option<Opcode> = match (clif, ty) {
            (Clif::Clz, I32) => Some(LeadingZeroBits32),
            (Clif::Clz, I64) => Some(LeadingZeroBits64),
            (Clif::Ctz, I32) => Some(TrailingZeroBits32),
            (Clif::Ctz, I64) => Some(TrailingZeroBits64),
            (Clif::Popcnt, I32) => Some(CountSetBits32),
            (Clif::Popcnt, I64) => Some(CountSetBits64),
            (Clif::Bswap, I64) => Some(ReverseBytes),
            _ => None,
        };
        let arg = if ty == I32 { self.low_use_of(arg) } else { self.use_of(arg) };
        let unused = 64 - ty.bits() as i32;
        match (whole, clif) {
            (Some(opcode), _) => self.one(opcode, dst, arg),
            (None, Clif::Bswap) => {
                let reversed = self.code.vreg();
                self.one(ReverseBytes, reversed, arg);
                self.imm(SharRImm64, dst, reversed, unused);
            }
            (None, Clif::Clz) => {
                let extended = self.zero_extended(ty, arg);
                let zeros = self.code.vreg();
                self.one(LeadingZeroBits64, zeros, extended);
                self.imm(AddImm64, dst, zeros, -unused);
            }
            (None, Clif::Ctz) => {
                let bounded = self.new_imm(OrImm, arg, 1 << ty.bits());
                self.one(TrailingZeroBits64, dst, bounded);
            }
            (None, _) => {
                let extended = self.zero_extended(ty, arg);
                self.one(CountSetBits64, dst, extended);
            }
        }
    }
}

//! Division. PVM's never traps, so the cases in which the IR's does are checked, as far as the operands do not rule them
//! out.

use super::{Lower, forms};
use crate::pattern;
use crate::vcode::{Op, using};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Inst, Opcode as Clif, Type, Value};
use pvm_ops::Cond;
use regalloc2::{Operand, VReg};

impl Lower<'_> {
    pub(super) fn divide(&mut self, inst: Inst) {
        let (_, ty, dst) = self.result(inst);
        let clif = self.func.dfg.insts[inst].opcode();
        let &[a, b] = self.func.dfg.inst_args(inst) else { return };
        let by_constant = pattern::constant(self.func, b);

        let divisor = self.use_of(b);
        if by_constant.is_none_or(|bits| bits == 0) {
            self.emit(Op::TrapIf(Cond::Eq, Some(0)), vec![using(divisor)]);
        }
        let overflows =
            clif == Clif::Sdiv && by_constant.is_none_or(|bits| bits == -1) && !pattern::never_negative(self.func, a);
        match (clif, dst) {
            (Clif::Sdiv, _) if overflows => self.checked_quotient(ty, dst, a, divisor),
            (_, Some(dst)) => self.unchecked(clif, ty, dst, a, divisor),
            (_, None) => {}
        }
    }

    fn unchecked(&mut self, clif: Clif, ty: Type, dst: VReg, a: Value, divisor: VReg) {
        let forms = forms::of(clif, ty == I64).expect("it is one of the operations in the table");
        let signed = matches!(clif, Clif::Sdiv | Clif::Srem);
        if ty == I32 && !signed {
            let a = self.low_use_of(a);
            self.two(forms.registers, dst, a, divisor);
            return;
        }
        let a = self.use_of(a);
        if matches!(ty, I32 | I64) || signed {
            self.two(forms.registers, dst, a, divisor);
        } else {
            let (a, b) = (self.zero_extended(ty, a), self.zero_extended(ty, divisor));
            let wide = self.new_two(forms.registers, a, b);
            self.sign_extend(ty, dst, wide);
        }
    }

    /// The signed quotient, or a trap if it does not fit.
    fn checked_quotient(&mut self, ty: Type, dst: Option<VReg>, a: Value, divisor: VReg) {
        let a = self.use_of(a);
        let forms = forms::of(Clif::Sdiv, true).expect("it is one of the operations in the table");
        if ty == I64 {
            let least = self.code.vreg();
            self.emit(Op::TrapIfQuotientOverflows, vec![Operand::reg_temp(least), using(a), using(divisor)]);
            if let Some(dst) = dst {
                self.two(forms.registers, dst, a, divisor);
            }
            return;
        }
        // In 64 bits, the one quotient that does not fit is one above the greatest number of the type.
        let quotient = dst.unwrap_or_else(|| self.code.vreg());
        self.two(forms.registers, quotient, a, divisor);
        let greatest = (1i64 << (ty.bits() - 1)) - 1;
        self.emit(Op::TrapIf(Cond::GtS, Some(greatest as i32)), vec![using(quotient)]);
    }
}

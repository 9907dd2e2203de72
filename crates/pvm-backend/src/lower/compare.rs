//! Comparisons as values, selections, minima and maxima.

use super::{Lower, forms};
use crate::pattern::{self, Condition, Rhs};
use crate::vcode::{Op, defining, using};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Inst, InstructionData, Opcode as Clif, Value};
use pvm_isa::Opcode::{self, *};
use pvm_ops::Cond;
use regalloc2::{Operand, VReg};

/// A register that says whether a condition holds.
#[derive(Clone, Copy)]
struct Test {
    register: VReg,
    /// Whether the condition holds when the register is zero, else when it is not.
    zero: bool,
    /// Whether the register is 0 or 1.
    boolean: bool,
}

/// The condition of the machine.
pub(super) fn cond(cc: IntCC) -> Cond {
    match cc {
        IntCC::Equal => Cond::Eq,
        IntCC::NotEqual => Cond::Ne,
        IntCC::UnsignedLessThan => Cond::LtU,
        IntCC::UnsignedLessThanOrEqual => Cond::LeU,
        IntCC::UnsignedGreaterThanOrEqual => Cond::GeU,
        IntCC::UnsignedGreaterThan => Cond::GtU,
        IntCC::SignedLessThan => Cond::LtS,
        IntCC::SignedLessThanOrEqual => Cond::LeS,
        IntCC::SignedGreaterThanOrEqual => Cond::GeS,
        IntCC::SignedGreaterThan => Cond::GtS,
    }
}

impl Lower<'_> {
    /// A comparison whose result is a number, or all ones instead of one.
    pub(super) fn compare(&mut self, inst: Inst) {
        let (_, _, Some(dst)) = self.result(inst) else { return };
        match self.func.dfg.insts[inst] {
            InstructionData::IntCompare { cond, args: [a, b], .. } => {
                let condition = pattern::comparison(self.func, cond, a, b);
                let test = self.test(condition, Some(dst));
                self.number(test, dst);
            }
            _ => {
                let arg = self.func.dfg.inst_args(inst)[0];
                let arg = self.use_of(arg);
                let boolean = self.new_imm(SetGtUImm, arg, 0);
                self.imm(NegAddImm64, dst, boolean, 0);
            }
        }
    }

    /// Makes `dst` the number 1 or 0 of a test that was made for it.
    fn number(&mut self, test: Test, dst: VReg) {
        match (test.boolean, test.zero) {
            // The test is in `dst` by itself.
            (true, false) if test.register == dst => {}
            (true, true) => self.imm(XorImm, dst, test.register, 1),
            (_, true) => self.imm(SetLtUImm, dst, test.register, 1),
            (_, false) => self.imm(SetGtUImm, dst, test.register, 0),
        }
    }

    /// A register that says whether `condition` holds: `dst` if that is given and the register says it as a number, else
    /// another one.
    fn test(&mut self, condition: Condition, dst: Option<VReg>) -> Test {
        let a = self.use_of(condition.lhs);
        let cond = cond(condition.cc);
        match condition.rhs {
            Rhs::Imm(imm) => self.test_imm(cond, a, imm, dst),
            Rhs::Value(b) => {
                let b = self.use_of(b);
                self.test_two(cond, a, b, dst)
            }
        }
    }

    fn test_two(&mut self, cond: Cond, a: VReg, b: VReg, dst: Option<VReg>) -> Test {
        let (opcode, a, b, zero) = match cond {
            Cond::Eq | Cond::Ne => {
                let register = self.new_two(Xor, a, b);
                return Test { register, zero: cond == Cond::Eq, boolean: false };
            }
            Cond::LtU => (SetLtU, a, b, false),
            Cond::GtU => (SetLtU, b, a, false),
            Cond::GeU => (SetLtU, a, b, true),
            Cond::LeU => (SetLtU, b, a, true),
            Cond::LtS => (SetLtS, a, b, false),
            Cond::GtS => (SetLtS, b, a, false),
            Cond::GeS => (SetLtS, a, b, true),
            Cond::LeS => (SetLtS, b, a, true),
        };
        let register = self.place(dst, zero);
        self.two(opcode, register, a, b);
        Test { register, zero, boolean: true }
    }

    fn test_imm(&mut self, cond: Cond, a: VReg, imm: i32, dst: Option<VReg>) -> Test {
        // `a <= x` is `a < x + 1` unless that overflows, and `a >= x` is `a > x - 1`.
        let (opcode, imm, zero) = match cond {
            Cond::Eq | Cond::Ne => {
                let register = if imm == 0 { a } else { self.new_imm(XorImm, a, imm) };
                return Test { register, zero: cond == Cond::Eq, boolean: false };
            }
            Cond::LtU => (SetLtUImm, imm, false),
            Cond::GtU => (SetGtUImm, imm, false),
            Cond::LtS => (SetLtSImm, imm, false),
            Cond::GtS => (SetGtSImm, imm, false),
            // Immediates from -1 to 0 go around as unsigned numbers.
            Cond::LeU if imm != -1 && imm != i32::MAX => (SetLtUImm, imm + 1, false),
            Cond::GeU if imm != 0 && imm != i32::MIN => (SetGtUImm, imm - 1, false),
            Cond::LeS if imm != i32::MAX => (SetLtSImm, imm + 1, false),
            Cond::GeS if imm != i32::MIN => (SetGtSImm, imm - 1, false),
            Cond::LeU => (SetGtUImm, imm, true),
            Cond::GeU => (SetLtUImm, imm, true),
            Cond::LeS => (SetGtSImm, imm, true),
            Cond::GeS => (SetLtSImm, imm, true),
        };
        let register = self.place(dst, zero);
        self.imm(opcode, register, a, imm);
        Test { register, zero, boolean: true }
    }

    /// `dst` if it may hold the test as it is.
    fn place(&mut self, dst: Option<VReg>, zero: bool) -> VReg {
        dst.filter(|_| !zero).unwrap_or_else(|| self.code.vreg())
    }

    /// A selection of one of two values: a conditional move over the one that stays.
    pub(super) fn select(&mut self, inst: Inst) {
        let (_, _, Some(dst)) = self.result(inst) else { return };
        let &[test, then, otherwise] = self.func.dfg.inst_args(inst) else { return };
        let test = self.test(pattern::condition(self.func, test), None);
        let (moved, kept, zero) = match (self.select_immediate(then), self.select_immediate(otherwise)) {
            // A constant is better moved than kept.
            (None, Some(_)) => (otherwise, then, !test.zero),
            _ => (then, otherwise, test.zero),
        };
        let kept = self.use_of(kept);
        let (opcode, immediate): (Opcode, _) = match (zero, self.select_immediate(moved)) {
            (true, Some(imm)) => (CmovIzImm, Some(imm)),
            (false, Some(imm)) => (CmovNzImm, Some(imm)),
            (true, None) => (CmovIz, None),
            (false, None) => (CmovNz, None),
        };
        match immediate {
            Some(imm) => {
                let operands = vec![Operand::reg_reuse_def(dst, 2), using(test.register), using(kept)];
                self.emit(Op::Plain(opcode, imm, 0), operands);
            }
            None => {
                let moved = self.use_of(moved);
                let operands = vec![Operand::reg_reuse_def(dst, 3), using(moved), using(test.register), using(kept)];
                self.emit(Op::Plain(opcode, 0, 0), operands);
            }
        }
    }

    fn select_immediate(&self, value: Value) -> Option<i32> {
        pattern::immediate(self.func, self.source(value))
    }

    /// The lesser or greater of two values.
    pub(super) fn extremum(&mut self, inst: Inst) {
        let (_, _, Some(dst)) = self.result(inst) else { return };
        let clif: Clif = self.func.dfg.insts[inst].opcode();
        let &[a, b] = self.func.dfg.inst_args(inst) else { return };
        let forms = forms::of(clif, true).expect("it is one of the operations in the table");
        let (a, b) = (self.use_of(a), self.use_of(b));
        self.emit(Op::Plain(forms.registers, 0, 0), vec![defining(dst), using(a), using(b)]);
    }
}

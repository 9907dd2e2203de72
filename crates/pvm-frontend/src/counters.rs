//! Registers of a loop that can be foreseen, as they follow from those that count its rounds.

use pvm_ops::{BinaryOp, Inst, Operand, Reg, UnaryOp, Width};

/// Loops of more instructions are not looked at, each of whose choices would take a look at all of them.
const LONGEST: usize = 64;

/// What a register holds within a round.
#[derive(Clone, Copy)]
enum Content {
    /// What this register held as the round began, plus a constant.
    Sum(Reg),
    /// A function of what these registers held as the round began, by their bits.
    Of(u32),
    /// Something from memory, or what looks random.
    Other,
}

/// Whether `test`, as `insts[index]` reads it, follows from registers to which each round of the loop that is this block adds a constant.
pub(crate) fn is_counted(insts: &[(u32, Inst)], index: usize, test: Reg) -> bool {
    if insts.len() > LONGEST {
        return false;
    }
    let mut contents = Reg::ALL.map(Content::Sum);
    let mut tested = 0;
    for (at, (_, inst)) in insts.iter().enumerate() {
        if at == index {
            match contents[test.index()].registers() {
                Some(registers) => tested = registers,
                None => return false,
            }
        }
        let content = content(&contents, inst);
        let written = inst.registers().writes;
        for reg in Reg::ALL.into_iter().filter(|reg| written & reg.bit() != 0) {
            contents[reg.index()] = content;
        }
    }
    let counts = |reg: Reg| matches!(contents[reg.index()], Content::Sum(from) if from == reg);
    Reg::ALL.into_iter().filter(|reg| tested & reg.bit() != 0).all(counts)
}

impl Content {
    /// The registers that it follows from, if it follows from any.
    fn registers(self) -> Option<u32> {
        match self {
            Content::Sum(reg) => Some(reg.bit()),
            Content::Of(registers) => Some(registers),
            Content::Other => None,
        }
    }
}

/// What an instruction leaves in the register that it writes.
fn content(contents: &[Content; Reg::ALL.len()], inst: &Inst) -> Content {
    use BinaryOp::{Add, And, Or, SetLtS, SetLtU, Shl, ShrS, ShrU, Sub, Xor};
    let of = |operand| match operand {
        Operand::Reg(reg) => contents[reg.index()],
        Operand::Imm(_) => Content::Of(0),
    };
    match *inst {
        Inst::LoadImm { .. } => Content::Of(0),
        Inst::Unary { op: UnaryOp::Move, width: Width::W64, src, .. } => contents[src.index()],
        Inst::Binary { op: Add, lhs, rhs: Operand::Imm(_), .. } => of(lhs),
        Inst::Binary { op: Add | Sub | And | Or | Xor | Shl | ShrU | ShrS | SetLtU | SetLtS, lhs, rhs, .. } => {
            match (of(lhs).registers(), of(rhs).registers()) {
                (Some(lhs), Some(rhs)) => Content::Of(lhs | rhs),
                _ => Content::Other,
            }
        }
        _ => Content::Other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm_ops::{Address, LoadKind, Size};

    fn binary(op: BinaryOp, dst: Reg, lhs: Reg, rhs: Operand) -> Inst {
        Inst::Binary { op, width: Width::W64, dst, lhs: Operand::Reg(lhs), rhs }
    }

    #[test]
    fn what_follows_from_counters_is_counted() {
        let [counter, next, test, other] = [Reg::R5, Reg::R6, Reg::R7, Reg::R8];
        let add = |dst, lhs, imm| binary(BinaryOp::Add, dst, lhs, Operand::Imm(imm));
        let copy = |dst, src| Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst, src };
        let step = [add(next, counter, 1), copy(counter, next)];
        // Whether it is where `test` is made so, in front of the step.
        let is = |made: &[Inst]| {
            let insts: Vec<(u32, Inst)> = (0..).zip(made.iter().chain(&step).copied()).collect();
            is_counted(&insts, made.len(), test)
        };
        assert!(is(&[add(test, counter, -15)]));
        assert!(is(&[binary(BinaryOp::And, test, counter, Operand::Imm(3))]));
        assert!(
            is(&[copy(test, counter), binary(BinaryOp::SetLtU, test, test, Operand::Reg(other))]),
            "the other one stays"
        );
        assert!(is(&[]), "it stays");
        assert!(!is(&[binary(BinaryOp::Mul, test, counter, Operand::Reg(other))]), "that may look random");
        let kind = LoadKind { size: Size::B1, signed: false };
        assert!(
            !is(&[Inst::Load { kind, dst: test, address: Address { base: None, offset: 0 } }]),
            "memory holds anything"
        );
        assert!(
            !is(&[binary(BinaryOp::Xor, other, other, Operand::Reg(counter)), add(test, other, 1)]),
            "it does not count"
        );
        assert!(!is(&vec![add(test, counter, 1); LONGEST]), "too long to look at");
    }
}

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
    let counts = |reg: &Reg| matches!(contents[reg.index()], Content::Sum(from) if from == *reg);
    Reg::ALL.into_iter().filter(|reg| tested & reg.bit() != 0).all(|reg| counts(&reg))
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

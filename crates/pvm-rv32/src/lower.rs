//! Instruction to meaning: the bridge from RISC-V to the vocabulary that interpreter and compiler share.
//!
//! Registers hold 64 bits and stay sign-extended, so operations are those of 32 bits. x0 is nobody's register: reading it
//! is the constant 0, and what is written to it is not.

use crate::{Instruction, Meaning, Source};
use pvm_ops::{Address, BinaryOp, Cond, ControlOp, Inst, Link, Operand, Reg, Target, Trap, UnaryOp, Width};

impl Instruction {
    /// The meaning of the instruction, which stands at `pc`.
    pub fn lower(&self, pc: u32) -> Inst {
        let Instruction { rs1, rs2, imm, .. } = *self;
        let rd = some(self.rd);
        let next = pc.wrapping_add(self.spec.bytes());
        let link = rd.map(|dst| Link { dst, value: next as i32 });
        let target = pc.wrapping_add(imm as u32);
        let address = Address { base: some(rs1), offset: imm };
        // Atomic accesses have no offset: their immediate is something else.
        let at = Address { base: some(rs1), offset: 0 };
        match self.spec.meaning {
            Meaning::Binary(op, Source::Register) => binary(op, rd, operand(rs1), operand(rs2)),
            Meaning::Binary(op, Source::Immediate) => binary(op, rd, operand(rs1), Operand::Imm(imm)),
            Meaning::LoadUpper => load_imm(rd, imm),
            Meaning::AddUpper => load_imm(rd, target as i32),
            Meaning::Jump => Inst::Jump { link, target: Target::Block(target) },
            Meaning::JumpRegister => match some(rs1) {
                Some(base) => Inst::JumpIndirect { link, base, offset: imm },
                None => Inst::Jump { link, target: Target::Block(imm as u32 & !1) },
            },
            Meaning::Branch(cond) => branch(cond, rs1, rs2, target),
            Meaning::Load(kind) => match rd {
                Some(dst) => Inst::Load { kind, dst, address },
                None => Inst::Probe { size: kind.size, address },
            },
            Meaning::Store(size) => Inst::Store { size, value: operand(rs2), address },
            Meaning::Fence | Meaning::Wait => Inst::Nop,
            Meaning::CodeFence => Inst::CodeFence,
            // The call has no number of its own: the environment looks for it in a register.
            Meaning::EnvironmentCall => Inst::HostCall { id: 0 },
            Meaning::Breakpoint => Inst::Raise { trap: Trap::Breakpoint, value: pc },
            Meaning::Control(op, source) => {
                let value = match source {
                    Source::Register => operand(rs1),
                    Source::Immediate => Operand::Imm(rs1.index() as i32),
                };
                // Setting or clearing no bits by x0 or 0 is not writing (volume I, 6.1).
                let writes = op == ControlOp::Write || rs1 != Reg::R0;
                Inst::Control { op, number: imm as u16 & 0xfff, dst: rd, value, writes }
            }
            Meaning::TrapReturn => Inst::TrapReturn,
            Meaning::Atomic(op) => Inst::Atomic { op, dst: rd, value: operand(rs2), address: at },
            Meaning::LoadReserved => Inst::LoadReserved { dst: rd, address: at },
            Meaning::StoreConditional => Inst::StoreConditional { dst: rd, value: operand(rs2), address: at },
        }
    }
}

/// A register that is not x0.
fn some(reg: Reg) -> Option<Reg> {
    (reg != Reg::R0).then_some(reg)
}

fn operand(reg: Reg) -> Operand {
    some(reg).map_or(Operand::Imm(0), Operand::Reg)
}

fn load_imm(dst: Option<Reg>, value: i32) -> Inst {
    dst.map_or(Inst::Nop, |dst| Inst::LoadImm { dst, value: value as u64 })
}

fn binary(op: BinaryOp, dst: Option<Reg>, lhs: Operand, rhs: Operand) -> Inst {
    let Some(dst) = dst else { return Inst::Nop };
    let (width, zero) = (Width::W32, Operand::Imm(0));
    match (op, lhs, rhs) {
        (_, Operand::Imm(lhs), Operand::Imm(rhs)) => {
            Inst::LoadImm { dst, value: op.eval(width, lhs as u64, rhs as u64) }
        }
        (BinaryOp::Add, Operand::Reg(src), other) | (BinaryOp::Add, other, Operand::Reg(src)) if other == zero => {
            Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst, src }
        }
        _ => Inst::Binary { op, width, dst, lhs, rhs },
    }
}

fn branch(cond: Cond, rs1: Reg, rs2: Reg, target: u32) -> Inst {
    let target = Target::Block(target);
    match (some(rs1), some(rs2)) {
        (Some(lhs), _) => Inst::Branch { cond, lhs, rhs: operand(rs2), target },
        (None, Some(lhs)) => Inst::Branch { cond: cond.mirrored(), lhs, rhs: Operand::Imm(0), target },
        (None, None) if cond.eval(0, 0) => Inst::Jump { link: None, target },
        (None, None) => Inst::Fallthrough,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SPECS, Spec};

    fn lowered(spec: &'static Spec, rd: Reg, rs1: Reg, rs2: Reg) -> Inst {
        Instruction { spec, rd, rs1, rs2, imm: 4 }.lower(0x100)
    }

    #[test]
    fn x0_is_neither_read_nor_written() {
        for spec in SPECS {
            for regs in [[0, 0, 0], [0, 1, 2], [1, 0, 2], [1, 2, 0], [1, 1, 1], [0, 0, 1]] {
                let [rd, rs1, rs2] = regs.map(Reg::wrapping);
                let sets = lowered(spec, rd, rs1, rs2).registers();
                assert_eq!((sets.reads | sets.writes) & 1, 0, "{}", spec.mnemonic);
            }
        }
    }

    #[test]
    fn a_load_into_x0_is_still_an_access() {
        let lw = SPECS.iter().find(|spec| spec.mnemonic == "lw").expect("there is lw");
        assert!(matches!(lowered(lw, Reg::R0, Reg::R1, Reg::R0), Inst::Probe { .. }));
    }
}

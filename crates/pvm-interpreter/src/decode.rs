//! From instructions to cells.

use crate::Cells;
use crate::build::NONE;
use crate::cell::{Cell, Decoded, Form, Op};
use pvm_ops::{Address, AtomicOp, BinaryOp, Inst, Link, LoadKind, Operand, Reg, Size, Target};

impl Cells {
    /// The cell of an instruction.
    pub(crate) fn decode(&self, inst: &Inst) -> Decoded {
        let zero = self.zero;
        match *inst {
            Inst::Trap => Decoded { op: Op::Trap, operands: Cell::TRAP },
            Inst::Nop => Decoded { op: Op::Nop, operands: Cell::TRAP },
            Inst::Fallthrough => Decoded { op: Op::Fallthrough, operands: Cell::TRAP },
            // The run-time system fetches the instruction itself.
            Inst::Raise { .. }
            | Inst::TrapReturn
            | Inst::Control { .. }
            | Inst::CodeFence
            | Inst::LoadReserved { .. }
            | Inst::StoreConditional { .. } => Decoded { op: Op::System, operands: Cell::TRAP },
            Inst::HostCall { id } => Decoded { op: Op::HostCall, operands: Cell { x: id, ..Cell::TRAP } },
            Inst::Sbrk { dst, size } => Decoded { op: Op::Sbrk, operands: Cell { dst, a: size, ..Cell::TRAP } },
            Inst::LoadImm { dst, value } => Decoded {
                op: Op::LoadImm,
                operands: Cell { dst, x: value as i32, y: (value >> 32) as i32, ..Cell::TRAP },
            },
            Inst::Unary { op, width, dst, src } => {
                Decoded { op: Op::unary(op, width), operands: Cell { dst, a: src, ..Cell::TRAP } }
            }
            Inst::Binary { op, width, dst, lhs, rhs } => {
                let (form, a, b, x) = match (lhs, rhs) {
                    (Operand::Reg(a), Operand::Reg(b)) => (Form::RegReg, a, b, 0),
                    (Operand::Reg(a), Operand::Imm(x)) => (Form::RegImm, a, zero, x),
                    (Operand::Imm(x), Operand::Reg(b)) => (Form::ImmReg, zero, b, x),
                    (Operand::Imm(a), Operand::Imm(b)) => {
                        // No instruction set has this; if one did, it would be a constant.
                        let value = op.eval(width, a as u64, b as u64);
                        return self.decode(&Inst::LoadImm { dst, value });
                    }
                };
                Decoded { op: Op::binary(op, width, form), operands: Cell { dst, a, b, x, ..Cell::TRAP } }
            }
            Inst::CondMove { if_zero, dst, value, test } => {
                let op = match (if_zero, value) {
                    (true, Operand::Reg(_)) => Op::MoveIfZero,
                    (false, Operand::Reg(_)) => Op::MoveIfNotZero,
                    (true, Operand::Imm(_)) => Op::MoveImmIfZero,
                    (false, Operand::Imm(_)) => Op::MoveImmIfNotZero,
                };
                let (a, x) = split(value, zero);
                Decoded { op, operands: Cell { dst, a, b: test, x, ..Cell::TRAP } }
            }
            Inst::Load { kind, dst, address } => {
                let Address { base, offset } = address;
                Decoded { op: load(kind), operands: Cell { dst, a: base.unwrap_or(zero), x: offset, ..Cell::TRAP } }
            }
            Inst::Probe { size, address } => {
                let Address { base, offset } = address;
                Decoded { op: probe(size), operands: Cell { a: base.unwrap_or(zero), x: offset, ..Cell::TRAP } }
            }
            Inst::Atomic { op, dst, value, address } => {
                let Address { base, offset } = address;
                let (b, _) = split(value, zero);
                // Without a register, the one that is always zero stands for none.
                let (a, dst) = (base.unwrap_or(zero), dst.unwrap_or(zero));
                let y = i32::from(dst != zero);
                Decoded { op: atomic(op), operands: Cell { dst, a, b, x: offset, y, ..Cell::TRAP } }
            }
            Inst::Store { size, value, address } => {
                let Address { base, offset } = address;
                let (b, y) = split(value, zero);
                Decoded {
                    op: store(size, value),
                    operands: Cell { a: base.unwrap_or(zero), b, x: offset, y, ..Cell::TRAP },
                }
            }
            Inst::Jump { link, target } => self.jump(link, target),
            Inst::JumpIndirect { link, base, offset } => match link {
                None => Decoded { op: Op::JumpIndirect, operands: Cell { a: base, x: offset, ..Cell::TRAP } },
                Some(Link { dst, value }) => Decoded {
                    op: Op::JumpIndirectLink,
                    operands: Cell { dst, a: base, x: offset, y: value, ..Cell::TRAP },
                },
            },
            Inst::Branch { cond, lhs, rhs, target } => {
                let form = if rhs.reg().is_some() { Form::RegReg } else { Form::RegImm };
                let (b, x) = split(rhs, zero);
                Decoded {
                    op: Op::branch(cond, form),
                    operands: Cell { a: lhs, b, x, y: self.target(target), ..Cell::TRAP },
                }
            }
        }
    }

    fn jump(&self, link: Option<Link>, target: Target) -> Decoded {
        let y = self.target(target);
        match link {
            None => Decoded { op: Op::Jump, operands: Cell { y, ..Cell::TRAP } },
            Some(Link { dst, value }) => {
                Decoded { op: Op::JumpLink, operands: Cell { dst, x: value, y, ..Cell::TRAP } }
            }
        }
    }

    fn target(&self, target: Target) -> i32 {
        match target {
            Target::Block(pc) => self.find(pc).unwrap_or(NONE) as i32,
            Target::Invalid => NONE as i32,
        }
    }
}

fn split(operand: Operand, zero: Reg) -> (Reg, i32) {
    match operand {
        Operand::Reg(reg) => (reg, 0),
        Operand::Imm(imm) => (zero, imm),
    }
}

fn load(kind: LoadKind) -> Op {
    match (kind.size, kind.signed) {
        (Size::B1, false) => Op::LoadU8,
        (Size::B1, true) => Op::LoadI8,
        (Size::B2, false) => Op::LoadU16,
        (Size::B2, true) => Op::LoadI16,
        (Size::B4, false) => Op::LoadU32,
        (Size::B4, true) => Op::LoadI32,
        (Size::B8, _) => Op::LoadU64,
    }
}

fn probe(size: Size) -> Op {
    match size {
        Size::B1 => Op::ProbeU8,
        Size::B2 => Op::ProbeU16,
        Size::B4 => Op::ProbeU32,
        Size::B8 => Op::ProbeU64,
    }
}

fn atomic(op: AtomicOp) -> Op {
    match op {
        AtomicOp::Swap => Op::AtomicSwap,
        AtomicOp::Binary(op) => match op {
            BinaryOp::Add => Op::AtomicAdd,
            BinaryOp::And => Op::AtomicAnd,
            BinaryOp::Or => Op::AtomicOr,
            BinaryOp::Xor => Op::AtomicXor,
            BinaryOp::MinS => Op::AtomicMinS,
            BinaryOp::MinU => Op::AtomicMinU,
            BinaryOp::MaxS => Op::AtomicMaxS,
            BinaryOp::MaxU => Op::AtomicMaxU,
            other => unreachable!("no guest does {other:?} atomically"),
        },
    }
}

fn store(size: Size, value: Operand) -> Op {
    match (size, value) {
        (Size::B1, Operand::Reg(_)) => Op::StoreU8,
        (Size::B2, Operand::Reg(_)) => Op::StoreU16,
        (Size::B4, Operand::Reg(_)) => Op::StoreU32,
        (Size::B8, Operand::Reg(_)) => Op::StoreU64,
        (Size::B1, Operand::Imm(_)) => Op::StoreImmU8,
        (Size::B2, Operand::Imm(_)) => Op::StoreImmU16,
        (Size::B4, Operand::Imm(_)) => Op::StoreImmU32,
        (Size::B8, Operand::Imm(_)) => Op::StoreImmU64,
    }
}

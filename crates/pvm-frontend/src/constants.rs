//! Dynamic jumps that are none: calls of what is far away, by an address that the instruction before has made.
//!
//! Compilers write `auipc ra, high; jalr ra, low(ra)`, and linkers do not always shorten it. Other constants that two instructions
//! make are found on the way: the second need not compute them.

use pvm_ops::{BinaryOp, DynamicJumps, GuestCode, Inst, Operand, Target, UnaryOp, Width};

/// What is known of registers within a block, where jumps are direct.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Constants {
    are_direct: bool,
    values: [Option<i32>; 32],
}

impl Constants {
    /// Nothing yet, at the beginning of a block.
    pub(crate) fn new(code: &impl GuestCode) -> Constants {
        let are_direct = code.dynamic_jumps() == DynamicJumps::Direct;
        Constants { are_direct, values: [None; 32] }
    }

    /// The instruction, which comes next in the block: a direct jump, if it is a dynamic one to a place that is known, and a
    /// constant, if it is a sum of such.
    pub(crate) fn resolve(&mut self, inst: Inst) -> Inst {
        if !self.are_direct {
            return inst;
        }
        if let Inst::JumpIndirect { link, base, offset } = inst
            && let Some(value) = self.values[base.index()]
        {
            return Inst::Jump { link, target: Target::Block(value.wrapping_add(offset) as u32 & !1) };
        }
        let value = |operand| match operand {
            Operand::Reg(reg) => self.values[reg.index()],
            Operand::Imm(imm) => Some(imm),
        };
        let made = match inst {
            Inst::LoadImm { dst, value } => Some((dst, value as i32)),
            Inst::Unary { op: UnaryOp::Move, dst, src, .. } => value(Operand::Reg(src)).map(|value| (dst, value)),
            Inst::Binary { op: BinaryOp::Add, width: Width::W32, dst, lhs, rhs } => {
                value(lhs).zip(value(rhs)).map(|(lhs, rhs)| (dst, lhs.wrapping_add(rhs)))
            }
            _ => None,
        };
        let written = inst.registers().writes;
        self.values
            .iter_mut()
            .enumerate()
            .filter(|(at, _)| written >> at & 1 == 1)
            .for_each(|(_, value)| *value = None);
        let Some((dst, value)) = made else { return inst };
        self.values[dst.index()] = Some(value);
        Inst::LoadImm { dst, value: value as u64 }
    }
}

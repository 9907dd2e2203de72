//! Branches whose way is known: on a constant that the block has just put into a register.
//!
//! Loops that run a fixed number of times have such a branch before the first round.

use super::effects::effects;
use super::{Body, End, Op};
use crate::abi;
use pvm_isa::{Instruction, Opcode, Operands};
use pvm_ops::{Operand, Reg};

/// Makes jumps of them.
pub fn fold(body: &mut Body) {
    for block in body.iter_mut() {
        let End::Branch(cond, lhs, Operand::Imm(rhs), then, otherwise) = block.end else { continue };
        if let Some(value) = constant(&block.ops, lhs) {
            let holds = cond.eval(i64::from(value) as u64, i64::from(rhs) as u64);
            block.end = End::Jump(if holds { then } else { otherwise });
        }
    }
}

/// What a register holds at the end of some operations, if one of them has put a constant there.
fn constant(ops: &[Op], reg: Reg) -> Option<i32> {
    let last = ops.iter().rev().find(|op| effects(op).writes & abi::bit(reg) != 0)?;
    match last {
        Op::Inst(Instruction { opcode: Opcode::LoadImm, operands: Operands::RegImm { x, .. } }) => Some(*x),
        _ => None,
    }
}

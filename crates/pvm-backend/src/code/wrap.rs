//! A function that may return at once does so before it makes a frame.
//!
//! Where the first block ends in a branch one way of which only returns, moving the stack pointer, checking it and storing
//! registers wait until the branch has gone the other way. This is repeated for what follows.

use super::effects::{Set, as_move, effects, preds};
use super::{Block, Body, End, Op};
use crate::abi::{self, STACK};
use pvm_isa::{Instruction, Opcode, Operands};
use pvm_ops::Reg;

/// A register that is stored in the frame, and where.
type Spill = (Reg, i32);

/// How many branches the frame may be moved behind.
const LIMIT: usize = 4;

/// Does that from the entry on.
pub fn wrap(body: &mut Body) {
    let mut index = 0;
    for _ in 0..LIMIT {
        match sink(body, index) {
            Some(next) => index = next,
            None => return,
        }
    }
}

/// Moves the making of the frame from the beginning of a block behind its branch; the block that it is in then.
fn sink(body: &mut Body, index: usize) -> Option<usize> {
    let End::Branch(_, _, _, then, otherwise) = body[index].end else { return None };
    let [Op::Inst(moving), check @ Op::TrapIf(..), ..] = body[index].ops[..] else { return None };
    let size = stack_moved(&moving).filter(|&size| size < 0)?;
    let (spills, others) = separate(&body[index].ops[2..])?;

    let preds = preds(body);
    let ways = [(then, otherwise), (otherwise, then)];
    let (quick, slow, without) = ways.into_iter().find_map(|(quick, slow)| {
        let alone = preds[quick].len() == 1 && quick != slow;
        let without = alone.then(|| without_frame(&body[quick], &spills, -size)).flatten()?;
        Some((quick, slow, without))
    })?;

    let mut frame = vec![Op::Inst(moving), check];
    frame.extend(spills.iter().map(|&(reg, offset)| Op::Spill(reg, offset)));
    body[index].ops = others;
    body[quick].ops = without;
    if preds[slow].len() == 1 {
        body[slow].ops.splice(0..0, frame);
        return Some(slow);
    }
    let Block { depth, cold, place, .. } = body[index];
    body.push(Block { ops: frame, end: End::Jump(slow), depth, cold, place });
    let new = body.len() - 1;
    body[index].end.retarget(|target| if target == slow { new } else { target });
    None
}

/// By how much an instruction moves the stack pointer.
fn stack_moved(instruction: &Instruction) -> Option<i32> {
    match *instruction {
        Instruction { opcode: Opcode::AddImm64, operands: Operands::RegRegImm { a: STACK, b: STACK, x } } => Some(x),
        _ => None,
    }
}

/// What is stored in the frame, apart from the other operations, if it can as well be stored at the end.
fn separate(ops: &[Op]) -> Option<(Vec<Spill>, Vec<Op>)> {
    let mut spills = Vec::new();
    let mut others = Vec::new();
    let mut stored: Set = 0;
    for op in ops {
        if let Op::Spill(reg, offset) = *op {
            stored |= abi::bit(reg);
            spills.push((reg, offset));
            continue;
        }
        let effects = effects(op);
        if !effects.pure || (effects.reads | effects.writes) & abi::bit(STACK) != 0 || effects.writes & stored != 0 {
            return None;
        }
        others.push(*op);
    }
    Some((spills, others))
}

/// The operations of a block that returns, as they are if there is no frame.
fn without_frame(block: &Block, spills: &[Spill], size: i32) -> Option<Vec<Op>> {
    let End::Return(_) = block.end else { return None };
    let mut ops = Vec::new();
    let mut written: Set = 0;
    for op in &block.ops {
        let op = match *op {
            Op::Inst(instruction) if stack_moved(&instruction) == Some(size) => continue,
            Op::Reload(to, offset) => {
                let &(from, _) = spills.iter().find(|spill| spill.1 == offset)?;
                if written & abi::bit(from) != 0 {
                    return None;
                }
                let operands = Operands::RegReg { d: to, a: from };
                Op::Inst(Instruction { opcode: Opcode::MoveReg, operands })
            }
            other => other,
        };
        if as_move(&op).is_some_and(|(from, to)| from == to) {
            continue;
        }
        let effects = effects(&op);
        if !effects.pure || (effects.reads | effects.writes) & abi::bit(STACK) != 0 {
            return None;
        }
        written |= effects.writes;
        ops.push(op);
    }
    Some(ops)
}

//! Moves at the end of a loop go before its branch.
//!
//! A loop that goes on under a condition has moves for the next round on the way back, and so a jump. They can stand before the
//! branch if it and the way out can do without what they overwrite, and the branch then leads back by itself: one
//! instruction less in each round. What the way out wants from before is copied there if it is still in some register.

use super::effects::{Effects, Set, as_move, effects, end_reads, liveness, preds};
use super::{Block, Body, End, Op};
use crate::abi;
use pvm_isa::{Instruction, Opcode, Operands};
use pvm_ops::Reg;

/// The most moves of a round that are brought forward.
const LIMIT: usize = 6;

/// Does that to all loops.
pub fn rotate(body: &mut Body) {
    let alive = liveness(body);
    let preds = preds(body);
    for index in 0..body.len() {
        let End::Branch(_, _, _, then, otherwise) = body[index].end else { continue };
        for (back, out) in [(then, otherwise), (otherwise, then)] {
            let is_back = matches!(body[back].end, End::Jump(_)) && !body[back].ops.is_empty();
            let leaves = body[out].depth < body[back].depth || body[out].cold;
            let alone = preds[back].len() == 1 && preds[out].len() == 1;
            if is_back && leaves && alone && body[back].ops.len() <= LIMIT {
                bring_forward(body, index, back, out, alive[out]);
                break;
            }
        }
    }
}

fn bring_forward(body: &mut Body, index: usize, back: usize, out: usize, alive_out: Set) {
    let moves = body[back].ops.clone();
    let mut written: Set = 0;
    for op in &moves {
        let Effects { writes, pure, .. } = effects(op);
        if !pure || writes.count_ones() != 1 || writes & abi::bit(abi::STACK) != 0 {
            return;
        }
        written |= writes;
    }
    if written & end_reads(&body[index].end) != 0 {
        return;
    }
    let Some(copies) = restore(&moves, written & alive_out) else { return };
    body[index].ops.extend(moves);
    body[back].ops.clear();
    let out: &mut Block = &mut body[out];
    out.ops.splice(0..0, copies);
}

/// The moves that bring back the registers of `lost` as they were before `moves`, if their values are left somewhere.
fn restore(moves: &[Op], lost: Set) -> Option<Vec<Op>> {
    // For each register, whose former value it holds.
    let mut holds: [Option<usize>; 13] = std::array::from_fn(Some);
    for op in moves {
        let writes = effects(op).writes.trailing_zeros() as usize;
        holds[writes] = as_move(op).and_then(|(from, _)| holds[from.index()]);
    }
    let mut copies = Vec::new();
    let mut sources: Set = 0;
    let wanted = (0..13).filter(|&reg| lost & 1 << reg != 0);
    for reg in wanted {
        let holder = holds.iter().position(|&held| held == Some(reg))?;
        let (from, to) = (Reg::wrapping(holder as u8), Reg::wrapping(reg as u8));
        sources |= abi::bit(from);
        copies.push(Op::Inst(Instruction { opcode: Opcode::MoveReg, operands: Operands::RegReg { d: to, a: from } }));
    }
    // One after the other only if none overwrites what another reads.
    (sources & lost == 0).then_some(copies)
}

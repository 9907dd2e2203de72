//! Copies are looked through, and what nobody reads goes.
//!
//! The register allocator moves values where constraints meet, block by block; much of that another register would have
//! done as well.

use super::effects::{
    Effects, Set, alive_at_end, alive_before, as_move, effects, liveness, map_end_reads, map_reads, map_write, preds,
};
use super::{Block, Body, Op};
use crate::abi;
use pvm_isa::{Instruction, Opcode, Operands};
use pvm_ops::Reg;

/// How far back the operation is looked for whose result is moved.
const REACH: usize = 32;
/// How many words of the frame are known at a time.
const WORDS: usize = 16;

/// Does that to all blocks.
pub fn tidy(body: &mut Body) {
    look_through_copies(body);
    let alive = liveness(body);
    for block in body.iter_mut() {
        let after = alive_at_end(&block.end, &alive);
        drop_unread(block, after);
        write_in_place(block, after);
        store_from_original(block, after);
    }
}

/// What is known to be equal.
#[derive(Clone, Default)]
struct Copies {
    /// For each register the one that it is a copy of.
    registers: [Option<Reg>; 13],
    /// Words of the frame by their offsets, and registers that hold the same.
    words: Vec<(i32, Reg)>,
}

impl Copies {
    fn of(&self, reg: Reg) -> Reg {
        self.registers[reg.index()].unwrap_or(reg)
    }

    /// The register that holds what a word holds.
    fn of_word(&self, offset: i32) -> Option<Reg> {
        self.words.iter().find(|word| word.0 == offset).map(|word| word.1)
    }

    fn set_word(&mut self, offset: i32, reg: Reg) {
        self.words.retain(|word| word.0 != offset);
        if self.words.len() == WORDS {
            self.words.remove(0);
        }
        self.words.push((offset, reg));
    }

    /// Forgets what is said of registers that are written.
    fn forget(&mut self, writes: Set) {
        let written = |reg: Reg| writes & abi::bit(reg) != 0;
        for (index, copy) in self.registers.iter_mut().enumerate() {
            if writes & 1 << index != 0 || copy.is_some_and(written) {
                *copy = None;
            }
        }
        self.words.retain(|word| !written(word.1));
    }
}

/// Reads the original instead of a copy. Copies are known from the only predecessor of a block, if that stands before it.
fn look_through_copies(body: &mut Body) {
    let preds = preds(body);
    let mut at_end: Vec<Copies> = vec![Copies::default(); body.len()];
    for index in 0..body.len() {
        let mut copies = match preds[index][..] {
            [pred] if pred < index && index != 0 => at_end[pred].clone(),
            _ => Copies::default(),
        };
        let block = &mut body[index];
        block.ops.retain_mut(|op| {
            map_reads(op, |reg| copies.of(reg));
            if let Op::Reload(to, offset) = *op
                && let Some(from) = copies.of_word(offset)
            {
                let operands = Operands::RegReg { d: to, a: from };
                *op = Op::Inst(Instruction { opcode: Opcode::MoveReg, operands });
            }
            let copy = as_move(op);
            if copy.is_some_and(|(from, to)| copies.of(to) == from) {
                return false;
            }
            copies.forget(effects(op).writes);
            match (copy, &*op) {
                (Some((from, to)), _) => copies.registers[to.index()] = Some(from),
                (_, &(Op::Spill(reg, offset) | Op::Reload(reg, offset))) => copies.set_word(offset, reg),
                _ => {}
            }
            true
        });
        map_end_reads(&mut block.end, |reg| copies.of(reg));
        at_end[index] = copies;
    }
}

/// Drops operations whose results nobody reads.
fn drop_unread(block: &mut Block, after: Set) {
    let mut alive = after;
    let mut kept = Vec::with_capacity(block.ops.len());
    while let Some(op) = block.ops.pop() {
        let Effects { writes, pure, .. } = effects(&op);
        if pure && writes & alive == 0 {
            continue;
        }
        alive = alive_before(&op, alive);
        kept.push(op);
    }
    kept.reverse();
    block.ops = kept;
}

/// Where a result is moved to another register and not used afterwards, it is made there.
fn write_in_place(block: &mut Block, after: Set) {
    let mut alive = after;
    let mut needless = vec![false; block.ops.len()];
    for index in (0..block.ops.len()).rev() {
        if let Some((from, to)) = as_move(&block.ops[index])
            && alive & abi::bit(from) == 0
            && from != to
            && make_in_place(block, index, from, to)
        {
            needless[index] = true;
            continue;
        }
        alive = alive_before(&block.ops[index], alive);
    }
    let mut needless = needless.into_iter();
    block.ops.retain(|_| needless.next() != Some(true));
}

/// Renames `from`, which is moved to `to` at `index` and dead from there on, back to where it is written.
fn make_in_place(block: &mut Block, index: usize, from: Reg, to: Reg) -> bool {
    let (from_bit, to_bit) = (abi::bit(from), abi::bit(to));
    let mut start = None;
    for at in (index.saturating_sub(REACH)..index).rev() {
        let Effects { reads, writes, .. } = effects(&block.ops[at]);
        if writes & from_bit != 0 {
            // What it reads, it reads before it writes.
            let mut op = block.ops[at];
            if writes == from_bit && map_write(&mut op, from, to) {
                block.ops[at] = op;
                start = Some(at);
            }
            break;
        }
        if (reads | writes) & to_bit != 0 || is_fixed_read(&block.ops[at], from_bit) {
            break;
        }
    }
    let Some(start) = start else { return false };
    for op in &mut block.ops[start + 1..index] {
        map_reads(op, |reg| if reg == from { to } else { reg });
    }
    true
}

/// A copy that is only there to be stored in the frame is not made: the original is stored where the copy was made.
fn store_from_original(block: &mut Block, after: Set) {
    let mut alive = after;
    let mut needless = vec![false; block.ops.len()];
    for index in (0..block.ops.len()).rev() {
        let before = alive_before(&block.ops[index], alive);
        if let Op::Spill(copy, offset) = block.ops[index]
            && alive & abi::bit(copy) == 0
            && let Some((at, from)) = copy_for_store(&block.ops[..index], copy, offset)
        {
            block.ops[at] = Op::Spill(from, offset);
            needless[index] = true;
            continue;
        }
        alive = before;
    }
    let mut needless = needless.into_iter();
    block.ops.retain(|_| needless.next() != Some(true));
}

/// The move that makes `copy` at the end of `ops`, and its source, if nothing from there on reads it or touches the place.
fn copy_for_store(ops: &[Op], copy: Reg, offset: i32) -> Option<(usize, Reg)> {
    let bit = abi::bit(copy);
    for at in (ops.len().saturating_sub(REACH)..ops.len()).rev() {
        let Effects { reads, writes, .. } = effects(&ops[at]);
        if let Some((from, to)) = as_move(&ops[at])
            && to == copy
        {
            return Some((at, from));
        }
        if (reads | writes) & bit != 0 || matches!(ops[at], Op::Spill(_, x) | Op::Reload(_, x) if x == offset) {
            return None;
        }
    }
    None
}

/// Whether an operation reads a register that cannot be another one.
fn is_fixed_read(op: &Op, reg: Set) -> bool {
    let mut probe = *op;
    map_reads(&mut probe, |other| if abi::bit(other) == reg { abi::STACK } else { other });
    effects(&probe).reads & reg != 0
}

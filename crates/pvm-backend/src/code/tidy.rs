//! Copies are looked through, and what nobody reads goes.
//!
//! The register allocator moves values where constraints meet, block by block; much of that another register would have
//! done as well.

use super::copies;
use super::effects::{Effects, Set, alive_at_end, alive_before, as_move, effects, liveness, map_reads, map_write};
use super::{Block, Body, Op};
use crate::abi;
use pvm_ops::Reg;
use std::collections::HashSet;

/// How far back the operation is looked for whose result is moved.
const REACH: usize = 32;

/// Does that to all blocks.
pub fn tidy(body: &mut Body) {
    copies::look_through(body);
    drop_unread_words(body);
    let alive = liveness(body);
    for block in body.iter_mut() {
        let after = alive_at_end(&block.end, &alive);
        drop_unread(block, after);
        write_in_place(block, after);
        store_from_original(block, after);
    }
}

/// Drops what is put into words of the frame that nobody reads.
fn drop_unread_words(body: &mut Body) {
    let ops = body.iter().flat_map(|block| &block.ops);
    let read: HashSet<i32> = ops
        .filter_map(|op| match op {
            Op::Reload(_, offset) => Some(*offset),
            _ => None,
        })
        .collect();
    for block in body.iter_mut() {
        block.ops.retain(|op| !matches!(op, Op::Spill(_, offset) if !read.contains(offset)));
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

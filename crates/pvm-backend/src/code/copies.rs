//! Copies: registers and words of the frame that hold the same.
//!
//! What is known at the beginning of a block is what is known at the end of all its predecessors. The analysis begins with
//! everything and takes away what does not hold, until nothing changes.

use super::effects::{Set, as_move, effects, map_end_reads, map_reads};
use super::{Body, Op};
use crate::abi;
use pvm_isa::{Instruction, Opcode, Operands};
use pvm_ops::Reg;

/// How many words of the frame are known at a time.
const WORDS: usize = 16;

/// What is known to be equal.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Copies {
    /// For each register the one that it is a copy of.
    registers: [Option<Reg>; 13],
    /// Words of the frame in the order of their offsets, and registers that hold the same.
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
        let place = self.words.partition_point(|word| word.0 < offset);
        self.words.insert(place, (offset, reg));
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

    /// Keeps what another way knows, too: what is equal on both, by whatever name. The result says whether that is less
    /// than before, or by other names.
    fn meet(&mut self, other: &Copies) -> bool {
        if self == other {
            return false;
        }
        let before = self.clone();
        let equal = |a: Reg, b: Reg| before.of(a) == before.of(b) && other.of(a) == other.of(b);
        let registers = || Reg::ALL.into_iter().take(13);
        for reg in registers() {
            self.registers[reg.index()] = registers().take(reg.index()).find(|&lower| equal(lower, reg));
        }
        self.words = Vec::new();
        for &(offset, reg) in &before.words {
            let Some(elsewhere) = other.of_word(offset) else { continue };
            let holds =
                |&candidate: &Reg| before.of(candidate) == before.of(reg) && other.of(candidate) == other.of(elsewhere);
            self.words.extend(registers().find(holds).map(|holder| (offset, holder)));
        }
        *self != before
    }

    /// Goes on behind an operation, whose operands are the originals.
    fn pass(&mut self, op: &Op) {
        self.forget(effects(op).writes);
        match (as_move(op), op) {
            (Some((from, to)), _) if from != to => self.registers[to.index()] = Some(from),
            (_, &(Op::Spill(reg, offset) | Op::Reload(reg, offset))) => self.set_word(offset, reg),
            _ => {}
        }
    }

    /// The operation on originals, if it is still needed.
    fn rewrite(&self, mut op: Op) -> Option<Op> {
        map_reads(&mut op, |reg| self.of(reg));
        if let Op::Reload(to, offset) = op
            && let Some(from) = self.of_word(offset)
        {
            let operands = Operands::RegReg { d: to, a: from };
            op = Op::Inst(Instruction { opcode: Opcode::MoveReg, operands });
        }
        let needless = match (as_move(&op), op) {
            (Some((from, to)), _) => self.of(to) == from,
            (_, Op::Spill(reg, offset)) => self.of_word(offset) == Some(reg),
            _ => false,
        };
        (!needless).then_some(op)
    }
}

/// Reads originals instead of copies, and drops copies of what is there already.
pub fn look_through(body: &mut Body) {
    let known = analyse(body);
    for (block, known) in body.iter_mut().zip(known) {
        let mut copies = known.unwrap_or_default();
        block.ops.retain_mut(|op| match copies.rewrite(*op) {
            Some(rewritten) => {
                *op = rewritten;
                copies.pass(op);
                true
            }
            None => false,
        });
        map_end_reads(&mut block.end, |reg| copies.of(reg));
    }
}

/// What is known at the beginning of each block; nothing is said of blocks that are not reached.
///
/// What has been taken away stays away, so that this ends. Each block passes on what has become of what it knows, so that
/// the work is in proportion to the edges, however many of them meet in one place.
fn analyse(body: &Body) -> Vec<Option<Copies>> {
    let mut before: Vec<Option<Copies>> = vec![None; body.len()];
    let mut waiting = vec![false; body.len()];
    let mut work = std::collections::VecDeque::from([0]);
    before[0] = Some(Copies::default());
    while let Some(index) = work.pop_front() {
        waiting[index] = false;
        let mut copies = before[index].clone().unwrap_or_default();
        for op in &body[index].ops {
            if let Some(op) = copies.rewrite(*op) {
                copies.pass(&op);
            }
        }
        let mut targets: Vec<usize> = body[index].end.targets().collect();
        targets.sort_unstable();
        targets.dedup();
        for target in targets {
            let changed = match &mut before[target] {
                Some(known) => known.meet(&copies),
                unknown => {
                    *unknown = Some(copies.clone());
                    true
                }
            };
            if changed && !std::mem::replace(&mut waiting[target], true) {
                work.push_back(target);
            }
        }
    }
    before
}

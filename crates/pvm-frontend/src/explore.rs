//! Blocks of code that is not known ahead: found from a hot place on, nearest first.
//!
//! Any address may be jumped to. The places where a region can be entered by a dynamic jump are those that are likely
//! targets: where calls come back to, and where dynamic jumps have gone so far. Whoever jumps elsewhere leaves the region.
//! (The hot place is none of them by itself: it is in the hottest loop, and there a target of jumps is in the way.)

use crate::Blocks;
use crate::blocks::{Block, BlockId, Ending};
use crate::constants::Constants;
use pvm_ops::{Fetched, GuestCode, Inst, Target};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Of code that changes no more than this is compiled together: it may change again before that has paid.
const MOST_CHANGING: usize = 64;
/// Of what is not warm so many instructions come to the rest, if any do, and one and a half times as many as that has. A loop
/// of which a rare way is missing leaves the region there, and comes back, perhaps in each round later on. But what never runs
/// takes time to compile, and room that others could have.
const MOST_COLD: usize = 128;

/// What is found on the way.
#[derive(Debug, Default)]
struct Found {
    insts: BTreeMap<u32, Fetched>,
    /// Where blocks start, also outside of what was found.
    starts: BTreeSet<u32>,
    jump_targets: BTreeSet<u32>,
    continuations: BTreeSet<u32>,
    queue: VecDeque<u32>,
}

impl Blocks {
    /// The blocks from `head` on, up to `max_len` instructions; of others than `head` those that `takes` says, `warm` ones first
    /// and, if it `takes_cold`, not many others. `changes` tells which program counters have code that has changed before: it is
    /// kept apart from the rest, so that the rest stays when it changes again.
    pub fn around(
        code: &impl GuestCode,
        head: u32,
        max_len: usize,
        changes: impl Fn(u32) -> bool,
        takes: impl Fn(u32) -> bool,
        warm: impl Fn(u32) -> bool,
        takes_cold: bool,
    ) -> Blocks {
        let mut found = Found { queue: VecDeque::from([head]), ..Found::default() };
        let is_changing = changes(head);
        let max_len = if is_changing { max_len.min(MOST_CHANGING) } else { max_len }.max(1);
        let belongs = |pc| changes(pc) == is_changing;
        let (mut cold, mut room) = (VecDeque::new(), None);
        loop {
            while let Some(start) = found.queue.pop_front() {
                match found.starts.insert(start) {
                    true if start == head || takes(start) && warm(start) => found.scan(code, start, max_len, belongs),
                    true if takes(start) => cold.push_back(start),
                    _ => {}
                }
            }
            let len = found.insts.len();
            let room = room.get_or_insert(if takes_cold { len * 3 / 2 + MOST_COLD } else { 0 });
            let Some(start) = cold.pop_front().filter(|_| *room > 0) else { break };
            found.scan(code, start, max_len.min(len + *room), belongs);
            *room -= found.insts.len() - len;
        }
        found.blocks(code)
    }
}

impl Found {
    /// Takes in what follows `start`, up to the end of a block or what was found before.
    fn scan(&mut self, code: &impl GuestCode, start: u32, max_len: usize, belongs: impl Fn(u32) -> bool) {
        let mut pc = start;
        let mut constants = Constants::new(code);
        while !self.insts.contains_key(&pc) {
            if self.insts.len() == max_len || !belongs(pc) {
                return;
            }
            let fetched = code.fetch(pc);
            self.insts.insert(pc, fetched);
            let inst = constants.resolve(fetched.inst);
            if inst.ends_block() || inst.suspends() {
                self.follow(code, pc, Fetched { inst, ..fetched });
                return;
            }
            pc = fetched.next;
        }
        // What was found before is cut in two here.
        self.starts.insert(pc);
    }

    /// Queues what the last instruction of a block leads to.
    fn follow(&mut self, code: &impl GuestCode, pc: u32, Fetched { inst, next }: Fetched) {
        match inst {
            Inst::Fallthrough => self.queue.push_back(next),
            Inst::Branch { target, .. } => {
                self.queue.push_back(next);
                self.queue.extend(place(target));
            }
            Inst::Jump { target, link } => {
                self.queue.extend(place(target));
                if link.is_some() {
                    self.jump_target(next);
                }
            }
            Inst::JumpIndirect { link, .. } => {
                code.likely_targets(pc).into_iter().for_each(|target| self.jump_target(target));
                if link.is_some() {
                    self.jump_target(next);
                }
            }
            inst if inst.suspends() => {
                self.continuations.insert(next);
                self.queue.push_back(next);
            }
            _ => {}
        }
    }

    fn jump_target(&mut self, pc: u32) {
        self.jump_targets.insert(pc);
        self.queue.push_back(pc);
    }

    fn blocks(&self, code: &impl GuestCode) -> Blocks {
        let starts: Vec<u32> = self.starts.iter().copied().filter(|pc| self.insts.contains_key(pc)).collect();
        let find = |pc: u32| starts.binary_search(&pc).ok().map(|id| id as BlockId);
        let blocks: Vec<Block> = starts.iter().map(|&start| self.block(Constants::new(code), start, find)).collect();
        Blocks::linked(blocks)
    }

    fn block(&self, mut constants: Constants, start: u32, find: impl Fn(u32) -> Option<BlockId>) -> Block {
        let (mut pc, mut len) = (start, 0);
        let (ending, successors) = loop {
            let Fetched { inst, next } = self.insts[&pc];
            let inst = constants.resolve(inst);
            len += 1;
            if inst.suspends() {
                break (Ending::Suspension, [find(next), None]);
            }
            if inst.ends_block() {
                let target = |target| place(target).and_then(&find);
                break (
                    Ending::Terminator,
                    match inst {
                        Inst::Fallthrough => [find(next), None],
                        Inst::Jump { target: to, .. } => [None, target(to)],
                        Inst::Branch { target: to, .. } => [find(next), target(to)],
                        _ => [None, None],
                    },
                );
            }
            if self.starts.contains(&next) || !self.insts.contains_key(&next) {
                break (Ending::Cut, [find(next), None]);
            }
            pc = next;
        };
        let is_jump_target = self.jump_targets.contains(&start);
        let is_continuation = self.continuations.contains(&start);
        Block { start, len, ending, is_continuation, is_jump_target, successors }
    }
}

fn place(target: Target) -> Option<u32> {
    match target {
        Target::Block(pc) => Some(pc),
        Target::Invalid => None,
    }
}

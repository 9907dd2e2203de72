//! The basic blocks of a program and how they lead to each other.
//!
//! Compiled code sees blocks cut smaller than the specification does: a host call or a heap request ends one, since the
//! host acts there, and so does a length limit, since a region must be of moderate size. What follows is a
//! *continuation*: no jump goes there, and whether it still has to be paid depends on the gas model.

use crate::constants::Constants;
use crate::returns;
use pvm_ops::{GuestCode, Inst, Target};

/// The index of a block in [`Blocks`].
pub type BlockId = u32;

/// How a block ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// By a terminator, its last instruction.
    Terminator,
    /// After a host call or heap request, its last instruction.
    Suspension,
    /// At the length limit, or where another block begins; the next block goes on.
    Cut,
}

/// A block.
#[derive(Clone, Copy, Debug)]
pub struct Block {
    /// The program counter of its first instruction.
    pub start: u32,
    /// How many instructions it has.
    pub len: u32,
    /// How it ends.
    pub ending: Ending,
    /// Whether it continues the block before it.
    pub is_continuation: bool,
    /// Whether a dynamic jump may go to it.
    pub is_jump_target: bool,
    /// The blocks that its last instruction leads to, dynamic jumps left out: the next one, and a jump's target.
    pub successors: [Option<BlockId>; 2],
}

/// All blocks of a program, by ascending program counter.
#[derive(Debug)]
pub struct Blocks {
    blocks: Vec<Block>,
    predecessors: Lists,
    jump_entries: Lists,
    by_address: ByAddress,
}

/// What is called by its address, as `qsort` calls what compares, and the cases of a switch, so far as PVM programs show it ahead.
#[derive(Debug, Default)]
pub(crate) struct ByAddress {
    /// The blocks that end with dynamic jumps which are no returns.
    pub jumps: Vec<BlockId>,
    /// Where dynamic jumps may go, but for what lies behind an instruction that calls.
    pub targets: Vec<BlockId>,
}

/// A list of numbers for each block, one behind the other.
#[derive(Debug, Default)]
struct Lists {
    items: Vec<u32>,
    /// Where the list of a block begins; the next one's beginning is its end.
    starts: Vec<u32>,
}

impl Lists {
    /// The items of each of `count` lists, in order, from pairs of list and item.
    fn new(count: usize, pairs: &[(u32, u32)]) -> Lists {
        let mut starts = vec![0; count + 1];
        for &(list, _) in pairs {
            starts[list as usize + 1] += 1;
        }
        for list in 0..count {
            starts[list + 1] += starts[list];
        }
        let mut next = starts.clone();
        let mut items = vec![0; pairs.len()];
        for &(list, item) in pairs {
            items[next[list as usize] as usize] = item;
            next[list as usize] += 1;
        }
        Lists { items, starts }
    }

    fn get(&self, list: u32) -> &[u32] {
        let list = list as usize;
        &self.items[self.starts[list] as usize..self.starts[list + 1] as usize]
    }
}

impl Blocks {
    /// Finds the blocks of `code`, given the program counters where blocks start (ascending), and cuts those that are
    /// longer than `max_len` instructions.
    pub fn new(code: &impl GuestCode, starts: impl Iterator<Item = u32>, max_len: usize) -> Blocks {
        let mut blocks = Vec::new();
        for start in starts {
            find_pieces(code, start, max_len, &mut blocks);
        }
        let mut jump_entries = Vec::new();
        for (index, pc) in code.dynamic_jumps().entries().iter().enumerate() {
            if let Ok(id) = blocks.binary_search_by_key(pc, |block: &Block| block.start)
                && !blocks[id].is_continuation
            {
                blocks[id].is_jump_target = true;
                jump_entries.push((id as BlockId, index as u32));
            }
        }
        let jump_entries = Lists::new(blocks.len(), &jump_entries);
        let mut all = Blocks { blocks, predecessors: Lists::default(), jump_entries, by_address: ByAddress::default() };
        all.link(code);
        all
    }

    /// Blocks that are known with what they lead to, by ascending program counter. There is no jump table.
    pub(crate) fn linked(blocks: Vec<Block>) -> Blocks {
        let jump_entries = Lists::new(blocks.len(), &[]);
        let mut all = Blocks { blocks, predecessors: Lists::default(), jump_entries, by_address: ByAddress::default() };
        all.link_back();
        all
    }

    /// The block that starts at `pc`.
    pub fn find(&self, pc: u32) -> Option<BlockId> {
        self.blocks.binary_search_by_key(&pc, |block| block.start).ok().map(|id| id as BlockId)
    }

    /// Whether a block leads to itself.
    pub fn is_loop(&self, id: BlockId) -> bool {
        self.get(id).successors.contains(&Some(id))
    }

    /// A block.
    pub fn get(&self, id: BlockId) -> &Block {
        &self.blocks[id as usize]
    }

    /// How many blocks there are.
    pub fn len(&self) -> usize {
        self.blocks.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.blocks.is_empty()
    }

    /// The program counter behind a block's last instruction.
    pub fn end(&self, id: BlockId, code: &impl GuestCode) -> u32 {
        let block = self.get(id);
        instructions(code, block).last().map_or(block.start, |(pc, _)| code.fetch(pc).next)
    }

    /// The blocks that lead to this one, dynamic jumps left out.
    pub fn predecessors(&self, id: BlockId) -> &[BlockId] {
        self.predecessors.get(id)
    }

    /// The entries of the jump table that lead to this block.
    pub fn jump_entries(&self, id: BlockId) -> &[u32] {
        self.jump_entries.get(id)
    }

    /// What is called by its address, and what calls it.
    pub(crate) fn by_address(&self) -> &ByAddress {
        &self.by_address
    }

    fn link(&mut self, code: &impl GuestCode) {
        let mut is_behind_call = false;
        for id in 0..self.blocks.len() {
            let block = self.blocks[id];
            // A block that does not end in a terminator goes on in the next, which continues it.
            let next = Some(id as BlockId + 1).filter(|&next| (next as usize) < self.blocks.len());
            let last = instructions(code, &block).last();
            if block.is_jump_target && !is_behind_call {
                self.by_address.targets.push(id as BlockId);
            }
            is_behind_call = last.is_some_and(|(_, inst)| {
                matches!(inst, Inst::Jump { link: Some(_), .. } | Inst::JumpIndirect { link: Some(_), .. })
            });
            if last.is_some_and(|(_, inst)| returns::is_jump_by_address(&inst)) {
                self.by_address.jumps.push(id as BlockId);
            }
            self.blocks[id].successors = match (block.ending, last) {
                (Ending::Suspension | Ending::Cut, _) => [next.filter(|&next| self.get(next).is_continuation), None],
                (Ending::Terminator, Some((pc, inst))) => {
                    let fallthrough = self.find(code.fetch(pc).next);
                    match inst {
                        Inst::Fallthrough => [fallthrough, None],
                        Inst::Jump { target, .. } => [None, self.target(target)],
                        Inst::Branch { target, .. } => [fallthrough, self.target(target)],
                        _ => [None, None],
                    }
                }
                (Ending::Terminator, None) => [None, None],
            };
        }
        self.link_back();
    }

    fn link_back(&mut self) {
        let edges: Vec<_> = (0..)
            .zip(&self.blocks)
            .flat_map(|(from, block)| block.successors.into_iter().flatten().map(move |to| (to, from)))
            .collect();
        self.predecessors = Lists::new(self.blocks.len(), &edges);
    }

    fn target(&self, target: Target) -> Option<BlockId> {
        match target {
            Target::Block(pc) => self.find(pc),
            Target::Invalid => None,
        }
    }
}

/// The instructions of a block with their program counters.
pub(crate) fn instructions<'a, C: GuestCode>(
    code: &'a C,
    block: &Block,
) -> impl Iterator<Item = (u32, Inst)> + use<'a, C> {
    let mut pc = block.start;
    let mut constants = Constants::new(code);
    (0..block.len).map(move |_| {
        let at = pc;
        let fetched = code.fetch(at);
        pc = fetched.next;
        (at, constants.resolve(fetched.inst))
    })
}

/// Appends the pieces of the block that starts at `start`.
fn find_pieces(code: &impl GuestCode, start: u32, max_len: usize, blocks: &mut Vec<Block>) {
    let mut pc = start;
    let mut piece = |start, len, ending| {
        blocks.push(Block {
            start,
            len,
            ending,
            is_continuation: blocks.last().is_some_and(|last: &Block| last.ending != Ending::Terminator),
            is_jump_target: false,
            successors: [None, None],
        });
    };
    let (mut piece_start, mut len) = (start, 0);
    loop {
        let fetched = code.fetch(pc);
        len += 1;
        let ending = match fetched.inst {
            inst if inst.ends_block() => Some(Ending::Terminator),
            inst if inst.suspends() => Some(Ending::Suspension),
            _ if len as usize >= max_len => Some(Ending::Cut),
            _ => None,
        };
        pc = fetched.next;
        if let Some(ending) = ending {
            piece(piece_start, len, ending);
            (piece_start, len) = (pc, 0);
            if ending == Ending::Terminator {
                return;
            }
        }
    }
}

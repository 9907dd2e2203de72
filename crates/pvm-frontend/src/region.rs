//! Regions: which blocks are compiled together.

use crate::Blocks;
use crate::blocks::{BlockId, ByAddress};
use crate::{loops, returns};
use pvm_ops::GuestCode;
use std::collections::{HashSet, VecDeque};

/// Blocks that are compiled into one function.
///
/// A block belongs to one region at most, where blocks are known ahead, until regions are compiled again. *Entries* are where a
/// region can be entered from elsewhere: the block that got hot, targets of dynamic jumps, blocks after host calls, blocks that a block outside
/// leads to, and heads of loops, to which a run comes back that was stopped within the loop.
#[derive(Clone, Debug)]
pub struct Region {
    /// A number that no other region of the program has.
    pub id: u32,
    /// The block that got hot.
    head: BlockId,
    /// The blocks in ascending order.
    pub blocks: Vec<BlockId>,
    /// Those that can be entered from outside, ascending. Their positions here are the numbers of the function's entries.
    pub entries: Vec<BlockId>,
    /// Whether runs leave it soon after they have entered it: for guests with registers of 32 bits, of which there are many, it is
    /// then made to be entered and left at once.
    pub is_brief: bool,
}

impl Region {
    /// Collects blocks from `head` on, nearest first, until `max_len` instructions are reached, leaving out those that
    /// are `taken` by other regions. From a block on lie those that it leads to and, so that a function gets into one region
    /// with the loop that calls it, those that lead to it, if they are `warm`: have run before.
    pub fn form(
        id: u32,
        code: &impl GuestCode,
        blocks: &Blocks,
        head: BlockId,
        max_len: usize,
        taken: impl Fn(BlockId) -> bool,
        warm: impl Fn(BlockId) -> bool,
    ) -> Region {
        Region::of(id, blocks, head, collect(code, blocks, head, max_len, taken, warm))
    }

    /// All of `blocks`, which were found from `head` on.
    pub fn whole(id: u32, blocks: &Blocks, head: BlockId, is_brief: bool) -> Region {
        Region { is_brief, ..Region::of(id, blocks, head, (0..blocks.len() as BlockId).collect()) }
    }

    fn of(id: u32, blocks: &Blocks, head: BlockId, members: Vec<BlockId>) -> Region {
        let mut region = Region { id, head, blocks: members, entries: Vec::new(), is_brief: false };
        let successors = region.successors(blocks);
        let walk = loops::walk(&successors, region.roots(blocks, &successors));
        let is_entry = |id: BlockId| id == head || region.is_led_to(blocks, id) || is_way_in(blocks, id);
        let entries = region.blocks.iter().zip(&walk.is_head).filter(|&(&id, &is_head)| is_head || is_entry(id));
        region.entries = entries.map(|(&id, _)| id).collect();
        region
    }

    /// Whether a block may come after one that is no member, or after a host call or dynamic jump.
    pub(crate) fn is_led_to(&self, blocks: &Blocks, id: BlockId) -> bool {
        let block = blocks.get(id);
        let is_outside = |&from: &BlockId| self.position(from).is_none();
        block.is_jump_target || block.is_continuation || blocks.predecessors(id).iter().any(is_outside)
    }

    /// Positions from which to walk over the region, one after the other: first what no member leads to, then what others lead to.
    /// A walk that began where the region got hot, within a loop, would not see which loops are around which.
    pub(crate) fn roots(&self, blocks: &Blocks, successors: &[Vec<usize>]) -> Vec<usize> {
        let mut has_member_before = vec![false; successors.len()];
        successors.iter().flatten().for_each(|&to| has_member_before[to] = true);
        let mut roots: Vec<usize> = (0..successors.len()).collect();
        let is_led_to = |id| id != self.head && self.is_led_to(blocks, id);
        // Copies have others before them.
        roots.sort_by_key(|&at| (has_member_before[at], !self.blocks.get(at).copied().is_some_and(is_led_to)));
        roots
    }

    /// For each block, by position, the positions of the members that it leads to.
    pub(crate) fn successors(&self, blocks: &Blocks) -> Vec<Vec<usize>> {
        let members = |id| blocks.get(id).successors.into_iter().flatten().filter_map(|to| self.position(to)).collect();
        self.blocks.iter().map(|&id| members(id)).collect()
    }

    /// The number of the entry at which a block is entered from outside.
    pub fn entry(&self, block: BlockId) -> Option<usize> {
        self.entries.binary_search(&block).ok()
    }

    /// The position of a block in the region.
    pub(crate) fn position(&self, block: BlockId) -> Option<usize> {
        self.blocks.binary_search(&block).ok()
    }
}

/// Blocks from `head` on, nearest first, up to `max_len` instructions; ascending. When nothing else is near, those come that are called by
/// their addresses, if one of the members makes such calls, and those that call so, if one is called.
fn collect(
    code: &impl GuestCode,
    blocks: &Blocks,
    head: BlockId,
    max_len: usize,
    excluded: impl Fn(BlockId) -> bool,
    warm: impl Fn(BlockId) -> bool,
) -> Vec<BlockId> {
    let mut members = HashSet::from([head]);
    let mut len = blocks.get(head).len as usize;
    let mut queue = VecDeque::from([head]);
    let ByAddress { jumps, targets } = blocks.by_address();
    let is_called = |id: &BlockId| !returns::is_behind_call(code, blocks, *id);
    let (mut has_called, mut has_callers) = (false, false);
    let mut take = |members: &mut HashSet<BlockId>, to: BlockId| {
        let longer = len + blocks.get(to).len as usize;
        let is_taken = longer <= max_len && !excluded(to) && members.insert(to);
        len = if is_taken { longer } else { len };
        is_taken
    };
    loop {
        while let Some(from) = queue.pop_front() {
            queue.extend(neighbours(code, blocks, from, &warm).filter(|&to| take(&mut members, to)));
        }
        let is_member = |id: &&BlockId| members.contains(id);
        if !has_called && jumps.iter().any(|id| is_member(&id)) {
            has_called = true;
            let called = targets.iter().copied().filter(|&id| warm(id)).filter(is_called);
            queue.extend(called.filter(|&to| take(&mut members, to)));
        } else if !has_callers && targets.iter().filter(is_member).any(is_called) {
            has_callers = true;
            queue.extend(jumps.iter().copied().filter(|&to| warm(to) && take(&mut members, to)));
        } else {
            break;
        }
    }
    let mut members: Vec<BlockId> = members.into_iter().collect();
    members.sort_unstable();
    members
}

/// What belongs to a block: where it leads to; where the guest comes back to, if it is a call; the block behind it, if a dynamic jump may
/// go there; and blocks that lead here and are warm, or that only dynamic jumps may lead to, like the cases of a switch in a loop, or
/// that are but a jump where a program is entered.
fn neighbours(
    code: &impl GuestCode,
    blocks: &Blocks,
    id: BlockId,
    warm: impl Fn(BlockId) -> bool,
) -> impl Iterator<Item = BlockId> {
    let is_target = move |id: &BlockId| blocks.get(*id).is_jump_target;
    let behind = Some(id + 1).filter(|&next| (next as usize) < blocks.len()).filter(is_target);
    let belongs = move |from| is_target(&from) || warm(from) || is_way_in(blocks, from);
    let before = blocks.predecessors(id).iter().copied().filter(move |&from| belongs(from));
    let comes_back = returns::comes_back_to(code, blocks, id);
    blocks.get(id).successors.into_iter().flatten().chain(comes_back).chain(behind).chain(before)
}

/// Whether a block is but a jump, to which no other leads: where a program is entered.
fn is_way_in(blocks: &Blocks, id: BlockId) -> bool {
    blocks.get(id).len == 1 && blocks.predecessors(id).is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Listing;
    use pvm_ops::{Inst, Reg, Target};

    #[test]
    fn a_call_has_with_it_where_it_comes_back_to() {
        let return_address = Reg::ALL[0];
        let insts = vec![
            Inst::LoadImm { dst: return_address, value: 2 },
            Inst::Jump { link: None, target: Target::Block(4) },
            Inst::Trap,
            Inst::Trap,
            Inst::JumpIndirect { link: None, base: return_address, offset: 0 },
        ];
        let starts_of_region = |entries| {
            let code = Listing { insts: insts.clone(), entries };
            let blocks = code.blocks();
            let region = Region::form(0, &code, &blocks, 0, 100, |_| false, |_| false);
            region.blocks.iter().map(|&id| blocks.get(id).start).collect::<Vec<_>>()
        };
        assert_eq!(starts_of_region(vec![3]), [0, 3, 4]);
        assert_eq!(starts_of_region(vec![]), [0, 4], "the register holds no address");
    }

    #[test]
    fn ways_into_a_program_lie_with_what_they_lead_to() {
        let jump = |to| Inst::Jump { link: None, target: Target::Block(to) };
        let add = Inst::LoadImm { dst: Reg::ALL[7], value: 2 };
        let code = Listing { insts: vec![jump(4), jump(4), add, jump(4), Inst::Trap], entries: vec![] };
        let blocks = code.blocks();
        let region = Region::form(0, &code, &blocks, 0, 100, |_| false, |_| false);
        let starts: Vec<_> = region.blocks.iter().map(|&id| blocks.get(id).start).collect();
        assert_eq!(starts, [0, 1, 4], "what does something has not run");
        assert_eq!(region.entries.len(), 3);
    }
}

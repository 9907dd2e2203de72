//! Where a dynamic jump is likely to go: behind the calls of the function that it returns from.
//!
//! Guests have no calls: a jump leaves an address of the jump table in a register, and a dynamic jump goes there later.
//! Seen as calls and returns, each function is what can be reached from the target of such a jump when every call is
//! taken to come back behind itself. A dynamic jump in there returns to one of the calls. That is a guess, which costs a
//! comparison where it is wrong.

use crate::blocks::{BlockId, instructions};
use crate::{Blocks, Region};
use pvm_ops::{DynamicJumps, GuestCode, Inst, Link};
use std::collections::{BTreeMap, HashSet};

/// A likely target of a dynamic jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Return {
    /// The address that leads there by the jump table.
    pub address: u32,
    /// The block, a member of the region.
    pub to: BlockId,
}

/// More guesses than this are not worth the comparisons.
const MOST: usize = 4;

/// A call, as guests write them.
struct Call {
    callee: BlockId,
    comes_back: Return,
}

/// The likely targets of the dynamic jumps of a region, by the block that ends with the jump.
pub(crate) fn guess<C: GuestCode>(code: &C, blocks: &Blocks, region: &Region) -> BTreeMap<BlockId, Vec<Return>> {
    let calls: BTreeMap<BlockId, Call> =
        region.blocks.iter().filter_map(|&id| Some((id, call(code, blocks, region, id)?))).collect();
    let mut by_callee: BTreeMap<BlockId, Vec<Return>> = BTreeMap::new();
    for call in calls.values() {
        by_callee.entry(call.callee).or_default().push(call.comes_back);
    }
    let mut guesses: BTreeMap<BlockId, Vec<Return>> = BTreeMap::new();
    for (&callee, comes_back) in by_callee.iter().filter(|(_, comes_back)| comes_back.len() <= MOST) {
        let mut seen = HashSet::from([callee]);
        let mut stack = vec![callee];
        while let Some(at) = stack.pop() {
            if ends_dynamically(code, blocks, at) {
                let all = guesses.entry(at).or_default();
                let new: Vec<_> = comes_back.iter().filter(|one| !all.contains(one)).copied().collect();
                all.extend(new);
            }
            let onwards = match calls.get(&at) {
                Some(call) => [Some(call.comes_back.to), None],
                None => blocks.get(at).successors,
            };
            stack.extend(onwards.into_iter().flatten().filter(|&to| region.position(to).is_some() && seen.insert(to)));
        }
    }
    guesses.retain(|_, returns| returns.len() <= MOST);
    guesses
}

/// The block as a call, if it ends with one within the region.
fn call<C: GuestCode>(code: &C, blocks: &Blocks, region: &Region, id: BlockId) -> Option<Call> {
    let (_, last) = instructions(code, blocks.get(id)).last()?;
    let Inst::Jump { link: Some(Link { value, .. }), .. } = last else { return None };
    let callee = blocks.get(id).successors.into_iter().flatten().next()?;
    let address = value as u32;
    let pc = match code.dynamic_jumps() {
        DynamicJumps::Table { entries, .. } => {
            let entry = (address / 2).checked_sub(1).filter(|_| address.is_multiple_of(2))?;
            *entries.get(entry as usize)?
        }
        DynamicJumps::Direct => address,
    };
    let to = blocks.find(pc)?;
    let is_target = blocks.get(to).is_jump_target && region.position(to).is_some();
    is_target.then_some(Call { callee, comes_back: Return { address, to } })
}

fn ends_dynamically<C: GuestCode>(code: &C, blocks: &Blocks, id: BlockId) -> bool {
    matches!(instructions(code, blocks.get(id)).last(), Some((_, Inst::JumpIndirect { .. })))
}

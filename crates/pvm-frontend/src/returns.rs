//! Where a dynamic jump is likely to go: behind the calls of the function that it returns from.
//!
//! Guests have no calls: a jump leaves an address of the jump table in a register, and a dynamic jump goes there later.
//! Seen as calls and returns, each function is what can be reached from the target of such a jump when every call is
//! taken to come back behind itself. A dynamic jump in there returns to one of the calls, most likely to one in the function
//! itself, if there are such; where none of them is known, it
//! is in a function that is called by its address, and returns to one of the calls that are dynamic jumps themselves. That
//! is a guess, which costs a comparison where it is wrong.

use crate::blocks::{BlockId, instructions};
use crate::{Blocks, Region};
use pvm_ops::{DynamicJumps, GuestCode, Inst, Link, Reg};
use std::collections::{BTreeMap, HashSet};

/// What calls say of a region.
pub(crate) struct Calls {
    /// The likely targets of dynamic jumps, by the block that ends with the jump.
    pub returns: BTreeMap<BlockId, Vec<Return>>,
    /// The blocks of functions that call themselves.
    pub recursive: HashSet<BlockId>,
}

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

/// Where PVM programs keep the return address (the calling convention of their compilers).
const RETURN_ADDRESS: Reg = Reg::ALL[0];

/// A call, as guests write them.
struct Call {
    /// Unknown if the call is a dynamic jump.
    callee: Option<BlockId>,
    comes_back: Return,
}

/// Whether a PVM program calls by an address here, or switches, by the calling convention of its compilers.
pub(crate) fn is_jump_by_address(inst: &Inst) -> bool {
    matches!(*inst, Inst::JumpIndirect { link, base, .. } if link.is_some() || base != RETURN_ADDRESS)
}

/// What the calls of a region say of it.
pub(crate) fn guess<C: GuestCode>(code: &C, blocks: &Blocks, region: &Region) -> Calls {
    let calls: BTreeMap<BlockId, Call> =
        region.blocks.iter().filter_map(|&id| Some((id, call(code, blocks, region, id)?))).collect();
    let mut by_callee: BTreeMap<Option<BlockId>, Vec<BlockId>> = BTreeMap::new();
    for (&id, call) in &calls {
        by_callee.entry(call.callee).or_default().push(id);
    }
    let onwards = |at| match calls.get(&at) {
        Some(call) => [Some(call.comes_back.to), None],
        None => blocks.get(at).successors,
    };
    // The blocks of the functions that begin with these and that these calls call. A jump to behind one of them is a return.
    let blocks_from = |callees: Vec<BlockId>, callers: &[BlockId]| {
        let mut seen: HashSet<BlockId> = callees.iter().copied().collect();
        let mut stack = callees;
        while let Some(at) = stack.pop() {
            let returns = |to| !calls.contains_key(&at) && callers.iter().any(|call| calls[call].comes_back.to == to);
            let is_new = |&to: &BlockId| region.position(to).is_some() && !returns(to) && seen.insert(to);
            stack.extend(onwards(at).into_iter().flatten().filter(is_new));
        }
        seen
    };
    let returns = |&at: &BlockId| !calls.contains_key(&at) && may_return(code, blocks, at);
    let comes_back = |callers: &[BlockId]| callers.iter().map(|at| calls[at].comes_back).collect::<Vec<_>>();
    let mut guesses: BTreeMap<BlockId, Vec<Return>> = BTreeMap::new();
    let mut recursive = HashSet::new();
    for (&callee, callers) in &by_callee {
        let Some(callee) = callee else { continue };
        let function = blocks_from(vec![callee], callers);
        // A function that calls itself comes back there most often.
        let (mut likely, others): (Vec<_>, Vec<_>) = callers.iter().partition(|at| function.contains(at));
        if !likely.is_empty() {
            recursive.extend(function.iter().copied());
        }
        if callers.len() <= MOST {
            likely.extend(others);
        }
        if likely.is_empty() || likely.len() > MOST {
            continue;
        }
        for at in function.into_iter().filter(returns) {
            let all = guesses.entry(at).or_default();
            let new: Vec<_> = comes_back(&likely).into_iter().filter(|one| !all.contains(one)).collect();
            all.extend(new);
        }
    }
    guesses.retain(|_, returns| returns.len() <= MOST);
    if let Some(callers) = by_callee.get(&None).filter(|callers| callers.len() <= MOST) {
        let is_behind_call = |id| calls.values().any(|call| call.comes_back.to == id);
        let is_function = |&id: &BlockId| blocks.get(id).is_jump_target && !is_behind_call(id);
        let functions = blocks_from(region.entries.iter().copied().filter(is_function).collect(), &[]);
        for at in functions.into_iter().filter(returns) {
            guesses.entry(at).or_insert_with(|| comes_back(callers));
        }
    }
    Calls { returns: guesses, recursive }
}

/// The block as a call, if it ends with one within the region.
fn call<C: GuestCode>(code: &C, blocks: &Blocks, region: &Region, id: BlockId) -> Option<Call> {
    let (last, comes_back) = link(code, blocks, id)?;
    let callee = match last {
        Inst::Jump { .. } => Some(blocks.get(id).successors.into_iter().flatten().next()?),
        _ => None,
    };
    region.position(comes_back.to).is_some().then_some(Call { callee, comes_back })
}

/// Where a block comes back to that ends with a call.
pub(crate) fn comes_back_to<C: GuestCode>(code: &C, blocks: &Blocks, id: BlockId) -> Option<BlockId> {
    link(code, blocks, id).map(|(_, comes_back)| comes_back.to)
}

/// Whether a call comes back to a block: one that is right in front of it.
pub(crate) fn is_behind_call<C: GuestCode>(code: &C, blocks: &Blocks, id: BlockId) -> bool {
    id.checked_sub(1).is_some_and(|before| comes_back_to(code, blocks, before) == Some(id))
}

/// The jump at the end of a block that is a call, and where that comes back to.
fn link<C: GuestCode>(code: &C, blocks: &Blocks, id: BlockId) -> Option<(Inst, Return)> {
    let (_, last) = instructions(code, blocks.get(id)).last()?;
    let (address, entries) = match (last, code.dynamic_jumps()) {
        (Inst::Jump { link: Some(Link { value, .. }), .. }, jumps)
        | (Inst::JumpIndirect { link: Some(Link { value, .. }), .. }, jumps) => (value as u32, jumps),
        (Inst::Jump { link: None, .. }, jumps @ DynamicJumps::Table { .. }) => (loaded(code, blocks, id)?, jumps),
        _ => return None,
    };
    let pc = match entries {
        DynamicJumps::Table { entries, .. } => {
            let entry = (address / 2).checked_sub(1).filter(|_| address.is_multiple_of(2))?;
            *entries.get(entry as usize)?
        }
        DynamicJumps::Direct => address,
    };
    let to = blocks.find(pc).filter(|&to| blocks.get(to).is_jump_target)?;
    Some((last, Return { address, to }))
}

/// The constant that a block leaves in the register for return addresses. Linkers have a call jump to behind the beginning of a
/// function that they have put in front of it; then it is no single instruction any more.
fn loaded<C: GuestCode>(code: &C, blocks: &Blocks, id: BlockId) -> Option<u32> {
    let writes = |inst: &Inst| inst.registers().writes & RETURN_ADDRESS.bit() != 0;
    match instructions(code, blocks.get(id)).map(|(_, inst)| inst).filter(writes).last()? {
        Inst::LoadImm { value, .. } => Some(value as u32),
        _ => None,
    }
}

/// Whether the block may end with a return: by a dynamic jump; where calls use certain registers, by one of those.
fn may_return<C: GuestCode>(code: &C, blocks: &Blocks, id: BlockId) -> bool {
    let jump = instructions(code, blocks.get(id)).last().filter(|(_, inst)| matches!(inst, Inst::JumpIndirect { .. }));
    let is_any = matches!(code.dynamic_jumps(), DynamicJumps::Table { .. });
    jump.is_some_and(|(pc, _)| is_any || code.is_return(pc))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::Listing;
    use pvm_ops::{Cond, Operand, Target};

    /// Of a function that is called `calls` times from elsewhere, one call behind the other in a loop, and calls itself if it
    /// `is_recursive`: where it is guessed to return to, and whether it is known to call itself. Its first block leads to its last one,
    /// or at once to where the first call comes back if it `ends_early`. Program counters are those of blocks.
    fn guessed(calls: u32, is_recursive: bool, ends_early: bool) -> (Vec<u32>, bool) {
        let function = calls + 1;
        let call = |at: u32| {
            let value = 2 * (at as i32 + 1);
            Inst::Jump { link: Some(Link { dst: RETURN_ADDRESS, value }), target: Target::Block(function) }
        };
        let leave = Inst::JumpIndirect { link: None, base: RETURN_ADDRESS, offset: 0 };
        let branch = Inst::Branch {
            cond: Cond::Eq,
            lhs: RETURN_ADDRESS,
            rhs: Operand::Imm(0),
            target: Target::Block(if ends_early { 1 } else { function + 2 }),
        };
        let mut insts: Vec<Inst> = (0..calls).map(call).collect();
        let again = Inst::Jump { link: None, target: Target::Block(0) };
        insts.extend([again, branch, if is_recursive { call(function + 1) } else { leave }, leave]);
        let entries = (1..=insts.len() as u32).collect();
        let code = Listing { insts, entries };
        let blocks = code.blocks();
        let region = Region::whole(0, &blocks, 0, false);
        let found = guess(&code, &blocks, &region);
        let [head, last] = [function, function + 1].map(|pc| blocks.find(pc).unwrap());
        let returns = found.returns.get(&if is_recursive { last + 1 } else { last });
        let returns = returns.into_iter().flatten().map(|to| blocks.get(to.to).start).collect();
        (returns, found.recursive.contains(&head))
    }

    #[test]
    fn calls_of_a_function_by_itself_are_guessed_first() {
        assert_eq!(guessed(2, false, false), (vec![1, 2], false));
        assert_eq!(guessed(2, true, false), (vec![5, 1, 2], true));
        assert_eq!(guessed(MOST as u32 + 1, false, false), (vec![], false), "more than are worth it");
        assert_eq!(guessed(MOST as u32 + 1, true, false), (vec![MOST as u32 + 4], true), "these still are");
    }

    #[test]
    fn a_jump_to_behind_the_call_is_a_return() {
        assert_eq!(guessed(1, false, true), (vec![1], false), "what comes behind the call is no part of the function");
    }
}

//! Accesses of a block that cannot be refused, and looks ahead that see to that.
//!
//! Where an access may be refused, all registers are wanted as they are in front of it, also those that the guest writes over before it
//! reads them again. Where a block has many loads off the same register, those of them that reach furthest are made in front of the
//! first, for nothing: then the others cannot be refused ([`crate::proven`]). Who gets to the first of them gets to all, unless one
//! is refused. Then a look may be, too, and the interpreter goes on at the first of them.

use super::bytes::Read;
use super::{Current, Translator};
use crate::groups::{Group, Groups, access};
use crate::proven::{Proven, Step};
use pvm_ops::{GuestCode, Inst};
use std::collections::BTreeMap;

/// Of so many accesses off the same register in a block some prove others.
const MANY: usize = 4;
/// So many loads off the same register that might be refused, with something in between, are worth looks.
const WORTH_LOOKS: usize = 5;

/// The accesses of a block.
pub(super) struct Accesses {
    /// Whether each instruction is an access that cannot be refused.
    pub proven: Vec<bool>,
    /// The loads that are looked at in front of an instruction.
    looks: BTreeMap<usize, Vec<usize>>,
}

impl Accesses {
    /// None that is proven.
    pub fn unproven(insts: &[Inst]) -> Accesses {
        Accesses { proven: vec![false; insts.len()], looks: BTreeMap::new() }
    }

    /// `proven` is what is proven in front of the instructions, and becomes what is so behind them. `has_looks` says whether there may
    /// be looks.
    ///
    /// Others in the block count where [`MANY`] share the register: that saves code and registers. Few landings less change nothing
    /// but what the register allocator happens to do.
    pub fn new(insts: &[Inst], groups: &Groups, read: &Read, proven: &mut Proven, has_looks: bool) -> Accesses {
        let mut members = vec![Vec::new(); groups.groups.len()];
        for (index, group) in groups.of.iter().enumerate() {
            group.iter().for_each(|&group| members[group].push(index));
        }
        let mut accesses = Accesses::unproven(insts);
        let mut before = proven.clone();
        // Groups of which a load has come that might be refused.
        let mut begun = vec![false; members.len()];
        for (index, inst) in insts.iter().enumerate() {
            let step = Step::new(inst);
            if let (Some(one), Some(group)) = (step.access, groups.of[index]) {
                let has_many = members[group].len() >= MANY;
                let is_proven = |proven: &Proven| before.allows(&one) || has_many && proven.allows(&one);
                if has_looks && !begun[group] && matches!(inst, Inst::Load { .. }) && !is_proven(proven) {
                    begun[group] = true;
                    let behind = members[group].iter().copied().filter(|&at| at >= index);
                    let looks = looks(insts, read, behind, &before, proven);
                    looks.iter().filter_map(|&at| access(&insts[at])).for_each(|look| proven.prove(look));
                    accesses.looks.insert(index, looks);
                }
                accesses.proven[index] = is_proven(proven);
            }
            proven.execute(&step);
            before.execute(&step.without_access());
        }
        accesses
    }
}

/// The loads to look at in front of the first of these accesses, if there are to be any, so that all of the loads are proven. `before`
/// is what is proven without accesses of the block, `proven` what is so with those up to there.
fn looks(
    insts: &[Inst],
    read: &Read,
    members: impl Iterator<Item = usize>,
    before: &Proven,
    proven: &Proven,
) -> Vec<usize> {
    let loads = members.filter(|&at| matches!(insts[at], Inst::Load { .. }));
    let mut loads = loads.filter_map(|at| Some((at, access(&insts[at])?)));
    let Some((at, first)) = loads.next() else { return Vec::new() };
    let mut by_first = proven.clone();
    by_first.prove(first);
    let is_proven = |one: &Group| before.allows(one) || by_first.allows(one);
    let others: Vec<(usize, Group)> = loads.filter(|(_, one)| !is_proven(one)).collect();
    // Of loads one behind the other, the second wants little more than the first. Bytes of words are read with these.
    let follows = |at: usize| at.checked_sub(1).is_some_and(|before| matches!(insts[before], Inst::Load { .. }));
    let is_apart = |at: usize| !follows(at) && read.is_load(at);
    let apart = others.iter().filter(|&&(at, _)| is_apart(at)).count() + usize::from(is_apart(at));
    if apart < WORTH_LOOKS {
        return Vec::new();
    }
    let lowest = others.iter().min_by_key(|(_, one)| one.low).filter(|(_, one)| one.low < first.low);
    let highest = others.iter().max_by_key(|(_, one)| one.high).filter(|(_, one)| one.high > first.high);
    let mut looks: Vec<usize> = lowest.into_iter().chain(highest).map(|&(at, _)| at).collect();
    looks.dedup();
    looks
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Makes the looks in front of an instruction.
    pub(super) fn look_ahead(&mut self, current: &mut Current, index: usize) {
        for at in current.accesses.looks.remove(&index).unwrap_or_default() {
            let inst = current.insts[at].1;
            if let (Inst::Load { kind, .. }, Some(look)) = (inst, access(&inst)) {
                self.access_of(current, index, look, false, |this, place| this.memory.load(this.builder, kind, place));
            }
        }
    }
}

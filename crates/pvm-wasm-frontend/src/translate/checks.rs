//! Which addresses have been checked already.
//!
//! A memory never shrinks, so an address that was found inside stays inside wherever that check has gone before: in
//! whatever the structured instruction it stands in has inside, and not behind its end.
//!
//! Where a check is followed by nothing but loads and arithmetic, it may as well check what later ones of them access from the
//! same address: if it traps too early, nobody can tell.

use cranelift_codegen::ir::{Inst, Value};
use std::collections::HashMap;

/// Facts of the form "this address and so many bytes from there are inside". Without an address: so many bytes are.
#[derive(Debug, Default)]
pub(super) struct Checks {
    known: HashMap<Option<Value>, Fact>,
    /// What was known before, in order, to go back to.
    log: Vec<(Option<Value>, Option<Fact>)>,
    /// How often something has happened that a trap must not come before.
    effects: u64,
}

/// So many bytes are inside.
#[derive(Clone, Copy, Debug)]
struct Fact {
    len: u64,
    /// The constant in the check that says so, and how many effects there had been then.
    limit: Option<(Inst, u64)>,
}

impl Checks {
    /// Whether so many bytes are known to be inside.
    pub(super) fn covers(&self, address: Value, len: u64) -> bool {
        self.known.get(&Some(address)).is_some_and(|fact| fact.len >= len)
    }

    /// How many bytes the memory is known to have at least.
    pub(super) fn size(&self) -> u64 {
        self.known.get(&None).map_or(0, |fact| fact.len)
    }

    /// The constant in a check of the address that has not been followed by any effect.
    pub(super) fn recent(&self, address: Value) -> Option<Inst> {
        let (limit, effects) = self.known.get(&Some(address))?.limit?;
        (effects == self.effects).then_some(limit)
    }

    /// Notes that so many bytes are inside, and the constant in the check that says so.
    pub(super) fn note(&mut self, address: Value, len: u64, limit: Option<Inst>) {
        let limit = limit.map(|limit| (limit, self.effects));
        self.set(Some(address), Fact { len, limit });
    }

    /// Notes that the memory has so many bytes.
    pub(super) fn note_size(&mut self, len: u64) {
        self.set(None, Fact { len, limit: None });
    }

    fn set(&mut self, address: Option<Value>, fact: Fact) {
        let before = self.known.insert(address, fact);
        self.log.push((address, before));
    }

    /// Something happens that a trap must not come before, or that may lead elsewhere.
    pub(super) fn effect(&mut self) {
        self.effects += 1;
    }

    /// The facts as they are now.
    pub(super) fn mark(&self) -> usize {
        self.log.len()
    }

    /// Goes back to the facts at a mark.
    pub(super) fn forget(&mut self, mark: usize) {
        for (address, before) in self.log.drain(mark..).rev() {
            match before {
                Some(fact) => self.known.insert(address, fact),
                None => self.known.remove(&address),
            };
        }
    }
}

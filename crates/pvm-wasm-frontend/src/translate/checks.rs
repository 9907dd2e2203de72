//! Which addresses have been checked already.
//!
//! A memory never shrinks, so an address that was found inside stays inside wherever that check has gone before: in
//! whatever the structured instruction it stands in has inside, and not behind its end.

use cranelift_codegen::ir::Value;
use std::collections::HashMap;

/// Facts of the form "this address and so many bytes from there are inside".
#[derive(Debug, Default)]
pub(super) struct Checks {
    known: HashMap<Value, u64>,
    /// What was known before, in order, to go back to.
    log: Vec<(Value, Option<u64>)>,
}

impl Checks {
    /// Whether so many bytes are known to be inside.
    pub(super) fn covers(&self, address: Value, len: u64) -> bool {
        self.known.get(&address).is_some_and(|&known| known >= len)
    }

    /// Notes that so many bytes are inside.
    pub(super) fn note(&mut self, address: Value, len: u64) {
        let before = self.known.insert(address, len);
        self.log.push((address, before));
    }

    /// The facts as they are now.
    pub(super) fn mark(&self) -> usize {
        self.log.len()
    }

    /// Goes back to the facts at a mark.
    pub(super) fn forget(&mut self, mark: usize) {
        for (address, before) in self.log.drain(mark..).rev() {
            match before {
                Some(len) => self.known.insert(address, len),
                None => self.known.remove(&address),
            };
        }
    }
}

//! Where machine code was found lately.

use pvm_codegen::{HeldPlace, Place};
use pvm_frontend::Exit;
use pvm_vm::{Context, Memory};

/// So many places at first, and at most: 32 bytes each. Most runs go back and forth between a few regions, large programs
/// between some hundred, with many entries each.
const FIRST: usize = 64;
const MOST: usize = 8192;
/// There is to be more room once each place, on the average, has given way to others so often.
const OFTEN: usize = 1;

/// Places by program counter, each in the one slot that it can be in.
///
/// They are held while machine code runs: going there again takes no more than a look here.
#[derive(Debug)]
pub(super) struct Recent {
    /// What is held, apart from the rest: large programs look here all the time, each time elsewhere.
    held: Vec<Option<HeldPlace>>,
    /// The places, held or not.
    known: Vec<Option<Place>>,
    /// The slots whose places may be held, as many as there are at most.
    holding: Vec<u32>,
    /// How many places have given way since there is so much room.
    replaced: usize,
    /// The slot of the place that has run last.
    last: Option<usize>,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { held: vec![None; FIRST], known: vec![None; FIRST], holding: Vec::new(), replaced: 0, last: None }
    }
}

impl Recent {
    /// The slot of a program counter. Fibonacci hashing: program counters that are multiples of something are spread, too.
    #[inline]
    fn slot(&self, pc: u32) -> usize {
        let bits = self.held.len().trailing_zeros();
        (pc.wrapping_mul(0x9e37_79b9) >> (u32::BITS - bits)) as usize
    }

    /// The place that machine code was found at lately for a program counter, and which is there still. It is the last one.
    #[inline]
    pub(super) fn hold(&mut self, pc: u32, paid: bool) -> Option<&HeldPlace> {
        let at = self.slot(pc);
        if !self.held[at].as_ref().is_some_and(|held| held.is_at(pc, paid)) {
            self.hold_known(at, pc, paid)?;
        }
        self.last = Some(at);
        self.held[at].as_ref()
    }

    fn hold_known(&mut self, at: usize, pc: u32, paid: bool) -> Option<()> {
        let held = self.known[at].as_ref().filter(|known| known.is_at(pc, paid))?.hold()?;
        // One that gives way to another is in the list twice. Runs without gas may go on for ever, and let go of nothing else
        // meanwhile.
        if self.holding.len() == self.held.len() {
            self.release();
        }
        self.holding.push(at as u32);
        self.held[at] = Some(held);
        Some(())
    }

    /// Runs machine code from the last place on, and on from where that leads as long as places there are held. `leads_on` takes
    /// how machine code has returned, and says whether the block that is entered next is paid, if one is. `entries` counts.
    #[inline]
    pub(super) fn run(
        &mut self,
        context: &mut Context,
        memory: &mut Memory,
        mut leads_on: impl FnMut(Exit, &Context) -> Option<bool>,
        entries: &mut u64,
    ) -> Option<Exit> {
        let mut last = self.last?;
        let first = self.held[last].as_ref()?;
        *entries += 1;
        let next = |exit, context: &mut Context| {
            let paid = leads_on(exit, context)?;
            let (pc, at) = (context.state.pc, self.slot(context.state.pc));
            let held = self.held[at].as_ref().filter(|held| held.is_at(pc, paid))?;
            last = at;
            *entries += 1;
            Some(held)
        };
        let exit = first.run_on(context, memory, next);
        self.last = Some(last);
        Some(exit)
    }

    /// Notes a place, and holds it.
    pub(super) fn note(&mut self, pc: u32, paid: bool, place: Place) -> Option<&HeldPlace> {
        let other = &self.known[self.slot(pc)];
        self.replaced += usize::from(other.as_ref().is_some_and(|other| other.pc() != pc));
        if self.replaced > OFTEN * self.held.len() && self.held.len() < MOST {
            self.grow();
        }
        let at = self.slot(pc);
        self.held[at] = None;
        self.known[at] = Some(place);
        self.hold(pc, paid)
    }

    #[cold]
    fn grow(&mut self) {
        self.release();
        let count = 2 * self.held.len();
        let former = std::mem::replace(&mut self.known, vec![None; count]);
        (self.held, self.replaced, self.last) = (vec![None; count], 0, None);
        for known in former.into_iter().flatten() {
            let at = self.slot(known.pc());
            self.known[at] = Some(known);
        }
    }

    /// Forgets the place of a program counter: there is another one.
    pub(super) fn forget(&mut self, pc: u32) {
        let at = self.slot(pc);
        if self.known[at].as_ref().is_some_and(|known| known.pc() == pc) {
            (self.held[at], self.known[at]) = (None, None);
        }
    }

    /// The place that has run last, unless it has been let go of.
    pub(super) fn last(&self) -> Option<&HeldPlace> {
        self.held[self.last?].as_ref()
    }

    /// Lets go of all places.
    pub(super) fn release(&mut self) {
        for at in self.holding.drain(..) {
            self.held[at as usize] = None;
        }
    }
}

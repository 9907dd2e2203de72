//! Where machine code was found lately.

use pvm_codegen::{HeldPlace, Place};
use pvm_frontend::Exit;
use pvm_vm::{Context, Memory};

/// So many places at first, and at most: 48 bytes each. Most runs go back and forth between a few regions, large programs
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
    slots: Vec<Slot>,
    /// The slots whose places may be held, as many as there are at most.
    held: Vec<u32>,
    /// How many places have given way since there is so much room.
    replaced: usize,
    /// The place that has run last.
    last: Option<usize>,
}

#[derive(Debug, Default)]
struct Slot {
    pc: u32,
    paid: bool,
    place: Option<Place>,
    held: Option<HeldPlace>,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { slots: slots(FIRST), held: Vec::new(), replaced: 0, last: None }
    }
}

fn slots(count: usize) -> Vec<Slot> {
    std::iter::repeat_with(Slot::default).take(count).collect()
}

impl Recent {
    /// The slot of a program counter. Fibonacci hashing: program counters that are multiples of something are spread, too.
    #[inline]
    fn slot(&self, pc: u32) -> usize {
        let bits = self.slots.len().trailing_zeros();
        (pc.wrapping_mul(0x9e37_79b9) >> (u32::BITS - bits)) as usize
    }

    /// The place that machine code was found at lately for a program counter, and which is there still. It is the last one.
    #[inline]
    pub(super) fn hold(&mut self, pc: u32, paid: bool) -> Option<&HeldPlace> {
        let at = self.slot(pc);
        let slot = &self.slots[at];
        if (slot.pc, slot.paid) != (pc, paid) {
            return None;
        }
        if slot.held.is_none() {
            let held = slot.place.as_ref()?.hold()?;
            // One that gives way to another is in the list twice. Runs without gas may go on for ever, and let go of nothing
            // else meanwhile.
            if self.held.len() == self.slots.len() {
                self.release();
            }
            self.held.push(at as u32);
            self.slots[at].held = Some(held);
        }
        self.last = Some(at);
        self.slots[at].held.as_ref()
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
        let first = self.slots[last].held.as_ref()?;
        *entries += 1;
        let next = |exit, context: &mut Context| {
            let paid = leads_on(exit, context)?;
            let (pc, at) = (context.state.pc, self.slot(context.state.pc));
            let slot = &self.slots[at];
            let held = slot.held.as_ref().filter(|_| (slot.pc, slot.paid) == (pc, paid))?;
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
        let other = &self.slots[self.slot(pc)];
        self.replaced += usize::from(other.place.is_some() && other.pc != pc);
        if self.replaced > OFTEN * self.slots.len() && self.slots.len() < MOST {
            self.grow();
        }
        let at = self.slot(pc);
        self.slots[at] = Slot { pc, paid, place: Some(place), held: None };
        self.hold(pc, paid)
    }

    #[cold]
    fn grow(&mut self) {
        self.release();
        let former = std::mem::take(&mut self.slots);
        *self =
            Recent { slots: slots(2 * former.len()), held: std::mem::take(&mut self.held), replaced: 0, last: None };
        for slot in former.into_iter().filter(|slot| slot.place.is_some()) {
            let at = self.slot(slot.pc);
            self.slots[at] = slot;
        }
    }

    /// Forgets the place of a program counter: there is another one.
    pub(super) fn forget(&mut self, pc: u32) {
        let at = self.slot(pc);
        if self.slots[at].pc == pc {
            self.slots[at] = Slot::default();
        }
    }

    /// The place that has run last, unless it has been let go of.
    pub(super) fn last(&self) -> Option<&HeldPlace> {
        self.slots[self.last?].held.as_ref()
    }

    /// Lets go of all places.
    pub(super) fn release(&mut self) {
        for at in self.held.drain(..) {
            self.slots[at as usize].held = None;
        }
    }
}

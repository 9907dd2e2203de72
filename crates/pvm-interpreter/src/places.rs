//! Where the guest has come to: cells by program counter, for code whose instructions may start anywhere.

use pvm_ops::PAGE_SIZE;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many instructions can start in a line of 256 bytes: one at each even address. Much of the code in a page is never come to.
const STARTS: usize = 128;
const LINES: usize = PAGE_SIZE as usize / 2 / STARTS;
/// Pages are found in two steps, so that a guest with little code takes little memory, and is gone as fast.
const GROUPS: usize = 1 << 10;
const PAGES_IN_GROUP: usize = 1 << 10;

/// More targets of one jump are not remembered.
const MOST_TARGETS: usize = 256;
/// So many jumps and where they went are known without looking at what is remembered: a power of two.
const LATELY: usize = 1 << 10;

/// Cells by program counter.
#[derive(Debug)]
pub(crate) struct Places {
    groups: Box<[Option<Box<Group>>; GROUPS]>,
    /// The targets of dynamic jumps, by the program counter of the jump.
    targets: Mutex<HashMap<u32, Vec<u32>>>,
    /// Some that are remembered, each in the one place that it can be in.
    lately: Box<[AtomicU64; LATELY]>,
}

/// A dynamic jump and where it goes, as one number, and the place of that in [`Places::lately`].
fn one_jump(from: u32, pc: u32) -> (u64, usize) {
    let jump = u64::from(from) << 32 | u64::from(pc);
    (jump, (jump.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - LATELY.trailing_zeros())) as usize)
}

/// Pages next to one another.
type Group = [Option<Box<Page>>; PAGES_IN_GROUP];

/// A page in which instructions are known.
#[derive(Debug, Default)]
struct Page {
    /// The cell of each, plus one; zero for none.
    lines: [Option<Box<[u32; STARTS]>>; LINES],
    /// The runs that have bytes in the page.
    runs: Vec<Run>,
}

/// Instructions that were decoded together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// The first cell.
    pub first: u32,
    /// How many instructions.
    pub len: u32,
    /// The first byte.
    pub start: u32,
    /// The last byte.
    pub last: u32,
}

fn split(pc: u32) -> (usize, usize) {
    ((pc / PAGE_SIZE) as usize, (pc % PAGE_SIZE / 2) as usize)
}

impl Places {
    pub(crate) fn new() -> Places {
        Places {
            groups: Box::new([const { None }; GROUPS]),
            targets: Mutex::default(),
            lately: Box::new([const { AtomicU64::new(0) }; LATELY]),
        }
    }

    /// The cell at `pc`, if there is one. No instruction starts at odd addresses.
    pub(crate) fn find(&self, pc: u32) -> Option<u32> {
        let (page, at) = split(pc);
        if !pc.is_multiple_of(2) {
            return None;
        }
        self.known(page)?.lines[at / STARTS].as_ref()?[at % STARTS].checked_sub(1)
    }

    /// The cell at `pc`, where the dynamic jump at `from` goes, which is remembered.
    pub(crate) fn jump(&self, from: u32, pc: u32) -> Option<u32> {
        let cell = self.find(pc)?;
        self.note(from, pc);
        Some(cell)
    }

    /// Remembers where the dynamic jump at `from` goes.
    pub(crate) fn note(&self, from: u32, pc: u32) {
        let (jump, at) = one_jump(from, pc);
        if self.lately[at].load(Ordering::Relaxed) != jump {
            self.remember(from, pc);
            self.lately[at].store(jump, Ordering::Relaxed);
        }
    }

    #[cold]
    fn remember(&self, from: u32, pc: u32) {
        let mut targets = self.targets.lock().unwrap_or_else(PoisonError::into_inner);
        let known = targets.entry(from).or_default();
        if known.len() < MOST_TARGETS && !known.contains(&pc) {
            known.push(pc);
        }
    }

    /// Where the dynamic jump at `pc` has gone so far, as far as it is remembered.
    pub(crate) fn targets(&self, pc: u32) -> Vec<u32> {
        self.targets.lock().unwrap_or_else(PoisonError::into_inner).get(&pc).cloned().unwrap_or_default()
    }

    /// Sets the cell at `pc`, which is even.
    pub(crate) fn set(&mut self, pc: u32, cell: u32) {
        let (page, at) = split(pc);
        let line = self.page(page).lines[at / STARTS].get_or_insert_with(|| Box::new([0; STARTS]));
        line[at % STARTS] = cell + 1;
    }

    /// Enters a run in the pages that it has bytes in: they follow one another, around 2^32.
    pub(crate) fn add(&mut self, run: Run) {
        for page in [run.start, run.last].map(|pc| split(pc).0) {
            let runs = &mut self.page(page).runs;
            if runs.last() != Some(&run) {
                runs.push(run);
            }
        }
    }

    /// Takes out the runs that have bytes from `start` to `last`, all in one page.
    pub(crate) fn take(&mut self, start: u32, last: u32) -> Vec<Run> {
        let is_touched = |run: &Run| {
            // Relative to the run's beginning nothing wraps.
            let len = run.last.wrapping_sub(run.start);
            start.wrapping_sub(run.start) <= len || run.start.wrapping_sub(start) <= last - start
        };
        let Some(page) = self.known_mut(split(start).0) else { return Vec::new() };
        let taken: Vec<Run> = page.runs.extract_if(.., |run| is_touched(run)).collect();
        for run in &taken {
            for other in [run.start, run.last].map(|pc| split(pc).0) {
                if let Some(page) = self.known_mut(other) {
                    page.runs.retain(|one| one != run);
                }
            }
        }
        taken
    }

    fn known(&self, page: usize) -> Option<&Page> {
        self.groups[page / PAGES_IN_GROUP].as_ref()?[page % PAGES_IN_GROUP].as_deref()
    }

    fn known_mut(&mut self, page: usize) -> Option<&mut Page> {
        self.groups[page / PAGES_IN_GROUP].as_mut()?[page % PAGES_IN_GROUP].as_deref_mut()
    }

    fn page(&mut self, page: usize) -> &mut Page {
        let group =
            self.groups[page / PAGES_IN_GROUP].get_or_insert_with(|| Box::new([const { None }; PAGES_IN_GROUP]));
        group[page % PAGES_IN_GROUP].get_or_insert_default()
    }
}

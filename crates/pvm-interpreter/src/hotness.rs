//! Counting how often blocks are entered, for a compiler.

use crate::Cells;

/// A block is warm when it has been entered this part of the times that make it hot.
const WARM: u32 = 64;

/// How often blocks have been entered, and how often is often.
#[derive(Debug)]
pub struct Hotness {
    pub(crate) entered: Vec<u32>,
    pub(crate) threshold: u32,
}

impl Hotness {
    /// Counts for the blocks of `cells`: each stops the run with [`Stop::Hot`](crate::Stop::Hot) when it is entered for the
    /// `threshold`-th time (0 counts as 1), and then no more.
    pub fn new(cells: &Cells, threshold: u32) -> Hotness {
        Hotness { entered: vec![0; cells.len()], threshold: threshold.max(1) }
    }

    /// Follows `cells`, which have learned or forgotten.
    pub fn follow(&mut self, cells: &Cells) {
        if cells.len() < self.entered.len() {
            self.entered.clear();
        }
        self.entered.resize(cells.len(), 0);
    }

    /// Counts an entry of the block at `pc` that the interpreter does not see; whether it has become hot by that.
    pub fn enter(&mut self, cells: &Cells, pc: u32) -> bool {
        cells.find(pc).is_some_and(|index| {
            let count = &mut self.entered[index as usize];
            *count = count.wrapping_add(1);
            *count == self.threshold
        })
    }

    /// Whether the block at `pc` has been entered a small part of the times that make it hot, once at least.
    pub fn is_warm(&self, cells: &Cells, pc: u32) -> bool {
        let part = (self.threshold / WARM).max(1);
        cells.find(pc).is_some_and(|index| self.entered[index as usize] >= part)
    }

    /// Counts the block at `pc` from zero again.
    pub fn forget(&mut self, cells: &Cells, pc: u32) {
        if let Some(index) = cells.find(pc) {
            self.entered[index as usize] = 0;
        }
    }

    /// Stops the run when the block at `pc` is entered next.
    pub fn stop_at(&mut self, cells: &Cells, pc: u32) {
        if let Some(index) = cells.find(pc) {
            self.entered[index as usize] = self.threshold - 1;
        }
    }
}

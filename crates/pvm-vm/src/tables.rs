//! How many page tables the host has had to make for a guest.
//!
//! Each maps 2 MiB, as long as pages have 4 KiB, and takes one. The host keeps them when it is given the pages back, so that a guest
//! that has touched a page here and there leaves up to 8 MiB, as long as its address space is kept.

use crate::reservation::SPACE;
use std::ops::Range;

/// What a page table maps, in bytes.
const MAPPED: u64 = 2 << 20;

/// The page tables that there may be for the addresses of a guest: a bit for each.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tables {
    bits: [u64; (SPACE / MAPPED / 64) as usize],
}

impl Tables {
    /// Pages of this range may have been touched.
    pub(crate) fn note(&mut self, range: Range<u64>) {
        for at in range.start / MAPPED..range.end.div_ceil(MAPPED) {
            self.bits[(at / 64) as usize] |= 1 << (at % 64);
        }
    }

    /// How many there are, at most.
    pub(crate) fn count(&self) -> u32 {
        self.bits.iter().map(|bits| bits.count_ones()).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_once() {
        let mut tables = Tables::default();
        tables.note(0..0);
        assert_eq!(tables.count(), 0);
        tables.note(MAPPED - 4096..MAPPED);
        tables.note(4096..8192);
        assert_eq!(tables.count(), 1);
        tables.note(MAPPED - 4096..MAPPED + 4096);
        assert_eq!(tables.count(), 2);
        tables.note(SPACE - 4096..SPACE);
        assert_eq!(tables.count(), 3);
        tables.note(0..SPACE);
        assert_eq!(tables.count(), 2048);
    }
}

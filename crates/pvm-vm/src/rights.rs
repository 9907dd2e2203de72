//! Tables of rights: a byte for each page of a guest.
//!
//! Many lie side by side in one mapping. A table of its own for each guest would lie alone between the 4 GiB of two, and take
//! two of the host's page tables.

use crate::limits::explain;
use crate::reservation::SPACE;
use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use pvm_ops::PAGE_SIZE;
use std::io;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// Compiled code looks up the page of an access's last byte without wrapping at 2^32: the page behind the last one must
/// be in the table and have no rights.
const PAGES: usize = (SPACE / PAGE_SIZE as u64) as usize + 1;
/// Tables begin at pages of the host, so that each can be given back alone.
const STRIDE: usize = PAGES.next_multiple_of(64 << 10);
/// How many are in one mapping.
const COUNT: usize = 64;

/// A mapping of tables.
#[derive(Debug)]
struct Block {
    map: MmapMut,
    /// Which nobody has.
    free: Mutex<Vec<usize>>,
}

impl Block {
    fn new() -> io::Result<Block> {
        let map = MmapOptions::new().len(COUNT * STRIDE).no_reserve_swap().map_anon().map_err(explain)?;
        Ok(Block { map, free: Mutex::new((0..COUNT).rev().collect()) })
    }

    fn free(&self) -> MutexGuard<'_, Vec<usize>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The blocks that there are.
static BLOCKS: Mutex<Vec<Weak<Block>>> = Mutex::new(Vec::new());

/// The table of a guest.
#[derive(Debug)]
pub(crate) struct Rights {
    start: *mut u8,
    index: usize,
    block: Arc<Block>,
}

// SAFETY: the table belongs to this alone, and does not care which thread uses it.
unsafe impl Send for Rights {}
// SAFETY: as above; through a shared reference it is only read.
unsafe impl Sync for Rights {}

impl Rights {
    /// A table without rights.
    pub(crate) fn new() -> io::Result<Rights> {
        let mut blocks = BLOCKS.lock().unwrap_or_else(PoisonError::into_inner);
        let mut with_room = blocks.iter().rev().filter_map(|block| {
            let block = block.upgrade()?;
            let index = block.free().pop()?;
            Some((block, index))
        });
        let found = with_room.next();
        drop(with_room);
        let (block, index) = match found {
            Some(found) => found,
            None => {
                let block = Arc::new(Block::new()?);
                blocks.retain(|block| block.strong_count() > 0);
                blocks.push(Arc::downgrade(&block));
                let index = block.free().pop().unwrap_or_default();
                (block, index)
            }
        };
        let start = block.map.as_ptr().cast_mut().wrapping_add(index * STRIDE);
        Ok(Rights { start, index, block })
    }
}

impl Deref for Rights {
    type Target = [u8];

    #[inline(always)]
    fn deref(&self) -> &[u8] {
        // SAFETY: the table lies in the mapping, which lives as long as the block; nobody else has it.
        unsafe { std::slice::from_raw_parts(self.start, PAGES) }
    }
}

impl DerefMut for Rights {
    #[inline(always)]
    fn deref_mut(&mut self) -> &mut [u8] {
        // SAFETY: as above.
        unsafe { std::slice::from_raw_parts_mut(self.start, PAGES) }
    }
}

impl Drop for Rights {
    fn drop(&mut self) {
        if cfg!(not(target_os = "linux")) {
            // Elsewhere what is given back may still hold what it held.
            self.fill(0);
        }
        // SAFETY: discarding private anonymous pages makes them read as zeros, which any bytes may be, and the range lies in
        // the mapping.
        let discarded =
            unsafe { self.block.map.unchecked_advise_range(UncheckedAdvice::DontNeed, self.index * STRIDE, STRIDE) };
        // A table that still says something is nobody's any more.
        if discarded.is_ok() {
            self.block.free().push(self.index);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_apart_and_begin_without_rights() {
        for _ in 0..2 {
            let mut tables: Vec<_> = (0..COUNT + 3).map(|_| Rights::new().unwrap()).collect();
            assert!(tables.iter().all(|table| table.len() == PAGES && table.iter().all(|&bits| bits == 0)));
            for (value, table) in (1..).zip(&mut tables) {
                (table[0], table[PAGES - 1]) = (value, value);
            }
            for (value, table) in (1..).zip(&tables) {
                assert_eq!((table[0], table[1], table[PAGES - 1]), (value, 0, value));
            }
            tables.truncate(COUNT / 2);
            drop(tables);
        }
    }
}

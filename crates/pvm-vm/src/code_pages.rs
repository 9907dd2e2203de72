//! Code in guest memory, and what of it has changed.
//!
//! A store to code is seen by fetches only after a fence: so it does not matter when code is decoded or compiled. Pages that
//! may be written and run are *watched*: not writable until the first store to one, which saves what it holds as the code
//! that is still fetched. A fence compares what was saved with what memory holds, and the pages are watched again. So both
//! cost in proportion to what was written.

use crate::Memory;
use crate::memory::{EXECUTABLE, READABLE, WATCHED, WRITABLE};
use crate::reservation::SPACE;
use pvm_ops::{CodeMemory, MemoryFault, PAGE_SIZE};
use std::collections::BTreeMap;
use std::ops::Range;

type Page = [u8; PAGE_SIZE as usize];

/// What is known of pages with code.
#[derive(Debug, Default)]
pub(crate) struct CodePages {
    /// The code of pages that were written since the last fence, by address.
    saved: BTreeMap<u32, Box<Page>>,
    /// Where the host has changed code, or whether it may be run.
    replaced: Vec<Range<u64>>,
}

impl CodePages {
    /// Notes that code in whole pages is replaced: what memory holds from now on is what is fetched.
    pub(crate) fn replace(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        if !self.saved.is_empty() {
            self.saved.retain(|&address, _| !range.contains(&u64::from(address)));
        }
        match self.replaced.last_mut() {
            Some(last) if last.start <= range.end && range.start <= last.end => {
                *last = last.start.min(range.start)..last.end.max(range.end);
            }
            _ => self.replaced.push(range),
        }
    }
}

impl Memory {
    /// Makes the pages of these bytes writable that are watched. They do not wrap, and the guest may write them.
    ///
    /// # Errors
    ///
    /// If the host fails to allow it.
    #[cold]
    pub(crate) fn save_code(&mut self, address: u32, len: u64) -> Result<(), MemoryFault> {
        let page = u64::from(PAGE_SIZE);
        let end = (u64::from(address) + len).min(SPACE);
        let mut at = u64::from(address) / page * page;
        while at < end {
            let bits = self.right_bits(at as u32);
            if bits & WATCHED != 0 {
                let code = self.page(at as u32);
                // What is fetched may be older than that, if it was saved before the page was last protected.
                self.code.saved.entry(at as u32).or_insert(code);
                let fault = MemoryFault { address: address.max(at as u32) };
                self.set_rights(at..at + page, bits & !WATCHED | WRITABLE).map_err(|_| fault)?;
            }
            at += page;
        }
        Ok(())
    }

    fn page(&self, address: u32) -> Box<Page> {
        let mut page = Box::new([0; PAGE_SIZE as usize]);
        self.bytes.read(address, &mut *page);
        page
    }

    /// Makes stores to code visible. [`Memory::take_changes`] tells what has changed.
    pub fn fence(&mut self) {
        for (address, code) in std::mem::take(&mut self.code.saved) {
            let now = self.page(address);
            let changed = |at: &usize| code[*at] != now[*at];
            let (first, last) = ((0..code.len()).find(changed), (0..code.len()).rev().find(changed));
            if let Some((first, last)) = first.zip(last) {
                let start = u64::from(address);
                self.code.replaced.push(start + first as u64..start + last as u64 + 1);
            }
            let bits = self.right_bits(address);
            let range = u64::from(address)..u64::from(address) + u64::from(PAGE_SIZE);
            // Written on as it is, the page has to be compared at the next fence, too.
            if bits & WRITABLE != 0 && self.bytes.protect(range.clone(), pvm_ops::Access::Read).is_err() {
                self.code.saved.insert(address, now);
            } else if bits & WRITABLE != 0 {
                self.set_bits(address, READABLE | EXECUTABLE | WATCHED);
            }
        }
    }

    /// Where the code that is fetched has changed since this was asked last.
    pub fn take_changes(&mut self) -> Vec<Range<u64>> {
        std::mem::take(&mut self.code.replaced)
    }
}

impl CodeMemory for Memory {
    fn fetch(&self, address: u32) -> Option<[u8; 2]> {
        if self.right_bits(address) & EXECUTABLE == 0 {
            return None;
        }
        if !self.code.saved.is_empty()
            && let Some(code) = self.code.saved.get(&(address / PAGE_SIZE * PAGE_SIZE))
        {
            let at = (address % PAGE_SIZE) as usize;
            return Some([code[at], code[at + 1]]);
        }
        let mut bytes = [0; 2];
        self.bytes.read(address, &mut bytes);
        Some(bytes)
    }
}

#[cfg(test)]
#[allow(clippy::single_range_in_vec_init)] // what changes is a list of ranges
mod tests {
    use super::*;
    use crate::FaultDetection;
    use pvm_ops::{Access, Memory as _};

    fn memory() -> Memory {
        let mut memory = Memory::new(1 << 32, FaultDetection::best(), 0).unwrap();
        memory.map(0x10000, 0x2000, Access::ReadWriteExecute).unwrap();
        memory.map(0x12000, 0x1000, Access::ReadExecute).unwrap();
        memory.map(0x13000, 0x1000, Access::ReadWrite).unwrap();
        memory.take_changes();
        memory
    }

    #[test]
    fn stores_are_fetched_after_a_fence() {
        let mut memory = memory();
        assert_eq!(memory.access(0x10000), Access::ReadWriteExecute);
        assert!(!memory.store_plain(0x10ffe, [1, 2]), "the first store is no plain one");
        memory.store(0x10ffe, [1, 2, 3, 4]).unwrap();
        assert_eq!(memory.load(0x10ffe), Ok([1, 2, 3, 4]));
        assert_eq!(memory.access(0x10000), Access::ReadWriteExecute);
        assert_eq!((memory.fetch(0x10ffe), memory.fetch(0x11000)), (Some([0; 2]), Some([0; 2])));
        assert!(memory.store_plain(0x10000, [0]));
        memory.fence();
        assert_eq!((memory.fetch(0x10ffe), memory.fetch(0x11000)), (Some([1, 2]), Some([3, 4])));
        assert_eq!(memory.take_changes(), [0x10ffe..0x11000, 0x11000..0x11002]);
        assert!(!memory.store_plain(0x10000, [1]), "it is watched again");
        memory.write(0x10001, &[5]).unwrap();
        memory.fence();
        assert_eq!(memory.take_changes(), [0x10001..0x10002]);
        memory.fence();
        assert_eq!(memory.take_changes(), []);
    }

    #[test]
    fn only_executable_pages_are_fetched_from() {
        let mut memory = memory();
        assert_eq!((memory.fetch(0x12ffe), memory.fetch(0x13000), memory.fetch(0)), (Some([0; 2]), None, None));
        assert_eq!(memory.store(0x12000, [1]), Err(MemoryFault { address: 0x12000 }));
        memory.protect(0x13000, 0x1000, Access::ReadExecute).unwrap();
        assert_eq!((memory.fetch(0x13000), memory.take_changes()), (Some([0; 2]), vec![0x13000..0x14000]));
        memory.store(0x10000, [1]).unwrap();
        memory.protect(0x10000, 0x1000, Access::Read).unwrap();
        assert_eq!((memory.fetch(0x10000), memory.take_changes()), (None, vec![0x10000..0x11000]));
    }

    #[test]
    fn the_host_changes_code_at_once() {
        let mut memory = memory();
        memory.store(0x11000, [1]).unwrap();
        memory.initialise(0x11ffe, &[1, 2, 3, 4]).unwrap();
        assert_eq!((memory.fetch(0x11ffe), memory.fetch(0x12000)), (Some([1, 2]), Some([3, 4])));
        assert_eq!((memory.fetch(0x11000), memory.take_changes()), (Some([1, 0]), vec![0x11000..0x13000]));
        assert_eq!(memory.access(0x11000), Access::ReadWriteExecute);
        assert!(!memory.store_plain(0x11000, [1]));
        memory.reset().unwrap();
        assert_eq!((memory.fetch(0x11000), memory.take_changes()), (None, vec![0x10000..0x13000]));
    }
}

//! Guest memory: reserved address space and a byte of rights for each page.
//!
//! The table of rights decides: [`READABLE`] and [`WRITABLE`] bits per page, which the interpreter looks up at every
//! access, and compiled code, too, under [`FaultDetection::Checks`]. So rights hold on any host whatever its page size,
//! and a fault is exact to the byte. Under [`FaultDetection::Signals`] the host enforces the same rights, for compiled
//! code that looks nothing up.

mod beginning;
mod error;

pub use error::MemoryError;

use crate::code_pages::CodePages;
use crate::image::Image;
use crate::limits::Mappings;
use crate::ranges::Ranges;
use crate::reservation::{Reason, Reservation, SPACE};
use crate::rights::Rights;
use crate::tables::Tables;
use crate::{FaultDetection, Interrupter, Pool, Template};
use pvm_ops::{Access, MemoryFault, PAGE_SIZE};
use std::mem::ManuallyDrop;
use std::ops::Range;
use std::sync::Arc;

/// The bit of a page's rights that allows reading.
pub const READABLE: u8 = 1;
/// The bit of a page's rights that allows writing.
pub const WRITABLE: u8 = 2;
/// The bit of a page's rights that allows running what is there.
pub(crate) const EXECUTABLE: u8 = 4;
/// The bit of a page's rights that allows writing once the code there is saved ([`CodePages`]).
pub(crate) const WATCHED: u8 = 8;

/// The memory of one guest.
#[derive(Debug)]
pub struct Memory {
    /// Taken when the memory is dropped, as the rights are.
    pub(crate) bytes: ManuallyDrop<Arc<Reservation>>,
    /// The byte of address 0, in the reservation.
    base: *mut u8,
    rights: ManuallyDrop<Rights>,
    /// How many pages have a right.
    accessible_pages: u64,
    page_limit: u64,
    /// Pages below are never accessible.
    lowest: u32,
    heap_end: u64,
    heap_limit: u64,
    sbrk_returns_new_end: bool,
    was_requested: bool,
    /// Whether code can see that a run is to stop.
    announces_interrupts: bool,
    /// Where pages may be accessible, or hold something.
    used: Ranges,
    /// Where pages may be mapped from an image.
    images: Ranges,
    /// What the guest has begun with, if everything but `changed` and the contents of writable pages is as it was then.
    template: Option<Arc<Template>>,
    /// Where rights, or contents that the guest may not write, are not those of the template any more.
    changed: Ranges,
    mappings: Mappings,
    tables: Tables,
    /// Where the address space goes when the guest does.
    pool: Option<Arc<Pool>>,
    pub(crate) code: CodePages,
    /// The number of the run on it whose host calls are answered; 0 if there is none.
    #[cfg_attr(not(feature = "jit"), allow(dead_code))]
    pub(crate) run: u64,
}

// SAFETY: the pointer leads into the reservation, which moves along. What others share of that is what interrupts a run.
unsafe impl Send for Memory {}
// SAFETY: as above; through a shared reference guest memory is only read.
unsafe impl Sync for Memory {}

impl Memory {
    /// How compiled code has to detect faults in this memory.
    #[inline]
    pub fn detection(&self) -> FaultDetection {
        if self.bytes.is_enforced() { FaultDetection::Signals } else { FaultDetection::Checks }
    }

    /// Lets code see whether a run on this memory is to stop: as the flag at [`crate::INTERRUPT_OFFSET`] and, where the host
    /// enforces rights, by the tripwire at [`crate::TRIPWIRE_OFFSET`]. Code that is metered need not.
    ///
    /// # Errors
    ///
    /// If the host does not make these pages accessible, or guests would have too many mappings.
    pub fn announce_interrupts(&mut self) -> Result<(), MemoryError> {
        self.bytes.announce().map_err(beginning::refused)?;
        self.announces_interrupts = true;
        self.template.clone().map_or(Ok(()), |template| self.count_mappings(&template))
    }

    /// Whether code can see that a run is to stop.
    #[inline]
    pub fn announces_interrupts(&self) -> bool {
        self.announces_interrupts
    }

    /// What interrupts a run on this memory.
    pub fn interrupter(&self) -> Interrupter {
        Interrupter { reservation: Arc::downgrade(&self.bytes) }
    }

    /// Whether a run on this memory is to stop; forgets it.
    #[inline]
    pub fn take_interrupt(&mut self) -> bool {
        match self.bytes.take_interrupt() {
            0 => false,
            reasons => {
                self.was_requested = reasons & Reason::Request as u32 != 0;
                true
            }
        }
    }

    /// Whether a run on this memory is to stop.
    #[inline]
    pub fn is_interrupted(&self) -> bool {
        self.bytes.is_interrupted()
    }

    /// Whether somebody asked for the interruption that was taken last, or only its time was up.
    pub fn was_requested(&self) -> bool {
        self.was_requested
    }

    /// Lets `sbrk` move the end of the heap from `start` up to `limit`.
    pub fn set_heap(&mut self, start: u32, limit: u32, sbrk_returns_new_end: bool) {
        self.heap_end = u64::from(start);
        self.heap_limit = u64::from(limit);
        self.sbrk_returns_new_end = sbrk_returns_new_end;
    }

    /// Where the heap ends, how far it can go, and whether `sbrk` returns its new end.
    pub fn heap(&self) -> (u32, u32, bool) {
        // Both were set from such numbers, and the one does not pass the other.
        (self.heap_end as u32, self.heap_limit as u32, self.sbrk_returns_new_end)
    }

    /// The numbers of pages that have a right, in their order.
    pub(crate) fn accessible_pages(&self) -> impl Iterator<Item = u32> {
        let mut used: Vec<_> = self.used.iter().collect();
        used.sort_by_key(|range| range.start);
        let mut end = 0;
        // Ranges may have grown into one another.
        let places = used.into_iter().flat_map(move |range| {
            let range = pages(range);
            let places = range.start.max(end)..range.end;
            end = end.max(range.end);
            places
        });
        places.filter(|&page| self.rights[page] != 0).map(|page| page as u32)
    }

    /// Where the byte of address 0 is, or would be, for compiled code. Stays the same for the life of the memory.
    #[inline]
    pub fn base(&mut self) -> *mut u8 {
        self.base
    }

    /// The rights of the first page, for compiled code. Stays the same for the life of the memory.
    #[inline]
    pub fn rights(&self) -> *const u8 {
        self.rights.as_ptr()
    }

    /// Bytes that the guest can access in any way.
    pub fn accessible_bytes(&self) -> u64 {
        self.accessible_pages * u64::from(PAGE_SIZE)
    }

    /// What the guest may do with the page of `address`.
    pub fn access(&self, address: u32) -> Access {
        let bits = self.right_bits(address);
        match (bits & (WRITABLE | WATCHED) != 0, bits & EXECUTABLE != 0) {
            (true, true) => Access::ReadWriteExecute,
            (true, false) => Access::ReadWrite,
            (false, true) => Access::ReadExecute,
            (false, false) if bits & READABLE != 0 => Access::Read,
            (false, false) => Access::None,
        }
    }

    /// Sets what the guest may do with whole pages; their contents stay.
    ///
    /// # Errors
    ///
    /// If the range is not whole pages below 2^32, or begins too low, or more pages than allowed would be accessible: nothing
    /// changes then. The same if guests would have too many mappings of the host: each piece with rights of its own is one.
    /// If the host cannot enforce the right, none of the pages is accessible.
    pub fn protect(&mut self, address: u32, size: u64, access: Access) -> Result<(), MemoryError> {
        let change = self.change(address, size, access)?;
        self.count_pieces(&change)?;
        self.apply(change, access)
    }

    /// The same for what the template has, whose mappings have been counted.
    fn lay(&mut self, range: &Range<u64>, access: Access) -> Result<(), MemoryError> {
        let change = self.change(range.start as u32, range.end - range.start, access)?;
        self.apply(change, access)
    }

    /// Counts the host's mappings with those that a change makes and removes: one begins wherever the host's rights change.
    fn count_pieces(&mut self, change: &Change) -> Result<(), MemoryError> {
        let pages = pages(change.range.clone());
        if !self.bytes.is_enforced() || pages.is_empty() {
            return Ok(());
        }
        let differ = |a: u8, b: u8| (a ^ b) & (READABLE | WRITABLE) != 0;
        let around = [pages.start.checked_sub(1).map_or(0, |at| self.rights[at]), self.rights[pages.end]];
        // Nobody looks at a table where nothing was written.
        let former = if self.used.overlap(&change.range) { &self.rights[pages] } else { &[0][..] };
        let within = former.windows(2).filter(|pair| differ(pair[0], pair[1])).count();
        let at_ends = |first, last| usize::from(differ(around[0], first)) + usize::from(differ(last, around[1]));
        let before = within + at_ends(former[0], former[former.len() - 1]);
        self.mappings.change(before, at_ends(change.bits, change.bits))
    }

    fn apply(&mut self, change: Change, access: Access) -> Result<(), MemoryError> {
        self.note_code(change.range.clone(), |former| (former ^ change.bits) & EXECUTABLE != 0);
        if access != Access::None {
            self.used.note(change.range.clone());
        }
        self.set_rights(change.range, change.bits)?;
        self.accessible_pages = change.accessible_pages;
        Ok(())
    }

    /// What it means to give whole pages this right, if that can be.
    fn change(&self, address: u32, size: u64, access: Access) -> Result<Change, MemoryError> {
        let end = u64::from(address).checked_add(size).filter(|&end| end <= SPACE);
        let page = u64::from(PAGE_SIZE);
        let aligned = (u64::from(address) | size).is_multiple_of(page);
        let Some(end) = end.filter(|_| aligned) else {
            return Err(MemoryError::Range { address, size });
        };
        if address < self.lowest && access != Access::None && size > 0 {
            return Err(MemoryError::TooLow { address, size, lowest: self.lowest });
        }
        let range = u64::from(address)..end;
        let bits = match access {
            Access::None => 0,
            Access::Read => READABLE,
            Access::ReadWrite => READABLE | WRITABLE,
            Access::ReadExecute => READABLE | EXECUTABLE,
            Access::ReadWriteExecute => READABLE | EXECUTABLE | WATCHED,
        };
        let before = self.accessible_in(range.clone());
        let after = if bits == 0 { 0 } else { size / page };
        let accessible_pages = self.accessible_pages - before + after;
        if after > before && accessible_pages > self.page_limit {
            return Err(MemoryError::Limit { wanted: accessible_pages * page, limit: self.page_limit * page });
        }
        Ok(Change { range, bits, accessible_pages })
    }

    /// How many pages of a range have a right.
    fn accessible_in(&self, range: Range<u64>) -> u64 {
        // Reading the table where nothing was written yet takes the host a page fault.
        if !self.used.overlap(&range) {
            return 0;
        }
        self.rights[pages(range)].iter().filter(|&&bits| bits != 0).count() as u64
    }

    /// Sets the bits of whole pages, which were accessible before unless the caller counts them.
    pub(crate) fn set_rights(&mut self, range: Range<u64>, bits: u8) -> Result<(), MemoryError> {
        let access = match bits {
            bits if bits & WRITABLE != 0 => Access::ReadWrite,
            bits if bits & READABLE != 0 => Access::Read,
            _ => Access::None,
        };
        self.changed.note(range.clone());
        let pages = pages(range.clone());
        if let Err(error) = self.bytes.protect(range.clone(), access) {
            // Part of the pages may have the new right: what the table allows, the host must allow, too.
            self.accessible_pages -= self.accessible_in(range.clone());
            self.note_code(range.clone(), |bits| bits & EXECUTABLE != 0);
            self.rights[pages].fill(0);
            return Err(MemoryError::Protect { address: range.start as u32, size: range.end - range.start, error });
        }
        self.rights[pages].fill(bits);
        Ok(())
    }

    /// Sets the bits of the page of `address` in the table alone.
    pub(crate) fn set_bits(&mut self, address: u32, bits: u8) {
        self.rights[(address / PAGE_SIZE) as usize] = bits;
    }

    /// Notes that code changes in the pages of the range for whose bits this holds.
    fn note_code(&mut self, range: Range<u64>, changes: impl Fn(u8) -> bool) {
        if !self.used.overlap(&range) {
            if changes(0) {
                self.code.replace(range);
            }
            return;
        }
        let page = u64::from(PAGE_SIZE);
        let mut start = range.start;
        for run in self.rights[pages(range)].chunk_by(|&a, &b| changes(a) == changes(b)) {
            let end = start + run.len() as u64 * page;
            if changes(run[0]) {
                self.code.replace(start..end);
            }
            start = end;
        }
    }

    /// Makes whole pages accessible and fills them with zeros.
    ///
    /// # Errors
    ///
    /// As [`Memory::protect`].
    pub fn map(&mut self, address: u32, size: u64, access: Access) -> Result<(), MemoryError> {
        let range = u64::from(address)..u64::from(address).saturating_add(size);
        // Where nothing has been there are zeros.
        let may_hold_something = self.used.overlap(&range);
        self.protect(address, size, access)?;
        self.note_code(range.clone(), |bits| bits & EXECUTABLE != 0);
        if may_hold_something { self.discard(range, access) } else { Ok(()) }
    }

    /// Gives whole pages back to the host; they read as zeros from then on. All of them have this right.
    fn discard(&mut self, range: Range<u64>, access: Access) -> Result<(), MemoryError> {
        if !self.images.overlap(&range) {
            return self.bytes.discard(range).map_err(MemoryError::Discard);
        }
        // Of a mapped file, pages that are given back read as the file has them.
        self.bytes.renew(range, for_the_host(access)).map_err(MemoryError::Discard)
    }

    /// Makes whole pages accessible and has them hold part of an image, which takes the same time however long it is.
    ///
    /// # Errors
    ///
    /// As [`Memory::protect`], and if the image has no such part or the host does not map it: nothing changes then.
    pub(crate) fn map_image(
        &mut self,
        address: u32,
        image: &Image,
        offset: u64,
        size: u64,
        access: Access,
    ) -> Result<(), MemoryError> {
        if offset.checked_add(size).is_none_or(|end| end > image.size) || !offset.is_multiple_of(PAGE_SIZE.into()) {
            return Err(MemoryError::Image { offset, size, limit: image.size });
        }
        let Change { range, bits, accessible_pages } = self.change(address, size, access)?;
        let mapped = self.bytes.map_image(range.clone(), image, offset, for_the_host(access));
        if mapped.is_ok() {
            self.note_code(range.clone(), |former| (former | bits) & EXECUTABLE != 0);
        }
        self.used.note(range.clone());
        self.images.note(range.clone());
        self.changed.note(range.clone());
        mapped.map_err(MemoryError::MapImage)?;
        self.rights[pages(range)].fill(bits);
        self.accessible_pages = accessible_pages;
        Ok(())
    }

    /// Copies guest memory out.
    ///
    /// # Errors
    ///
    /// If the guest may not read a byte of it; the fault names the first. Nothing is copied then.
    pub fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryFault> {
        self.check(address, into.len() as u64, READABLE)?;
        self.bytes.read(address, into);
        Ok(())
    }

    /// Copies into guest memory where the guest may write.
    ///
    /// # Errors
    ///
    /// If the guest may not write a byte of it; the fault names the first. Nothing is written then.
    pub fn write(&mut self, address: u32, from: &[u8]) -> Result<(), MemoryFault> {
        self.check(address, from.len() as u64, WRITABLE | WATCHED)?;
        self.save_code(address, from.len() as u64)?;
        self.bytes.write(address, from);
        Ok(())
    }

    /// Copies into accessible guest memory, pages that the guest may only read included, as a loader does.
    ///
    /// # Errors
    ///
    /// If a page of it is not accessible at all, or the host cannot lift or restore protection; nothing is written then.
    pub fn initialise(&mut self, address: u32, from: &[u8]) -> Result<(), MemoryError> {
        let page = u64::from(PAGE_SIZE);
        let end = u64::from(address) + from.len() as u64;
        self.check(address, from.len() as u64, READABLE | WRITABLE)
            .map_err(|MemoryFault { address }| MemoryError::Inaccessible { address })?;
        let around = u64::from(address) / page * page..end.next_multiple_of(page);
        let before = self.rights[pages(around.clone())].to_vec();
        if before.iter().all(|bits| bits & (WRITABLE | EXECUTABLE) == WRITABLE) {
            self.bytes.write(address, from);
            return Ok(());
        }
        // Code from the host is seen at once.
        self.note_code(around.clone(), |bits| bits & EXECUTABLE != 0);
        self.set_rights(around.clone(), READABLE | WRITABLE)?;
        self.bytes.write(address, from);
        let mut at = around.start;
        for run in before.chunk_by(|a, b| a == b) {
            let next = at + run.len() as u64 * page;
            // What was written and not made visible is visible by now.
            let bits = if run[0] & (EXECUTABLE | WRITABLE) == EXECUTABLE | WRITABLE {
                run[0] & !WRITABLE | WATCHED
            } else {
                run[0]
            };
            self.set_rights(at..next, bits)?;
            at = next;
        }
        Ok(())
    }

    /// Checks that the guest may read `len` bytes.
    ///
    /// # Errors
    ///
    /// With the first byte that it may not.
    pub fn check_readable(&self, address: u32, len: u64) -> Result<(), MemoryFault> {
        self.check(address, len, READABLE)
    }

    /// Checks that the guest may write `len` bytes.
    ///
    /// # Errors
    ///
    /// With the first byte that it may not.
    pub fn check_writable(&self, address: u32, len: u64) -> Result<(), MemoryFault> {
        self.check(address, len, WRITABLE | WATCHED)
    }

    /// Finds the first of `len` bytes whose page has none of the rights in `wanted`. The range does not wrap: behind
    /// the last byte of the address space nothing is accessible.
    fn check(&self, address: u32, len: u64, wanted: u8) -> Result<(), MemoryFault> {
        let end = u64::from(address) + len.min(SPACE);
        let mut at = u64::from(address);
        while at < end {
            let Ok(fault) = u32::try_from(at) else {
                return Err(MemoryFault { address: 0 });
            };
            if self.right_bits(fault) & wanted == 0 {
                return Err(MemoryFault { address: fault });
            }
            at = (at / u64::from(PAGE_SIZE) + 1) * u64::from(PAGE_SIZE);
        }
        Ok(())
    }

    #[inline(always)]
    pub(crate) fn right_bits(&self, address: u32) -> u8 {
        // SAFETY: an address has 2^20 pages, and the table has an entry for each.
        unsafe { *self.rights.as_ptr().add((address / PAGE_SIZE) as usize) }
    }

    /// The first byte of an access of N bytes that lacks the right, in the order of the access, wrapping at 2^32.
    #[cold]
    fn first_fault<const N: usize>(&self, address: u32, wanted: u8) -> Option<MemoryFault> {
        (0..N as u32)
            .map(|k| address.wrapping_add(k))
            .find(|&byte| self.right_bits(byte) & wanted == 0)
            .map(|address| MemoryFault { address })
    }

    /// Whether an access of N bytes lies in one page that has the right: the common case.
    #[inline(always)]
    fn is_plain<const N: usize>(&self, address: u32, wanted: u8) -> bool {
        // Two branches, not one on both: that takes fewer instructions.
        if address % PAGE_SIZE > PAGE_SIZE - N as u32 {
            return false;
        }
        self.right_bits(address) & wanted != 0
    }

    #[cold]
    fn load_split<const N: usize>(&self, address: u32) -> Result<[u8; N], MemoryFault> {
        match self.first_fault::<N>(address, READABLE) {
            Some(fault) => Err(fault),
            None => Ok(std::array::from_fn(|k| {
                let mut byte = [0];
                self.bytes.read(address.wrapping_add(k as u32), &mut byte);
                byte[0]
            })),
        }
    }

    #[cold]
    fn store_split<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), MemoryFault> {
        if let Some(fault) = self.first_fault::<N>(address, WRITABLE | WATCHED) {
            return Err(fault);
        }
        // An access that wraps has its last byte at the beginning.
        self.save_code(address, 1)?;
        self.save_code(address.wrapping_add(N as u32 - 1), 1)?;
        for (k, byte) in bytes.into_iter().enumerate() {
            self.bytes.write(address.wrapping_add(k as u32), &[byte]);
        }
        Ok(())
    }
}

/// A right for whole pages that can be given.
struct Change {
    range: Range<u64>,
    bits: u8,
    /// How many pages have a right afterwards.
    accessible_pages: u64,
}

/// What the host is to allow: pages are watched until the first store to code is noted.
fn for_the_host(access: Access) -> Access {
    if access == Access::ReadWriteExecute { Access::Read } else { access }
}

/// The places of whole pages in the table of rights.
fn pages(addresses: Range<u64>) -> Range<usize> {
    let page = u64::from(PAGE_SIZE);
    (addresses.start / page) as usize..(addresses.end / page) as usize
}

impl pvm_ops::Memory for Memory {
    #[inline]
    fn load<const N: usize>(&self, address: u32) -> Result<[u8; N], MemoryFault> {
        match self.load_plain(address) {
            Some(bytes) => Ok(bytes),
            None => self.load_split(address),
        }
    }

    #[inline]
    fn store<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), MemoryFault> {
        if self.store_plain(address, bytes) { Ok(()) } else { self.store_split(address, bytes) }
    }

    #[inline(always)]
    fn load_plain<const N: usize>(&self, address: u32) -> Option<[u8; N]> {
        if !self.is_plain::<N>(address, READABLE) {
            return None;
        }
        // SAFETY: the bytes lie in one page that has the right, which the host allows, too; arrays of bytes have no
        // alignment.
        Some(unsafe { self.base.wrapping_add(address as usize).cast::<[u8; N]>().read() })
    }

    #[inline(always)]
    fn store_plain<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> bool {
        let is_plain = self.is_plain::<N>(address, WRITABLE);
        if is_plain {
            // SAFETY: as in `load_plain`.
            unsafe { self.base.wrapping_add(address as usize).cast::<[u8; N]>().write(bytes) };
        }
        is_plain
    }

    /// The end of the heap is exact to the byte. Asking for nothing tells where it is; pages that it passes become
    /// accessible and hold zeros if they were not accessible before.
    fn sbrk(&mut self, size: u64) -> u64 {
        let former = self.heap_end;
        let Some(end) = former.checked_add(size).filter(|&end| end <= self.heap_limit) else {
            return 0;
        };
        let page = u64::from(PAGE_SIZE);
        let mut at = former / page * page;
        // Only a run of pages without rights is made accessible: what is there keeps its right and contents.
        while at < end && self.access(at as u32) != Access::None {
            at += page;
        }
        if at < end {
            let size = end.next_multiple_of(page) - at;
            if self.map(at as u32, size, Access::ReadWrite).is_err() {
                return 0;
            }
        }
        self.heap_end = end;
        if self.sbrk_returns_new_end { end } else { former }
    }
}

#[cfg(test)]
mod tests;

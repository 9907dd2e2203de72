//! Guest memory: a reservation of 4 GiB and a byte of rights for each page.
//!
//! The reservation costs address space, not memory: pages are filled by the host when they are first touched. Rights
//! are checked by every access in software, so they hold on any host whatever its page size, and a fault is exact to
//! the byte without a signal. Two tables follow from that: the bytes themselves, and [`READABLE`] and [`WRITABLE`] bits
//! per page, which the interpreter and compiled code read through [`crate::Context`].

use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use pvm_ops::{Access, MemoryFault, PAGE_SIZE};
use std::io;

/// The bit of a page's rights that allows reading.
pub const READABLE: u8 = 1;
/// The bit of a page's rights that allows writing.
pub const WRITABLE: u8 = 2;

const SPACE: u64 = 1 << 32;
const PAGES: usize = (SPACE / PAGE_SIZE as u64) as usize;
/// Compiled code looks up the page of an access's last byte without wrapping at 2^32: the page behind the last one must
/// be there and have no rights. Accesses are at most eight bytes, so one page is enough.
const MARGIN: usize = PAGE_SIZE as usize;

/// Why memory could not be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum MemoryError {
    /// The host has no room for the address space of a guest.
    #[error("the host refused to reserve {bytes} bytes of address space for a guest: {error}")]
    Reserve {
        /// How much was asked for.
        bytes: u64,
        /// What the host said.
        error: io::Error,
    },
    /// More pages than allowed would be accessible.
    #[error("{wanted} bytes of guest memory are more than the limit of {limit}")]
    Limit {
        /// Bytes that would be accessible.
        wanted: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// A range that does not lie within 2^32 bytes, or not on page boundaries.
    #[error("{size:#x} bytes at {address:#x} are not whole pages below 2^32")]
    Range {
        /// The first byte.
        address: u32,
        /// The size in bytes.
        size: u64,
    },
    /// The host could not take pages back.
    #[error("the host failed to take pages back: {0}")]
    Discard(io::Error),
}

/// The memory of one guest.
#[derive(Debug)]
pub struct Memory {
    bytes: MmapMut,
    rights: MmapMut,
    /// How many pages have a right.
    accessible_pages: u64,
    page_limit: u64,
    heap_end: u64,
    heap_limit: u64,
    sbrk_returns_new_end: bool,
}

impl Memory {
    /// Memory in which no page is accessible, and at most `limit` bytes can ever be at once.
    ///
    /// # Errors
    ///
    /// If the host refuses the reservation.
    pub fn new(limit: u64) -> Result<Memory, MemoryError> {
        let reserve = |bytes: usize| {
            MmapOptions::new()
                .len(bytes)
                .no_reserve_swap()
                .map_anon()
                .map_err(|error| MemoryError::Reserve { bytes: bytes as u64, error })
        };
        Ok(Memory {
            bytes: reserve(SPACE as usize + MARGIN)?,
            rights: reserve(PAGES + 1)?,
            accessible_pages: 0,
            page_limit: limit / u64::from(PAGE_SIZE),
            heap_end: 0,
            heap_limit: 0,
            sbrk_returns_new_end: false,
        })
    }

    /// Lets `sbrk` move the end of the heap from `start` up to `limit`.
    pub fn set_heap(&mut self, start: u32, limit: u32, sbrk_returns_new_end: bool) {
        self.heap_end = u64::from(start);
        self.heap_limit = u64::from(limit);
        self.sbrk_returns_new_end = sbrk_returns_new_end;
    }

    /// The first byte of the address space, for compiled code. Stays the same for the life of the memory.
    pub fn base(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// The rights of the first page, for compiled code. Stays the same for the life of the memory.
    pub fn rights(&self) -> *const u8 {
        self.rights.as_ptr()
    }

    /// Bytes that the guest can access in any way.
    pub fn accessible_bytes(&self) -> u64 {
        self.accessible_pages * u64::from(PAGE_SIZE)
    }

    /// What the guest may do with the page of `address`.
    pub fn access(&self, address: u32) -> Access {
        match self.right_bits(address) {
            bits if bits & WRITABLE != 0 => Access::ReadWrite,
            bits if bits & READABLE != 0 => Access::Read,
            _ => Access::None,
        }
    }

    /// Sets what the guest may do with whole pages; their contents stay.
    ///
    /// # Errors
    ///
    /// If the range is not whole pages below 2^32, or more pages than allowed would be accessible; nothing changes
    /// then.
    pub fn protect(&mut self, address: u32, size: u64, access: Access) -> Result<(), MemoryError> {
        let end = u64::from(address).checked_add(size).filter(|&end| end <= SPACE);
        let page = u64::from(PAGE_SIZE);
        let aligned = (u64::from(address) | size).is_multiple_of(page);
        let Some(end) = end.filter(|_| aligned) else {
            return Err(MemoryError::Range { address, size });
        };
        let range = (u64::from(address) / page) as usize..(end / page) as usize;
        let bits = match access {
            Access::None => 0,
            Access::Read => READABLE,
            Access::ReadWrite => READABLE | WRITABLE,
        };
        let pages = &mut self.rights[range];
        let before = pages.iter().filter(|&&bits| bits != 0).count() as u64;
        let after = if bits == 0 { 0 } else { pages.len() as u64 };
        let accessible = self.accessible_pages - before + after;
        if after > before && accessible > self.page_limit {
            return Err(MemoryError::Limit { wanted: accessible * page, limit: self.page_limit * page });
        }
        pages.fill(bits);
        self.accessible_pages = accessible;
        Ok(())
    }

    /// Makes whole pages accessible and fills them with zeros.
    ///
    /// # Errors
    ///
    /// As [`Memory::protect`].
    pub fn map(&mut self, address: u32, size: u64, access: Access) -> Result<(), MemoryError> {
        self.protect(address, size, access)?;
        self.discard(address, size)
    }

    /// Gives whole pages back to the host; they read as zeros from then on.
    fn discard(&mut self, address: u32, size: u64) -> Result<(), MemoryError> {
        discard(&mut self.bytes, address as usize, size as usize)
    }

    /// Takes every right from the guest, forgets what memory held, and gives it back to the host.
    ///
    /// # Errors
    ///
    /// If the host fails to take pages back.
    pub fn reset(&mut self) -> Result<(), MemoryError> {
        self.set_heap(0, 0, false);
        self.accessible_pages = 0;
        let (bytes, rights) = (self.bytes.len(), self.rights.len());
        discard(&mut self.rights, 0, rights)?;
        discard(&mut self.bytes, 0, bytes)
    }

    /// Copies guest memory out.
    ///
    /// # Errors
    ///
    /// If the guest may not read a byte of it; the fault names the first. Nothing is copied then.
    pub fn read(&self, address: u32, into: &mut [u8]) -> Result<(), MemoryFault> {
        self.check(address, into.len() as u64, READABLE)?;
        let at = address as usize;
        // No wrap: all pages of a readable range lie below 2^32.
        into.copy_from_slice(&self.bytes[at..at + into.len()]);
        Ok(())
    }

    /// Copies into guest memory where the guest may write.
    ///
    /// # Errors
    ///
    /// If the guest may not write a byte of it; the fault names the first. Nothing is written then.
    pub fn write(&mut self, address: u32, from: &[u8]) -> Result<(), MemoryFault> {
        self.check(address, from.len() as u64, WRITABLE)?;
        let at = address as usize;
        self.bytes[at..at + from.len()].copy_from_slice(from);
        Ok(())
    }

    /// Copies into guest memory whatever the rights of its pages, as a loader does.
    ///
    /// # Errors
    ///
    /// If a page of it is not accessible at all; nothing is written then.
    pub fn initialise(&mut self, address: u32, from: &[u8]) -> Result<(), MemoryFault> {
        self.check(address, from.len() as u64, READABLE | WRITABLE)?;
        let at = address as usize;
        self.bytes[at..at + from.len()].copy_from_slice(from);
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
        self.check(address, len, WRITABLE)
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
    fn right_bits(&self, address: u32) -> u8 {
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
            None => Ok(std::array::from_fn(|k| self.bytes[address.wrapping_add(k as u32) as usize])),
        }
    }

    #[cold]
    fn store_split<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), MemoryFault> {
        if let Some(fault) = self.first_fault::<N>(address, WRITABLE) {
            return Err(fault);
        }
        for (k, byte) in bytes.into_iter().enumerate() {
            self.bytes[address.wrapping_add(k as u32) as usize] = byte;
        }
        Ok(())
    }
}

/// Gives part of a private anonymous mapping back to the host; it reads as zeros from then on.
fn discard(map: &mut MmapMut, offset: usize, len: usize) -> Result<(), MemoryError> {
    assert!(offset.checked_add(len).is_some_and(|end| end <= map.len()));
    if len == 0 {
        return Ok(());
    }
    // SAFETY: discarding private anonymous pages makes them read as zeros, which any bytes may be; `&mut` means that
    // nothing holds a reference into them, and the range lies in the mapping.
    unsafe { map.unchecked_advise_range(UncheckedAdvice::DontNeed, offset, len) }.map_err(MemoryError::Discard)
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
        // SAFETY: the mapping has 2^32 bytes and a margin larger than any N; arrays of bytes have no alignment.
        Some(unsafe { self.bytes.as_ptr().add(address as usize).cast::<[u8; N]>().read() })
    }

    #[inline(always)]
    fn store_plain<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> bool {
        let is_plain = self.is_plain::<N>(address, WRITABLE);
        if is_plain {
            // SAFETY: as in `load_plain`.
            unsafe { self.bytes.as_mut_ptr().add(address as usize).cast::<[u8; N]>().write(bytes) };
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
mod tests {
    use super::*;
    use pvm_ops::Memory as _;

    const UNLIMITED: u64 = SPACE;

    fn memory(pages: &[(u32, Access)]) -> Memory {
        let mut memory = Memory::new(UNLIMITED).unwrap();
        for &(address, access) in pages {
            memory.map(address, 4096, access).unwrap();
        }
        memory
    }

    #[test]
    fn accesses_need_the_right_on_every_page() {
        let mut memory = memory(&[(0x20000, Access::ReadWrite), (0x21000, Access::Read)]);
        assert_eq!(memory.store(0x20ffc, [1, 2, 3, 4]), Ok(()));
        assert_eq!(memory.load::<8>(0x20ffc), Ok([1, 2, 3, 4, 0, 0, 0, 0]));
        assert_eq!(memory.store(0x20ffc, [9; 8]), Err(MemoryFault { address: 0x21000 }));
        assert_eq!(memory.load::<4>(0x20ffc), Ok([1, 2, 3, 4]), "no half of the store is left");
        assert_eq!(memory.load::<2>(0x21fff), Err(MemoryFault { address: 0x22000 }));
        assert_eq!(memory.load::<1>(0), Err(MemoryFault { address: 0 }));
    }

    #[test]
    fn accesses_wrap_at_the_end() {
        let mut memory = memory(&[(0xffff_f000, Access::ReadWrite)]);
        assert_eq!(memory.store(0xffff_ffff, [1, 2]), Err(MemoryFault { address: 0 }));
        assert_eq!(memory.load::<1>(0xffff_ffff), Ok([0]));
        memory.map(0, 4096, Access::ReadWrite).unwrap();
        assert_eq!(memory.store(0xffff_ffff, [1, 2]), Ok(()));
        assert_eq!((memory.load::<1>(0xffff_ffff), memory.load::<1>(0)), (Ok([1]), Ok([2])));
        assert_eq!(memory.read(0xffff_ffff, &mut [0; 2]), Err(MemoryFault { address: 0 }));
    }

    #[test]
    fn the_limit_holds_and_reset_forgets() {
        let mut memory = Memory::new(8192).unwrap();
        memory.map(0x10000, 8192, Access::ReadWrite).unwrap();
        assert!(matches!(
            memory.map(0x20000, 4096, Access::Read),
            Err(MemoryError::Limit { wanted: 12288, limit: 8192 })
        ));
        memory.protect(0x10000, 4096, Access::Read).unwrap();
        memory.write(0x11000, &[7]).unwrap();
        memory.reset().unwrap();
        assert_eq!(memory.accessible_bytes(), 0);
        memory.protect(0x11000, 4096, Access::Read).unwrap();
        let mut byte = [1];
        memory.read(0x11000, &mut byte).unwrap();
        assert_eq!(byte, [0]);
    }

    #[test]
    fn ranges_are_checked() {
        let mut memory = memory(&[]);
        assert!(matches!(memory.map(1, 4096, Access::Read), Err(MemoryError::Range { .. })));
        assert!(matches!(memory.map(0, 4095, Access::Read), Err(MemoryError::Range { .. })));
        assert!(matches!(memory.map(0xffff_f000, 8192, Access::Read), Err(MemoryError::Range { .. })));
        assert!(memory.protect(0, SPACE, Access::None).is_ok());
    }

    #[test]
    fn the_heap_grows_to_its_limit_byte_by_byte() {
        let mut memory = memory(&[(0x20000, Access::ReadWrite)]);
        memory.set_heap(0x21000, 0x24000, false);
        assert_eq!(memory.sbrk(0), 0x21000);
        assert_eq!(memory.access(0x21000), Access::None);
        assert_eq!(memory.sbrk(1), 0x21000);
        assert_eq!((memory.access(0x21000), memory.access(0x22000)), (Access::ReadWrite, Access::None));
        memory.store(0x21ff0, [5]).unwrap();
        assert_eq!(memory.sbrk(0x1fff), 0x21001);
        assert_eq!(memory.load(0x21ff0), Ok([5]));
        assert_eq!(memory.access(0x22000), Access::ReadWrite);
        assert_eq!((memory.sbrk(0x1001), memory.sbrk(u64::MAX)), (0, 0));
        assert_eq!(memory.sbrk(0x1000), 0x23000);
        assert_eq!(memory.sbrk(1), 0);
        let mut none = self::memory(&[]);
        assert_eq!((none.sbrk(0), none.sbrk(1)), (0, 0));
    }
}

//! The address space of a guest on the host.
//!
//! ```text
//! page | tripwire, a page | page of the flag | 2^32 bytes of guest addresses | guard, a page
//! ```
//!
//! The flag says that a run is to stop. Where the host enforces rights, compiled code does not look at it: it reads from
//! the tripwire, whose right to be read is taken away then. Both neighbours of the tripwire may be written, so that the
//! host never has to join or split mappings for that, which it could refuse.
//!
//! Address space costs no memory: pages are filled by the host when they are first touched. An access that begins at one
//! of the last addresses and runs past the end lands in the guard, where nothing is accessible.

use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use pvm_ops::{Access, PAGE_SIZE};
use std::io;
use std::ops::Range;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

/// Bytes that a guest can address.
pub(crate) const SPACE: u64 = 1 << 32;
/// Where the flag is that interrupts a run, from the first address: four bytes that are not zero when the run is to stop.
pub const INTERRUPT_OFFSET: i32 = -(PAGE_SIZE as i32);
/// Where the tripwire is, from the first address.
pub const TRIPWIRE_OFFSET: i32 = -2 * PAGE_SIZE as i32;
/// From the beginning to the first address.
const BELOW: usize = 3 * PAGE_SIZE as usize;
/// As far as an access can lead up from the last address, and more.
const GUARD: usize = PAGE_SIZE as usize;

/// Address space for one guest, in which the host enforces rights, if it was asked to, or else everything is accessible.
/// Who owns the guest's memory decides about it; others, who share the reservation, only interrupt.
#[derive(Debug)]
pub(crate) struct Reservation {
    map: MmapMut,
    is_enforced: bool,
    /// Held while the flag and the tripwire change together.
    interruption: Mutex<()>,
}

impl Reservation {
    /// How much address space a guest takes, in bytes.
    pub(crate) const SIZE: u64 = SPACE + (BELOW + GUARD) as u64;

    /// Reserves address space. Where rights are enforced, nothing is accessible yet.
    pub(crate) fn new(is_enforced: bool) -> io::Result<Reservation> {
        let len = usize::try_from(Self::SIZE).map_err(io::Error::other)?;
        let map = MmapOptions::new().len(len).no_reserve_swap().map_anon()?;
        if is_enforced {
            protect(&map, BELOW..len, Access::None)?;
        }
        let reservation = Reservation { map, is_enforced, interruption: Mutex::new(()) };
        reservation.set_tripwire(false)?;
        Ok(reservation)
    }

    /// Has the run that is going on, or the next one, stop.
    pub(crate) fn interrupt(&self) {
        let _held = self.interruption.lock();
        self.flag().store(1, Ordering::Relaxed);
        let raised = self.set_tripwire(true);
        debug_assert!(raised.is_ok(), "no mapping is joined or split: {raised:?}");
    }

    /// Whether a run is to stop; forgets it. Should the host fail to allow what it had allowed before, it is not forgotten.
    pub(crate) fn take_interrupt(&self) -> bool {
        if self.flag().load(Ordering::Relaxed) == 0 {
            return false;
        }
        let _held = self.interruption.lock();
        if self.set_tripwire(false).is_ok() {
            self.flag().store(0, Ordering::Relaxed);
        }
        true
    }

    /// Has reading from the tripwire fail, or not, where the host enforces rights.
    fn set_tripwire(&self, fails: bool) -> io::Result<()> {
        let start = (BELOW as i64 + i64::from(TRIPWIRE_OFFSET)) as usize;
        let access = if fails { Access::None } else { Access::Read };
        if self.is_enforced { protect(&self.map, start..start + PAGE_SIZE as usize, access) } else { Ok(()) }
    }

    /// The flag that interrupts a run.
    fn flag(&self) -> &AtomicU32 {
        let at = (BELOW as i64 + i64::from(INTERRUPT_OFFSET)) as usize;
        // SAFETY: these bytes of the mapping are accessible as long as this is, aligned, and only used as this flag;
        // compiled code only reads it.
        unsafe { AtomicU32::from_ptr(self.map.as_ptr().cast_mut().add(at).cast()) }
    }

    /// Whether the host enforces rights.
    #[inline]
    pub(crate) fn is_enforced(&self) -> bool {
        self.is_enforced
    }

    /// The byte of guest address 0.
    #[inline(always)]
    pub(crate) fn base(&self) -> *mut u8 {
        // SAFETY: the mapping is longer than that. It is not behind a Rust reference: only pointers made here and in
        // compiled code lead into it.
        unsafe { self.map.as_ptr().cast_mut().add(BELOW) }
    }

    /// Has the host enforce a right on whole pages, if it does that at all.
    pub(crate) fn protect(&self, range: Range<u64>, access: Access) -> io::Result<()> {
        if !self.is_enforced || range.is_empty() {
            return Ok(());
        }
        protect(&self.map, self.offsets(range), access)
    }

    /// Gives whole pages back to the host; they read as zeros from then on.
    pub(crate) fn discard(&self, range: Range<u64>) -> io::Result<()> {
        if range.is_empty() {
            return Ok(());
        }
        let range = self.offsets(range);
        // SAFETY: discarding private anonymous pages makes them read as zeros, which any bytes may be, and the range
        // lies in the mapping.
        unsafe { self.map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len()) }
    }

    /// Copies bytes out. The host must allow reading them.
    pub(crate) fn read(&self, address: u32, into: &mut [u8]) {
        assert!(u64::from(address) + into.len() as u64 <= SPACE);
        // SAFETY: the range lies in the mapping, and no reference to guest memory exists that `into` could overlap.
        unsafe { std::ptr::copy_nonoverlapping(self.base().add(address as usize), into.as_mut_ptr(), into.len()) }
    }

    /// Copies bytes in. The host must allow writing them.
    pub(crate) fn write(&self, address: u32, from: &[u8]) {
        assert!(u64::from(address) + from.len() as u64 <= SPACE);
        // SAFETY: as in `read`.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), self.base().add(address as usize), from.len()) }
    }

    /// Where guest addresses are in the mapping.
    fn offsets(&self, range: Range<u64>) -> Range<usize> {
        assert!(range.start <= range.end && range.end <= SPACE);
        range.start as usize + BELOW..range.end as usize + BELOW
    }
}

#[cfg(unix)]
fn protect(map: &MmapMut, range: Range<usize>, access: Access) -> io::Result<()> {
    use rustix::mm::{MprotectFlags, mprotect};
    assert!(range.start <= range.end && range.end <= map.len());
    let flags = match access {
        Access::None => MprotectFlags::empty(),
        Access::Read => MprotectFlags::READ,
        Access::ReadWrite => MprotectFlags::READ | MprotectFlags::WRITE,
    };
    // SAFETY: the range lies in the mapping, which is never seen through a reference, so taking rights away breaks no
    // promise; who accesses it looks at the rights, or handles the signal.
    unsafe { mprotect(map.as_ptr().cast_mut().add(range.start).cast(), range.len(), flags) }.map_err(io::Error::from)
}

#[cfg(not(unix))]
fn protect(_: &MmapMut, _: Range<usize>, _: Access) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

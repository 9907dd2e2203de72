//! The address space of a guest on the host.
//!
//! ```text
//! 2^32 bytes of guest addresses | guard, a page | a page | tripwire, a page | page of the flag
//! ```
//!
//! A flag of the host says that a run is to stop. Compiled code that is not metered looks, too: at a copy of the flag behind the
//! addresses of the guest, or, where the host enforces rights, by reading from the tripwire, whose right to be read is taken
//! away then. Both neighbours of the tripwire may be written, so that the host never has to join or split mappings for that,
//! which it could refuse. Where nobody has asked for that ([`Reservation::announce`]), none of these pages is accessible, which
//! saves mappings and the time to make them.
//!
//! Address space costs no memory: pages are filled by the host when they are first touched. An access that begins at one
//! of the last addresses and runs past the end lands in the guard, where nothing is accessible.

use crate::image::Image;
use crate::space::{Base, Space};
use pvm_ops::{Access, PAGE_SIZE};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

/// Bytes that a guest can address.
pub(crate) const SPACE: u64 = 1 << 32;
const PAGE: u64 = PAGE_SIZE as u64;
/// Behind the guard, which is as long as an access can lead up from the last address, and more.
const ABOVE: u64 = SPACE + PAGE;
/// Where the tripwire is, from the first address.
pub const TRIPWIRE_OFFSET: i64 = (ABOVE + PAGE) as i64;
/// Where compiled code finds the flag that interrupts a run, from the first address: four bytes that are not zero when the run
/// is to stop.
pub const INTERRUPT_OFFSET: i64 = (ABOVE + 2 * PAGE) as i64;

/// Why a run is to stop: a bit of the flag for each, so that one can be taken back without the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// Somebody asked for it.
    Request = 1,
    /// Its time is up.
    Deadline = 2,
}

/// Address space for one guest, in which the host enforces rights, if it was asked to, or else everything is accessible.
/// Who owns the guest's memory decides about it; others, who share the reservation, only interrupt.
#[derive(Debug)]
pub(crate) struct Reservation {
    space: Space,
    /// That of the space.
    base: Base,
    is_enforced: bool,
    /// A bit of [`Reason`] for each reason to stop.
    flag: AtomicU32,
    /// Whether compiled code can see the flag, held while the flag and what it sees change together.
    is_announced: Mutex<bool>,
}

impl Reservation {
    /// How much address space a guest takes, in bytes.
    pub(crate) const SIZE: u64 = ABOVE + 3 * PAGE;

    /// Reserves address space at zero, if nobody has it and addresses below `lowest` are never used. Rights are enforced there,
    /// and nothing is accessible yet.
    pub(crate) fn low_if_free(lowest: u32) -> Option<Reservation> {
        let len = usize::try_from(Self::SIZE).ok()?;
        Space::low_if_free(len, lowest).map(|space| Reservation::of(space, true))
    }

    /// Reserves address space for so many guests. Rights are enforced there, and nothing is accessible yet.
    pub(crate) fn enforced(count: usize) -> io::Result<Vec<Reservation>> {
        let len = usize::try_from(Self::SIZE).map_err(io::Error::other)?;
        Ok(Space::closed(len, count)?.into_iter().map(|space| Reservation::of(space, true)).collect())
    }

    /// Reserves address space in which everything is accessible.
    pub(crate) fn open() -> io::Result<Reservation> {
        let len = usize::try_from(Self::SIZE).map_err(io::Error::other)?;
        Ok(Reservation::of(Space::open(len)?, false))
    }

    fn of(space: Space, is_enforced: bool) -> Reservation {
        let base = Base(space.base());
        let (flag, is_announced) = (AtomicU32::new(0), Mutex::new(!is_enforced));
        Reservation { space, base, is_enforced, flag, is_announced }
    }

    /// Lets compiled code see from now on whether a run is to stop.
    pub(crate) fn announce(&self) -> io::Result<()> {
        let mut is_announced = self.is_announced.lock().unwrap_or_else(PoisonError::into_inner);
        if !*is_announced {
            self.protect(ABOVE..Self::SIZE, Access::ReadWrite)?;
            self.show(self.flag.load(Ordering::Relaxed))?;
            *is_announced = true;
        }
        Ok(())
    }

    /// Shows these reasons to stop to compiled code.
    fn show(&self, reasons: u32) -> io::Result<()> {
        self.shown_flag().store(reasons, Ordering::Relaxed);
        let start = TRIPWIRE_OFFSET as u64;
        self.protect(start..start + PAGE, if reasons != 0 { Access::None } else { Access::Read })
    }

    /// Where compiled code sees the flag, once it is announced.
    fn shown_flag(&self) -> &AtomicU32 {
        let at = self.base().wrapping_add(INTERRUPT_OFFSET as usize);
        // SAFETY: these bytes of the mapping are accessible by now and as long as this is, aligned, and only used as this
        // flag; compiled code only reads it.
        unsafe { AtomicU32::from_ptr(at.cast()) }
    }

    /// Sets the reasons to stop as `change` says, and shows them. Should the host fail to allow again what it had allowed before,
    /// the reasons stay. Returns what there was.
    fn change(&self, change: impl FnOnce(u32) -> u32) -> u32 {
        let is_announced = self.is_announced.lock().unwrap_or_else(PoisonError::into_inner);
        let former = self.flag.load(Ordering::Relaxed);
        let reasons = change(former);
        // Whoever stops because of what is shown finds the flag set.
        self.flag.store(former | reasons, Ordering::Relaxed);
        let shown = if *is_announced { self.show(reasons) } else { Ok(()) };
        debug_assert!(shown.is_ok(), "no mapping is joined or split: {shown:?}");
        if shown.is_ok() || reasons != 0 {
            self.flag.store(reasons, Ordering::Relaxed);
        }
        former
    }

    /// Has the run that is going on, or the next one, stop.
    pub(crate) fn interrupt(&self, reason: Reason) {
        self.change(|reasons| reasons | reason as u32);
    }

    /// Why a run is to stop, a bit of [`Reason`] for each; forgets it. Should the host fail to allow what it had allowed
    /// before, it is not forgotten.
    #[inline]
    pub(crate) fn take_interrupt(&self) -> u32 {
        if self.is_interrupted() { self.change(|_| 0) } else { 0 }
    }

    /// Whether a run is to stop.
    #[inline]
    pub(crate) fn is_interrupted(&self) -> bool {
        self.flag.load(Ordering::Relaxed) != 0
    }

    /// Takes an interruption back that has not stopped anything yet. Other reasons to stop stay.
    pub(crate) fn withdraw(&self, reason: Reason) {
        self.change(|reasons| reasons & !(reason as u32));
    }

    /// Forgets why a run was to stop, unless the host fails to allow what it had allowed before.
    pub(crate) fn forget_interrupts(&self) -> bool {
        self.take_interrupt();
        !self.is_interrupted()
    }

    /// Whether a reservation could be at zero now.
    pub(crate) fn may_be_low(lowest: u32) -> bool {
        Space::may_be_low(lowest)
    }

    /// The first address of a reservation at zero.
    pub(crate) fn first(&self) -> Option<usize> {
        self.space.first_if_low()
    }

    /// Whether the host enforces rights.
    #[inline]
    pub(crate) fn is_enforced(&self) -> bool {
        self.is_enforced
    }

    /// Where the byte of guest address 0 is, or would be.
    #[inline(always)]
    pub(crate) fn base(&self) -> *mut u8 {
        self.base.0
    }

    /// Has the host enforce a right on whole pages, if it does that at all.
    pub(crate) fn protect(&self, range: Range<u64>, access: Access) -> io::Result<()> {
        if self.is_enforced { self.space.protect(range, access) } else { Ok(()) }
    }

    /// Gives whole pages back to the host; they read as zeros from then on.
    pub(crate) fn discard(&self, range: Range<u64>) -> io::Result<()> {
        self.space.discard(range)
    }

    /// Has whole pages hold zeros, whatever is mapped there, and allows what the guest may do, or everything where the host
    /// does not enforce that.
    pub(crate) fn renew(&self, range: Range<u64>, access: Access) -> io::Result<()> {
        self.space.renew(range, if self.is_enforced { access } else { Access::ReadWrite })
    }

    /// Has whole pages hold a part of an image, with rights as in [`Reservation::renew`].
    pub(crate) fn map_image(&self, range: Range<u64>, image: &Image, offset: u64, access: Access) -> io::Result<()> {
        self.space.map_image(range, image, offset, if self.is_enforced { access } else { Access::ReadWrite })
    }

    /// Copies bytes out. The host must allow reading them.
    pub(crate) fn read(&self, address: u32, into: &mut [u8]) {
        assert!(u64::from(address) + into.len() as u64 <= SPACE);
        let at = self.base().wrapping_add(address as usize);
        // SAFETY: the caller has looked at the rights, so the range lies in the mapping; no reference to guest memory exists
        // that `into` could overlap.
        unsafe { std::ptr::copy_nonoverlapping(at, into.as_mut_ptr(), into.len()) }
    }

    /// Copies bytes in. The host must allow writing them.
    pub(crate) fn write(&self, address: u32, from: &[u8]) {
        assert!(u64::from(address) + from.len() as u64 <= SPACE);
        let at = self.base().wrapping_add(address as usize);
        // SAFETY: as in `read`.
        unsafe { std::ptr::copy_nonoverlapping(from.as_ptr(), at, from.len()) }
    }
}

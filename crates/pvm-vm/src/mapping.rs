//! Addresses of the host that are taken, with nothing accessible until it is asked for: what guests get where the host enforces
//! rights.

use crate::limits::explain;
use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
use std::io;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

/// Linux maps nothing below this for programs without privileges (`vm.mmap_min_addr`).
const LOWEST: usize = 1 << 16;

/// Whether this process has a mapping at zero.
static IS_TAKEN: AtomicBool = AtomicBool::new(false);
/// Whether something else has been there. It is not likely to go.
static WAS_REFUSED: AtomicBool = AtomicBool::new(false);

/// Guest addresses from a first one up to an end, mapped.
#[derive(Debug)]
pub(crate) struct Mapping {
    /// The byte of the first address.
    start: *mut u8,
    first: usize,
    end: usize,
}

// SAFETY: the mapping belongs to this alone, and does not care which thread uses it.
unsafe impl Send for Mapping {}
// SAFETY: as above; what is shared is a number.
unsafe impl Sync for Mapping {}

impl Mapping {
    /// So many mappings of `len` bytes, whole pages, wherever the host has room: one call for all of them.
    pub(crate) fn several(len: usize, count: usize) -> io::Result<Vec<Mapping>> {
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE;
        let size = len.checked_mul(count).ok_or(io::ErrorKind::OutOfMemory)?;
        // SAFETY: the host chooses where, so nothing else is there.
        let start = unsafe { mmap_anonymous(std::ptr::null_mut(), size, ProtFlags::empty(), flags) };
        let start = start.map_err(explain)?.cast::<u8>();
        // A part of what was mapped can be given back alone.
        Ok((0..count).map(|at| Mapping { start: start.wrapping_add(at * len), first: 0, end: len }).collect())
    }

    /// Whether it is likely that [`Mapping::low`] succeeds.
    pub(crate) fn may_be_low(first: usize) -> bool {
        first >= LOWEST && !IS_TAKEN.load(Ordering::Relaxed) && !WAS_REFUSED.load(Ordering::Relaxed)
    }

    /// Maps the addresses from `first` up to `end` where those of the guest are those of the host, if that is not too low and
    /// nothing is there.
    pub(crate) fn low(end: usize, first: usize) -> Option<Mapping> {
        if first < LOWEST || IS_TAKEN.swap(true, Ordering::Acquire) {
            return None;
        }
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
        let at = std::ptr::without_provenance_mut(first);
        // SAFETY: the flag says that a mapping which is there already stays.
        let start = unsafe { mmap_anonymous(at, end - first, ProtFlags::empty(), flags) };
        match start {
            Ok(start) if start.addr() == first => Some(Mapping { start: start.cast(), first, end }),
            other => {
                // Something of the program is there, or its address space is limited.
                if let Ok(elsewhere) = other {
                    // SAFETY: this is what has just been mapped, and nobody knows of it.
                    let _ = unsafe { munmap(elsewhere, end - first) };
                }
                WAS_REFUSED.store(true, Ordering::Relaxed);
                IS_TAKEN.store(false, Ordering::Release);
                None
            }
        }
    }

    /// The byte of address 0, or one from which additions lead into the mapping.
    pub(crate) fn base(&self) -> *mut u8 {
        self.start.wrapping_sub(self.first)
    }

    /// The addresses.
    pub(crate) fn addresses(&self) -> Range<usize> {
        self.first..self.end
    }

    /// The first address, if those of the guest are those of the host.
    pub(crate) fn first_if_low(&self) -> Option<usize> {
        (self.first >= LOWEST).then_some(self.first)
    }

    /// Gives whole pages back to the host; they hold zeros from then on.
    pub(crate) fn discard(&self, range: Range<usize>) -> io::Result<()> {
        assert!(self.first <= range.start && range.start <= range.end && range.end <= self.end);
        let start = self.base().wrapping_add(range.start);
        // SAFETY: discarding private anonymous pages makes them read as zeros, which any bytes may be, and the range lies in
        // the mapping.
        unsafe { madvise(start.cast(), range.len(), Advice::LinuxDontNeed) }.map_err(io::Error::from)
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's, and goes with it.
        let _ = unsafe { munmap(self.start.cast(), self.end - self.first) };
        // The host refuses that only if it would have to split a mapping, as where nothing is accessible in this one and its
        // neighbours, and has too many. Then addresses are lost, but no memory.
        if self.first_if_low().is_some() {
            IS_TAKEN.store(false, Ordering::Release);
        }
    }
}

//! Mappings that hold the address space of a guest: anywhere, or where guest addresses are those of the host.
//!
//! Compiled code on x86-64 Linux adds the base of a segment register to each guest address. A base that is not zero makes
//! each load take longer (seven cycles instead of five where it was measured). So a guest that never uses the lowest
//! addresses, which Linux gives to nobody, is placed at zero. There is room for one: others, while it lives, are placed
//! elsewhere, and that makes no difference but in time.

use crate::image::Image;
use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use pvm_ops::Access;
use std::io;
use std::ops::Range;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use low::LowMapping;

/// Where the byte of guest address 0 is, or would be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Base(pub *mut u8);

// SAFETY: it is a number; who accesses what is there says why that may be done.
unsafe impl Send for Base {}
// SAFETY: as above.
unsafe impl Sync for Base {}

/// A mapping of as many bytes from guest address 0 on as were asked for.
#[derive(Debug)]
pub(crate) enum Space {
    Anywhere(MmapMut),
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Low(LowMapping),
}

impl Space {
    /// A mapping wherever the host has room. Everything is accessible.
    pub(crate) fn anywhere(len: usize) -> io::Result<Space> {
        MmapOptions::new().len(len).no_reserve_swap().map_anon().map(Space::Anywhere)
    }

    /// The mapping at zero, without the bytes below `lowest`, if nobody has it.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn low_if_free(len: usize, lowest: u32) -> Option<Space> {
        LowMapping::take(len, lowest as usize).map(Space::Low)
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    pub(crate) fn low_if_free(_: usize, _: u32) -> Option<Space> {
        None
    }

    /// Whether [`Space::low_if_free`] could give one now.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn may_be_low(lowest: u32) -> bool {
        LowMapping::may_be_taken(lowest as usize)
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    pub(crate) fn may_be_low(_: u32) -> bool {
        false
    }

    /// The first address of the mapping at zero.
    pub(crate) fn first_if_low(&self) -> Option<usize> {
        match self {
            Space::Anywhere(_) => None,
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Low(map) => Some(map.first()),
        }
    }

    /// Where the byte of guest address 0 is, or would be.
    pub(crate) fn base(&self) -> *mut u8 {
        match self {
            Space::Anywhere(map) => map.as_ptr().cast_mut(),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Low(map) => map.base(),
        }
    }

    /// The part of a range that is mapped.
    fn mapped(&self, range: Range<u64>) -> Range<usize> {
        let (first, end) = match self {
            Space::Anywhere(map) => (0, map.len()),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Low(map) => (map.first(), map.end()),
        };
        assert!(range.start <= range.end && range.end <= end as u64);
        (range.start as usize).max(first)..(range.end as usize).max(first)
    }

    /// Has the host enforce a right on whole pages. Where nothing is mapped, nothing is accessible.
    #[cfg(unix)]
    pub(crate) fn protect(&self, range: Range<u64>, access: Access) -> io::Result<()> {
        use rustix::mm::{MprotectFlags, mprotect};
        let range = self.mapped(range);
        if range.is_empty() {
            return Ok(());
        }
        let flags = MprotectFlags::from_bits_retain(protection(access).bits());
        let start = self.base().wrapping_add(range.start);
        // SAFETY: the range lies in the mapping, which is never seen through a reference, so taking rights away breaks no
        // promise; who accesses it looks at the rights, or handles the signal.
        unsafe { mprotect(start.cast(), range.len(), flags) }.map_err(io::Error::from)
    }

    #[cfg(not(unix))]
    pub(crate) fn protect(&self, _: Range<u64>, _: Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Maps new pages of zeros in place of whole pages, with this right. Nothing is mapped where nothing was.
    #[cfg(target_os = "linux")]
    pub(crate) fn renew(&self, range: Range<u64>, access: Access) -> io::Result<()> {
        use rustix::mm::{MapFlags, mmap_anonymous};
        let range = self.mapped(range);
        if range.is_empty() {
            return Ok(());
        }
        let start = self.base().wrapping_add(range.start);
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: the range lies in the mapping, which is never seen through a reference; what is mapped there instead goes
        // with it when it is unmapped.
        unsafe { mmap_anonymous(start.cast(), range.len(), protection(access), flags) }
            .map(|_| ())
            .map_err(io::Error::from)
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn renew(&self, _: Range<u64>, _: Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Maps a part of an image in place of whole pages, with this right: what is written to them is not written to the image.
    #[cfg(target_os = "linux")]
    pub(crate) fn map_image(&self, range: Range<u64>, image: &Image, offset: u64, access: Access) -> io::Result<()> {
        use rustix::mm::{MapFlags, mmap};
        let place = self.mapped(range.clone());
        if place.is_empty() {
            return Ok(());
        }
        if place.len() as u64 != range.end - range.start {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let start = self.base().wrapping_add(place.start);
        let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED;
        // SAFETY: as in `renew`; the image is sealed, so that its pages neither change nor go away.
        unsafe { mmap(start.cast(), place.len(), protection(access), flags, &image.file, offset) }
            .map(|_| ())
            .map_err(io::Error::from)
    }

    #[cfg(not(target_os = "linux"))]
    pub(crate) fn map_image(&self, _: Range<u64>, _: &Image, _: u64, _: Access) -> io::Result<()> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Gives whole pages back to the host; they read as zeros from then on.
    pub(crate) fn discard(&self, range: Range<u64>) -> io::Result<()> {
        let range = self.mapped(range);
        if range.is_empty() {
            return Ok(());
        }
        match self {
            // SAFETY: discarding private anonymous pages makes them read as zeros, which any bytes may be, and the range
            // lies in the mapping.
            Space::Anywhere(map) => unsafe {
                map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
            },
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Low(map) => map.discard(range),
        }
    }
}

/// What the host is asked to allow for a right of the guest.
#[cfg(unix)]
fn protection(access: Access) -> rustix::mm::ProtFlags {
    use rustix::mm::ProtFlags;
    match access {
        Access::None => ProtFlags::empty(),
        // The host never runs guest code itself.
        Access::Read | Access::ReadExecute => ProtFlags::READ,
        Access::ReadWrite | Access::ReadWriteExecute => ProtFlags::READ | ProtFlags::WRITE,
    }
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod low {
    use rustix::mm::{Advice, MapFlags, ProtFlags, madvise, mmap_anonymous, munmap};
    use std::io;
    use std::ops::Range;
    use std::sync::atomic::{AtomicBool, Ordering};

    /// Linux maps nothing below this for programs without privileges (`vm.mmap_min_addr`).
    const LOWEST: usize = 1 << 16;

    /// Whether this process has such a mapping.
    static IS_TAKEN: AtomicBool = AtomicBool::new(false);
    /// Whether something else has been there. It is not likely to go.
    static WAS_REFUSED: AtomicBool = AtomicBool::new(false);

    /// Addresses from some low one up to an end, mapped.
    #[derive(Debug)]
    pub(crate) struct LowMapping {
        start: *mut u8,
        len: usize,
    }

    // SAFETY: the mapping belongs to this alone, and does not care which thread uses it.
    unsafe impl Send for LowMapping {}
    // SAFETY: as above; what is shared is a number.
    unsafe impl Sync for LowMapping {}

    impl LowMapping {
        /// Whether it is likely that [`LowMapping::take`] succeeds.
        pub fn may_be_taken(first: usize) -> bool {
            first >= LOWEST && !IS_TAKEN.load(Ordering::Relaxed) && !WAS_REFUSED.load(Ordering::Relaxed)
        }

        /// Maps the addresses from `first` up to `end`, if that is not too low and nothing is there. Everything is accessible.
        pub fn take(end: usize, first: usize) -> Option<LowMapping> {
            if first < LOWEST || IS_TAKEN.swap(true, Ordering::Acquire) {
                return None;
            }
            let flags = MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED_NOREPLACE;
            let at = std::ptr::without_provenance_mut(first);
            // SAFETY: the flag says that a mapping which is there already stays.
            let start = unsafe { mmap_anonymous(at, end - first, ProtFlags::READ | ProtFlags::WRITE, flags) };
            match start {
                Ok(start) if start.addr() == first => Some(LowMapping { start: start.cast(), len: end - first }),
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

        /// The address 0, as one from which additions lead into the mapping.
        pub fn base(&self) -> *mut u8 {
            self.start.wrapping_sub(self.start.addr())
        }

        /// The first address.
        pub fn first(&self) -> usize {
            self.start.addr()
        }

        /// The address behind the last one.
        pub fn end(&self) -> usize {
            self.start.addr() + self.len
        }

        /// Gives whole pages back to the host.
        pub fn discard(&self, range: Range<usize>) -> io::Result<()> {
            assert!(self.first() <= range.start && range.start <= range.end && range.end <= self.end());
            let start = self.base().wrapping_add(range.start);
            // SAFETY: discarding private anonymous pages makes them read as zeros, which any bytes may be, and the range
            // lies in the mapping.
            unsafe { madvise(start.cast(), range.len(), Advice::LinuxDontNeed) }.map_err(io::Error::from)
        }
    }

    impl Drop for LowMapping {
        fn drop(&mut self) {
            // SAFETY: the mapping is this one's, and goes with it.
            let unmapped = unsafe { munmap(self.start.cast(), self.len) };
            debug_assert!(unmapped.is_ok(), "a whole mapping can be given back: {unmapped:?}");
            IS_TAKEN.store(false, Ordering::Release);
        }
    }
}

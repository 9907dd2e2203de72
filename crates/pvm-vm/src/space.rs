//! Mappings that hold the address space of a guest: anywhere, or where guest addresses are those of the host.
//!
//! Compiled code on x86-64 Linux adds the base of a segment register to each guest address. A base that is not zero makes
//! each load take longer (seven cycles instead of five where it was measured). So a guest that never uses the lowest
//! addresses, which Linux gives to nobody, is placed at zero. There is room for one: others, while it lives, are placed
//! elsewhere, and that makes no difference but in time.

use crate::image::Image;
use crate::limits::explain;
use memmap2::{MmapMut, MmapOptions, UncheckedAdvice};
use pvm_ops::Access;
use std::io;
use std::ops::Range;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
use crate::mapping::Mapping;

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
    /// Wherever the host has room, and everything is accessible, at first.
    Open(MmapMut),
    /// Nothing is accessible at first.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    Closed(Mapping),
}

impl Space {
    /// A mapping wherever the host has room. Everything is accessible.
    pub(crate) fn open(len: usize) -> io::Result<Space> {
        MmapOptions::new().len(len).no_reserve_swap().map_anon().map(Space::Open).map_err(explain)
    }

    /// So many mappings wherever the host has room. Nothing is accessible.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn closed(len: usize, count: usize) -> io::Result<Vec<Space>> {
        Ok(Mapping::several(len, count)?.into_iter().map(Space::Closed).collect())
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    pub(crate) fn closed(len: usize, count: usize) -> io::Result<Vec<Space>> {
        let one = |_| {
            let space = Space::open(len)?;
            space.protect(0..len as u64, Access::None)?;
            Ok(space)
        };
        (0..count).map(one).collect()
    }

    /// The mapping at zero, without the bytes below `lowest`, if nobody has it. Nothing is accessible.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn low_if_free(len: usize, lowest: u32) -> Option<Space> {
        Mapping::low(len, lowest as usize).map(Space::Closed)
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    pub(crate) fn low_if_free(_: usize, _: u32) -> Option<Space> {
        None
    }

    /// Whether [`Space::low_if_free`] could give one now.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    pub(crate) fn may_be_low(lowest: u32) -> bool {
        Mapping::may_be_low(lowest as usize)
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    pub(crate) fn may_be_low(_: u32) -> bool {
        false
    }

    /// The first address of the mapping at zero.
    pub(crate) fn first_if_low(&self) -> Option<usize> {
        match self {
            Space::Open(_) => None,
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Closed(map) => map.first_if_low(),
        }
    }

    /// Where the byte of guest address 0 is, or would be.
    pub(crate) fn base(&self) -> *mut u8 {
        match self {
            Space::Open(map) => map.as_ptr().cast_mut(),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Closed(map) => map.base(),
        }
    }

    /// The part of a range that is mapped.
    fn mapped(&self, range: Range<u64>) -> Range<usize> {
        let (first, end) = match self {
            Space::Open(map) => (0, map.len()),
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Closed(map) => (map.addresses().start, map.addresses().end),
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
        unsafe { mprotect(start.cast(), range.len(), flags) }.map_err(explain)
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
        unsafe { mmap_anonymous(start.cast(), range.len(), protection(access), flags) }.map(|_| ()).map_err(explain)
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
            .map_err(explain)
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
            Space::Open(map) => unsafe {
                map.unchecked_advise_range(UncheckedAdvice::DontNeed, range.start, range.len())
            },
            #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
            Space::Closed(map) => map.discard(range),
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

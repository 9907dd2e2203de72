//! Pages that many guests begin with, each with a copy of its own of those that it writes.
//!
//! On Linux they lie in a file in memory that nobody can change any more (memfd_create(2), sealed), and a guest maps it: that
//! takes as long for many pages as for few. Elsewhere there are no images, and pages are copied.

use bytes::Bytes;
use std::io;
use std::ops::Range;

/// Pages to begin with, one after the other.
#[derive(Debug)]
pub(crate) struct Image {
    #[cfg(target_os = "linux")]
    pub(crate) file: std::fs::File,
    pub(crate) size: u64,
}

impl Image {
    /// An image of `size` bytes, whole pages, that hold zeros but for what is given: offsets, and bytes that lie within.
    ///
    /// # Errors
    ///
    /// If the host has no such files, or no room.
    #[cfg(target_os = "linux")]
    pub(crate) fn new<'a>(size: u64, contents: impl Iterator<Item = (u64, &'a [u8])>) -> io::Result<Image> {
        use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
        use std::os::unix::fs::FileExt;
        let flags = MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING;
        let file = std::fs::File::from(memfd_create("pvm-image", flags)?);
        ftruncate(&file, size)?;
        for (offset, bytes) in contents {
            file.write_all_at(bytes, offset)?;
        }
        // A page that were cut off would end the process when it is touched.
        let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
        fcntl_add_seals(&file, seals)?;
        Ok(Image { file, size })
    }

    /// What is there, in whole pages that begin at a page. It takes no memory until somebody looks at it.
    ///
    /// # Errors
    ///
    /// If the host cannot map it.
    #[cfg(target_os = "linux")]
    pub(crate) fn bytes(&self, range: Range<u64>) -> io::Result<Bytes> {
        let mut options = memmap2::MmapOptions::new();
        let len = usize::try_from(range.end.min(self.size).saturating_sub(range.start)).map_err(io::Error::other)?;
        options.offset(range.start).len(len);
        // SAFETY: the file is sealed: nobody can write to it or cut it off.
        Ok(Bytes::from_owner(unsafe { options.map(&self.file)? }))
    }

    /// There are none here.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn bytes(&self, _: Range<u64>) -> io::Result<Bytes> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// There are none here.
    ///
    /// # Errors
    ///
    /// Always.
    #[cfg(not(target_os = "linux"))]
    pub(crate) fn new<'a>(_: u64, _: impl Iterator<Item = (u64, &'a [u8])>) -> io::Result<Image> {
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{FaultDetection, Memory};
    use pvm_ops::Access;

    #[test]
    fn guests_have_their_own_copies() {
        let page = 4096;
        let image = Image::new(3 * page, [(0, &[1; 8][..]), (2 * page, &[3; 8][..])].into_iter()).unwrap();
        for detection in [FaultDetection::best(), FaultDetection::Checks] {
            let mut memories: Vec<_> = (0..2).map(|_| Memory::new(1 << 32, detection, 0x10000).unwrap()).collect();
            for memory in &mut memories {
                memory.map_image(0x20000, &image, 0, 2 * page, Access::ReadWrite).unwrap();
                memory.map_image(0x30000, &image, 2 * page, page, Access::Read).unwrap();
                assert!(memory.map_image(0x40000, &image, 2 * page, 2 * page, Access::Read).is_err());
            }
            memories[0].write(0x20000, &[9; 4]).unwrap();
            let read = |memory: &Memory, at| memory.read_u64(at).unwrap().to_le_bytes();
            assert_eq!(read(&memories[0], 0x20000), [9, 9, 9, 9, 1, 1, 1, 1]);
            assert_eq!((read(&memories[1], 0x20000), read(&memories[1], 0x30000)), ([1; 8], [3; 8]));
            assert_eq!(memories[1].check_writable(0x30000, 1).unwrap_err().address, 0x30000);
            // Whatever makes new pages makes pages of zeros.
            memories[0].map(0x20000, page, Access::ReadWrite).unwrap();
            assert_eq!(read(&memories[0], 0x20000), [0; 8]);
            memories[0].write(0x20000, &[7; 8]).unwrap();
            memories[1].reset().unwrap();
            memories[1].map(0x20000, 0x20000, Access::Read).unwrap();
            assert_eq!((read(&memories[1], 0x20000), read(&memories[1], 0x30000)), ([0; 8], [0; 8]));
            memories[1].initialise(0x20000, &[5]).unwrap();
            assert_eq!(read(&memories[0], 0x20000), [7; 8]);
        }
    }
}

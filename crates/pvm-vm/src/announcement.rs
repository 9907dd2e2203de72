//! How a profiler learns of a file that describes compiled code.
//!
//! `perf record` takes down what a process maps as executable. A jitdump is found by that: it is mapped so while it is
//! written, and whoever reads the recording opens the file by the name of the mapping.

use memmap2::{Mmap, MmapOptions};
use std::fs::File;
use std::io;

/// A file that is mapped to be noticed, until this is dropped. The mapping is never read.
#[derive(Debug)]
pub struct Announcement {
    _mapping: Mmap,
}

impl Announcement {
    /// Maps the beginning of a file, which must be open for reading and not empty.
    ///
    /// # Errors
    ///
    /// If the host refuses, as it does where nothing may be executed from the file's folder.
    pub fn of(file: &File) -> io::Result<Announcement> {
        // SAFETY: what the file's content may become does not matter, as nobody can look at the mapping or run it.
        let mapping = unsafe { MmapOptions::new().len(1).map_exec(file) }?;
        Ok(Announcement { _mapping: mapping })
    }
}

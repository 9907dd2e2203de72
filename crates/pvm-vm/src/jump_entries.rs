//! What compiled code looks up for dynamic jumps.

use memmap2::{MmapMut, MmapOptions};
use std::io;
use std::ops::Deref;
use std::sync::atomic::AtomicU64;

/// Words, zero at first. They take memory only where they are written.
#[derive(Debug)]
pub struct JumpEntries {
    map: MmapMut,
    count: usize,
}

impl JumpEntries {
    /// So many words.
    ///
    /// # Errors
    ///
    /// If the host has no address space for them.
    pub fn new(count: usize) -> io::Result<JumpEntries> {
        let len = count.checked_mul(size_of::<AtomicU64>()).ok_or(io::ErrorKind::OutOfMemory)?;
        // A mapping cannot be empty.
        let map = MmapOptions::new().len(len.max(1)).no_reserve_swap().map_anon()?;
        Ok(JumpEntries { map, count })
    }
}

impl Deref for JumpEntries {
    type Target = [AtomicU64];

    fn deref(&self) -> &[AtomicU64] {
        // SAFETY: the mapping is as long, aligned to pages, lives as long as this, and is only ever seen through atomics;
        // any bytes are such words.
        unsafe { std::slice::from_raw_parts(self.map.as_ptr().cast(), self.count) }
    }
}

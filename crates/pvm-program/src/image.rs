//! What guest memory holds before the first instruction.

use bytes::Bytes;
use pvm_ops::{Access, PAGE_SIZE};

/// The pages that a program starts with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemoryImage {
    /// Areas of memory; they do not overlap.
    pub segments: Vec<Segment>,
    /// Where `sbrk` works, if it does at all.
    pub heap: Option<Heap>,
}

/// An area of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// What it is for, in a word.
    pub name: &'static str,
    /// The first byte, at the start of a page.
    pub address: u32,
    /// Its size in bytes, whole pages.
    pub size: u32,
    /// What the guest may do there.
    pub access: Access,
    /// The first bytes; zeros follow. Shared, as large programs should not be in the host's memory twice.
    pub data: Bytes,
}

impl Segment {
    /// A segment of `size` bytes, rounded up to pages. The caller has checked that it fits below 2^32.
    pub(crate) fn new(name: &'static str, address: u32, size: u32, access: Access, data: &[u8]) -> Segment {
        Segment { name, address, size: page_round(size), access, data: Bytes::copy_from_slice(data) }
    }
}

/// The room in which `sbrk` moves the end of the heap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heap {
    /// The end of the heap before the first `sbrk`.
    pub start: u32,
    /// The address that the end may not pass.
    pub limit: u32,
}

/// `size` rounded up to whole pages.
pub(crate) const fn page_round(size: u32) -> u32 {
    size.next_multiple_of(PAGE_SIZE)
}

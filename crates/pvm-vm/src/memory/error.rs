//! Why guest memory is not as somebody wants it.

use std::io;

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
    /// Pages are to hold what an image has not.
    #[error("{size:#x} bytes at offset {offset:#x} are not whole pages of an image of {limit:#x} bytes")]
    Image {
        /// Where they would begin.
        offset: u64,
        /// How many bytes there would be.
        size: u64,
        /// How long the image is.
        limit: u64,
    },
    /// Pages are to be new that the guest has already.
    #[error("the page of {address:#x} is in use")]
    InUse {
        /// The first byte of the first such page.
        address: u32,
    },
    /// More pages than allowed would be accessible.
    #[error("{wanted} bytes of guest memory are more than the limit of {limit}")]
    Limit {
        /// Bytes that would be accessible.
        wanted: u64,
        /// The limit in bytes.
        limit: u64,
    },
    /// Bytes are to be put where no page is accessible.
    #[error("the page of {address:#x} is not accessible")]
    Inaccessible {
        /// The first byte concerned.
        address: u32,
    },
    /// Pages are to be accessible where none ever is.
    #[error("{size:#x} bytes at {address:#x}: no page below {lowest:#x} can be accessible")]
    TooLow {
        /// The first byte.
        address: u32,
        /// The size in bytes.
        size: u64,
        /// The lowest address that can be accessible.
        lowest: u32,
    },
    /// A range that does not lie within 2^32 bytes, or not on page boundaries.
    #[error("{size:#x} bytes at {address:#x} are not whole pages below 2^32")]
    Range {
        /// The first byte.
        address: u32,
        /// The size in bytes.
        size: u64,
    },
    /// Guests would have too many mappings of the host.
    #[error("guests would have {wanted} mappings of the host, and may have {most}, three quarters of vm.max_map_count")]
    Mappings {
        /// How many there would be.
        wanted: usize,
        /// How many there may be.
        most: usize,
    },
    /// The host could not take pages back.
    #[error("the host failed to take pages back: {0}")]
    Discard(io::Error),
    /// The host could not map pages of an image.
    #[error("the host failed to map pages of an image: {0}")]
    MapImage(io::Error),
    /// The host could not enforce a right. The pages are not accessible then.
    #[error("the host failed to protect {size:#x} bytes of guest memory at {address:#x}: {error}")]
    Protect {
        /// The first byte.
        address: u32,
        /// The size in bytes.
        size: u64,
        /// What the host said.
        error: io::Error,
    },
}

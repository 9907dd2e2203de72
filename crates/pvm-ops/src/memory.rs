//! Accesses to guest memory.

/// Bytes in a page, the unit of permission (Gray Paper 4.6: `Z_P`).
pub const PAGE_SIZE: u32 = 4096;

/// How many bytes an access touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Size {
    /// One byte.
    B1,
    /// Two bytes.
    B2,
    /// Four bytes.
    B4,
    /// Eight bytes.
    B8,
}

impl Size {
    /// The number of bytes: 1, 2, 4 or 8.
    pub const fn bytes(self) -> u32 {
        match self {
            Size::B1 => 1,
            Size::B2 => 2,
            Size::B4 => 4,
            Size::B8 => 8,
        }
    }
}

/// What a load reads and how it fills the register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct LoadKind {
    /// How many bytes are read.
    pub size: Size,
    /// Whether the value is sign-extended to 64 bits (else zero-extended).
    pub signed: bool,
}

impl LoadKind {
    /// The register value of a load that read `raw` (its bytes in the low end, zeros above).
    #[inline(always)]
    pub const fn extend(self, raw: u64) -> u64 {
        match (self.signed, self.size) {
            (true, Size::B1) => raw as i8 as u64,
            (true, Size::B2) => raw as i16 as u64,
            (true, Size::B4) => raw as i32 as u64,
            _ => raw,
        }
    }
}

/// A guest access that memory refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MemoryFault {
    /// The first byte, in the order of the access, that may not be read or written as wanted.
    pub address: u32,
}

impl std::fmt::Display for MemoryFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "the guest may not access address {:#x} like that", self.address)
    }
}

impl std::error::Error for MemoryFault {}

impl MemoryFault {
    /// The address of the page of the offending byte.
    pub const fn page(self) -> u32 {
        self.address & !(PAGE_SIZE - 1)
    }
}

/// What the guest may do with a page.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Access {
    /// Nothing: every access faults.
    #[default]
    None,
    /// Read.
    Read,
    /// Read and write.
    ReadWrite,
    /// Read, and run as code.
    ReadExecute,
    /// Read and write, and run as code.
    ReadWriteExecute,
}

impl Access {
    /// Whether the guest may write.
    pub const fn is_writable(self) -> bool {
        matches!(self, Access::ReadWrite | Access::ReadWriteExecute)
    }

    /// Whether the guest may run what is there.
    pub const fn is_executable(self) -> bool {
        matches!(self, Access::ReadExecute | Access::ReadWriteExecute)
    }

    /// The name: what the guest may do.
    pub const fn name(self) -> &'static str {
        match self {
            Access::None => "none",
            Access::Read => "read",
            Access::ReadWrite => "read-write",
            Access::ReadExecute => "read-execute",
            Access::ReadWriteExecute => "read-write-execute",
        }
    }
}

/// Guest memory as the source of code.
///
/// What is fetched is what memory held when stores to code were made visible last ([`Inst::CodeFence`](crate::Inst)), so
/// that it does not matter when code is decoded.
pub trait CodeMemory {
    /// The two bytes at `address`, which is even; `None` if code may not be fetched from there.
    fn fetch(&self, address: u32) -> Option<[u8; 2]>;
}

/// Guest memory as instructions see it: 2^32 bytes in pages, each with a right.
///
/// An access of N bytes at `address` touches `(address + k) mod 2^32` for `k` below N. It is performed whole or not at
/// all: the fault names the first byte, in that order, whose page lacks the right (Gray Paper A.7). A memory borrows
/// nothing, so that there can be tables of functions that work on it.
pub trait Memory: 'static {
    /// Reads N bytes.
    ///
    /// # Errors
    ///
    /// If a byte may not be read.
    fn load<const N: usize>(&self, address: u32) -> Result<[u8; N], MemoryFault>;

    /// Writes N bytes.
    ///
    /// # Errors
    ///
    /// If a byte may not be written.
    fn store<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> Result<(), MemoryFault>;

    /// Reads N bytes if that is simple, as it is for most loads: they lie in one page and may be read. `None` says
    /// nothing more than that [`Memory::load`] has to be asked.
    fn load_plain<const N: usize>(&self, address: u32) -> Option<[u8; N]>;

    /// Writes N bytes if that is simple, as it is for most stores: they lie in one page and may be written. `false` says
    /// nothing more than that [`Memory::store`] has to be asked.
    fn store_plain<const N: usize>(&mut self, address: u32, bytes: [u8; N]) -> bool;

    /// Moves the end of the heap up by `size` bytes and makes what it passes readable and writable; returns the value
    /// that the guest sees, 0 if it cannot be done.
    fn sbrk(&mut self, size: u64) -> u64;
}

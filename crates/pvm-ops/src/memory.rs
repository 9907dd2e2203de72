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
}

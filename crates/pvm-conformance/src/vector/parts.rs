//! What both kinds of vectors are made of.

use super::fields::Fields;
use super::{Problem, VectorError};
use pvm_isa::REG_COUNT;
use pvm_ops::PAGE_SIZE;

/// The registers r0 to r12.
pub type Registers = [u64; REG_COUNT];

/// How a run ended or paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Status {
    /// It jumped to the halt address.
    Halt,
    /// It panicked (`trap` in vectors before version 0.4).
    Panic,
    /// It touched an inaccessible page.
    PageFault,
    /// It could not pay.
    OutOfGas,
    /// It called the host.
    HostCall,
}

impl Status {
    /// The name in vectors.
    pub const fn name(self) -> &'static str {
        match self {
            Status::Halt => "halt",
            Status::Panic => "panic",
            Status::PageFault => "page-fault",
            Status::OutOfGas => "out-of-gas",
            Status::HostCall => "host-call",
        }
    }

    /// The status of this name, or of the name it had once.
    pub fn from_name(name: &str) -> Option<Status> {
        let all = [Status::Halt, Status::Panic, Status::PageFault, Status::OutOfGas, Status::HostCall];
        all.into_iter().find(|status| status.name() == name).or((name == "trap").then_some(Status::Panic))
    }

    pub(super) fn read(fields: &mut Fields<'_>, name: &str) -> Result<Status, VectorError> {
        let status: String = fields.required(name)?;
        Status::from_name(&status).ok_or_else(|| fields.error(name, Problem::Status(status)))
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Pages that are mapped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// The first byte, at the start of a page.
    pub address: u32,
    /// The size in bytes, whole pages; at most 2^32, and the pages end there or below.
    pub length: u64,
    /// Whether the guest may write there, too.
    pub writable: bool,
}

impl Pages {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Pages, VectorError> {
        let pages = Pages::read_from(&mut fields)?;
        fields.finish()?;
        Ok(pages)
    }

    /// The fields of pages among others.
    pub(super) fn read_from(fields: &mut Fields<'_>) -> Result<Pages, VectorError> {
        let (address, length) = (fields.required("address")?, fields.required("length")?);
        check_range(fields, address, length)?;
        if address % PAGE_SIZE != 0 || length % u64::from(PAGE_SIZE) != 0 {
            return Err(fields.error("length", Problem::Pages { address, length }));
        }
        Ok(Pages { address, length, writable: fields.required("is-writable")? })
    }
}

/// Bytes in memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    /// The address of the first.
    pub address: u32,
    /// The bytes; they end below 2^32.
    pub contents: Vec<u8>,
}

impl Chunk {
    pub(super) fn read(mut fields: Fields<'_>) -> Result<Chunk, VectorError> {
        let chunk = Chunk::read_from(&mut fields)?;
        fields.finish()?;
        Ok(chunk)
    }

    /// The fields of a chunk among others.
    pub(super) fn read_from(fields: &mut Fields<'_>) -> Result<Chunk, VectorError> {
        let chunk = Chunk { address: fields.required("address")?, contents: fields.required("contents")? };
        check_range(fields, chunk.address, chunk.contents.len() as u64)?;
        Ok(chunk)
    }
}

fn check_range(fields: &Fields<'_>, address: u32, length: u64) -> Result<(), VectorError> {
    if u64::from(address).saturating_add(length) > 1 << 32 {
        return Err(fields.error("address", Problem::Range { address, length }));
    }
    Ok(())
}

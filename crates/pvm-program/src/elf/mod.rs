//! RISC-V executables: static ELF files for 32-bit RISC-V, and flat binaries.
//!
//! | module | what it knows |
//! |---|---|
//! | `header` | the file header, and whether the file is one that can be run here |
//! | `segments` | program headers, and the memory that they describe |
//! | `symbols` | the symbol table |
//! | `encode` | the way back |
//!
//! Sections are looked at for symbols only; what is loaded is what the program headers say, as Linux does it. (System V ABI,
//! chapters 4 and 5; RISC-V ELF psABI.)

mod encode;
mod header;
mod segments;
mod symbols;

use crate::{LoadError, MemoryImage, Problem, Segment};
use header::Header;
pub use header::{FLOAT_ABI, MAGIC};
use pvm_ops::{Access, PAGE_SIZE};
pub use symbols::{Symbol, SymbolKind};

/// A static RISC-V program, ready to be put into memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Executable {
    /// The memory it starts with, stack left out.
    pub image: MemoryImage,
    /// Where it starts.
    pub entry: u32,
    /// The end of its last segment: where the heap begins.
    pub end: u32,
    /// Named places, by address.
    pub symbols: Vec<Symbol>,
    /// The program headers, where they are in memory: Linux tells programs.
    pub program_headers: Option<ProgramHeaders>,
    /// The flags of the file header: what the code makes use of.
    pub flags: u32,
}

/// The table of program headers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProgramHeaders {
    /// Its address.
    pub address: u32,
    /// How many headers there are.
    pub count: u16,
    /// Bytes in each.
    pub entry_size: u16,
}

impl Executable {
    /// Whether the bytes begin as an ELF file does.
    pub fn recognises(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Reads an ELF file.
    ///
    /// # Errors
    ///
    /// If it is for another machine, not static, or not valid. Everything that it claims is checked against the input
    /// before it is allocated.
    pub fn parse(bytes: &[u8]) -> Result<Executable, LoadError> {
        let header = Header::parse(bytes)?;
        let layout = segments::read(bytes, &header)?;
        let entry = header.entry();
        check_entry(&layout.image, entry, header::ENTRY)?;
        Ok(Executable {
            image: layout.image,
            entry,
            end: layout.end,
            symbols: symbols::read(bytes, &header)?,
            program_headers: layout.program_headers,
            flags: header.flags(),
        })
    }

    /// A program without a container: its bytes stand at `base`, where it also starts, and are readable, writable and
    /// executable.
    ///
    /// # Errors
    ///
    /// If it does not fit below 2^32, or no instruction can start at `base`.
    pub fn flat(bytes: &[u8], base: u32) -> Result<Executable, LoadError> {
        let error = |field, problem| LoadError { field, offset: 0, problem };
        let end = u64::from(base) + bytes.len() as u64;
        let limit = u64::from(u32::MAX - PAGE_SIZE);
        if end > limit {
            return Err(error("end of the flat binary", Problem::TooLarge { value: end, limit }));
        }
        let lead = base % PAGE_SIZE;
        let mut data = vec![0; lead as usize];
        data.extend(bytes);
        let segment = Segment::new("flat", base - lead, data.len() as u32, Access::ReadWriteExecute, &data);
        let image = MemoryImage { segments: vec![segment], heap: None };
        check_entry(&image, base, 0)?;
        let end = end as u32;
        Ok(Executable { image, entry: base, end, symbols: Vec::new(), program_headers: None, flags: 0 })
    }

    /// The address of a symbol. Where several have the name, that of a global one.
    pub fn symbol(&self, name: &str) -> Option<u32> {
        let named = self.symbols.iter().filter(|symbol| symbol.name == name);
        named.max_by_key(|symbol| symbol.is_global).map(|symbol| symbol.address)
    }
}

/// Instructions are at even addresses (compressed ones included), in executable memory.
fn check_entry(image: &MemoryImage, entry: u32, offset: usize) -> Result<(), LoadError> {
    let error = |place| LoadError {
        field: "entry point",
        offset,
        problem: Problem::Address { address: u64::from(entry), place },
    };
    let is_inside = |segment: &&Segment| entry.checked_sub(segment.address).is_some_and(|at| at < segment.size);
    match image.segments.iter().find(is_inside) {
        Some(segment) if segment.access.is_executable() && entry.is_multiple_of(2) => Ok(()),
        Some(segment) if segment.access.is_executable() => Err(error("even")),
        _ => Err(error("in an executable segment")),
    }
}

#[cfg(test)]
mod tests;

//! The header of an ELF file, and whether the file is one that can be run here.

use crate::{LoadError, Problem};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader32};

/// What an ELF file begins with.
pub const MAGIC: &[u8] = b"\x7fELF";

/// The bits of [`super::Executable::flags`] that say in which floating-point registers arguments are passed; none of them
/// for the soft-float ABI.
pub const FLOAT_ABI: u32 = elf::EF_RISCV_FLOAT_ABI;

/// Bytes in the header.
const SIZE: usize = size_of::<FileHeader32<LE>>();

// Offsets of the fields that errors name.
const CLASS: usize = 4;
const DATA: usize = 5;
const TYPE: usize = 16;
const MACHINE: usize = 18;
pub(super) const ENTRY: usize = 24;
pub(super) const PROGRAM_HEADERS: usize = 28;
pub(super) const SECTION_HEADERS: usize = 32;
const PROGRAM_HEADER_SIZE: usize = 42;
const SECTION_HEADER_SIZE: usize = 46;

/// A header that has been checked.
pub(super) struct Header<'a>(&'a FileHeader32<LE>);

/// A table that the header describes.
#[derive(Clone, Copy)]
pub(super) struct Table {
    /// Its offset in the file.
    pub offset: u32,
    /// How many entries it has.
    pub count: u16,
}

impl<'a> Header<'a> {
    /// Reads the header and checks that the file is a program for this machine.
    pub fn parse(bytes: &'a [u8]) -> Result<Header<'a>, LoadError> {
        let error = |field, offset, problem| Err(LoadError { field, offset, problem });
        if !bytes.starts_with(MAGIC) {
            return error("ELF header", 0, Problem::Magic { expected: "\"\\x7fELF\"" });
        }
        let have = bytes.len() as u64;
        let Ok((header, _)) = object::pod::from_bytes::<FileHeader32<LE>>(bytes) else {
            return error("ELF header", 0, Problem::Truncated { need: SIZE as u64, have });
        };
        // The class and the order of bytes come first: fields stand elsewhere in files of another kind.
        let ident = &header.e_ident;
        check(
            "class",
            CLASS,
            ident.class.0.into(),
            1,
            "1 (32-bit)",
            |class| if class == 2 { "64-bit" } else { "unknown" },
        )?;
        check("byte order", DATA, ident.data.0.into(), 1, "1 (little-endian)", |data| {
            if data == 2 { "big-endian" } else { "unknown" }
        })?;
        check("machine", MACHINE, header.e_machine.get(LE).0.into(), elf::EM_RISCV.0.into(), "243 (RISC-V)", machine)?;
        check(
            "type",
            TYPE,
            header.e_type.get(LE).0.into(),
            elf::ET_EXEC.0.into(),
            "2 (an executable linked statically)",
            kind,
        )?;
        Ok(Header(header))
    }

    pub fn entry(&self) -> u32 {
        self.0.e_entry.get(LE)
    }

    pub fn flags(&self) -> u32 {
        self.0.e_flags.get(LE).0
    }

    /// The table of program headers, whose entries have the size that they should have.
    pub fn program_headers(&self) -> Result<Table, LoadError> {
        let table = Table { offset: self.0.e_phoff.get(LE), count: self.0.e_phnum.get(LE) };
        let size = self.0.e_phentsize.get(LE);
        check("size of a program header", PROGRAM_HEADER_SIZE, size.into(), 32, "32", |_| "bytes")?;
        Ok(table)
    }

    /// The table of section headers, likewise. It may be empty.
    pub fn section_headers(&self) -> Result<Table, LoadError> {
        let table = Table { offset: self.0.e_shoff.get(LE), count: self.0.e_shnum.get(LE) };
        if table.count > 0 {
            let size = self.0.e_shentsize.get(LE);
            check("size of a section header", SECTION_HEADER_SIZE, size.into(), 40, "40", |_| "bytes")?;
        }
        Ok(table)
    }
}

fn check(
    field: &'static str,
    offset: usize,
    value: u64,
    wanted: u64,
    expected: &'static str,
    meaning: impl Fn(u64) -> &'static str,
) -> Result<(), LoadError> {
    if value == wanted {
        return Ok(());
    }
    Err(LoadError { field, offset, problem: Problem::Mismatch { value, meaning: meaning(value), expected } })
}

/// Machines that people have files for.
fn machine(number: u64) -> &'static str {
    match elf::Machine(number as u16) {
        elf::EM_386 => "x86",
        elf::EM_X86_64 => "x86-64",
        elf::EM_ARM => "32-bit ARM",
        elf::EM_AARCH64 => "AArch64",
        elf::EM_MIPS => "MIPS",
        elf::EM_PPC | elf::EM_PPC64 => "PowerPC",
        elf::EM_LOONGARCH => "LoongArch",
        _ => "another machine",
    }
}

fn kind(number: u64) -> &'static str {
    match elf::FileType(number as u16) {
        elf::ET_REL => "an object file that is to be linked",
        elf::ET_DYN => "position-independent or dynamic",
        elf::ET_CORE => "a memory dump",
        _ => "unknown",
    }
}

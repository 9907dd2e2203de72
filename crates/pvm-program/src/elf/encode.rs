//! Writing a program as an ELF file: for tests, generated programs, and flat binaries that other tools are to read.

use super::{Executable, Symbol, SymbolKind};
use object::LittleEndian as LE;
use object::elf::{self, FileHeader32, Ident, ProgramHeader32, SectionHeader32, Sym32};
use object::{U16, U32, pod::bytes_of};
use pvm_ops::{Access, PAGE_SIZE};

/// Sections in the file: none, symbols, names. The last also serves as the table of section names, all of which are empty.
const SECTIONS: u16 = 3;

impl Executable {
    /// The program as an ELF file. A table of program headers that was in memory is not put there again.
    pub fn encode(&self) -> Vec<u8> {
        let segments = &self.image.segments;
        let headers = size_of::<FileHeader32<LE>>() + segments.len() * size_of::<ProgramHeader32<LE>>();
        let mut program_headers = Vec::new();
        let mut contents = Vec::new();
        for segment in segments {
            // Systems map files page by page, so offsets agree with addresses, modulo pages. (Both are multiples of a page.)
            contents.resize((headers + contents.len()).next_multiple_of(PAGE_SIZE as usize) - headers, 0);
            program_headers.push(ProgramHeader32 {
                p_type: U32::new(LE, elf::PT_LOAD),
                p_offset: U32::new(LE, (headers + contents.len()) as u32),
                p_vaddr: U32::new(LE, segment.address),
                p_paddr: U32::new(LE, segment.address),
                p_filesz: U32::new(LE, segment.data.len() as u32),
                p_memsz: U32::new(LE, segment.size),
                p_flags: U32::new(LE, flags(segment.access)),
                p_align: U32::new(LE, PAGE_SIZE),
            });
            contents.extend(&segment.data);
        }
        contents.resize(contents.len().next_multiple_of(4), 0);
        let (symbols, names) = symbols(&self.symbols);
        let symbols_at = headers + contents.len();
        let names_at = symbols_at + symbols.len();
        let header = self.header(segments.len() as u16, (names_at + names.len()) as u32);
        let section = |kind, at: usize, len: usize, link, size| SectionHeader32 {
            sh_type: U32::new(LE, kind),
            sh_offset: U32::new(LE, at as u32),
            sh_size: U32::new(LE, len as u32),
            sh_link: U32::new(LE, link),
            // All symbols from the first one on are global.
            sh_info: U32::new(LE, u32::from(kind == elf::SHT_SYMTAB)),
            sh_entsize: U32::new(LE, size),
            ..object::pod::from_bytes::<SectionHeader32<LE>>(&[0; 40]).expect("as long as that").0.to_owned()
        };
        let sections = [
            section(elf::SHT_NULL, 0, 0, 0, 0),
            section(elf::SHT_SYMTAB, symbols_at, symbols.len(), 2, size_of::<Sym32<LE>>() as u32),
            section(elf::SHT_STRTAB, names_at, names.len(), 0, 0),
        ];
        let mut file = bytes_of(&header).to_vec();
        file.extend(object::pod::bytes_of_slice(&program_headers));
        file.extend(contents);
        file.extend(symbols);
        file.extend(names);
        file.extend(object::pod::bytes_of_slice(&sections));
        file
    }

    fn header(&self, segments: u16, sections_at: u32) -> FileHeader32<LE> {
        FileHeader32 {
            e_ident: Ident {
                magic: elf::ELFMAG,
                class: elf::ELFCLASS32,
                data: elf::ELFDATA2LSB,
                version: elf::EV_CURRENT,
                os_abi: elf::ELFOSABI_NONE,
                abi_version: 0,
                padding: [0; 7],
            },
            e_type: U16::new(LE, elf::ET_EXEC),
            e_machine: U16::new(LE, elf::EM_RISCV),
            e_version: U32::new(LE, elf::EV_CURRENT.0.into()),
            e_entry: U32::new(LE, self.entry),
            e_phoff: U32::new(LE, size_of::<FileHeader32<LE>>() as u32),
            e_shoff: U32::new(LE, sections_at),
            e_flags: U32::new(LE, elf::FileFlags(self.flags)),
            e_ehsize: U16::new(LE, size_of::<FileHeader32<LE>>() as u16),
            e_phentsize: U16::new(LE, size_of::<ProgramHeader32<LE>>() as u16),
            e_phnum: U16::new(LE, segments),
            e_shentsize: U16::new(LE, size_of::<SectionHeader32<LE>>() as u16),
            e_shnum: U16::new(LE, SECTIONS),
            e_shstrndx: U16::new(LE, elf::SymbolSection(2)),
        }
    }
}

fn flags(access: Access) -> elf::ProgramFlags {
    let rights = match access {
        Access::None => elf::ProgramFlags(0),
        Access::Read | Access::ReadExecute => elf::PF_R,
        Access::ReadWrite | Access::ReadWriteExecute => elf::PF_R | elf::PF_W,
    };
    if access.is_executable() { rights | elf::PF_X } else { rights }
}

/// The contents of the two tables. The first symbol and the first name are empty.
fn symbols(symbols: &[Symbol]) -> (Vec<u8>, Vec<u8>) {
    let mut entries = vec![0; size_of::<Sym32<LE>>()];
    let mut names = vec![0];
    for symbol in symbols {
        let kind = match symbol.kind {
            SymbolKind::Function => elf::STT_FUNC,
            SymbolKind::Object => elf::STT_OBJECT,
            SymbolKind::Label => elf::STT_NOTYPE,
        };
        let binding = if symbol.is_global { elf::STB_GLOBAL } else { elf::STB_LOCAL };
        let entry = Sym32 {
            st_name: U32::new(LE, names.len() as u32),
            st_value: U32::new(LE, symbol.address),
            st_size: U32::new(LE, symbol.size),
            st_info: binding | kind,
            st_other: elf::SymbolOther(0),
            st_shndx: U16::new(LE, elf::SHN_ABS),
        };
        entries.extend(bytes_of::<Sym32<LE>>(&entry));
        names.extend(symbol.name.bytes());
        names.push(0);
    }
    (entries, names)
}

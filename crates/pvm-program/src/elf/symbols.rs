//! The symbol table of an ELF file.

use super::header::{self, Header, Table};
use crate::{LoadError, Problem};
use object::LittleEndian as LE;
use object::elf::{self, SectionHeader32, Sym32};

/// A named place in a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Symbol {
    /// Its name. What is not UTF-8 has been replaced.
    pub name: String,
    /// Its address.
    pub address: u32,
    /// How many bytes it names, 0 if that is not known.
    pub size: u32,
    /// What it is.
    pub kind: SymbolKind,
    /// Whether other object files could see it.
    pub is_global: bool,
}

/// What a symbol names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SymbolKind {
    /// Code.
    Function,
    /// Data.
    Object,
    /// A place about which nothing is said, as labels in assembly are.
    Label,
}

/// Bytes in a section header, and where its fields are.
const HEADER_SIZE: usize = 40;
const SECTION_OFFSET: usize = 16;
const SECTION_LINK: usize = 24;

/// Names may share bytes, so all of them together may be longer than the table of strings, but hardly this many times the
/// length of the file.
const MAX_SHARING: u64 = 4;

/// Reads the symbol table, if there is one.
pub(super) fn read(bytes: &[u8], header: &Header<'_>) -> Result<Vec<Symbol>, LoadError> {
    let table = header.section_headers()?;
    let sections = sections(bytes, table)?;
    let Some(index) = sections.iter().position(|section| section.sh_type.get(LE) == elf::SHT_SYMTAB) else {
        return Ok(Vec::new());
    };
    let contents = |index: usize| contents(bytes, &sections[index], table.offset as usize + index * HEADER_SIZE);
    let entries = contents(index)?;
    let link = sections[index].sh_link.get(LE) as usize;
    if link >= sections.len() {
        let offset = table.offset as usize + index * HEADER_SIZE + SECTION_LINK;
        let problem = Problem::TooLarge { value: link as u64, limit: sections.len() as u64 - 1 };
        return Err(LoadError { field: "section of the symbols' names", offset, problem });
    }
    let names = contents(link)?;
    let count = entries.len() / size_of::<Sym32<LE>>();
    let (entries, _) = object::pod::slice_from_bytes::<Sym32<LE>>(entries, count).unwrap_or_default();
    let mut symbols = Vec::new();
    let (mut length, limit) = (0, bytes.len() as u64 * MAX_SHARING);
    for entry in entries.iter().filter(|entry| entry.st_shndx.get(LE) != elf::SHN_UNDEF) {
        let Some(symbol) = symbol(entry, names) else { continue };
        length += symbol.name.len() as u64;
        if length > limit {
            let offset = sections[index].sh_offset.get(LE) as usize;
            let problem = Problem::TooLarge { value: length, limit };
            return Err(LoadError { field: "names of all symbols", offset, problem });
        }
        symbols.push(symbol);
    }
    symbols.shrink_to_fit();
    symbols.sort_by(|a, b| (a.address, &a.name).cmp(&(b.address, &b.name)));
    Ok(symbols)
}

fn sections(bytes: &[u8], table: Table) -> Result<&[SectionHeader32<LE>], LoadError> {
    let rest = bytes.get(table.offset as usize..).unwrap_or_default();
    let headers = object::pod::slice_from_bytes(rest, table.count.into());
    headers.map(|(headers, _)| headers).map_err(|()| LoadError {
        field: "section headers",
        offset: header::SECTION_HEADERS,
        problem: Problem::Truncated { need: u64::from(table.count) * HEADER_SIZE as u64, have: rest.len() as u64 },
    })
}

fn contents<'a>(bytes: &'a [u8], section: &SectionHeader32<LE>, at: usize) -> Result<&'a [u8], LoadError> {
    let rest = bytes.get(section.sh_offset.get(LE) as usize..).unwrap_or_default();
    let need = section.sh_size.get(LE);
    rest.get(..need as usize).ok_or(LoadError {
        field: "contents of a section",
        offset: at + SECTION_OFFSET,
        problem: Problem::Truncated { need: need.into(), have: rest.len() as u64 },
    })
}

/// A symbol, unless it has no name, or only tells code from data (`$x`, `$d`), or is a section or file, or a label of the compiler's
/// own (`.L…`): of those a program for a linker that relaxes code may have a hundred times as many as of others.
fn symbol(entry: &Sym32<LE>, names: &[u8]) -> Option<Symbol> {
    let kind = match entry.st_info.st_type() {
        elf::STT_FUNC => SymbolKind::Function,
        elf::STT_OBJECT => SymbolKind::Object,
        elf::STT_NOTYPE => SymbolKind::Label,
        _ => return None,
    };
    let name = names.get(entry.st_name.get(LE) as usize..)?;
    let name = name.split(|&byte| byte == 0).next().filter(|name| !name.is_empty())?;
    if name.starts_with(b"$") || name.starts_with(b".L") {
        return None;
    }
    Some(Symbol {
        name: String::from_utf8_lossy(name).into_owned(),
        address: entry.st_value.get(LE),
        size: entry.st_size.get(LE),
        kind,
        is_global: entry.st_info.st_bind() != elf::STB_LOCAL,
    })
}

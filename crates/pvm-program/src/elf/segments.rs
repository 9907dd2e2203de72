//! Program headers, and the memory that they describe.
//!
//! Segments are placed by byte, memory has rights by page: a page that two segments share has the rights of both. (Linux maps
//! the later one over the earlier; a union lets linker scripts work that do not align what they place.)

use super::ProgramHeaders;
use super::header::{self, Header, Table};
use crate::{LoadError, MemoryImage, Problem, Segment};
use bytes::BytesMut;
use object::LittleEndian as LE;
use object::elf::{self, ProgramHeader32};
use pvm_ops::{Access, PAGE_SIZE};

/// What the program headers say.
pub(super) struct Layout {
    pub image: MemoryImage,
    pub end: u32,
    pub program_headers: Option<ProgramHeaders>,
}

/// The most segments that are loaded. Linkers make two to four.
const MAX_SEGMENTS: u64 = 256;

/// Bytes in a program header, and where its fields are.
const HEADER_SIZE: usize = 32;
const FILE_OFFSET: usize = 4;
const ADDRESS: usize = 8;
const FILE_SIZE: usize = 16;
const MEMORY_SIZE: usize = 20;

/// The last page is never used, so that the end of a segment is an address.
const SPACE: u64 = (1 << 32) - PAGE_SIZE as u64;

/// A segment to be loaded.
struct Load<'a> {
    /// Where its header is in the file.
    at: usize,
    start: u64,
    end: u64,
    data: &'a [u8],
    writable: bool,
    executable: bool,
}

/// Reads all program headers.
pub(super) fn read(bytes: &[u8], header: &Header<'_>) -> Result<Layout, LoadError> {
    let table = header.program_headers()?;
    let headers = headers(bytes, table)?;
    if let Some(at) = headers.iter().position(|header| header.p_type.get(LE) == elf::PT_INTERP) {
        return Err(LoadError {
            field: "program header",
            offset: table.offset as usize + at * HEADER_SIZE,
            problem: Problem::Unsupported { what: "a dynamic executable, which needs an interpreter," },
        });
    }
    let mut loads = loads(bytes, headers, table)?;
    loads.sort_by_key(|load| load.start);
    check_overlap(&loads)?;
    let end = loads.last().map_or(0, |load| load.end) as u32;
    let program_headers = loads.iter().find_map(|load| in_memory(load, bytes, table));
    Ok(Layout { image: MemoryImage { segments: pages(&loads), heap: None }, end, program_headers })
}

fn headers(bytes: &[u8], table: Table) -> Result<&[ProgramHeader32<LE>], LoadError> {
    let error = |problem| LoadError { field: "program headers", offset: header::PROGRAM_HEADERS, problem };
    if table.count == 0 {
        return Err(error(Problem::Missing));
    }
    let have = bytes.len().saturating_sub(table.offset as usize) as u64;
    let need = u64::from(table.count) * HEADER_SIZE as u64;
    let rest = bytes.get(table.offset as usize..).unwrap_or_default();
    let headers = object::pod::slice_from_bytes(rest, table.count.into());
    headers.map(|(headers, _)| headers).map_err(|()| error(Problem::Truncated { need, have }))
}

/// The segments that are loaded, each valid by itself.
fn loads<'a>(bytes: &'a [u8], headers: &[ProgramHeader32<LE>], table: Table) -> Result<Vec<Load<'a>>, LoadError> {
    let mut loads = Vec::new();
    let mut from_file = 0;
    for (index, header) in headers.iter().enumerate() {
        let at = table.offset as usize + index * HEADER_SIZE;
        if header.p_type.get(LE) != elf::PT_LOAD || header.p_memsz.get(LE) == 0 {
            continue;
        }
        let load = load(bytes, header, at)?;
        from_file += load.data.len() as u64;
        loads.push(load);
        let too_large = |value, limit| Problem::TooLarge { value, limit };
        let error = |field, problem| Err(LoadError { field, offset: at, problem });
        if loads.len() as u64 > MAX_SEGMENTS {
            return error("number of segments", too_large(loads.len() as u64, MAX_SEGMENTS));
        }
        // Segments that show the same bytes again could fill the address space from a small file.
        if from_file > bytes.len() as u64 {
            return error("bytes in all segments", too_large(from_file, bytes.len() as u64));
        }
    }
    match loads.is_empty() {
        true => {
            let field = "segments to load";
            Err(LoadError { field, offset: header::PROGRAM_HEADERS, problem: Problem::Missing })
        }
        false => Ok(loads),
    }
}

fn load<'a>(bytes: &'a [u8], header: &ProgramHeader32<LE>, at: usize) -> Result<Load<'a>, LoadError> {
    let error = |field, offset, problem| Err(LoadError { field, offset: at + offset, problem });
    let (file_size, memory_size) = (u64::from(header.p_filesz.get(LE)), u64::from(header.p_memsz.get(LE)));
    if file_size > memory_size {
        let problem = Problem::TooLarge { value: file_size, limit: memory_size };
        return error("size of a segment in the file", FILE_SIZE, problem);
    }
    let offset = header.p_offset.get(LE) as usize;
    let rest = bytes.get(offset..).unwrap_or_default();
    let Some(data) = rest.get(..file_size as usize) else {
        let problem = Problem::Truncated { need: file_size, have: rest.len() as u64 };
        return error("contents of a segment", FILE_OFFSET, problem);
    };
    let start = u64::from(header.p_vaddr.get(LE));
    let end = start + memory_size;
    if end > SPACE {
        let field = if start > SPACE { ("address of a segment", ADDRESS) } else { ("end of a segment", MEMORY_SIZE) };
        return error(field.0, field.1, Problem::TooLarge { value: end, limit: SPACE });
    }
    let flags = header.p_flags.get(LE);
    // Linker scripts of bare-metal programs leave out rights, riscv-tests' for one: without any, everything is allowed.
    let is_any = flags == elf::ProgramFlags(0);
    let (writable, executable) = (is_any || flags.contains(elf::PF_W), is_any || flags.contains(elf::PF_X));
    Ok(Load { at, start, end, data, writable, executable })
}

fn check_overlap(loads: &[Load<'_>]) -> Result<(), LoadError> {
    match loads.windows(2).find(|pair| pair[0].end > pair[1].start) {
        None => Ok(()),
        Some(pair) => {
            let (other, load) = (&pair[0], &pair[1]);
            let (other_start, other_end) = (other.start, other.end);
            let problem = Problem::Overlap { start: load.start, end: load.end, other_start, other_end };
            Err(LoadError { field: "address of a segment", offset: load.at + ADDRESS, problem })
        }
    }
}

/// Where the program headers are in memory, if this segment shows them.
fn in_memory(load: &Load<'_>, bytes: &[u8], table: Table) -> Option<ProgramHeaders> {
    // A segment without data in the file points anywhere.
    let offset = load.data.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
    let at = (table.offset as usize).checked_sub(offset)?;
    let size = usize::from(table.count) * HEADER_SIZE;
    (at + size <= load.data.len()).then(|| ProgramHeaders {
        address: (load.start + at as u64) as u32,
        count: table.count,
        entry_size: HEADER_SIZE as u16,
    })
}

/// Whole pages with their rights, from segments in the order of their addresses.
fn pages(loads: &[Load<'_>]) -> Vec<Segment> {
    let mut areas: Vec<Segment> = Vec::new();
    for load in loads {
        let mut start = load.start;
        if let Some(shared) = shared_page(&mut areas, load.start) {
            add_rights(shared, load);
            let page_end = u64::from(shared.address) + u64::from(PAGE_SIZE);
            let here = load.data.len().min((page_end - start) as usize);
            put(shared, (start - u64::from(shared.address)) as usize, &load.data[..here]);
            start = page_end;
        }
        if start < load.end {
            let first = start / u64::from(PAGE_SIZE) * u64::from(PAGE_SIZE);
            let data = load.data.get((start - load.start) as usize..).unwrap_or_default();
            let mut area = Segment::new("", first as u32, (load.end - first) as u32, Access::Read, &[]);
            add_rights(&mut area, load);
            put(&mut area, (start - first) as usize, data);
            areas.push(area);
        }
    }
    for area in &mut areas {
        area.name = match area.access {
            Access::ReadWriteExecute => "rwx",
            Access::ReadWrite => "rw-data",
            Access::ReadExecute => "code",
            Access::Read | Access::None => "ro-data",
        };
    }
    areas
}

/// The last page as an area of its own, if the byte at `start` is in it.
fn shared_page(areas: &mut Vec<Segment>, start: u64) -> Option<&mut Segment> {
    let last = areas.last_mut()?;
    let end = u64::from(last.address) + u64::from(last.size);
    if start >= end {
        return None;
    }
    if last.size > PAGE_SIZE {
        let before = last.size - PAGE_SIZE;
        let data = last.data.split_off(last.data.len().min(before as usize));
        last.size = before;
        let page = Segment { address: last.address + before, size: PAGE_SIZE, data, ..*last };
        areas.push(page);
    }
    areas.last_mut()
}

fn add_rights(area: &mut Segment, load: &Load<'_>) {
    let is_writable = load.writable || area.access.is_writable();
    let is_executable = load.executable || area.access.is_executable();
    area.access = match (is_writable, is_executable) {
        (false, false) => Access::Read,
        (true, false) => Access::ReadWrite,
        (false, true) => Access::ReadExecute,
        (true, true) => Access::ReadWriteExecute,
    };
}

/// Puts bytes behind those that an area has.
fn put(area: &mut Segment, at: usize, bytes: &[u8]) {
    if !bytes.is_empty() {
        // Copied only if it is a page that was split off: nobody else has them yet.
        let mut data = BytesMut::from(std::mem::take(&mut area.data));
        data.reserve(at + bytes.len() - data.len());
        data.resize(at, 0);
        data.extend_from_slice(bytes);
        area.data = data.freeze();
    }
}

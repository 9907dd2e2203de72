//! The `.polkavm` container: the linker output of the PolkaVM tool chain.
//!
//! ```text
//! "PVM\0"  ISA: 1 byte  length of the whole file: 8 bytes  sections …  0
//! section = id: 1 byte  length: natural  payload
//! ```

use crate::reader::Reader;
use crate::{Blob, Export, HALT_ADDRESS, Heap, LoadError, MemoryImage, Problem, Segment, ZONE_SIZE, natural};
use pvm_isa::{Profile, REG_COUNT};
use pvm_ops::Access;

const MAGIC: &[u8] = b"PVM\0";
/// Bytes of magic, ISA and length.
const HEADER_LEN: usize = 13;

const MEMORY_CONFIG: u8 = 1;
const RO_DATA: u8 = 2;
const RW_DATA: u8 = 3;
const IMPORTS: u8 = 4;
const EXPORTS: u8 = 5;
const CODE: u8 = 6;
/// Sections from here on may be left out by a reader that does not know them.
const OPTIONAL: u8 = 128;

/// The end of the stack: one zone below the address that halts (no auxiliary data).
const STACK_TOP: u32 = HALT_ADDRESS - ZONE_SIZE;

/// A section of the file, uninterpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    /// Its number.
    pub id: u8,
    /// Its content.
    pub payload: Vec<u8>,
}

/// A `.polkavm` file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolkaVmFile {
    /// The ISA byte: 0 (ReviveV1), 2 (Latest64) or 3 (JamV1).
    pub isa: u8,
    /// Every section in file order, the code included.
    pub sections: Vec<Section>,
    /// The code.
    pub blob: Blob,
    /// Names of imported host functions, by the number that `ecalli` uses.
    pub imports: Vec<String>,
    /// Named entry points.
    pub exports: Vec<Export>,
    ro_size: u32,
    rw_size: u32,
    stack_size: u32,
}

impl PolkaVmFile {
    /// Whether `bytes` begin as such a file does.
    pub fn recognises(bytes: &[u8]) -> bool {
        bytes.starts_with(MAGIC)
    }

    /// Reads a file; it must take all of `bytes`.
    ///
    /// # Errors
    ///
    /// Where the bytes are none, the ISA is not supported, or its memory does not fit into 2^32 bytes.
    pub fn parse(bytes: &[u8]) -> Result<PolkaVmFile, LoadError> {
        let mut reader = Reader::new(bytes, 0);
        if !PolkaVmFile::recognises(bytes) {
            return Err(reader.error("magic number", Problem::Magic { expected: "\"PVM\\0\"" }));
        }
        reader.take("magic number", MAGIC.len() as u64)?;
        let isa = reader.byte("ISA")?;
        if !matches!(isa, 0 | 2 | 3) {
            let what = if isa == 1 { "the 32-bit instruction set" } else { "this instruction set" };
            return Err(LoadError { field: "ISA", offset: MAGIC.len(), problem: Problem::Unsupported { what } });
        }
        let len = reader.uint("file length", 8)?;
        if len != bytes.len() as u64 {
            let (need, have) = (len, bytes.len() as u64);
            let problem =
                if need > have { Problem::Truncated { need, have } } else { Problem::Trailing { count: have - need } };
            return Err(LoadError { field: "file length", offset: HEADER_LEN - 8, problem });
        }

        let mut file = PolkaVmFile {
            isa,
            sections: Vec::new(),
            blob: Blob::default(),
            imports: Vec::new(),
            exports: Vec::new(),
            ro_size: 0,
            rw_size: 0,
            stack_size: 0,
        };
        let mut last = 0;
        let mut has_code = false;
        loop {
            let section_at = reader.position();
            let id = reader.byte("section number")?;
            if id == 0 {
                break;
            }
            let refuse = |problem| Err(LoadError { field: "section number", offset: section_at, problem });
            if id < OPTIONAL {
                if id > CODE {
                    return refuse(Problem::SectionUnknown { id });
                }
                if id <= last {
                    return refuse(Problem::SectionOrder { id });
                }
                last = id;
            }
            let len = reader.natural("section length")?;
            let at = reader.position();
            let payload = reader.take("section", len)?;
            file.read_section(id, payload, at)?;
            has_code |= id == CODE;
            file.sections.push(Section { id, payload: payload.to_vec() });
        }
        reader.end("file")?;
        if !has_code {
            return Err(reader.error("code section", Problem::Missing));
        }
        file.check_layout().map_err(|problem| reader.error("memory layout", problem))?;
        file.check_instructions()?;
        Ok(file)
    }

    fn read_section(&mut self, id: u8, payload: &[u8], at: usize) -> Result<(), LoadError> {
        let mut reader = Reader::new(payload, at);
        let max = u64::from(u32::MAX);
        match id {
            MEMORY_CONFIG => {
                self.ro_size = reader.natural_up_to("size of read-only data", max)? as u32;
                self.rw_size = reader.natural_up_to("size of read-write data", max)? as u32;
                self.stack_size = reader.natural_up_to("stack size", max)? as u32;
                reader.end("memory configuration")?;
            }
            RO_DATA if payload.len() as u64 > u64::from(self.ro_size) => {
                let problem = Problem::TooLarge { value: payload.len() as u64, limit: u64::from(self.ro_size) };
                return Err(reader.error("read-only data", problem));
            }
            RW_DATA if payload.len() as u64 > u64::from(self.rw_size) => {
                let problem = Problem::TooLarge { value: payload.len() as u64, limit: u64::from(self.rw_size) };
                return Err(reader.error("read-write data", problem));
            }
            IMPORTS => self.imports = read_imports(&mut reader)?,
            EXPORTS => {
                let count = reader.natural("number of exports")?;
                for _ in 0..count {
                    let pc = reader.natural_up_to("export", max)? as u32;
                    self.exports.push(Export { name: read_name(&mut reader, "name of an export")?, pc });
                }
                reader.end("exports")?;
            }
            CODE => self.blob = Blob::parse_at(payload, at)?,
            _ => {}
        }
        Ok(())
    }

    /// Areas, each followed by an unmapped zone, must fit below the stack.
    fn check_layout(&self) -> Result<(), Problem> {
        let zones = |size: u32| u64::from(size).next_multiple_of(u64::from(ZONE_SIZE));
        let value = 3 * u64::from(ZONE_SIZE) + zones(self.ro_size) + zones(self.rw_size) + zones(self.stack_size);
        let limit = u64::from(STACK_TOP);
        if value > limit { Err(Problem::TooLarge { value, limit }) } else { Ok(()) }
    }

    /// Refuses instructions that our profile for the ISA gives another meaning or none.
    fn check_instructions(&self) -> Result<(), LoadError> {
        let (byte, what) = match self.isa {
            0 => (101, "`sbrk` in this instruction set"),
            2 => (2, "`memset`"),
            _ => return Ok(()),
        };
        let found = (0..self.blob.code.len() as u32)
            .find(|&pc| self.blob.code[pc as usize] == byte && self.blob.starts_instruction(pc));
        match found {
            Some(pc) => {
                Err(LoadError { field: "instruction", offset: pc as usize, problem: Problem::Unsupported { what } })
            }
            None => Ok(()),
        }
    }

    /// The profile that fits the ISA byte.
    pub fn profile(&self) -> Profile {
        match self.isa {
            0 => Profile::V0_7,
            2 => Profile::Draft,
            _ => Profile::V0_8,
        }
    }

    /// Appends the bytes of a file of this ISA with these sections.
    pub fn encode(isa: u8, sections: &[Section], out: &mut Vec<u8>) {
        let start = out.len();
        out.extend(MAGIC);
        out.push(isa);
        out.extend([0; 8]);
        for section in sections {
            out.push(section.id);
            natural::encode(section.payload.len() as u64, out);
            out.extend(&section.payload);
        }
        out.push(0);
        let len = (out.len() - start) as u64;
        out[start + HEADER_LEN - 8..start + HEADER_LEN].copy_from_slice(&len.to_le_bytes());
    }

    fn data(&self, id: u8) -> &[u8] {
        self.sections.iter().find(|section| section.id == id).map_or(&[], |section| &section.payload)
    }

    /// The memory that the program starts with.
    pub fn image(&self) -> MemoryImage {
        let rw_at = 2 * ZONE_SIZE + self.ro_size.next_multiple_of(ZONE_SIZE);
        let stack = Segment::new("stack", 0, self.stack_size, Access::ReadWrite, &[]);
        let stack = Segment { address: STACK_TOP - stack.size, ..stack };
        let heap = Heap { start: rw_at + self.rw_size, limit: stack.address - ZONE_SIZE };
        let segments = [
            Segment::new("ro-data", ZONE_SIZE, self.ro_size, Access::Read, self.data(RO_DATA)),
            Segment::new("rw-data", rw_at, self.rw_size, Access::ReadWrite, self.data(RW_DATA)),
            stack,
        ];
        MemoryImage { segments: segments.into_iter().filter(|segment| segment.size > 0).collect(), heap: Some(heap) }
    }

    /// The registers that a call of an export starts with.
    pub fn registers() -> [u64; REG_COUNT] {
        let mut registers = [0; REG_COUNT];
        registers[0] = u64::from(HALT_ADDRESS);
        registers[1] = u64::from(STACK_TOP);
        registers
    }
}

/// `count`, then `count` offsets of four bytes into the names that follow; each name ends where the next begins.
fn read_imports(reader: &mut Reader<'_>) -> Result<Vec<String>, LoadError> {
    let count = reader.natural("number of imports")?;
    let table_at = reader.position();
    let offsets = reader.take("import offsets", count.saturating_mul(4))?;
    let offsets: Vec<u32> = offsets.as_chunks().0.iter().map(|four: &[u8; 4]| u32::from_le_bytes(*four)).collect();
    let names = reader.rest();
    let bad = |value: u32, limit: u64| LoadError {
        field: "import offset",
        offset: table_at,
        problem: Problem::TooLarge { value: u64::from(value), limit },
    };
    let mut imports = Vec::new();
    for (index, &start) in offsets.iter().enumerate() {
        let end = offsets.get(index + 1).map_or(names.len(), |&end| end as usize);
        let name = names.get(start as usize..end).ok_or_else(|| bad(start, end.min(names.len()) as u64))?;
        let name = std::str::from_utf8(name).map_err(|_| reader.error("name of an import", Problem::NotUtf8))?;
        imports.push(name.to_owned());
    }
    Ok(imports)
}

fn read_name(reader: &mut Reader<'_>, field: &'static str) -> Result<String, LoadError> {
    let bytes = reader.counted(field)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| reader.error(field, Problem::NotUtf8))
}

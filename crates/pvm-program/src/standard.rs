//! The standard program (Gray Paper A.7, function `Y`): data, heap and stack sizes, and a program blob.
//!
//! ```text
//! |o|: 3 bytes  |w|: 3  heap pages: 2  stack size: 3  o  w  |c|: 4  c
//! ```

use crate::image::page_round;
use crate::reader::Reader;
use crate::{Blob, HALT_ADDRESS, Heap, LoadError, MemoryImage, Problem, Segment, ZONE_SIZE};
use pvm_isa::REG_COUNT;
use pvm_ops::{Access, PAGE_SIZE};

/// The most argument bytes that a program can be given (Gray Paper A.7: `Z_I`).
pub const MAX_ARGUMENTS: u32 = 1 << 24;

/// Where the arguments are (2^32 - Z_Z - Z_I).
const ARGUMENTS: u32 = u32::MAX - ZONE_SIZE - MAX_ARGUMENTS + 1;
/// The end of the stack (2^32 - 2 Z_Z - Z_I).
const STACK_TOP: u32 = ARGUMENTS - ZONE_SIZE;
/// Where read-only data is.
const READ_ONLY: u32 = ZONE_SIZE;

/// A program with its memory layout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StandardProgram {
    /// Initial read-only data, below 2^24 bytes.
    pub ro_data: Vec<u8>,
    /// Initial read-write data, below 2^24 bytes.
    pub rw_data: Vec<u8>,
    /// Zeroed pages after the read-write data.
    pub heap_pages: u16,
    /// Size of the stack in bytes, below 2^24.
    pub stack_size: u32,
    /// The code.
    pub blob: Blob,
}

impl StandardProgram {
    /// Reads a standard program; it must take all of `bytes`.
    ///
    /// # Errors
    ///
    /// Where the bytes are none, its blob is none, or its memory does not fit into 2^32 bytes.
    pub fn parse(bytes: &[u8]) -> Result<StandardProgram, LoadError> {
        StandardProgram::parse_at(bytes, 0)
    }

    pub(crate) fn parse_at(bytes: &[u8], origin: usize) -> Result<StandardProgram, LoadError> {
        let mut reader = Reader::new(bytes, origin);
        let ro_len = reader.uint("length of read-only data", 3)?;
        let rw_len = reader.uint("length of read-write data", 3)?;
        let heap_pages = reader.uint("number of heap pages", 2)? as u16;
        let stack_size = reader.uint("stack size", 3)? as u32;
        let fields_end = reader.position();
        let ro_data = reader.take("read-only data", ro_len)?;
        let rw_data = reader.take("read-write data", rw_len)?;
        let code_len = reader.uint("length of the program blob", 4)?;
        let blob_at = reader.position();
        let blob = reader.take("program blob", code_len)?;
        reader.end("standard program")?;
        let blob = Blob::parse_at(blob, blob_at)?;
        let program =
            StandardProgram { ro_data: ro_data.to_vec(), rw_data: rw_data.to_vec(), heap_pages, stack_size, blob };
        program.check_layout().map_err(|problem| LoadError { field: "memory layout", offset: fields_end, problem })?;
        Ok(program)
    }

    /// The condition of Gray Paper A.7 that all areas, each rounded up to zones, fit into 2^32 bytes.
    fn check_layout(&self) -> Result<(), Problem> {
        let zones = |size: u64| size.next_multiple_of(u64::from(ZONE_SIZE));
        let rw = self.rw_data.len() as u64 + u64::from(PAGE_SIZE) * u64::from(self.heap_pages);
        let value = 5 * u64::from(ZONE_SIZE)
            + zones(self.ro_data.len() as u64)
            + zones(rw)
            + zones(u64::from(self.stack_size))
            + u64::from(MAX_ARGUMENTS);
        let limit = 1 << 32;
        if value > limit { Err(Problem::TooLarge { value, limit }) } else { Ok(()) }
    }

    /// Appends the bytes of the program.
    ///
    /// # Errors
    ///
    /// If a size does not fit its field or the memory layout not into 2^32 bytes; nothing is appended then.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), LoadError> {
        let mut blob = Vec::new();
        self.blob.encode(&mut blob);
        let u24 = (1 << 24) - 1;
        let at = out.len();
        let check = |field, value: u64, limit: u64| match value > limit {
            true => Err(LoadError { field, offset: at, problem: Problem::TooLarge { value, limit } }),
            false => Ok(()),
        };
        check("length of read-only data", self.ro_data.len() as u64, u24)?;
        check("length of read-write data", self.rw_data.len() as u64, u24)?;
        check("stack size", u64::from(self.stack_size), u24)?;
        check("length of the program blob", blob.len() as u64, u64::from(u32::MAX))?;
        self.check_layout().map_err(|problem| LoadError { field: "memory layout", offset: at, problem })?;
        out.extend(&(self.ro_data.len() as u32).to_le_bytes()[..3]);
        out.extend(&(self.rw_data.len() as u32).to_le_bytes()[..3]);
        out.extend(self.heap_pages.to_le_bytes());
        out.extend(&self.stack_size.to_le_bytes()[..3]);
        out.extend(&self.ro_data);
        out.extend(&self.rw_data);
        out.extend((blob.len() as u32).to_le_bytes());
        out.extend(blob);
        Ok(())
    }

    /// The memory that the program starts with, the arguments left out.
    pub fn image(&self) -> MemoryImage {
        let (ro_len, rw_len) = (self.ro_data.len() as u32, self.rw_data.len() as u32);
        let rw_at = 2 * ZONE_SIZE + ro_len.next_multiple_of(ZONE_SIZE);
        let rw_size = page_round(rw_len) + PAGE_SIZE * u32::from(self.heap_pages);
        let stack_size = page_round(self.stack_size);
        let stack_at = STACK_TOP - stack_size;
        let segments = [
            Segment::new("ro-data", READ_ONLY, ro_len, Access::Read, &self.ro_data),
            Segment::new("rw-data", rw_at, rw_size, Access::ReadWrite, &self.rw_data),
            Segment::new("stack", stack_at, stack_size, Access::ReadWrite, &[]),
        ];
        MemoryImage {
            segments: segments.into_iter().filter(|segment| segment.size > 0).collect(),
            heap: Some(Heap { start: rw_at + rw_size, limit: stack_at }),
        }
    }

    /// The area of the arguments, if there are any. They must be at most [`MAX_ARGUMENTS`] bytes.
    pub fn arguments(arguments: &[u8]) -> Option<Segment> {
        assert!(arguments.len() <= MAX_ARGUMENTS as usize);
        (!arguments.is_empty())
            .then(|| Segment::new("arguments", ARGUMENTS, arguments.len() as u32, Access::Read, arguments))
    }

    /// The registers that a program starts with when it is given so many argument bytes (Gray Paper A.39).
    pub fn registers(argument_len: u32) -> [u64; REG_COUNT] {
        let mut registers = [0; REG_COUNT];
        registers[0] = u64::from(HALT_ADDRESS);
        registers[1] = u64::from(STACK_TOP);
        registers[7] = u64::from(ARGUMENTS);
        registers[8] = u64::from(argument_len);
        registers
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn program(ro: usize, rw: usize, heap_pages: u16, stack_size: u32) -> StandardProgram {
        let blob = Blob::parse(&[0, 0, 1, 0, 1]).unwrap();
        StandardProgram { ro_data: vec![1; ro], rw_data: vec![2; rw], heap_pages, stack_size, blob }
    }

    #[test]
    fn a_program_comes_back() {
        let program = program(5, 3, 2, 4097);
        let mut bytes = Vec::new();
        program.encode(&mut bytes).unwrap();
        assert_eq!(StandardProgram::parse(&bytes), Ok(program));
        for len in 0..bytes.len() {
            assert!(StandardProgram::parse(&bytes[..len]).is_err());
        }
        bytes.push(0);
        assert!(StandardProgram::parse(&bytes).is_err());
    }

    #[test]
    fn areas_are_where_the_gray_paper_puts_them() {
        let areas = |program: StandardProgram| -> Vec<_> {
            program.image().segments.iter().map(|segment| (segment.name, segment.address, segment.size)).collect()
        };
        assert_eq!(
            areas(program(5, 3, 2, 4097)),
            [("ro-data", 0x10000, 0x1000), ("rw-data", 0x30000, 0x3000), ("stack", 0xfefde000, 0x2000)]
        );
        assert_eq!(areas(program(0, 0, 1, 0)), [("rw-data", 0x20000, 0x1000)]);
        let heap = program(0, 1, 0, 1).image().heap.unwrap();
        assert_eq!((heap.start, heap.limit), (0x21000, 0xfefdf000));
        assert_eq!(StandardProgram::arguments(&[1]).unwrap().address, 0xfeff0000);
        assert_eq!(StandardProgram::registers(3)[..9], [0xffff0000, 0xfefe0000, 0, 0, 0, 0, 0, 0xfeff0000, 3]);
    }

    #[test]
    fn a_layout_beyond_the_address_space_is_refused() {
        // 2^24 - 1 bytes of each kind fit easily; it takes fields out of range to fail, and those are refused, too.
        assert!(program(0, 0, u16::MAX, (1 << 24) - 1).encode(&mut Vec::new()).is_ok());
        assert!(program(0, 0, 0, 1 << 24).encode(&mut Vec::new()).is_err());
    }
}

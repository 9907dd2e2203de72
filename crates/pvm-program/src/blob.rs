//! The program blob (Gray Paper A.2, `deblob`): jump table, code, bitmask.
//!
//! ```text
//! E(|j|)  z  E(|c|)  j: |j| entries of z bytes  c: code  k: a bit for each code byte, 1 where an instruction starts
//! ```

use crate::reader::Reader;
use crate::{LoadError, Problem, natural};

/// A program blob. Any bytes are code: what an instruction means, and whether a jump is valid, shows when it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob {
    /// The code.
    pub code: Vec<u8>,
    /// One bit for each code byte, lowest bit first; the unused bits of the last byte are zero.
    pub bitmask: Vec<u8>,
    /// The number of jump-table entries. Entries of zero bytes cost nothing, so this can be any number.
    pub jump_count: u64,
    /// Bytes in a jump-table entry.
    pub jump_size: u8,
    /// The jump table: `jump_count * jump_size` bytes.
    pub jump_bytes: Vec<u8>,
}

impl Blob {
    /// Reads a blob; it must take all of `bytes`.
    ///
    /// # Errors
    ///
    /// Where the bytes are no blob, or more than one. Everything a length promises is checked against the input before
    /// it is allocated.
    pub fn parse(bytes: &[u8]) -> Result<Blob, LoadError> {
        Blob::parse_at(bytes, 0)
    }

    /// The same for bytes that begin at `origin` of a file, for the offsets in errors.
    pub(crate) fn parse_at(bytes: &[u8], origin: usize) -> Result<Blob, LoadError> {
        let mut reader = Reader::new(bytes, origin);
        let jump_count = reader.natural("number of jump-table entries")?;
        let jump_size = reader.byte("size of a jump-table entry")?;
        // Program counters have 32 bits.
        let code_len = reader.natural_up_to("code length", u64::from(u32::MAX))?;
        let jump_len = jump_count.saturating_mul(u64::from(jump_size));
        let jump_bytes = reader.take("jump table", jump_len)?.to_vec();
        let code = reader.take("code", code_len)?.to_vec();
        let bitmask = reader.take("bitmask", code_len.div_ceil(8))?.to_vec();
        let unused = bitmask.len() * 8 - code.len();
        if bitmask.last().is_some_and(|last| u32::from(*last) << unused > 0xff) {
            return Err(LoadError { field: "bitmask", offset: reader.position() - 1, problem: Problem::Padding });
        }
        reader.end("program blob")?;
        Ok(Blob { code, bitmask, jump_count, jump_size, jump_bytes })
    }

    /// Appends the bytes of the blob.
    pub fn encode(&self, out: &mut Vec<u8>) {
        natural::encode(self.jump_count, out);
        out.push(self.jump_size);
        natural::encode(self.code.len() as u64, out);
        out.extend(&self.jump_bytes);
        out.extend(&self.code);
        out.extend(&self.bitmask);
    }

    /// Whether an instruction starts at `pc`.
    pub fn starts_instruction(&self, pc: u32) -> bool {
        self.bitmask.get(pc as usize / 8).is_some_and(|byte| byte >> (pc % 8) & 1 == 1)
    }

    /// The jump table's entries, those that do not fit 32 bits as the greatest number. Empty if entries have no bytes:
    /// each is 0 then, however many there are.
    pub fn jump_entries(&self) -> impl ExactSizeIterator<Item = u32> + '_ {
        self.jump_bytes.chunks_exact(usize::from(self.jump_size).max(1)).map(|entry| {
            let (low, high) = entry.split_at(entry.len().min(4));
            let mut four = [0; 4];
            four[..low.len()].copy_from_slice(low);
            if high.iter().all(|&byte| byte == 0) { u32::from_le_bytes(four) } else { u32::MAX }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(bytes: &[u8]) -> Problem {
        Blob::parse(bytes).unwrap_err().problem
    }

    #[test]
    fn a_blob_comes_back() {
        let bytes = [2, 2, 3, 0, 0, 2, 1, 0x33, 7, 1, 0b101];
        let blob = Blob::parse(&bytes).unwrap();
        assert_eq!(blob.code, [0x33, 7, 1]);
        assert_eq!(blob.jump_entries().collect::<Vec<_>>(), [0, 0x102]);
        assert!(blob.starts_instruction(0) && !blob.starts_instruction(1) && blob.starts_instruction(2));
        assert!(!blob.starts_instruction(3) && !blob.starts_instruction(99));
        let mut encoded = Vec::new();
        blob.encode(&mut encoded);
        assert_eq!(encoded, bytes);
    }

    #[test]
    fn invalid_blobs_are_refused() {
        assert_eq!(problem(&[]), Problem::Truncated { need: 1, have: 0 });
        assert_eq!(problem(&[0, 0]), Problem::Truncated { need: 1, have: 0 });
        assert_eq!(problem(&[0, 0, 1, 0, 1, 0]), Problem::Trailing { count: 1 });
        assert_eq!(problem(&[0, 0, 1, 0, 3]), Problem::Padding);
        assert_eq!(problem(&[0, 0, 0x80, 1, 0, 1]), Problem::NotCanonical { value: 1 });
        assert!(matches!(problem(&[0, 0, 0xf0, 0xff, 0xff, 0xff, 0xff]), Problem::Truncated { .. }));
        assert!(matches!(problem(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0x80, 255, 0]), Problem::Truncated { .. }));
    }

    #[test]
    fn a_table_of_empty_entries_takes_no_memory() {
        let blob = Blob::parse(&[0xff, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0]).unwrap();
        assert_eq!(blob.jump_count, 1 << 63);
        assert_eq!(blob.jump_entries().len(), 0);
    }
}

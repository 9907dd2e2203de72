//! Reads numbers one after the other.

use super::SnapshotError;

/// Bytes that are read from the beginning.
#[derive(Clone, Copy, Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    pub offset: usize,
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes, offset: 0 }
    }

    /// An error about what was read last, of so many bytes.
    pub fn error(&self, field: &'static str, len: usize, problem: impl ToString) -> SnapshotError {
        SnapshotError::Format { field, offset: self.offset - len, problem: problem.to_string() }
    }

    pub fn array<const N: usize>(&mut self, field: &'static str) -> Result<&'a [u8; N], SnapshotError> {
        let Some((array, rest)) = self.rest.split_first_chunk::<N>() else {
            return Err(self.error(field, 0, format!("{N} bytes are wanted, and {} are left", self.rest.len())));
        };
        self.rest = rest;
        self.offset += N;
        Ok(array)
    }

    pub fn byte(&mut self, field: &'static str) -> Result<u8, SnapshotError> {
        self.array::<1>(field).map(|&[byte]| byte)
    }

    pub fn word(&mut self, field: &'static str) -> Result<u32, SnapshotError> {
        self.array(field).map(|&bytes| u32::from_le_bytes(bytes))
    }

    pub fn long(&mut self, field: &'static str) -> Result<u64, SnapshotError> {
        self.array(field).map(|&bytes| u64::from_le_bytes(bytes))
    }

    /// How many records of so many bytes follow, which must be there.
    pub fn count(&mut self, field: &'static str, size: usize) -> Result<usize, SnapshotError> {
        let count = self.word(field)? as usize;
        let most = self.rest.len() / size;
        if count > most {
            return Err(self.error(field, 4, format!("{count}, and there is room for {most}")));
        }
        Ok(count)
    }

    pub fn end(&self) -> Result<(), SnapshotError> {
        match self.rest.len() {
            0 => Ok(()),
            len => Err(self.error("end", 0, format!("{len} more bytes follow"))),
        }
    }
}

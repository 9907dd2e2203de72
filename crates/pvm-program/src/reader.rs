//! A cursor over the bytes of a program file.

use crate::{LoadError, Problem, natural};

/// Reads fields one after the other; each error names the field and where it stands.
pub(crate) struct Reader<'a> {
    bytes: &'a [u8],
    offset: usize,
    /// Where `bytes` begins in the file, for messages.
    origin: usize,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8], origin: usize) -> Reader<'a> {
        Reader { bytes, offset: 0, origin }
    }

    /// The offset in the file of what is read next.
    pub(crate) fn position(&self) -> usize {
        self.origin + self.offset
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        &self.bytes[self.offset..]
    }

    pub(crate) fn error(&self, field: &'static str, problem: Problem) -> LoadError {
        LoadError { field, offset: self.position(), problem }
    }

    pub(crate) fn take(&mut self, field: &'static str, len: u64) -> Result<&'a [u8], LoadError> {
        let rest = self.rest();
        let have = rest.len() as u64;
        if len > have {
            return Err(self.error(field, Problem::Truncated { need: len, have }));
        }
        self.offset += len as usize;
        Ok(&rest[..len as usize])
    }

    /// A little-endian number of `len` bytes, at most eight.
    pub(crate) fn uint(&mut self, field: &'static str, len: usize) -> Result<u64, LoadError> {
        let mut eight = [0; 8];
        eight[..len].copy_from_slice(self.take(field, len as u64)?);
        Ok(u64::from_le_bytes(eight))
    }

    pub(crate) fn byte(&mut self, field: &'static str) -> Result<u8, LoadError> {
        Ok(self.take(field, 1)?[0])
    }

    /// A number of variable length, in its shortest encoding.
    pub(crate) fn natural(&mut self, field: &'static str) -> Result<u64, LoadError> {
        let rest = self.rest();
        let Some((value, len, shortest)) = natural::decode(rest) else {
            let need = rest.first().map_or(1, |first| 1 + u64::from(first.leading_ones()));
            return Err(self.error(field, Problem::Truncated { need, have: rest.len() as u64 }));
        };
        if !shortest {
            return Err(self.error(field, Problem::NotCanonical { value }));
        }
        self.offset += len;
        Ok(value)
    }

    /// A number of variable length that must not be above `limit`.
    pub(crate) fn natural_up_to(&mut self, field: &'static str, limit: u64) -> Result<u64, LoadError> {
        let start = self.offset;
        let value = self.natural(field)?;
        if value > limit {
            self.offset = start;
            return Err(self.error(field, Problem::TooLarge { value, limit }));
        }
        Ok(value)
    }

    /// A number of variable length and as many bytes.
    pub(crate) fn counted(&mut self, field: &'static str) -> Result<&'a [u8], LoadError> {
        let len = self.natural(field)?;
        self.take(field, len)
    }

    /// Checks that nothing is left.
    pub(crate) fn end(&self, field: &'static str) -> Result<(), LoadError> {
        match self.rest().len() {
            0 => Ok(()),
            count => Err(self.error(field, Problem::Trailing { count: count as u64 })),
        }
    }
}

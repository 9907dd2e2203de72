//! The JAM service file: metadata with its length before it, then a standard program (Gray Paper B.1; as files in the
//! wild have it).

use crate::reader::Reader;
use crate::{LoadError, StandardProgram, natural};

/// A service as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServiceFile {
    /// What the author says of it; [`crate::Metadata`] knows the usual form.
    pub metadata: Vec<u8>,
    /// The program.
    pub program: StandardProgram,
}

impl ServiceFile {
    /// Reads a service file; it must take all of `bytes`.
    ///
    /// # Errors
    ///
    /// Where the bytes are none.
    pub fn parse(bytes: &[u8]) -> Result<ServiceFile, LoadError> {
        let mut reader = Reader::new(bytes, 0);
        let metadata = reader.counted("metadata")?.to_vec();
        let program = StandardProgram::parse_at(reader.rest(), reader.position())?;
        Ok(ServiceFile { metadata, program })
    }

    /// Appends the bytes of the file.
    ///
    /// # Errors
    ///
    /// As [`StandardProgram::encode`].
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), LoadError> {
        natural::encode(self.metadata.len() as u64, out);
        out.extend(&self.metadata);
        self.program.encode(out)
    }
}

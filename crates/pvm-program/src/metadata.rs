//! The usual form of service metadata: a zero byte, then name, version, licence and authors.

use crate::reader::Reader;
use crate::{LoadError, Problem, natural};

/// What the author of a service says of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// The service's name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Its licence.
    pub license: String,
    /// Who wrote it.
    pub authors: Vec<String>,
}

impl Metadata {
    /// Reads metadata in the usual form. Metadata may be any bytes, so `None` is no error.
    pub fn parse(bytes: &[u8]) -> Option<Metadata> {
        Metadata::read(bytes).ok()
    }

    /// The bytes in the usual form.
    pub fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![0];
        let mut text = |text: &str| {
            natural::encode(text.len() as u64, &mut bytes);
            bytes.extend(text.as_bytes());
        };
        text(&self.name);
        text(&self.version);
        text(&self.license);
        natural::encode(self.authors.len() as u64, &mut bytes);
        for author in &self.authors {
            natural::encode(author.len() as u64, &mut bytes);
            bytes.extend(author.as_bytes());
        }
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Metadata, LoadError> {
        let mut reader = Reader::new(bytes, 0);
        let variant = reader.byte("metadata variant")?;
        if variant != 0 {
            return Err(reader.error("metadata variant", Problem::Unsupported { what: "this kind of metadata" }));
        }
        let mut text = |field| -> Result<String, LoadError> {
            let bytes = reader.counted(field)?;
            String::from_utf8(bytes.to_vec()).map_err(|_| reader.error(field, Problem::NotUtf8))
        };
        let (name, version, license) = (text("name")?, text("version")?, text("licence")?);
        let count = reader.natural("number of authors")?;
        let mut authors = Vec::new();
        for _ in 0..count {
            let bytes = reader.counted("author")?;
            authors.push(String::from_utf8(bytes.to_vec()).map_err(|_| reader.error("author", Problem::NotUtf8))?);
        }
        reader.end("metadata")?;
        Ok(Metadata { name, version, license, authors })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_form_is_understood() {
        let bytes = b"\0\x03fib\x050.1.0\x03MIT\x01\x02me";
        let metadata = Metadata::parse(bytes).unwrap();
        assert_eq!((metadata.name.as_str(), metadata.version.as_str()), ("fib", "0.1.0"));
        assert_eq!((metadata.license.as_str(), metadata.authors.as_slice()), ("MIT", ["me".to_owned()].as_slice()));
        assert_eq!(metadata.encode(), bytes);
        assert_eq!(Metadata::parse(b"add.wasm (some compiler)"), None);
        assert_eq!(Metadata::parse(b""), None);
    }
}

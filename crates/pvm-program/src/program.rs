//! Programs of any container, recognised by content.

use crate::{
    Blob, LoadError, MemoryImage, PolkaVmFile, Problem, Section, Segment, ServiceFile, StandardProgram, natural,
};
use pvm_isa::{Profile, REG_COUNT};

/// The binary containers of PVM programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// A JAM service: metadata and a standard program.
    Jam,
    /// A bare standard program.
    Standard,
    /// A program blob alone, or metadata and a program blob.
    Raw,
    /// A `.polkavm` container.
    PolkaVm,
}

impl Format {
    /// Every container, in the order in which they are tried.
    pub const ALL: [Format; 4] = [Format::PolkaVm, Format::Jam, Format::Standard, Format::Raw];

    /// The name on the command line and in assembly.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Jam => "jam",
            Format::Standard => "spi",
            Format::Raw => "raw",
            Format::PolkaVm => "polkavm",
        }
    }

    /// The container of this name.
    pub fn from_name(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == name)
    }
}

impl std::fmt::Display for Format {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// A named place to start at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Export {
    /// Its name.
    pub name: String,
    /// Its program counter.
    pub pc: u32,
}

/// A program, whatever container it came in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Program {
    /// The container.
    pub format: Format,
    /// The metadata before it, where there is any.
    pub metadata: Option<Vec<u8>>,
    /// The code.
    pub blob: Blob,
    /// The memory it starts with, arguments left out.
    pub image: MemoryImage,
    /// Named places to start at.
    pub exports: Vec<Export>,
    /// Names of host functions by number, where the container has them.
    pub imports: Vec<String>,
    /// The profile that the container asks for, where it does.
    pub profile: Option<Profile>,
    /// What else is needed to write the same file again.
    rest: Rest,
}

/// The fields of a container that its memory image does not show.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Rest {
    Raw,
    Standard { ro_data: Vec<u8>, rw_data: Vec<u8>, heap_pages: u16, stack_size: u32 },
    PolkaVm { isa: u8, sections: Vec<Section> },
}

/// An input that is no program of any container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a PVM program{}", .attempts.iter().map(|attempt| format!("\n  as {attempt}")).collect::<String>())]
pub struct Unrecognised {
    /// What was tried, and where each attempt stopped.
    pub attempts: Vec<Attempt>,
}

/// Why an input is no program of one container.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{format}: {error}")]
pub struct Attempt {
    /// The container.
    pub format: Format,
    /// Where reading stopped.
    pub error: LoadError,
}

impl Program {
    /// Reads a program of any container. Each is validated in full, so that the first that fits is the one meant.
    ///
    /// # Errors
    ///
    /// With one attempt for each container that was tried.
    pub fn parse(bytes: &[u8]) -> Result<Program, Unrecognised> {
        let formats = match PolkaVmFile::recognises(bytes) {
            true => &Format::ALL[..1],
            false => &Format::ALL[1..],
        };
        let mut attempts = Vec::new();
        for &format in formats {
            match Program::parse_as(format, bytes).and_then(Program::check_plausible) {
                Ok(program) => return Ok(program),
                Err(error) => attempts.push(Attempt { format, error }),
            }
        }
        Err(Unrecognised { attempts })
    }

    /// Refuses what is valid, but hardly meant. A service file that is cut off behind its name happens to be a blob whose
    /// code is the name, and whose jump table has entries of no bytes; nobody writes such tables.
    fn check_plausible(self) -> Result<Program, LoadError> {
        if self.format == Format::Raw && self.blob.jump_size == 0 && self.blob.jump_count > 0 {
            let what = "a jump table whose entries have no bytes, unless the format is given as raw,";
            return Err(LoadError {
                field: "size of a jump-table entry",
                offset: 1,
                problem: Problem::Unsupported { what },
            });
        }
        Ok(self)
    }

    /// Reads a program of this container.
    ///
    /// # Errors
    ///
    /// Where the bytes are none.
    pub fn parse_as(format: Format, bytes: &[u8]) -> Result<Program, LoadError> {
        match format {
            Format::Jam => {
                let file = ServiceFile::parse(bytes)?;
                Ok(Program { metadata: Some(file.metadata), format, ..file.program.into() })
            }
            Format::Standard => StandardProgram::parse(bytes).map(Program::from),
            Format::PolkaVm => PolkaVmFile::parse(bytes).map(Program::from),
            Format::Raw => Blob::parse(bytes).map(Program::from).or_else(|error| {
                // A blob may have metadata before it; if that fails, too, the plain reading is the one to report. Both
                // parts must have content, or the beginning of many a blob would be another one.
                let (metadata, blob) = split_metadata(bytes).ok_or_else(|| error.clone())?;
                let blob = Blob::parse_at(blob, bytes.len() - blob.len()).map_err(|_| error.clone())?;
                if metadata.is_empty() || blob.code.is_empty() {
                    return Err(error);
                }
                Ok(Program { metadata: Some(metadata.to_vec()), ..blob.into() })
            }),
        }
    }

    /// Appends the bytes of the program in its container.
    ///
    /// # Errors
    ///
    /// As [`StandardProgram::encode`]; a program that was parsed can always be written.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), LoadError> {
        if let Some(metadata) = &self.metadata {
            natural::encode(metadata.len() as u64, out);
            out.extend(metadata);
        }
        match &self.rest {
            Rest::Raw => self.blob.encode(out),
            Rest::PolkaVm { isa, sections } => PolkaVmFile::encode(*isa, sections, out),
            Rest::Standard { .. } => self.standard().expect("the fields are there").encode(out)?,
        }
        Ok(())
    }

    /// The standard program, if it is one.
    pub fn standard(&self) -> Option<StandardProgram> {
        match &self.rest {
            Rest::Standard { ro_data, rw_data, heap_pages, stack_size } => Some(StandardProgram {
                ro_data: ro_data.clone(),
                rw_data: rw_data.clone(),
                heap_pages: *heap_pages,
                stack_size: *stack_size,
                blob: self.blob.clone(),
            }),
            _ => None,
        }
    }

    /// The ISA byte and the sections, if it is a `.polkavm` container.
    pub fn polkavm(&self) -> Option<(u8, &[Section])> {
        match &self.rest {
            Rest::PolkaVm { isa, sections } => Some((*isa, sections)),
            _ => None,
        }
    }

    /// Whether it takes argument data and leaves a result, as standard programs do (Gray Paper A.7: Ψ_M).
    pub fn takes_arguments(&self) -> bool {
        matches!(self.rest, Rest::Standard { .. })
    }

    /// The area of the arguments, if the program takes any. They must be at most [`crate::MAX_ARGUMENTS`] bytes.
    pub fn arguments(&self, arguments: &[u8]) -> Option<Segment> {
        self.takes_arguments().then(|| StandardProgram::arguments(arguments)).flatten()
    }

    /// The registers that it starts with when it is given so many argument bytes.
    pub fn registers(&self, argument_len: u32) -> [u64; REG_COUNT] {
        match self.rest {
            Rest::Raw => [0; REG_COUNT],
            Rest::Standard { .. } => StandardProgram::registers(argument_len),
            Rest::PolkaVm { .. } => PolkaVmFile::registers(),
        }
    }
}

fn split_metadata(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, used, _) = natural::decode(bytes).filter(|(_, _, shortest)| *shortest)?;
    bytes[used..].split_at_checked(usize::try_from(len).ok()?)
}

impl From<Blob> for Program {
    fn from(blob: Blob) -> Program {
        Program {
            format: Format::Raw,
            metadata: None,
            blob,
            image: MemoryImage::default(),
            exports: Vec::new(),
            imports: Vec::new(),
            profile: None,
            rest: Rest::Raw,
        }
    }
}

impl From<StandardProgram> for Program {
    fn from(program: StandardProgram) -> Program {
        // Gray Paper B.2, B.3, B.5: where the invocations start.
        let entries = [("is_authorized", 0), ("refine", 0), ("accumulate", 5)];
        let exports = entries
            .into_iter()
            .filter(|&(_, pc)| program.blob.starts_instruction(pc))
            .map(|(name, pc)| Export { name: name.to_owned(), pc })
            .collect();
        Program {
            format: Format::Standard,
            image: program.image(),
            exports,
            rest: Rest::Standard {
                ro_data: program.ro_data,
                rw_data: program.rw_data,
                heap_pages: program.heap_pages,
                stack_size: program.stack_size,
            },
            ..program.blob.into()
        }
    }
}

impl From<PolkaVmFile> for Program {
    fn from(file: PolkaVmFile) -> Program {
        Program {
            format: Format::PolkaVm,
            image: file.image(),
            profile: Some(file.profile()),
            exports: file.exports,
            imports: file.imports,
            rest: Rest::PolkaVm { isa: file.isa, sections: file.sections },
            ..file.blob.into()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BLOB: [u8; 5] = [0, 0, 1, 0, 1];

    fn standard() -> Vec<u8> {
        let blob = Blob::parse(&BLOB).unwrap();
        let program = StandardProgram { ro_data: vec![1], rw_data: vec![2], heap_pages: 3, stack_size: 4, blob };
        let mut bytes = Vec::new();
        program.encode(&mut bytes).unwrap();
        bytes
    }

    fn polkavm() -> Vec<u8> {
        let sections = [
            Section { id: 1, payload: vec![8, 16, 0x80, 0x80] },
            Section { id: 2, payload: b"hello".to_vec() },
            Section { id: 4, payload: [&[2, 0, 0, 0, 0, 1, 0, 0, 0][..], b"abc"].concat() },
            Section { id: 5, payload: b"\x01\x00\x04main".to_vec() },
            Section { id: 6, payload: BLOB.to_vec() },
            Section { id: 200, payload: vec![9] },
        ];
        let mut bytes = Vec::new();
        PolkaVmFile::encode(2, &sections, &mut bytes);
        bytes
    }

    fn samples() -> [(Format, Vec<u8>); 5] {
        let jam = [b"\x03fib", standard().as_slice()].concat();
        let with_metadata = [b"\x03fib", &BLOB[..]].concat();
        [
            (Format::Jam, jam),
            (Format::Standard, standard()),
            (Format::Raw, BLOB.to_vec()),
            (Format::Raw, with_metadata),
            (Format::PolkaVm, polkavm()),
        ]
    }

    #[test]
    fn each_container_is_recognised_and_written_back() {
        for (format, bytes) in samples() {
            let program = Program::parse(&bytes).unwrap();
            assert_eq!(program.format, format);
            let mut encoded = Vec::new();
            program.encode(&mut encoded).unwrap();
            assert_eq!(encoded, bytes);
        }
    }

    #[test]
    fn polkavm_sections_are_understood() {
        let program = Program::parse(&polkavm()).unwrap();
        assert_eq!(program.imports, ["a", "bc"]);
        assert_eq!(program.exports, [Export { name: "main".into(), pc: 0 }]);
        assert_eq!(program.profile, Some(Profile::Draft));
        let areas: Vec<_> = program.image.segments.iter().map(|area| (area.name, area.address, area.size)).collect();
        assert_eq!(areas, [("ro-data", 0x10000, 4096), ("rw-data", 0x30000, 4096), ("stack", 0xfffdf000, 4096)]);
    }

    #[test]
    fn no_truncation_is_taken_for_the_whole() {
        for (format, bytes) in samples() {
            for len in 0..bytes.len() {
                assert!(Program::parse_as(format, &bytes[..len]).is_err(), "{format} cut to {len}");
            }
        }
    }

    #[test]
    fn a_service_cut_off_behind_its_name_is_no_blob() {
        // Length of the metadata, variant, length of the name, a name of five bytes, which as code needs one byte of
        // bitmask: the length of the version.
        let bytes = b"\x20\0\x05sieve\x05";
        assert_eq!(Program::parse_as(Format::Raw, bytes).unwrap().blob.code, b"sieve");
        assert!(Program::parse(bytes).is_err());
    }

    #[test]
    fn the_error_names_every_attempt() {
        let error = Program::parse(b"what is this").unwrap_err().to_string();
        assert!(["jam:", "spi:", "raw:"].iter().all(|name| error.contains(name)), "{error}");
        let error = Program::parse(b"PVM\0\x01").unwrap_err().to_string();
        assert!(error.contains("32-bit") && !error.contains("raw:"), "{error}");
    }
}

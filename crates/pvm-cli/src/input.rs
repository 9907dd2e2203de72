//! Reading inputs, and telling by their content what they are.
//!
//! Programs are tried first, and in full, so that a file that is one is taken for nothing else. The checks for vectors,
//! traces and what this build does not run come after that, and are cheap.

use crate::Io;
use crate::args::{FormatArg, ReadArgs};
use anyhow::{Context, Result, anyhow, bail};
use pvm_conformance::trace::Trace;
use pvm_conformance::vector::{GasVector, Vector, VectorFile};
use pvm_conformance::{looks_like_trace, looks_like_vector};
use pvm_isa::Profile;
use pvm_program::{Executable, Format, Program};
use std::fs::File;
use std::io::Read;
use std::path::Path;

/// The largest input that is read.
const MAX_INPUT: u64 = 1 << 30;

/// What an input is.
#[derive(Debug)]
pub enum Input {
    /// A PVM program.
    Program(Box<Program>),
    /// A RISC-V program.
    Executable(Box<Executable>),
    /// A PVM test vector.
    Vector(Box<Vector>),
    /// A gas vector.
    GasVector(Box<GasVector>),
    /// A host-call trace.
    Trace(Box<Trace>),
}

impl Input {
    /// What it is, in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Input::Program(_) | Input::Executable(_) => "program",
            Input::Vector(_) => "vector",
            Input::GasVector(_) => "gas-vector",
            Input::Trace(_) => "trace",
        }
    }

    /// The PVM program that it is or has in it, and the profile that goes with its kind.
    pub fn program(self) -> Result<(Program, Option<Profile>)> {
        Ok(match self {
            Input::Program(program) => (*program, None),
            Input::Executable(_) => bail!("a RISC-V program, where one for PVM is wanted"),
            Input::Vector(vector) => (raw(&vector.program)?, None),
            Input::GasVector(vector) => (raw(&vector.program)?, Some(Profile::Draft)),
            Input::Trace(trace) => (Program::parse(&trace.program).context("the program in the trace")?, None),
        })
    }
}

fn raw(blob: &[u8]) -> Result<Program> {
    Program::parse_as(Format::Raw, blob).context("the program in the vector is not valid, and panics when it is run")
}

/// What errors call an input.
pub fn name(path: &Path) -> String {
    if path.as_os_str() == "-" { "standard input".to_owned() } else { path.display().to_string() }
}

/// The bytes of a file, or of standard input if the path is `-`.
pub fn read(path: &Path, io: &mut Io<'_>) -> Result<Vec<u8>> {
    if path.as_os_str() == "-" {
        return read_all(&mut io.input).context(name(path));
    }
    let name = || name(path);
    let file = File::open(path).with_context(name)?;
    let about = file.metadata().with_context(name)?;
    if about.is_dir() {
        bail!("{}: is a folder; programs are files (`pvmrun test` takes folders)", path.display());
    }
    if about.is_file() && about.len() > MAX_INPUT {
        bail!("{}: {}", path.display(), too_large());
    }
    read_all(&mut &file).with_context(name)
}

fn read_all(from: &mut dyn Read) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(MAX_INPUT + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(too_large());
    }
    Ok(bytes)
}

fn too_large() -> anyhow::Error {
    anyhow!("larger than the limit of 1 GiB for inputs")
}

/// Reads a file or standard input and tells what it is. Errors name the file.
pub fn load(path: &Path, args: &ReadArgs, io: &mut Io<'_>) -> Result<(Vec<u8>, Input)> {
    let bytes = read(path, io)?;
    let input = recognise(&bytes, args).with_context(|| name(path))?;
    tracing::info!(path = %path.display(), bytes = bytes.len(), kind = input.kind(), "loaded");
    Ok((bytes, input))
}

/// Tells what some bytes are, or takes them for what they are said to be.
pub fn recognise(bytes: &[u8], args: &ReadArgs) -> Result<Input> {
    if bytes.is_empty() {
        bail!("the file is empty");
    }
    match (args.base, args.format) {
        (Some(base), _) => read_flat(bytes, base),
        (None, Some(format)) => read_as(bytes, format),
        (None, None) => recognise_by_content(bytes),
    }
}

fn read_flat(bytes: &[u8], base: u32) -> Result<Input> {
    if Executable::recognises(bytes) {
        bail!("--base is for flat binaries; this is an ELF file, which says itself where it goes");
    }
    let executable = Executable::flat(bytes, base).context("not a valid flat binary")?;
    Ok(Input::Executable(Box::new(executable)))
}

fn read_elf(bytes: &[u8]) -> Result<Input> {
    let executable = Executable::parse(bytes).context("not a valid RISC-V executable")?;
    if executable.flags & pvm_program::FLOAT_ABI != 0 {
        tracing::warn!("the program passes arguments in floating-point registers, which there are none of here");
    }
    Ok(Input::Executable(Box::new(executable)))
}

fn read_as(bytes: &[u8], format: FormatArg) -> Result<Input> {
    let program = |format: Format| {
        let program = Program::parse_as(format, bytes);
        program.map(|program| Input::Program(Box::new(program))).with_context(|| format!("not a {format} program"))
    };
    match format {
        FormatArg::Jam => program(Format::Jam),
        FormatArg::Spi => program(Format::Standard),
        FormatArg::Raw => program(Format::Raw),
        FormatArg::Polkavm => program(Format::PolkaVm),
        FormatArg::Vector => read_vector(bytes),
        FormatArg::Trace => read_trace(bytes),
        FormatArg::Elf => read_elf(bytes),
        FormatArg::Wasm => Err(unsupported("WebAssembly modules")),
        FormatArg::Wat => Err(unsupported("WebAssembly text")),
    }
}

fn recognise_by_content(bytes: &[u8]) -> Result<Input> {
    // These four bytes begin no PVM program that anybody has: as a blob, its jump table would have 127 entries of 69 bytes.
    if Executable::recognises(bytes) {
        return read_elf(bytes);
    }
    let attempts = match Program::parse(bytes) {
        Ok(program) => return Ok(Input::Program(Box::new(program))),
        Err(unrecognised) => unrecognised.attempts,
    };
    if looks_like_vector(bytes) {
        return read_vector(bytes);
    }
    if looks_like_trace(bytes) {
        return read_trace(bytes);
    }
    for (begins, what) in [(bytes.starts_with(b"\0asm"), "WebAssembly modules"), (is_wat(bytes), "WebAssembly text")] {
        if begins {
            return Err(unsupported(what));
        }
    }
    let mut error = String::from("not a program, vector or trace; it was tried");
    let is_polkavm = attempts.iter().any(|attempt| attempt.format == Format::PolkaVm);
    if is_polkavm {
        error = String::from("not a valid program");
    }
    for attempt in &attempts {
        error += &format!("\n  as {attempt}");
    }
    if !is_polkavm {
        error += "\n  as polkavm: it does not begin with \"PVM\\0\"\
                  \n  as vector: it is no JSON object with \"program\" and \"expected-status\", \"steps\" or \"block-gas-costs\"\
                  \n  as trace: no line has a `program` or `start` record\
                  \n  as elf, wasm, wat: it does not begin with \"\\x7fELF\", \"\\0asm\" or `(module`";
    }
    Err(anyhow!(error))
}

fn read_vector(bytes: &[u8]) -> Result<Input> {
    Ok(match VectorFile::parse(bytes).context("not a valid vector")? {
        VectorFile::Pvm(vector) => Input::Vector(Box::new(vector)),
        VectorFile::Gas(vector) => Input::GasVector(Box::new(vector)),
    })
}

fn read_trace(bytes: &[u8]) -> Result<Input> {
    Ok(Input::Trace(Box::new(Trace::parse_bytes(bytes).context("not a valid trace")?)))
}

fn unsupported(what: &str) -> anyhow::Error {
    anyhow!("{what} are not supported by this build of pvmrun; it runs PVM and RISC-V programs, vectors and traces")
}

/// Whether some text begins with `(module`, comments left out.
fn is_wat(mut text: &[u8]) -> bool {
    loop {
        text = text.trim_ascii_start();
        let rest = if text.starts_with(b";;") {
            text.iter().position(|&byte| byte == b'\n').map(|at| &text[at..])
        } else if text.starts_with(b"(;") {
            text.windows(2).position(|pair| pair == b";)").map(|at| &text[at + 2..])
        } else {
            let inner = text.strip_prefix(b"(").map(<[u8]>::trim_ascii_start);
            return inner.is_some_and(|inner| inner.starts_with(b"module"));
        };
        let Some(rest) = rest else { return false };
        text = rest;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(bytes: &[u8]) -> String {
        format!("{:#}", recognise(bytes, &ReadArgs::default()).unwrap_err())
    }

    #[test]
    fn what_is_not_run_is_named() {
        assert!(error(b"\x7fELF\x01\x01").contains("not a valid RISC-V executable: ELF header at byte 0"));
        assert!(error(b"\0asm\x01\0\0\0").contains("WebAssembly modules"));
        assert!(error(b" ;; hello\n(; a ;) ( module)").contains("WebAssembly text"));
        assert!(!is_wat(b"(;") && !is_wat(b";;") && !is_wat(b"(mod"));
    }

    #[test]
    fn every_attempt_is_named() {
        let text = error(b"hello, world");
        for format in ["jam", "spi", "raw", "polkavm", "vector", "trace", "elf"] {
            assert!(text.contains(&format!("as {format}")), "{text}");
        }
        assert!(error(b"PVM\0\x02").contains("as polkavm: file length at byte 5"));
        assert_eq!(error(b""), "the file is empty");
        assert!(error(br#"{"program": [], "expected-status": 1}"#).contains("not a valid vector: "));
        assert!(error(b"program 0x00\nnothing").contains("not a valid trace: line 2"));
    }
}

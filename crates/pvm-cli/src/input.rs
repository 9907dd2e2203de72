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
    /// A WebAssembly module, in binary or text form.
    Wasm(Vec<u8>),
}

impl Input {
    /// What it is, in words.
    pub const fn kind(&self) -> &'static str {
        match self {
            Input::Program(_) | Input::Executable(_) => "program",
            Input::Vector(_) => "vector",
            Input::GasVector(_) => "gas-vector",
            Input::Trace(_) => "trace",
            Input::Wasm(_) => "wasm",
        }
    }

    /// The PVM program that it is or has in it, and the profile that goes with its kind. WebAssembly is compiled.
    pub fn program(self, path: &Path, args: &ReadArgs, io: &mut Io<'_>) -> Result<(Program, Option<Profile>)> {
        Ok(match self {
            Input::Program(program) => (*program, None),
            Input::Executable(_) => bail!("a RISC-V program, where one for PVM is wanted"),
            Input::Vector(vector) => (raw(&vector.program)?, None),
            Input::GasVector(vector) => (raw(&vector.program)?, Some(Profile::Draft)),
            Input::Trace(trace) => (Program::parse(&trace.program).context("the program in the trace")?, None),
            Input::Wasm(bytes) => (compile(&bytes, path, args, io)?, None),
        })
    }
}

#[cfg(feature = "wasm")]
fn compile(bytes: &[u8], path: &Path, args: &ReadArgs, io: &mut Io<'_>) -> Result<Program> {
    crate::wasm::program(bytes, path, &args.wasm, &crate::wasm::Choices::default(), io)
}

#[cfg(not(feature = "wasm"))]
fn compile(_: &[u8], _: &Path, _: &ReadArgs, _: &mut Io<'_>) -> Result<Program> {
    bail!("this pvmrun was built without the compiler from WebAssembly")
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
        return read_all(&mut io.input, 0).context(name(path));
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
    read_all(&mut &file, about.len()).with_context(name)
}

/// Reads to the end, which is expected after `len` bytes.
fn read_all(from: &mut dyn Read, len: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    bytes.try_reserve_exact(len.min(MAX_INPUT) as usize)?;
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
        FormatArg::Wasm | FormatArg::Wat => Ok(Input::Wasm(bytes.to_vec())),
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
    if bytes.starts_with(b"\0asm") || first_word(bytes).is_some_and(|word| MODULE_WORDS.contains(&word)) {
        return Ok(Input::Wasm(bytes.to_vec()));
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

/// The words that the text of a module may begin with: it need not be in parentheses of its own.
const MODULE_WORDS: [&[u8]; 11] =
    [b"module", b"type", b"import", b"func", b"table", b"memory", b"global", b"export", b"start", b"elem", b"data"];

/// Whether some bytes are a WebAssembly script: text whose first command is one of those that scripts have. A module alone
/// is a script, too.
#[cfg(feature = "wasm")]
pub fn is_script(bytes: &[u8]) -> bool {
    first_word(bytes).is_some_and(|word| {
        word.starts_with(b"assert_") || [&b"register"[..], b"invoke"].contains(&word) || MODULE_WORDS.contains(&word)
    })
}

/// The first word in parentheses, comments left out.
fn first_word(text: &[u8]) -> Option<&[u8]> {
    let inner = without_comments(without_comments(text)?.strip_prefix(b"(")?)?;
    let end = inner.iter().position(|byte| !byte.is_ascii_alphanumeric() && *byte != b'_');
    Some(&inner[..end.unwrap_or(inner.len())])
}

/// The text behind comments and blanks at its beginning.
fn without_comments(mut text: &[u8]) -> Option<&[u8]> {
    loop {
        text = text.trim_ascii_start();
        text = match text.get(..2) {
            Some(b";;") => text.iter().position(|&byte| byte == b'\n').map(|at| &text[at..])?,
            Some(b"(;") => block_comment(text)?,
            _ => return Some(text),
        };
    }
}

/// What follows a comment in `(;` and `;)`, which may have others in it.
fn block_comment(text: &[u8]) -> Option<&[u8]> {
    let mut depth = 0;
    let mut at = 0;
    while at + 1 < text.len() {
        match &text[at..at + 2] {
            b"(;" => depth += 1,
            b";)" => depth -= 1,
            _ => {
                at += 1;
                continue;
            }
        }
        at += 2;
        if depth == 0 {
            return Some(&text[at..]);
        }
    }
    None
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
    }

    #[test]
    fn webassembly_is_recognised() {
        let kind = |bytes: &[u8]| recognise(bytes, &ReadArgs::default()).unwrap().kind();
        assert_eq!(kind(b"\0asm\x01\0\0\0"), "wasm");
        assert_eq!(kind(b" ;; hello\n(; a (; b ;) ;) ( module)"), "wasm");
        #[cfg(feature = "wasm")]
        assert!(is_script(b"(assert_invalid (module))") && is_script(b"(module)") && !is_script(b"(;"));
        assert!([&b"(;"[..], b";;", b"(", b""].iter().all(|text| first_word(text).is_none_or(<[u8]>::is_empty)));
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

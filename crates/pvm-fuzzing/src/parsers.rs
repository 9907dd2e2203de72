//! Inputs for the parsers, and what must hold whatever they are given.
//!
//! A parser may refuse anything. It may not panic, and what it accepts must be what it is taken for: a program that is
//! read is written back byte for byte, and assembling the disassembly of a program gives the program.
//!
//! [`Pool`] makes inputs: small valid ones, built in code, then mutated.

mod mutate;
mod seeds;

use fastrand::Rng;
use pvm_conformance::trace::Trace;
use pvm_conformance::vector::VectorFile;
use pvm_conformance::{looks_like_trace, looks_like_vector};
use pvm_isa::Profile;
use pvm_ops::GuestCode;
use pvm_program::{Blob, Code, Executable, Format, Metadata, Program, natural};
use std::panic::catch_unwind;

/// A parser, or a few that read the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parser {
    /// A program of any container.
    Program,
    /// A program of this container.
    Container(Format),
    /// A blob.
    Blob,
    /// A RISC-V executable.
    Elf,
    /// A number of variable length.
    Natural,
    /// A test vector.
    Vector,
    /// A host-call trace.
    Trace,
    /// Assembly.
    Assembly,
}

impl Parser {
    /// Every parser.
    pub const ALL: [Parser; 11] = [
        Parser::Program,
        Parser::Container(Format::Jam),
        Parser::Container(Format::Standard),
        Parser::Container(Format::PolkaVm),
        Parser::Container(Format::Raw),
        Parser::Blob,
        Parser::Elf,
        Parser::Natural,
        Parser::Vector,
        Parser::Trace,
        Parser::Assembly,
    ];

    /// The name, as part of a file name.
    pub fn name(self) -> &'static str {
        match self {
            Parser::Program => "program",
            Parser::Container(format) => format.name(),
            Parser::Blob => "blob",
            Parser::Elf => "elf",
            Parser::Natural => "natural",
            Parser::Vector => "vector",
            Parser::Trace => "trace",
            Parser::Assembly => "assembly",
        }
    }

    /// Reads `bytes`: whether they are accepted. Whether it panics is the caller's to see.
    ///
    /// # Errors
    ///
    /// If something is wrong with the outcome, in words.
    pub fn check(self, bytes: &[u8]) -> Result<bool, String> {
        match self {
            Parser::Program => accept(Program::parse(bytes), |program| check_program(program, bytes)),
            Parser::Container(format) => {
                accept(Program::parse_as(format, bytes), |program| check_program(program, bytes))
            }
            Parser::Blob => accept(Blob::parse(bytes), |blob| {
                let mut again = Vec::new();
                blob.encode(&mut again);
                ensure(again == bytes, "a blob is not written as it was read")
            }),
            Parser::Elf => accept(Executable::parse(bytes), check_executable),
            Parser::Natural => natural::decode(bytes).map_or(Ok(false), |decoded| check_natural(decoded, bytes)),
            Parser::Vector => {
                // Whatever a vector needs is what it is recognised by.
                let recognised = looks_like_vector(bytes) || is_escaped(bytes);
                accept(VectorFile::parse(bytes), |_| ensure(recognised, "a vector is not recognised"))
            }
            Parser::Trace => {
                looks_like_trace(bytes);
                accept(Trace::parse_bytes(bytes), check_trace)
            }
            Parser::Assembly => accept(pvm_asm::assemble(&String::from_utf8_lossy(bytes)), |assembled| {
                accept(Program::parse(assembled), |program| check_program(program, assembled)).map(drop)
            }),
        }
    }
}

/// Whether something was accepted, and if so, checks it.
fn accept<T, E>(result: Result<T, E>, check: impl FnOnce(&T) -> Result<(), String>) -> Result<bool, String> {
    result.map_or(Ok(false), |value| check(&value).map(|()| true))
}

fn ensure(holds: bool, problem: &str) -> Result<(), String> {
    if holds { Ok(()) } else { Err(problem.to_owned()) }
}

/// Gives an input to every parser; what went wrong, in words.
pub fn check_everything(bytes: &[u8]) -> Vec<String> {
    let check = |parser: &Parser| {
        let outcome = catch_unwind(|| parser.check(bytes)).unwrap_or_else(|_| Err("it panics".to_owned()));
        outcome.err().map(|problem| format!("{}: {problem}", parser.name()))
    };
    Parser::ALL.iter().filter_map(check).collect()
}

fn check_program(program: &Program, bytes: &[u8]) -> Result<(), String> {
    let mut again = Vec::new();
    program.encode(&mut again).map_err(|error| format!("a program that was read cannot be written: {error}"))?;
    ensure(again == bytes, "a program is not written as it was read")?;
    let _ = program.metadata.as_deref().map(Metadata::parse);
    // One profile for each input is enough to try them all.
    let profile = Profile::ALL[bytes.len() % 3];
    let code = Code::new(&program.blob, profile);
    ensure(code.instruction_starts().all(|pc| code.fetch(pc).next > pc), "an instruction leads back to itself")?;
    let text = pvm_asm::disassemble(program, profile);
    let again = pvm_asm::assemble(&text).map_err(|error| format!("the disassembly is refused: {error}"))?;
    ensure(again == bytes, "the disassembly makes another program")
}

/// What is read can be written and is read again as the same. (The file is another one: nobody needs all that is in it.)
fn check_executable(executable: &Executable) -> Result<(), String> {
    let again = match Executable::parse(&executable.encode()) {
        Ok(again) => again,
        // A page that segments share becomes one of its own, so there may be more of them.
        Err(error) if error.field == "number of segments" => return Ok(()),
        Err(error) => return Err(format!("an executable that was written is refused: {error}")),
    };
    // The end of the last segment is that of its page then, and headers are not in memory.
    let same = Executable { end: executable.end, program_headers: executable.program_headers, ..again };
    ensure(same == *executable, "an executable is written as another one")
}

fn check_natural((value, used, shortest): (u64, usize, bool), bytes: &[u8]) -> Result<bool, String> {
    let mut again = Vec::new();
    natural::encode(value, &mut again);
    ensure((again == bytes[..used]) == shortest, "a number is not written as it was read")?;
    ensure(shortest || again.len() < used, "a number was read as too long, but is not")?;
    Ok(true)
}

fn check_trace(trace: &Trace) -> Result<(), String> {
    let text: String = trace.records().map(|record| format!("{record}\n")).collect();
    let again = Trace::parse(&text).map_err(|error| format!("the records are refused: {error}"))?;
    ensure(again == *trace, "the records make another trace")
}

/// JSON can write a field's name in other ways than letter by letter.
fn is_escaped(bytes: &[u8]) -> bool {
    bytes.contains(&b'\\')
}

/// Valid inputs, from which others are made.
#[derive(Debug)]
pub struct Pool {
    seeds: Vec<(Parser, Vec<Vec<u8>>)>,
}

/// The greatest length of an input, for the most part.
const MAX_LEN: usize = 4096;
/// The same of an executable, whose parts are in pages of their own.
const MAX_ELF: usize = 5 * MAX_LEN;

impl Pool {
    /// Builds the valid inputs.
    pub fn new() -> Pool {
        let rng = &mut Rng::with_seed(1);
        Pool { seeds: Parser::ALL.map(|parser| (parser, seeds::seeds(rng, parser))).into() }
    }

    /// The input of a seed, and the parser that it is for.
    pub fn input(&self, seed: u64) -> (Parser, Vec<u8>) {
        let rng = &mut Rng::with_seed(seed);
        let (parser, seeds) = &self.seeds[rng.usize(..self.seeds.len())];
        let mut input = seeds[rng.usize(..seeds.len())].clone();
        if rng.u32(..50) == 0 {
            input = (0..rng.usize(..200)).map(|_| rng.u8(..)).collect();
        }
        let is_text = matches!(parser, Parser::Vector | Parser::Trace | Parser::Assembly);
        for _ in 0..1 << rng.u32(..5) {
            let other = &seeds[rng.usize(..seeds.len())];
            mutate::mutate(rng, &mut input, other, is_text);
        }
        if rng.u32(..1000) > 0 {
            input.truncate(if *parser == Parser::Elf { MAX_ELF } else { MAX_LEN });
        }
        (*parser, input)
    }
}

impl Default for Pool {
    fn default() -> Pool {
        Pool::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_valid_and_inputs_are_checked() {
        let pool = Pool::new();
        for (parser, seeds) in &pool.seeds {
            for seed in seeds {
                assert_eq!(parser.check(seed), Ok(true), "{parser:?}: {}", String::from_utf8_lossy(seed));
            }
        }
        for seed in 0..3000 {
            let (parser, input) = pool.input(seed);
            assert_eq!(parser.check(&input).err(), None, "seed {seed}");
        }
    }
}

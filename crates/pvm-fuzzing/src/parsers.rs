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
use pvm_program::{Blob, Code, Format, Metadata, Program, natural};
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
    pub const ALL: [Parser; 10] = [
        Parser::Program,
        Parser::Container(Format::Jam),
        Parser::Container(Format::Standard),
        Parser::Container(Format::PolkaVm),
        Parser::Container(Format::Raw),
        Parser::Blob,
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
            Parser::Natural => "natural",
            Parser::Vector => "vector",
            Parser::Trace => "trace",
            Parser::Assembly => "assembly",
        }
    }

    /// Reads `bytes`, and says what is wrong with the outcome, if anything is. Whether it panics is the caller's to see.
    pub fn check(self, bytes: &[u8]) -> Option<String> {
        match self {
            Parser::Program => Program::parse(bytes).ok().and_then(|program| check_program(&program, bytes)),
            Parser::Container(format) => {
                Program::parse_as(format, bytes).ok().and_then(|program| check_program(&program, bytes))
            }
            Parser::Blob => {
                let mut again = Vec::new();
                let blob = Blob::parse(bytes).ok()?;
                blob.encode(&mut again);
                (again != bytes).then(|| "a blob is not written as it was read".to_owned())
            }
            Parser::Natural => check_natural(bytes),
            Parser::Vector => {
                let recognised = looks_like_vector(bytes);
                // Whatever a vector needs is what it is recognised by.
                (VectorFile::parse(bytes).is_ok() && !recognised && !is_escaped(bytes))
                    .then(|| "a vector is not recognised".to_owned())
            }
            Parser::Trace => check_trace(bytes),
            Parser::Assembly => {
                let source = String::from_utf8_lossy(bytes);
                let assembled = pvm_asm::assemble(&source).ok()?;
                Program::parse(&assembled).ok().and_then(|program| check_program(&program, &assembled))
            }
        }
    }
}

/// Gives an input to every parser; what went wrong, in words.
pub fn check_everything(bytes: &[u8]) -> Vec<String> {
    let check = |parser: &Parser| {
        let problem = catch_unwind(|| parser.check(bytes)).unwrap_or_else(|_| Some("it panics".to_owned()));
        problem.map(|problem| format!("{}: {problem}", parser.name()))
    };
    Parser::ALL.iter().filter_map(check).collect()
}

fn check_program(program: &Program, bytes: &[u8]) -> Option<String> {
    let mut again = Vec::new();
    if let Err(error) = program.encode(&mut again) {
        return Some(format!("a program that was read cannot be written: {error}"));
    }
    if again != bytes {
        return Some("a program is not written as it was read".to_owned());
    }
    let _ = program.metadata.as_deref().map(Metadata::parse);
    // One profile for each input is enough to try them all.
    let profile = Profile::ALL[bytes.len() % 3];
    let code = Code::new(&program.blob, profile);
    if let Some(pc) = code.instruction_starts().find(|&pc| code.fetch(pc).next <= pc) {
        return Some(format!("the instruction at {pc} leads back to itself"));
    }
    let text = pvm_asm::disassemble(program, profile);
    match pvm_asm::assemble(&text) {
        Ok(again) if again == bytes => None,
        Ok(_) => Some("the disassembly makes another program".to_owned()),
        Err(error) => Some(format!("the disassembly is refused: {error}")),
    }
}

fn check_natural(bytes: &[u8]) -> Option<String> {
    let (value, used, shortest) = natural::decode(bytes)?;
    let mut again = Vec::new();
    natural::encode(value, &mut again);
    match shortest {
        true if again != bytes[..used] => Some(format!("{value} is not written as it was read")),
        false if again.len() >= used => Some(format!("{value} was read as too long, but is not")),
        _ => None,
    }
}

fn check_trace(bytes: &[u8]) -> Option<String> {
    looks_like_trace(bytes);
    let trace = Trace::parse_bytes(bytes).ok()?;
    let text: String = trace.records().map(|record| format!("{record}\n")).collect();
    match Trace::parse(&text) {
        Ok(again) if again == trace => None,
        Ok(_) => Some("the records make another trace".to_owned()),
        Err(error) => Some(format!("the records are refused: {error}")),
    }
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
            input.truncate(MAX_LEN);
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
                assert_eq!(parser.check(seed), None, "{parser:?}");
                let text = || String::from_utf8_lossy(seed).into_owned();
                match parser {
                    Parser::Container(format) => assert!(Program::parse_as(*format, seed).is_ok(), "{parser:?}"),
                    Parser::Program => assert!(Program::parse(seed).is_ok()),
                    Parser::Vector => assert!(VectorFile::parse(seed).is_ok(), "{}", text()),
                    Parser::Trace => assert!(Trace::parse_bytes(seed).is_ok(), "{}", text()),
                    Parser::Assembly => assert!(pvm_asm::assemble(&text()).is_ok(), "{}", text()),
                    Parser::Blob | Parser::Natural => {}
                }
            }
        }
        for seed in 0..3000 {
            let (parser, input) = pool.input(seed);
            assert_eq!(parser.check(&input), None, "seed {seed}");
        }
    }
}

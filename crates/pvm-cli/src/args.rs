//! The command line.

use crate::units;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Parser, Subcommand, ValueEnum};
use pvm_gas::GasModel;
use pvm_isa::Profile;
use std::ffi::{OsStr, OsString};
use std::path::PathBuf;
use std::time::Duration;

/// The names of the verbs; without one of them first, the verb is `run`.
const VERBS: [&str; 6] = ["run", "test", "disasm", "asm", "info", "help"];

const EXIT_CODES: &str = "\
Exit codes:
  0  halt, or all tests passed    111  panic               114  unserved host call
  1  failed test, bad input       112  page fault          115  timeout
  2  wrong usage                  113  out of gas           70  internal error of pvmrun";

const EXAMPLES: &str = "\
Examples:
  pvmrun add.jam 0x0100000002000000    run a program with argument data; the verb `run` may be left out
  pvmrun --entry accumulate --gas 100000 --json service.jam @arguments.bin
  pvmrun --stats --jit-threshold 0 prime.polkavm
  pvmrun test conformance/             all vectors and traces in a folder
  pvmrun disasm add.jam | less         the program as assembly
  pvmrun info add.jam                  what is in it, and what its machine code costs

Programs are recognised by content: JAM services, standard programs, program blobs, .polkavm containers, PVM test
vectors (JSON) and host-call traces. `-` stands for standard input.";

const RUN_EXAMPLES: &str = "\
What the program returns is printed as one line of hexadecimal digits. Only standard programs (jam and spi) return
something: the bytes that r7 and r8 name as address and length, if all of them are readable.

A test vector runs from its initial state, a trace is replayed and compared; both with the gas model that goes with them.

Examples:
  pvmrun run add.jam 0x0100000002000000
  pvmrun --timeout 2s --max-memory 64M untrusted.jam
  pvmrun --trace run.trace service.jam && pvmrun test run.trace";

const TEST_HELP: &str = "\
PVM vectors run with per-block gas, gas vectors with the pipeline model and `draft` opcodes, traces with per-instruction
gas, unless options say otherwise. Every file must be one of these; one that is not is a failure. A skip list has on each
line the end of a path and a reason; `#` begins a comment, and an entry that matches nothing is an error.

Examples:
  pvmrun test vectors/                          everything, compiled when hot
  pvmrun test --jit=off vectors/ run.trace      interpreted
  pvmrun test --jit-threshold 0 vectors/        compiled before the first run";

/// Run, test and look at PVM programs, the virtual machine of JAM.
#[derive(Debug, Parser)]
#[command(name = "pvmrun", version, about, arg_required_else_help = true, disable_help_subcommand = false)]
#[command(after_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), override_usage = "pvmrun [OPTIONS] PROGRAM [ARG]...\n       pvmrun <VERB> [OPTIONS] ...")]
#[command(subcommand_value_name = "VERB", subcommand_help_heading = "Verbs (`run` may be left out)")]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
    /// Log more to standard error: -v what is done, -vv what is compiled (or set PVMRUN_LOG)
    #[arg(short, long, action = clap::ArgAction::Count, global = true)]
    pub verbose: u8,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run a program, a test vector or a trace
    #[command(after_help = format!("{RUN_EXAMPLES}\n\n{EXIT_CODES}"))]
    Run(RunArgs),
    /// Run conformance files: PVM vectors, gas vectors, traces; folders recursively
    #[command(after_help = TEST_HELP)]
    Test(TestArgs),
    /// Print a program as assembly, from which `asm` makes the same program again
    Disasm(DisasmArgs),
    /// Make a program from assembly
    Asm(AsmArgs),
    /// Show what is in a program and what its machine code costs
    Info(InfoArgs),
}

/// What a program is read as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// A JAM service: metadata, then a standard program
    Jam,
    /// A bare standard program
    Spi,
    /// A program blob, with or without metadata
    Raw,
    /// A .polkavm container
    Polkavm,
    /// A PVM test vector or gas vector
    Vector,
    /// A host-call trace
    Trace,
    /// A RISC-V ELF file (not in this build)
    Elf,
    /// A WebAssembly module (not in this build)
    Wasm,
    /// WebAssembly text (not in this build)
    Wat,
}

/// A back end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum JitArg {
    /// Compile hot code with Cranelift
    #[cfg_attr(feature = "cranelift", default)]
    Cranelift,
    /// Interpret everything
    #[cfg_attr(not(feature = "cranelift"), default)]
    Off,
}

/// The effort of the compiler.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum OptArg {
    /// Compile fast
    None,
    /// Compile well
    #[default]
    Speed,
}

/// Which calls are served.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum HostArg {
    /// `gas` and `log`; any other costs 10 gas and answers WHAT
    #[default]
    Jam,
    /// None: the first host call ends the run
    None,
}

/// How a program is read.
#[derive(Args, Debug, Default)]
pub struct ReadArgs {
    /// Take the input for this instead of recognising it by its content
    #[arg(long)]
    pub format: Option<FormatArg>,
    /// Opcode and host-call numbering, where the file does not say [default: 0.7]
    #[arg(long, value_name = "VERSION", value_parser = PossibleValuesParser::new(["0.7", "0.8", "draft"])
        .try_map(|name| Profile::from_name(&name).ok_or("no such version")))]
    pub isa: Option<Profile>,
}

/// How programs are executed.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Execution")]
pub struct EngineArgs {
    /// The back end
    #[arg(long, value_name = "BACKEND", value_enum, default_value_t)]
    pub jit: JitArg,
    /// Compile a block when it has been entered N times; 0 compiles before the first run [default: chosen by measurement]
    #[arg(long, value_name = "N")]
    pub jit_threshold: Option<u32>,
    /// The effort of the compiler
    #[arg(long, value_name = "LEVEL", value_enum, default_value_t)]
    pub opt_level: OptArg,
    /// Compile at most N instructions together
    #[arg(long, value_name = "N")]
    pub region_limit: Option<usize>,
    /// How running is paid for [default: pipeline under 0.8, else instruction; vectors: what goes with their kind]
    #[arg(long, value_name = "MODEL", value_parser = PossibleValuesParser::new(["instruction", "block", "pipeline", "none"])
        .try_map(|name| GasModel::from_name(&name).ok_or("no such model")))]
    pub gas_model: Option<GasModel>,
    /// The most memory that a guest may have accessible: bytes, or with K, M, G (powers of 1024) [default: 4G]
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub max_memory: Option<u64>,
    /// Stop a run after this long: 500ms, 2s, 1m
    #[arg(long, value_name = "TIME", value_parser = units::time)]
    pub timeout: Option<Duration>,
}

/// What is printed.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct ReportArgs {
    /// Print one JSON object on standard output, and nothing else there
    #[arg(long)]
    pub json: bool,
    /// Report times, what was compiled, and what was executed how (to standard error, or in the JSON)
    #[arg(long)]
    pub stats: bool,
}

/// Arguments of `run`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Program")]
pub struct RunArgs {
    /// The program; `-` reads standard input
    pub program: PathBuf,
    /// Argument data: hexadecimal digits (with or without 0x) or @FILE; several are put together
    #[arg(value_name = "ARG", trailing_var_arg = true, allow_hyphen_values = true)]
    pub arguments: Vec<OsString>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Gas limit [default: 1000000000000000 (10^15), or what a vector says]
    #[arg(long, value_name = "N", value_parser = units::number)]
    pub gas: Option<u64>,
    /// Start at this program counter
    #[arg(long, value_name = "N", value_parser = units::pc, conflicts_with = "entry")]
    pub pc: Option<u32>,
    /// Start at this export; JAM programs have is_authorized, refine and accumulate [default: the code's beginning]
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// Which host calls are served
    #[arg(long, value_enum, default_value_t)]
    pub host: HostArg,
    /// Replace the stack size of a standard program: bytes, or with K or M
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub stack_size: Option<u64>,
    /// Write a host-call trace (JIP-7)
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `test`.
#[derive(Args, Debug)]
pub struct TestArgs {
    /// Files and folders
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Leave out the cases that this file names, with reasons
    #[arg(long, value_name = "FILE")]
    pub skip_list: Option<PathBuf>,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

/// Arguments of `disasm`.
#[derive(Args, Debug)]
pub struct DisasmArgs {
    /// The program; `-` reads standard input. Of a vector or trace, the program in it
    pub program: PathBuf,
    #[command(flatten)]
    pub read: ReadArgs,
}

/// Arguments of `asm`.
#[derive(Args, Debug)]
pub struct AsmArgs {
    /// The assembly; `-` reads standard input
    #[arg(value_name = "IN.s")]
    pub source: PathBuf,
    /// The program; `-` writes standard output [default: IN with .jam, .spi, .pvm (raw) or .polkavm]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
}

/// Arguments of `info`.
#[derive(Args, Debug)]
pub struct InfoArgs {
    /// The program; `-` reads standard input. Of a vector or trace, the program in it
    pub program: PathBuf,
    #[command(flatten)]
    pub read: ReadArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// What became of the command line.
pub enum Parsed {
    /// It can be followed.
    Cli(Box<Cli>),
    /// There is something to be said instead: help, or an error.
    Message(clap::Error),
}

/// Reads the command line. Where the first argument is no verb and nothing that clap answers alone, `run` is meant.
pub fn parse(mut arguments: Vec<OsString>) -> Parsed {
    let first = arguments.get(1).map(OsString::as_os_str);
    let names = |list: &[&str]| first.is_some_and(|first| list.iter().any(|name| first == OsStr::new(name)));
    let is_for_clap = names(&VERBS) || names(&["--help", "-h", "--version", "-V"]);
    if first.is_some() && !is_for_clap {
        arguments.insert(1, "run".into());
    }
    match Cli::try_parse_from(arguments) {
        Ok(cli) => Parsed::Cli(Box::new(cli)),
        Err(error) => Parsed::Message(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Verb, clap::Error> {
        match super::parse(line.split(' ').map(OsString::from).collect()) {
            Parsed::Cli(cli) => Ok(cli.verb),
            Parsed::Message(error) => Err(error),
        }
    }

    #[test]
    fn the_definition_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_verb_may_be_left_out() {
        for line in ["pvmrun --gas 5 test 00", "pvmrun run --gas=0x5 test 00", "pvmrun -v --gas 5 test 00"] {
            let Ok(Verb::Run(args)) = parse(line) else { panic!("{line}") };
            assert_eq!((args.program, args.gas, args.arguments), ("test".into(), Some(5), vec!["00".into()]));
        }
        assert!(matches!(parse("pvmrun test a"), Ok(Verb::Test(_))));
        assert!(matches!(parse("pvmrun ./test a"), Ok(Verb::Run(_))));
        assert!(matches!(parse("pvmrun -"), Ok(Verb::Run(_))));
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        let Ok(Verb::Run(args)) = parse("pvmrun a.elf --json -x") else { panic!() };
        assert_eq!(args.arguments, ["--json", "-x"]);
        assert!(!args.report.json);
    }

    #[test]
    fn wrong_usage_is_noticed() {
        for line in ["pvmrun", "pvmrun run", "pvmrun --gas x a", "pvmrun --pc 1 --entry a b", "pvmrun --isa=0.6 a"] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}

//! The command line.

mod help;
mod options;
mod wasm;

#[cfg(feature = "cranelift")]
pub use options::OptArg;
pub use options::{EngineArgs, FaultArg, FormatArg, HostArg, JitArg, ProfileArg, ReadArgs, ReportArgs, SystemArgs};

pub use wasm::WasmArgs;
#[cfg(feature = "wasm")]
pub use wasm::{BoundsArg, CompileArgs, LevelArg};

use crate::units;
use clap::{Args, Parser, Subcommand};
use help::{EXAMPLES, EXIT_CODES, RUN_EXAMPLES, TEST_HELP};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

/// The names of the verbs; without one of them first, the verb is `run`.
const VERBS: [&str; 7] = ["run", "test", "compile", "disasm", "asm", "info", "help"];

/// Run, test and look at programs for PVM, the virtual machine of JAM, and for 32-bit RISC-V.
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
    #[command(override_usage = "pvmrun run [OPTIONS] PROGRAM [ARG]...")]
    Run(RunArgs),
    /// Run conformance files: PVM vectors, gas vectors, traces, RISC-V tests; folders recursively
    #[command(after_help = TEST_HELP)]
    Test(TestArgs),
    /// Compile a WebAssembly module, in binary or text form, to a JAM program
    #[cfg(feature = "wasm")]
    #[command(after_help = help::COMPILE_HELP)]
    Compile(CompileArgs),
    /// Print a program as assembly, from which `asm` makes the same program again (RISC-V: a listing)
    Disasm(DisasmArgs),
    /// Make a program from assembly
    Asm(AsmArgs),
    /// Show what is in a program and what its machine code costs
    Info(InfoArgs),
}

/// Arguments of `run`.
#[derive(Args, Debug)]
#[command(next_help_heading = "Program")]
pub struct RunArgs {
    /// The program (`-` reads standard input), then its argument data: hexadecimal digits, with or without 0x, or
    /// @FILE; several are put together. A RISC-V program gets its arguments as they are. Options come before the program
    #[arg(value_names = ["PROGRAM", "ARG"], num_args = 1.., required = true, trailing_var_arg = true, help_heading = "Arguments")]
    command: Vec<OsString>,
    #[command(flatten)]
    pub read: ReadArgs,
    /// Gas limit [default: 1000000000000000 (10^15), or what a vector says; RISC-V: none]
    #[arg(long, value_name = "N", value_parser = units::number)]
    pub gas: Option<u64>,
    /// Start at this program counter
    #[arg(long, value_name = "N", value_parser = units::pc, conflicts_with = "entry")]
    pub pc: Option<u32>,
    /// Start at this export or symbol; JAM programs have is_authorized, refine and accumulate [default: the code's beginning]
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// Which host calls are served
    #[arg(long, value_enum, default_value_t)]
    pub host: HostArg,
    /// Replace the stack size of a standard program, or of a RISC-V program (8M): bytes, or with K or M
    #[arg(long, value_name = "SIZE", value_parser = units::size)]
    pub stack_size: Option<u64>,
    /// Write a host-call trace (JIP-7)
    #[arg(long, value_name = "FILE")]
    pub trace: Option<PathBuf>,
    #[command(flatten)]
    pub system: SystemArgs,
    #[command(flatten)]
    pub engine: EngineArgs,
    #[command(flatten)]
    pub report: ReportArgs,
}

impl RunArgs {
    /// The program.
    pub fn program(&self) -> &Path {
        self.command.first().map_or(Path::new("-"), Path::new)
    }

    /// What comes after the program, whatever it looks like.
    pub fn arguments(&self) -> &[OsString] {
        self.command.get(1..).unwrap_or_default()
    }
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
            assert_eq!((args.program(), args.gas), (Path::new("test"), Some(5)));
            assert_eq!(args.arguments(), ["00"]);
        }
        assert!(matches!(parse("pvmrun test a"), Ok(Verb::Test(_))));
        assert!(matches!(parse("pvmrun ./test a"), Ok(Verb::Run(_))));
        assert!(matches!(parse("pvmrun -"), Ok(Verb::Run(_))));
    }

    #[test]
    fn what_follows_the_program_is_its_own() {
        let Ok(Verb::Run(args)) = parse("pvmrun a.elf --json -x") else { panic!() };
        assert_eq!(args.arguments(), ["--json", "-x"]);
        assert!(!args.report.json);
    }

    #[test]
    fn wrong_usage_is_noticed() {
        for line in [
            "pvmrun",
            "pvmrun run",
            "pvmrun --gas x a",
            "pvmrun --pc 1 --entry a b",
            "pvmrun --isa=0.6 a",
            "pvmrun --nope a",
        ] {
            assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}

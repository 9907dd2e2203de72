//! Options that several verbs have.

use super::WasmArgs;
use crate::units;
use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, ValueEnum};
use pvm_gas::GasModel;
use pvm_isa::Profile;
use std::path::PathBuf;
use std::time::Duration;

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
    /// A static RISC-V executable (ELF, 32 bits)
    Elf,
    /// A WebAssembly module
    Wasm,
    /// WebAssembly text: a module, or with `test` a script
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
    /// Only what is done before Cranelift; mostly the fastest code, and compiled faster
    #[default]
    None,
    /// All that Cranelift can do
    Speed,
}

/// How accesses that the guest may not make are detected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FaultArg {
    /// The host watches over pages and sends signals (x86-64 Linux)
    Signals,
    /// Compiled code checks each access
    Checks,
}

/// What profilers are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum ProfileArg {
    /// Nothing
    #[default]
    Off,
    /// Names, in /tmp/perf-PID.map
    PerfMap,
    /// Names and machine code, in jit-PID.dump in the current folder
    #[value(name = "jitdump")]
    JitDump,
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
    /// Take the input for a flat binary: RISC-V code that is put at this address and starts there
    #[arg(long, value_name = "ADDRESS", value_parser = units::pc, conflicts_with = "format")]
    pub base: Option<u32>,
    #[command(flatten)]
    pub wasm: WasmArgs,
}

/// What a RISC-V program finds around it.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "RISC-V programs")]
pub struct SystemArgs {
    /// Let it use files below this folder, and call it GUEST [default: as HOST is written]
    #[arg(long, value_name = "HOST[::GUEST]")]
    pub dir: Vec<String>,
    /// Set a variable of its environment, which is empty otherwise
    #[arg(long, value_name = "NAME=VALUE")]
    pub env: Vec<String>,
    /// After the run, write memory from `begin_signature` to `end_signature`, a word a line (architectural tests)
    #[arg(long, value_name = "FILE")]
    pub signature: Option<PathBuf>,
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
    /// How compiled code detects accesses that the guest may not make [default: the best that the host has]
    #[arg(long, value_name = "HOW", value_enum)]
    pub fault_detection: Option<FaultArg>,
    /// Compile at most N instructions together (RISC-V: twice as many, or half if the program is large)
    #[arg(long, value_name = "N")]
    pub region_limit: Option<usize>,
    /// Tell `perf` what compiled code is called
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub profile: ProfileArg,
    /// How running is paid for [default: pipeline under 0.8, else instruction; vectors: what goes with their kind; RISC-V:
    /// none, or instruction if there is a limit]
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

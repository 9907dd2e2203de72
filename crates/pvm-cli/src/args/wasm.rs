//! How WebAssembly is compiled.

#[cfg(feature = "wasm")]
use crate::units;
use clap::{Args, ValueEnum};
use std::path::PathBuf;

/// How memory accesses are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum BoundsArg {
    /// Against the memory's size, exactly as WebAssembly says
    #[default]
    Strict,
    /// Against the most that the memory can grow to: cheaper, and beyond the size nothing traps up to there
    Guard,
}

/// A version of the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum LevelArg {
    /// WebAssembly 1.0
    #[value(name = "1.0")]
    V1,
    /// WebAssembly 2.0, without vectors
    #[default]
    #[value(name = "2.0")]
    V2,
}

/// How WebAssembly is compiled.
#[derive(Args, Debug, Default)]
#[command(next_help_heading = "WebAssembly")]
pub struct WasmArgs {
    /// How memory accesses of a WebAssembly module are checked
    #[arg(long, value_name = "HOW", value_enum, default_value_t)]
    pub bounds: BoundsArg,
    /// The version of the standard that a module may use
    #[arg(long, value_name = "VERSION", value_enum, default_value_t)]
    pub wasm: LevelArg,
    /// What an import is: trap, nop, a number, or ecalli:N; NAME is `module.name`, `name` or `module.*`
    #[arg(long, value_name = "NAME=ACTION")]
    pub import: Vec<String>,
    /// A file of such lines
    #[arg(long, value_name = "FILE")]
    pub imports: Vec<PathBuf>,
    /// A module whose exports take the place of imports of the same name
    #[arg(long, value_name = "FILE")]
    pub adapter: Vec<PathBuf>,
}

/// Arguments of `compile`.
#[cfg(feature = "wasm")]
#[derive(Args, Debug)]
pub struct CompileArgs {
    /// The module, in binary or text form; `-` reads standard input
    #[arg(value_name = "IN")]
    pub input: PathBuf,
    /// The program; `-` writes standard output [default: IN with .jam]
    #[arg(short, long, value_name = "OUT")]
    pub output: Option<PathBuf>,
    #[command(flatten)]
    pub wasm: WasmArgs,
    /// The export that the program begins with [default: refine, is_authorized, main or _start; and accumulate at 5]
    #[arg(long, value_name = "NAME")]
    pub entry: Option<String>,
    /// How far the memory may grow, if the module does not say less: bytes, or with K or M
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "64M")]
    pub max_memory: u64,
    /// The size of the stack: bytes, or with K or M, up to 16M
    #[arg(long, value_name = "SIZE", value_parser = units::size, default_value = "64K")]
    pub stack_size: u64,
    /// The name in the metadata [default: the module's, or that of the file]
    #[arg(long, value_name = "NAME")]
    pub name: Option<String>,
}

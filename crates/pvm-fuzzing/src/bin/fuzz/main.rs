//! The fuzzer as a program.
//!
//! ```text
//! fuzz differential --time 10m --total docs/fuzzing-totals.json
//! fuzz parsers --count 1000000
//! fuzz clif --time 5m
//! fuzz wasm --time 5m
//! fuzz riscv --count 1000000
//! fuzz qemu --count 200000
//! fuzz replay FILE
//! ```
#![forbid(unsafe_code)]

mod budget;
mod clif;
mod differential;
mod parsers;
mod qemu;
mod replay;
mod riscv;
mod totals;
mod wasm;

use anyhow::Result;
use budget::Budget;
use clap::{Parser, Subcommand};
use peak_alloc::PeakAlloc;
use std::path::PathBuf;
use std::process::ExitCode;

/// Counts what is allocated, so that parsers can be measured.
#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

/// Runs random programs on several engines, and random bytes through the parsers.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Compare interpreter, compiled code and the `polkavm` crate on random programs.
    Differential(Budget),
    /// Compare interpreter and compiled code on random RISC-V programs.
    Riscv(Budget),
    /// Compare random RISC-V programs with QEMU (`qemu-riscv32`).
    Qemu(Budget),
    /// Feed mutated inputs to every parser.
    Parsers(Budget),
    /// Compile random functions to PVM code and compare with Cranelift's interpreter.
    Clif(Budget),
    /// Compile random WebAssembly modules to PVM code and compare with `wasmi`.
    Wasm(Budget),
    /// Print the case of a seed, as a case file.
    Case {
        /// The seed that the fuzzer named.
        seed: u64,
        /// The case that `fuzz riscv` makes of it.
        #[arg(long)]
        riscv: bool,
    },
    /// Compare the WebAssembly module of a seed again.
    Module {
        /// The seed that the fuzzer named.
        seed: u64,
    },
    /// Play a case file in every setting, or give a parser input again.
    Replay {
        /// The file that the fuzzer left.
        file: PathBuf,
        /// Make the case smaller and write it back.
        #[arg(long)]
        shrink: bool,
        /// Show the program and every stop.
        #[arg(long)]
        verbose: bool,
    },
}

fn main() -> Result<ExitCode> {
    let differences = match Arguments::parse().command {
        Command::Differential(budget) => differential::run(&budget)?,
        Command::Riscv(budget) => riscv::run(&budget)?,
        Command::Qemu(budget) => qemu::run(&budget)?,
        Command::Parsers(budget) => parsers::run(&budget)?,
        Command::Clif(budget) => clif::run(&budget)?,
        Command::Wasm(budget) => wasm::run(&budget)?,
        Command::Module { seed } => wasm::again(seed),
        Command::Case { seed, riscv: true } => riscv::print(seed),
        Command::Case { seed, riscv: false } => replay::print(seed),
        Command::Replay { file, shrink, verbose } => replay::run(&file, shrink, verbose)?,
    };
    Ok(if differences == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

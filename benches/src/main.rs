//! Runs kernels on this engine and on its peers, in turn, and prints the times as ratios to native code.
//!
//! Every contender does the same work: each round runs all of them, one after the other, so that a machine whose speed
//! drifts drifts for all. The result of every run is compared. Each contender runs a kernel at two lengths, n and 2n, in
//! every round; what the longer run takes more is the steady figure, without start and compiling. Of each length the
//! least time counts, which noise can only raise.

mod clock;
mod contender;
mod kernel;
mod measure;
mod native;
mod ours;
mod polkavm_peer;
mod report;

use anyhow::{Context, Result};
use clap::Parser;
use contender::Contender;
use report::Report;
use std::path::PathBuf;
use std::time::Duration;

/// Compare this engine with native code and with its peers.
///
/// Times are processor times, as ratios to native code: what a run of length 2n takes more than one of length n.
#[derive(Parser)]
struct Arguments {
    /// Kernels by name; all by default.
    kernels: Vec<String>,
    /// Take kernels (NAME.c and NAME.polkavm) from this folder instead of our own.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only contenders whose names contain one of these, separated by commas. Native code always takes part.
    #[arg(long, value_delimiter = ',', value_name = "NAMES")]
    only: Vec<String>,
    /// How many rounds.
    #[arg(long, default_value_t = 5, value_name = "N")]
    rounds: u32,
    /// How long native code takes for a run of length n, about. Figures to be published need a second.
    #[arg(long, default_value_t = 100, value_name = "MILLISECONDS")]
    native_ms: u64,
    /// The C compiler for native code; by default clang-19, clang or cc.
    #[arg(long, value_name = "COMMAND")]
    cc: Option<String>,
    /// After how many entries this engine compiles a block.
    #[arg(long, value_name = "N")]
    jit_threshold: Option<u32>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let kernels = kernel::load(arguments.folder.as_deref(), &arguments.kernels)?;
    let toolchain = native::Toolchain::find(arguments.cc.as_deref())?;
    eprintln!("native code: {}, -O2", toolchain.version());
    let mut contenders = vec![native::contender(toolchain)];
    let chosen = |contender: &Contender| {
        arguments.only.is_empty() || arguments.only.iter().any(|name| contender.name.contains(name.as_str()))
    };
    let engines = ours::contenders(arguments.jit_threshold)?.into_iter().chain(polkavm_peer::contenders()?);
    contenders.extend(engines.filter(chosen));

    let mut report = Report::new(contenders.iter().map(|contender| contender.name).collect());
    for kernel in &kernels {
        eprintln!("{}", kernel.name);
        let native = Duration::from_millis(arguments.native_ms);
        let figures = measure::measure(&contenders, kernel, native, arguments.rounds);
        report.add(kernel, figures.with_context(|| kernel.name.clone())?);
    }
    if arguments.json {
        println!("{:#}", report.json());
    } else {
        println!("{}", report.table());
    }
    Ok(())
}

//! Runs kernels on this engine and on its peers, in turn, and prints the times as ratios to native code.
//!
//! Every contender does the same work: each round runs all of them, one after the other, so that a machine whose speed
//! drifts drifts for all. The result of every run is compared. Each contender runs a kernel at two lengths, n and 2n, in
//! every round; what the longer run takes more is the steady figure, without start and compiling. Each round gives a ratio
//! to native code, and the median of the rounds counts.

use anyhow::{Context, Result, ensure};
use clap::Parser;
use pvm_benches::contender::{Contender, Guest};
use pvm_benches::kernel::{self, Kernel};
use pvm_benches::report::Report;
use pvm_benches::{measure, native, ours, polkavm_peer, riscv};
use std::path::PathBuf;
use std::time::Duration;

/// Compare this engine with native code and with its peers.
///
/// Times are processor times, as ratios to native code: what a run of length 2n takes more than one of length n.
#[derive(Parser)]
struct Arguments {
    /// Kernels by name; all by default.
    kernels: Vec<String>,
    /// Take kernels (NAME.c, with NAME.polkavm or NAME.elf) from this folder instead of our own. Engines for WebAssembly
    /// take part if every kernel is there as NAME.wasm, too.
    #[arg(long, value_name = "DIR")]
    folder: Option<PathBuf>,
    /// Only contenders whose names contain one of these, separated by commas, such as `ours-gas,wasmtime`. Native code
    /// always takes part.
    #[arg(long, visible_alias = "only", value_delimiter = ',', value_name = "NAMES")]
    contenders: Vec<String>,
    /// Compare RISC-V programs, on this engine and on QEMU, instead of PVM programs.
    #[arg(long)]
    riscv: bool,
    /// Print the names of all contenders, and do nothing else.
    #[arg(long)]
    list: bool,
    /// How many rounds.
    #[arg(long, default_value_t = 5, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
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
    if arguments.list {
        engines(&arguments)?.iter().for_each(|contender| println!("{}", contender.name));
        return Ok(());
    }
    let guest = if arguments.riscv { Guest::Riscv } else { Guest::Pvm };
    let kernels = kernel::load(arguments.folder.as_deref(), &arguments.kernels, guest)?;
    let toolchain = native::Toolchain::find(arguments.cc.as_deref())?;
    eprintln!("native code: {}, -O2", toolchain.version());
    let mut contenders = vec![native::contender(toolchain)];
    contenders.extend(choose(engines(&arguments)?, &arguments.contenders, &kernels)?);

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

/// All engines that this program was built with and that the host lets run.
fn engines(arguments: &Arguments) -> Result<Vec<Contender>> {
    if arguments.riscv {
        return riscv::contenders(arguments.jit_threshold);
    }
    let mut engines = ours::contenders(arguments.jit_threshold)?;
    engines.extend(polkavm_peer::contenders()?);
    #[cfg(feature = "peers")]
    {
        engines.extend(pvm_benches::javm_peer::contenders());
        engines.extend(pvm_benches::wasmtime_peer::contenders()?);
        engines.extend(pvm_benches::wasmi_peer::contenders());
    }
    #[cfg(not(feature = "peers"))]
    eprintln!("left out: javm, wasmtime and wasmi, as this program was built without `--features peers`");
    Ok(engines)
}

/// Those that are asked for and can run these kernels.
fn choose(engines: Vec<Contender>, names: &[String], kernels: &[Kernel]) -> Result<Vec<Contender>> {
    for name in names {
        let known = engines.iter().any(|contender| contender.name.contains(name.as_str()));
        let all = || engines.iter().map(|contender| contender.name).collect::<Vec<_>>().join(", ");
        ensure!(known, "no contender's name contains `{name}`: there are {}", all());
    }
    let without = kernels.iter().find(|kernel| kernel.wasm.is_none());
    let chosen = engines.into_iter().filter(|contender| {
        let asked = names.is_empty() || names.iter().any(|name| contender.name.contains(name.as_str()));
        if let (true, Guest::Wasm, Some(kernel)) = (asked, contender.guest, without) {
            eprintln!("left out: {}, as there is no {}.wasm", contender.name, kernel.name);
            return false;
        }
        asked
    });
    Ok(chosen.collect())
}

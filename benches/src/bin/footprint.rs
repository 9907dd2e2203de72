//! Time and memory for an instance: many of one module are made, run once, and dropped; some call their host, are reset, and
//! made from snapshots.
//!
//! Each engine is measured in processes of its own, which take turns.

use anyhow::{Result, anyhow, bail, ensure};
use clap::Parser;
use polkavm::{BackendKind, SandboxKind};
use pvm_benches::child;
use pvm_benches::contender::Guest;
use pvm_benches::embedding::{self, Figures, ours::Ours, polkavm::Polkavm};
use pvm_benches::kernel;
use pvm_runtime::{Config, FaultDetection, Jit};

/// Every engine that this program knows.
const ENGINES: &[&str] = &[
    "ours",
    "ours-checks",
    "ours-interp",
    "polkavm-generic",
    "polkavm-process",
    "polkavm-interp",
    #[cfg(feature = "peers")]
    "wasmtime",
    #[cfg(feature = "peers")]
    "wasmtime-pooled",
];

/// Measure how long it takes to make an instance and to use it, and how much memory it has.
///
/// Memory is that of all instances, made and idle, divided by their number: pages that are resident, and the host's page
/// tables for them. It is measured once more after each has run `kernel(1)`. Times are wall-clock times, the least of all
/// rounds: for the first instances the median; for those that are made when others have gone, and all else, the mean of some.
#[derive(Parser)]
struct Arguments {
    /// Engines by name; all by default.
    engines: Vec<String>,
    /// How many instances.
    #[arg(long, default_value_t = 1000, value_name = "N")]
    instances: usize,
    /// How many where each has a process of its own (polkavm-process).
    #[arg(long, default_value_t = 100, value_name = "N")]
    processes: usize,
    /// How often each engine has its turn.
    #[arg(long, default_value_t = 3, value_name = "N")]
    rounds: usize,
    /// The kernel that is instantiated. `fib` has no data, `sieve` 250,000 bytes of it, zero at first.
    #[arg(long, default_value = "fib", value_name = "NAME")]
    kernel: String,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Measure the one engine here and now; how this program calls itself.
    #[arg(long, hide = true)]
    alone: bool,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for engine in &arguments.engines {
        ensure!(ENGINES.contains(&engine.as_str()), "no engine `{engine}`: there are {}", ENGINES.join(", "));
    }
    if arguments.alone {
        let engine = arguments.engines.first().ok_or_else(|| anyhow!("no engine"))?;
        println!("{}", serde_json::to_string(&measure(engine, &arguments)?)?);
        return Ok(());
    }
    let chosen =
        ENGINES.iter().filter(|name| arguments.engines.is_empty() || arguments.engines.iter().any(|n| n == **name));
    let chosen: Vec<_> = chosen.collect();
    let mut all: Vec<Figures> = Vec::new();
    for round in 0..arguments.rounds.max(1) {
        for engine in &chosen {
            let own = [engine.to_string(), "--alone".to_owned(), format!("--instances={}", arguments.instances)];
            let rest = [format!("--processes={}", arguments.processes), format!("--kernel={}", arguments.kernel)];
            let known = all.iter_mut().find(|figures| figures.engine == **engine);
            match (child::measure::<Figures>(&[&own[..], &rest[..]].concat()), known) {
                (Ok(figures), Some(known)) => known.merge(&figures),
                (Ok(figures), None) => all.push(figures),
                (Err(error), _) if round == 0 => eprintln!("left out: {engine}: {error:#}"),
                (Err(_), _) => {}
            }
        }
    }
    if arguments.json {
        println!("{}", serde_json::to_string_pretty(&all)?);
    } else {
        print_table(&all);
    }
    Ok(())
}

fn print_table(all: &[Figures]) {
    let optional = |time: Option<f64>| time.map_or_else(|| "–".to_owned(), |time| format!("{time:.2}"));
    println!(
        "| engine | first make, µs | make, µs | call, µs | reset, µs | drop, µs | fork of 16 MiB, µs | host call, ns |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for figures in all {
        let made = format!("{:.2} | {:.2}", figures.first_make_microseconds, figures.make_microseconds);
        let reset = optional(figures.reset_microseconds);
        let used = format!("{:.2} | {reset} | {:.2}", figures.call_microseconds, figures.drop_microseconds);
        let fork = optional(figures.fork_microseconds);
        println!("| {} | {made} | {used} | {fork} | {:.1} |", figures.engine, figures.host_call_nanoseconds);
    }
    println!();
    println!("| engine | instances | idle, KiB | page tables, KiB | after a run, KiB | page tables, KiB |");
    println!("|---|---:|---:|---:|---:|---:|");
    for figures in all {
        let idle = format!("{:.1} | {:.1}", figures.idle_kib, figures.idle_page_tables_kib);
        let run = format!("{:.1} | {:.1}", figures.run_kib, figures.run_page_tables_kib);
        println!("| {} | {} | {idle} | {run} |", figures.engine, figures.instances);
    }
}

fn measure(engine: &str, arguments: &Arguments) -> Result<Figures> {
    let kernel = kernel::load(None, std::slice::from_ref(&arguments.kernel), Guest::Pvm)?.remove(0);
    let count = arguments.instances;
    let ours = |config: Config| embedding::measure(&Ours::new(&kernel, &config)?, count);
    let polkavm = |backend, sandbox, count| embedding::measure(&Polkavm::new(&kernel, backend, sandbox)?, count);
    let mut figures = match engine {
        "ours" => ours(Config::default())?,
        "ours-checks" => ours(Config { fault_detection: FaultDetection::Checks, ..Config::default() })?,
        "ours-interp" => ours(Config { jit: Jit::Off, ..Config::default() })?,
        "polkavm-generic" => polkavm(BackendKind::Compiler, Some(SandboxKind::Generic), count)?,
        "polkavm-process" => polkavm(BackendKind::Compiler, Some(SandboxKind::Linux), arguments.processes)?,
        "polkavm-interp" => polkavm(BackendKind::Interpreter, None, count)?,
        #[cfg(feature = "peers")]
        "wasmtime" => embedding::measure(&embedding::wasmtime::Wasmtime::new(&kernel, None)?, count)?,
        #[cfg(feature = "peers")]
        "wasmtime-pooled" => embedding::measure(&embedding::wasmtime::Wasmtime::new(&kernel, Some(count + 8))?, count)?,
        _ => bail!("no engine `{engine}`"),
    };
    figures.engine = engine.to_owned();
    figures.kernel = kernel.name;
    Ok(figures)
}

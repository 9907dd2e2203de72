//! Time and memory for an instance: many of one module are made, run once, and dropped.
//!
//! Each engine is measured in a process of its own.

use anyhow::{Result, anyhow, bail, ensure};
use clap::Parser;
use polkavm::{BackendKind, InterruptKind, SandboxKind};
use pvm_benches::child;
use pvm_benches::clock::Processes;
use pvm_benches::contender::GAS;
use pvm_benches::kernel::{self, Kernel};
use pvm_benches::ours::ARGUMENT;
use pvm_benches::polkavm_peer::{self, Gas};
use pvm_benches::resident::Resident;
use pvm_runtime::{Config, Engine, Exit, FaultDetection, Instance, Jit, Module, Options};
use serde::{Deserialize, Serialize};
use std::time::Instant;

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
];

/// Measure how long it takes to make an instance, and how much memory it has.
///
/// Memory is that of all instances, made and idle, divided by their number: pages that are resident, and the host's page
/// tables for them. It is measured once more after each has run `kernel(1)`. Times are wall-clock times: the median for
/// making one, the mean for dropping one.
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

/// What one engine takes for an instance.
#[derive(Serialize, Deserialize)]
struct Figures {
    engine: String,
    kernel: String,
    instances: usize,
    make_microseconds: f64,
    drop_microseconds: f64,
    idle_kib: f64,
    idle_page_tables_kib: f64,
    run_kib: f64,
    run_page_tables_kib: f64,
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
    let mut all = Vec::new();
    for engine in chosen {
        let own = [engine.to_string(), "--alone".to_owned(), format!("--instances={}", arguments.instances)];
        let rest = [format!("--processes={}", arguments.processes), format!("--kernel={}", arguments.kernel)];
        match child::measure::<Figures>(&[&own[..], &rest[..]].concat()) {
            Ok(figures) => all.push(figures),
            Err(error) => eprintln!("left out: {engine}: {error:#}"),
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
    println!(
        "| engine | instances | make, µs | drop, µs | idle, KiB | page tables, KiB | after a run, KiB | page tables, KiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|");
    for figures in all {
        let times = format!("{:.1} | {:.1}", figures.make_microseconds, figures.drop_microseconds);
        let idle = format!("{:.1} | {:.1}", figures.idle_kib, figures.idle_page_tables_kib);
        let run = format!("{:.1} | {:.1}", figures.run_kib, figures.run_page_tables_kib);
        println!("| {} | {} | {times} | {idle} | {run} |", figures.engine, figures.instances);
    }
}

fn measure(engine: &str, arguments: &Arguments) -> Result<Figures> {
    let kernel = kernel::load(None, std::slice::from_ref(&arguments.kernel))?.remove(0);
    let count = arguments.instances;
    let mut figures = match engine {
        "ours" => ours(&kernel, &Config::default(), count)?,
        "ours-checks" => {
            ours(&kernel, &Config { fault_detection: FaultDetection::Checks, ..Config::default() }, count)?
        }
        "ours-interp" => ours(&kernel, &Config { jit: Jit::Off, ..Config::default() }, count)?,
        "polkavm-generic" => polkavm(&kernel, BackendKind::Compiler, Some(SandboxKind::Generic), count)?,
        "polkavm-process" => polkavm(&kernel, BackendKind::Compiler, Some(SandboxKind::Linux), arguments.processes)?,
        "polkavm-interp" => polkavm(&kernel, BackendKind::Interpreter, None, count)?,
        #[cfg(feature = "peers")]
        "wasmtime" => wasmtime(&kernel, count)?,
        _ => bail!("no engine `{engine}`"),
    };
    figures.engine = engine.to_owned();
    figures.kernel = kernel.name;
    Ok(figures)
}

fn ours(kernel: &Kernel, config: &Config, count: usize) -> Result<Figures> {
    let entry = kernel.pvm()?.entry;
    let module = Module::from_program(&Engine::new(config)?, kernel.pvm()?.program.clone(), Options::default());
    let make = || Ok(Instance::new(&module, &[])?);
    let run = |instance: &mut Instance| {
        instance.set_gas(GAS as u64);
        instance.set_pc(entry);
        instance.registers_mut()[ARGUMENT] = 1;
        match instance.run() {
            Exit::Halt => Ok(()),
            exit => bail!("stopped by {exit:?} at {}", instance.pc()),
        }
    };
    observe(count, Processes::Own, make, run)
}

fn polkavm(kernel: &Kernel, backend: BackendKind, sandbox: Option<SandboxKind>, count: usize) -> Result<Figures> {
    let engine = polkavm_peer::engine(backend, sandbox)?;
    let gas = if sandbox.is_some() { Gas::Block } else { Gas::Instruction };
    let module = polkavm_peer::module(&engine, &kernel.pvm()?.file, gas)?;
    let processes = if sandbox == Some(SandboxKind::Linux) { Processes::Descendants } else { Processes::Own };
    let make = || polkavm_peer::call(&module, 1);
    let run = |instance: &mut polkavm::RawInstance| match instance.run()? {
        InterruptKind::Finished => Ok(()),
        interrupt => bail!("stopped by {interrupt:?}"),
    };
    observe(count, processes, make, run)
}

#[cfg(feature = "peers")]
fn wasmtime(kernel: &Kernel, count: usize) -> Result<Figures> {
    use wasmtime::{Instance, Store};
    let engine = pvm_benches::wasmtime_peer::engine(true)?;
    let module = pvm_benches::wasmtime_peer::module(&engine, kernel)?;
    let failed = |error: wasmtime::Error| anyhow!("{error:?}");
    let make = || {
        let mut store = Store::new(&engine, ());
        store.set_fuel(GAS as u64).map_err(failed)?;
        let instance = Instance::new(&mut store, &module, &[]).map_err(failed)?;
        Ok((store, instance))
    };
    let run = |(store, instance): &mut (Store<()>, Instance)| {
        let kernel = instance.get_typed_func::<u64, u64>(&mut *store, kernel::ENTRY).map_err(failed)?;
        kernel.call(store, 1).map_err(failed)?;
        Ok(())
    };
    observe(count, Processes::Own, make, run)
}

/// Makes, runs and drops `count` instances.
fn observe<I>(
    count: usize,
    processes: Processes,
    make: impl Fn() -> Result<I>,
    run: impl Fn(&mut I) -> Result<()>,
) -> Result<Figures> {
    // The first instance brings along what all share, such as compiled code.
    run(&mut make()?)?;
    let mut instances = Vec::with_capacity(count);
    let mut times = Vec::with_capacity(count);
    let before = Resident::now(processes)?;
    for _ in 0..count {
        let start = Instant::now();
        instances.push(make()?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let (idle_kib, idle_page_tables_kib) = Resident::now(processes)?.per_thing(&before, count);
    instances.iter_mut().try_for_each(run)?;
    let (run_kib, run_page_tables_kib) = Resident::now(processes)?.per_thing(&before, count);
    let start = Instant::now();
    drop(instances);
    let drop_microseconds = start.elapsed().as_secs_f64() * 1e6 / count as f64;
    times.sort_by(f64::total_cmp);
    Ok(Figures {
        engine: String::new(),
        kernel: String::new(),
        instances: count,
        make_microseconds: times.get(count / 2).copied().unwrap_or_default(),
        drop_microseconds,
        idle_kib,
        idle_page_tables_kib,
        run_kib,
        run_page_tables_kib,
    })
}

//! How preparing and compiling grow with the size of a program: generated programs of 1 KB to 10 MB of code.
//!
//! Each engine and size is measured in a process of its own, so that its peak of memory can be told.

use anyhow::{Context, Result, anyhow, bail, ensure};
use clap::Parser;
use polkavm::{BackendKind, InterruptKind, Reg, SandboxKind};
use pvm_benches::contender::GAS;
use pvm_benches::generator::{self, Generated};
use pvm_benches::ours::ARGUMENT;
use pvm_benches::polkavm_peer::{self, Gas};
use pvm_benches::{child, resident};
use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options, Program};
use serde::{Deserialize, Serialize};
use std::time::{Duration, Instant};

/// Every engine that this program knows.
const ENGINES: [&str; 3] = ["ours", "ours-interp", "polkavm"];
/// Short times are the least of as many tries as fit into this.
const PATIENCE: Duration = Duration::from_millis(200);

/// Measure how preparing and compiling grow with the size of a program.
///
/// Programs consist of functions of mixed instructions that a loop calls; all of them run once. This engine compiles
/// what runs before it runs (`--jit-threshold 0`); polkavm compiles everything when it is loaded, so that it has nothing
/// to prepare.
#[derive(Parser)]
struct Arguments {
    /// Engines by name: ours, ours-interp, polkavm; all by default.
    engines: Vec<String>,
    /// Bytes of code, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1000,10000,100000,1000000,10000000", value_name = "BYTES")]
    sizes: Vec<usize>,
    /// Write the generated programs into this folder as SIZE.polkavm, and measure nothing.
    #[arg(long, value_name = "DIR")]
    write: Option<std::path::PathBuf>,
    /// Print JSON.
    #[arg(long)]
    json: bool,
    /// Measure the one engine and size here and now; how this program calls itself.
    #[arg(long, hide = true)]
    alone: bool,
}

/// What one engine took for one program.
#[derive(Serialize, Deserialize)]
struct Figures {
    engine: String,
    guest_bytes: usize,
    instructions: u64,
    /// Parsing, finding blocks, making cells.
    prepare_seconds: f64,
    /// None where nothing is compiled.
    compile_seconds: Option<f64>,
    /// Instructions that were compiled.
    compiled_instructions: Option<u64>,
    /// Machine code, in bytes.
    code_bytes: Option<u64>,
    /// Tables beside the machine code, in bytes.
    side_table_bytes: Option<u64>,
    /// Resident memory of the process, at its most; the program's generator is part of it.
    peak_kib: u64,
    /// What the program computed.
    result: u64,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    for engine in &arguments.engines {
        ensure!(ENGINES.contains(&engine.as_str()), "no engine `{engine}`: there are {}", ENGINES.join(", "));
    }
    if let Some(folder) = &arguments.write {
        for &size in &arguments.sizes {
            let path = folder.join(format!("{size}.polkavm"));
            std::fs::write(&path, generator::generate(size)?.file).with_context(|| path.display().to_string())?;
        }
        return Ok(());
    }
    if arguments.alone {
        let engine = arguments.engines.first().ok_or_else(|| anyhow!("no engine"))?;
        let size = *arguments.sizes.first().ok_or_else(|| anyhow!("no size"))?;
        println!("{}", serde_json::to_string(&measure(engine, &generator::generate(size)?)?)?);
        return Ok(());
    }
    let mut all: Vec<Figures> = Vec::new();
    for &size in &arguments.sizes {
        for engine in ENGINES {
            if !arguments.engines.is_empty() && !arguments.engines.iter().any(|name| name == engine) {
                continue;
            }
            eprintln!("{engine}, {size} bytes");
            let figures: Figures =
                child::measure(&[engine.to_owned(), "--alone".to_owned(), format!("--sizes={size}")])?;
            if let Some(other) = all.iter().find(|other| other.guest_bytes == figures.guest_bytes) {
                ensure!(
                    other.result == figures.result,
                    "{engine} computes {:#x}, {} {:#x}",
                    figures.result,
                    other.engine,
                    other.result
                );
            }
            all.push(figures);
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
        "| engine | code, bytes | instructions | prepare, ms | per instruction, ns | compile, ms | per instruction, µs | \
         machine code per byte | side tables per byte | peak, MiB |"
    );
    println!("|---|---:|---:|---:|---:|---:|---:|---:|---:|---:|");
    let dash = |cell: Option<String>| cell.unwrap_or("–".to_owned());
    for figures in all {
        let prepare = figures.prepare_seconds;
        let per_byte =
            |bytes: Option<u64>| dash(bytes.map(|bytes| format!("{:.1}", bytes as f64 / figures.guest_bytes as f64)));
        let compile = dash(figures.compile_seconds.map(|seconds| format!("{:.2}", seconds * 1e3)));
        let each = figures.compile_seconds.zip(figures.compiled_instructions);
        let each = dash(each.map(|(seconds, count)| format!("{:.2}", seconds * 1e6 / count as f64)));
        println!(
            "| {} | {} | {} | {:.2} | {:.0} | {compile} | {each} | {} | {} | {:.0} |",
            figures.engine,
            figures.guest_bytes,
            figures.instructions,
            prepare * 1e3,
            prepare * 1e9 / figures.instructions as f64,
            per_byte(figures.code_bytes),
            per_byte(figures.side_table_bytes),
            figures.peak_kib as f64 / 1024.0,
        );
    }
}

fn measure(engine: &str, generated: &Generated) -> Result<Figures> {
    match engine {
        "ours" => ours(engine, &Config { jit_threshold: 0, ..Config::default() }, generated),
        "ours-interp" => ours(engine, &Config { jit: Jit::Off, ..Config::default() }, generated),
        "polkavm" => polkavm(engine, generated),
        _ => bail!("no engine `{engine}`"),
    }
}

fn ours(name: &str, config: &Config, generated: &Generated) -> Result<Figures> {
    let engine = Engine::new(config)?;
    let prepare = || Ok(Module::from_program(&engine, Program::parse(&generated.file)?, Options::default()));
    let (module, prepare_seconds) = least(prepare)?;
    let mut instance = Instance::new(&module, &[])?;
    instance.set_gas(GAS as u64);
    instance.set_pc(generator::parse(&generated.file)?.1);
    instance.registers_mut()[ARGUMENT] = 1;
    match instance.run() {
        Exit::Halt => {}
        exit => bail!("stopped by {exit:?} at {}", instance.pc()),
    }
    let stats = module.compile_stats();
    let compiled = stats.regions > 0;
    Ok(Figures {
        engine: name.to_owned(),
        guest_bytes: generated.code_bytes,
        instructions: generated.instructions,
        prepare_seconds,
        compile_seconds: compiled.then_some(stats.time.as_secs_f64()),
        compiled_instructions: compiled.then_some(stats.instructions),
        code_bytes: compiled.then_some(stats.code_bytes),
        side_table_bytes: compiled.then_some(stats.side_table_bytes),
        peak_kib: resident::peak()?,
        result: instance.registers()[ARGUMENT],
    })
}

/// The sandbox within the process, so that its memory can be seen; both have the same compiler.
fn polkavm(name: &str, generated: &Generated) -> Result<Figures> {
    let engine = polkavm_peer::engine(BackendKind::Compiler, Some(SandboxKind::Generic))?;
    let (module, compile_seconds) = least(|| polkavm_peer::module(&engine, &generated.file, Gas::Block))?;
    let mut instance = polkavm_peer::call(&module, 1)?;
    match instance.run()? {
        InterruptKind::Finished => {}
        interrupt => bail!("stopped by {interrupt:?}"),
    }
    Ok(Figures {
        engine: name.to_owned(),
        guest_bytes: generated.code_bytes,
        instructions: generated.instructions,
        prepare_seconds: 0.0,
        compile_seconds: Some(compile_seconds),
        compiled_instructions: Some(generated.instructions),
        code_bytes: module.machine_code().map(|code| code.len() as u64),
        side_table_bytes: None,
        peak_kib: resident::peak()?,
        result: instance.reg(Reg::A0),
    })
}

/// What `work` makes, and the least time in seconds that it took.
fn least<T>(work: impl Fn() -> Result<T>) -> Result<(T, f64)> {
    let begin = Instant::now();
    let mut least = Duration::MAX;
    loop {
        let start = Instant::now();
        let made = work()?;
        least = least.min(start.elapsed());
        if begin.elapsed() > PATIENCE {
            return Ok((made, least.as_secs_f64()));
        }
    }
}

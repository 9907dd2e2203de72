//! Kernels as RISC-V programs: on this engine, and on QEMU's user mode.

use crate::clock::{self, Processes, Stopwatch};
use crate::contender::{Contender, GAS, Guest, Runner, Sample};
use crate::kernel::Kernel;
use anyhow::{Context, Result, bail, ensure};
use pvm_host::{DEFAULT_STACK, Ending, Folders, Process, Start, Stop, Streams, run_process};
use pvm_program::Executable;
use pvm_runtime::{Config, Engine, GasModel, Instance, Jit, Module, Options};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// This engine without and with gas, its interpreter, and QEMU if it is there.
///
/// # Errors
///
/// If this engine cannot be set up.
pub fn contenders(jit_threshold: Option<u32>) -> Result<Vec<Contender>> {
    let default = Config::default();
    let compiled = Config { jit_threshold: jit_threshold.unwrap_or(default.jit_threshold), ..default };
    let interpreted = Config { jit: Jit::Off, ..Config::default() };
    let mut contenders = vec![
        ours("ours-rv32", 1, &compiled, GasModel::None)?,
        ours("ours-rv32-gas", 1, &compiled, GasModel::Instruction)?,
        ours("ours-rv32-interp", 10, &interpreted, GasModel::None)?,
    ];
    match Command::new(QEMU).arg("--version").output() {
        Ok(_) => contenders.push(qemu()),
        Err(error) => eprintln!("left out: {QEMU}: {error} (Debian: qemu-user)"),
    }
    Ok(contenders)
}

fn elf(kernel: &Kernel) -> Result<&Path> {
    kernel.elf.as_deref().with_context(|| format!("no {}.elf", kernel.name))
}

fn ours(name: &'static str, share: u64, config: &Config, gas_model: GasModel) -> Result<Contender> {
    let engine = Engine::new(config)?;
    let options = Options { profile: None, gas_model: Some(gas_model) };
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        let executable = Executable::parse(&std::fs::read(elf(kernel)?)?)?;
        // One module for all runs: what the first has compiled serves the others.
        let module = Module::from_executable(&engine, executable, options)?;
        Ok(Box::new(move |n| run(&module, n)))
    };
    Ok(Contender { name, guest: Guest::Riscv, share, prepare: Box::new(prepare) })
}

fn run(module: &Module, n: u64) -> Result<Sample> {
    let executable = module.executable().context("no RISC-V program")?;
    let mut instance = Instance::new(module, &[])?;
    instance.set_gas(GAS as u64);
    let (mut input, mut output, mut error) = (std::io::empty(), Vec::new(), std::io::sink());
    let start = Start {
        streams: Streams { input: &mut input, output: &mut output, error: &mut error },
        folders: Folders::default(),
        arguments: vec![b"kernel".to_vec(), n.to_string().into_bytes()],
        environment: Vec::new(),
        stack_size: DEFAULT_STACK,
    };
    let (mut process, stack) = Process::start(executable, instance.memory_mut(), start)?;
    instance.all_registers_mut()[2] = stack.into();
    let stopwatch = Stopwatch::start(Processes::Own);
    let stop = run_process(&mut instance, &mut process);
    let time = stopwatch.elapsed();
    drop(process);
    match stop {
        Stop::End(Ending::Exit(0)) => Ok(Sample { time, result: result(&output)? }),
        stop => bail!("stopped by {stop:?} at {:#x}", instance.pc()),
    }
}

fn result(output: &[u8]) -> Result<u64> {
    let text = String::from_utf8_lossy(output);
    text.trim().parse().with_context(|| format!("{text:?} is no result"))
}

const QEMU: &str = "qemu-riscv32";

/// QEMU starts anew for each run, and translates anew; that is in the shorter run as it is in the longer.
fn qemu() -> Contender {
    let prepare = |kernel: &Kernel| -> Result<Runner> {
        let path = elf(kernel)?.to_owned();
        Ok(Box::new(move |n| run_qemu(&path, n)))
    };
    Contender { name: "qemu-riscv32", guest: Guest::Riscv, share: 1, prepare: Box::new(prepare) }
}

fn run_qemu(path: &PathBuf, n: u64) -> Result<Sample> {
    let mut child = Command::new(QEMU)
        .arg(path)
        .arg(n.to_string())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context(QEMU)?;
    let mut output = Vec::new();
    child.stdout.take().context("no standard output")?.read_to_end(&mut output)?;
    // It is done with its work, and its time can be asked for until it is waited for.
    let time = clock::time_of(child.id()).context("no time of the process in /proc")?;
    let status = child.wait()?;
    ensure!(status.success(), "{QEMU} {}: {status}", path.display());
    Ok(Sample { time, result: result(&output)? })
}

//! Running a RISC-V program.

use super::Session;
use super::program::alarm;
use super::report::{Guest, Outcome};
use crate::args::RunArgs;
use crate::exit::usage;
use crate::{Io, setup};
use anyhow::{Context, Result, anyhow, bail};
use pvm_gas::GasModel;
use pvm_host::{DEFAULT_STACK, Folders, Process, Start, Streams, escape, run_bare, run_process};
use pvm_program::Executable;
use pvm_runtime::{Instance, Memory, Module, Options};
use std::fmt::Write as _;
use std::io::{self, Write};
use std::path::Path;
use std::time::Instant;

/// The register that holds the stack pointer.
const STACK_POINTER: usize = 2;

/// The most of a program's output that is put into JSON.
const MAX_CAPTURED: usize = 64 << 20;

impl Session<'_> {
    /// Runs a RISC-V program.
    pub(super) fn executable(&self, executable: Executable, io: &mut Io<'_>) -> Result<Outcome> {
        let args = self.args;
        if args.trace.is_some() {
            return Err(usage("--trace: a RISC-V program makes no host calls that a trace could have"));
        }
        let signature = args.signature_range(&executable)?;
        let entry = args.entry_point(&executable)?;
        let tohost = executable.symbol("tohost");
        let engine = setup::riscv_engine(&args.engine, args.report.stats)?;
        let is_metered = args.gas.is_some() || tohost.is_some();
        let default = if is_metered { GasModel::Instruction } else { GasModel::None };
        let options = Options { profile: None, gas_model: Some(args.engine.gas_model.unwrap_or(default)) };
        let module = Module::from_executable(&engine, executable, options)?;
        let mut instance = Instance::new(&module, &[])?;
        if let Some(pc) = entry {
            instance.set_pc(pc);
        }
        let gas = args.gas.unwrap_or(super::DEFAULT_GAS);
        instance.set_gas(gas);

        let mut captured = Captured::default();
        let streams = Streams {
            input: &mut *io.input,
            output: if args.report.json { &mut captured } else { &mut *io.out },
            error: &mut *io.err,
        };
        let start = Start {
            streams,
            folders: folders(&args.system.dir)?,
            arguments: arguments(args),
            environment: environment(&args.system.env)?,
            stack_size: args.stack_size.unwrap_or(DEFAULT_STACK),
        };
        let executable = module.executable().expect("it was made of one");
        let (mut process, stack) = Process::start(executable, instance.memory_mut(), start)?;
        instance.all_registers_mut()[STACK_POINTER] = stack.into();
        pvm_vm::release_code();
        let prepared = Instant::now();
        let alarm = alarm(&instance, args)?;
        let stop = match tohost {
            Some(tohost) => run_bare(&mut instance, &mut process, tohost),
            None => run_process(&mut instance, &mut process),
        };
        process.flush();
        drop((alarm, process));
        if let (Some(path), Some((start, end))) = (&args.system.signature, signature) {
            write_signature(path, instance.memory(), start, end)?;
        }
        if captured.is_cut {
            bail!("--json: the program has written more than {MAX_CAPTURED} bytes; run it without --json");
        }
        Ok(self.outcome(Guest { instance: &instance, gas }, stop, prepared).with_output(&captured.bytes))
    }
}

impl RunArgs {
    /// Where to start, if not at the program's entry.
    fn entry_point(&self, executable: &Executable) -> Result<Option<u32>> {
        let Some(name) = &self.entry else { return Ok(self.pc) };
        let address = executable.symbol(name);
        let missing = || anyhow!("the program has no symbol `{}` (`--pc N` starts anywhere)", escape(name.as_bytes()));
        address.map(Some).ok_or_else(missing)
    }

    /// The memory that is to be written as signature, if any.
    fn signature_range(&self, executable: &Executable) -> Result<Option<(u32, u32)>> {
        if self.system.signature.is_none() {
            return Ok(None);
        }
        let symbol = |name| executable.symbol(name).ok_or_else(|| anyhow!("--signature: there is no symbol `{name}`"));
        let (start, end) = (symbol("begin_signature")?, symbol("end_signature")?);
        if start > end || !(start | end).is_multiple_of(4) {
            bail!("--signature: from {start:#x} to {end:#x} are no whole words");
        }
        Ok(Some((start, end)))
    }
}

/// What the program finds as its arguments: its own name first.
fn arguments(args: &RunArgs) -> Vec<Vec<u8>> {
    let name = args.program().as_os_str();
    let all = std::iter::once(name).chain(args.arguments().iter().map(|argument| argument.as_os_str()));
    all.map(|argument| argument.as_encoded_bytes().to_vec()).collect()
}

fn environment(variables: &[String]) -> Result<Vec<Vec<u8>>> {
    let check = |variable: &String| match variable.split_once('=') {
        Some((name, _)) if !name.is_empty() => Ok(variable.clone().into_bytes()),
        _ => Err(usage(format!("--env `{}`: write NAME=VALUE", escape(variable.as_bytes())))),
    };
    variables.iter().map(check).collect()
}

fn folders(arguments: &[String]) -> Result<Folders> {
    let mut folders = Folders::default();
    for argument in arguments {
        let (host, guest) = argument.split_once("::").unwrap_or((argument, argument));
        folders.open(Path::new(host), guest).with_context(|| format!("--dir {host}"))?;
    }
    Ok(folders)
}

/// Writes a word a line, in hexadecimal digits.
fn write_signature(path: &Path, memory: &Memory, start: u32, end: u32) -> Result<()> {
    let mut bytes = vec![0; (end - start) as usize];
    memory
        .read(start, &mut bytes)
        .map_err(|fault| anyhow!("--signature: the program may not read {:#x}", fault.address))?;
    let mut text = String::with_capacity(bytes.len() / 4 * 9);
    for word in bytes.chunks_exact(4) {
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:02x}{:02x}{:02x}{:02x}", word[3], word[2], word[1], word[0]);
    }
    std::fs::write(path, text).with_context(|| format!("--signature: {}", path.display()))
}

/// Keeps what is written, up to a limit.
#[derive(Default)]
struct Captured {
    bytes: Vec<u8>,
    is_cut: bool,
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = MAX_CAPTURED - self.bytes.len();
        self.is_cut |= bytes.len() > room;
        self.bytes.extend(&bytes[..bytes.len().min(room)]);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

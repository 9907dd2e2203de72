//! Running a PVM program.

use super::report::{Guest, Outcome};
use super::{DEFAULT_GAS, Session};
use crate::Io;
use crate::args::{HostArg, RunArgs};
use crate::exit::usage;
use crate::{setup, units};
use anyhow::{Context, Result, anyhow};
use pvm_host::{Host, Jam, LogMessage, Observer, Stop, escape};
use pvm_program::Program;
use pvm_runtime::{Alarm, Exit, Instance, Module};
use std::ffi::OsString;
use std::path::Path;
use std::time::Instant;

impl Session<'_> {
    /// Runs a program.
    pub(super) fn program(&self, mut program: Program, mut bytes: Vec<u8>, io: &mut Io<'_>) -> Result<Outcome> {
        let args = self.args;
        if let Some(size) = args.stack_size {
            program = setup::with_stack_size(program, size)?;
            bytes.clear();
            program.encode(&mut bytes)?;
        }
        self.prepared(program, bytes, args.entry.as_deref(), io)
    }

    /// Runs a program from an entry.
    pub(super) fn prepared(
        &self,
        program: Program,
        bytes: Vec<u8>,
        entry_name: Option<&str>,
        io: &mut Io<'_>,
    ) -> Result<Outcome> {
        let args = self.args;
        let arguments = arguments(args.arguments(), io)?;
        let pc = match entry_name {
            Some(name) => Some(entry(&program, name)?),
            None => args.pc,
        };
        let engine = setup::engine(&args.engine, args.report.stats)?;
        let options = setup::options(&program, &args.read, &args.engine, None);
        let module = Module::from_program(&engine, program, options);
        let mut instance = Instance::new(&module, &arguments)?;
        if let Some(pc) = pc {
            instance.set_pc(pc);
        }
        let gas = args.gas.unwrap_or(DEFAULT_GAS);
        instance.set_gas(gas);
        pvm_vm::release_code();
        let prepared = Instant::now();
        let exit = match &args.trace {
            Some(path) => self.record(path, &mut instance, &bytes, &arguments, io)?,
            None => execute(&mut instance, args, None, io)?,
        };
        Ok(self.outcome(Guest { instance: &instance, gas }, Stop::Exit(exit), prepared))
    }
}

/// Runs an instance with the host that was asked for. What it logs goes to standard error.
pub fn execute(
    instance: &mut Instance,
    args: &RunArgs,
    observer: Option<&mut dyn Observer>,
    io: &mut Io<'_>,
) -> Result<Exit> {
    let mut jam = Jam::new(|message: &LogMessage| io.note(&message.to_string()));
    let host: Option<&mut dyn Host> = match args.host {
        HostArg::Jam => Some(&mut jam),
        HostArg::None => None,
    };
    let _alarm = alarm(instance, args)?;
    Ok(pvm_host::run(instance, host, observer))
}

/// What stops the run in time.
pub fn alarm(instance: &Instance, args: &RunArgs) -> Result<Option<Alarm>> {
    let start = |time| instance.interrupt_after(time);
    args.engine.timeout.map(start).transpose().context("--timeout: no thread to watch the time")
}

/// Whether the time is up for a run that began then.
pub fn is_overdue(started: Instant, args: &RunArgs) -> bool {
    args.engine.timeout.is_some_and(|limit| started.elapsed() >= limit)
}

/// The argument data.
fn arguments(parts: &[OsString], io: &mut Io<'_>) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    for part in parts {
        let text = part.to_string_lossy();
        if let Some(path) = text.strip_prefix('@') {
            bytes.extend(crate::input::read(Path::new(path), io).context("argument data")?);
        } else if text.starts_with('-') {
            return Err(usage(format!(
                "{} after PROGRAM is taken for argument data; options go before PROGRAM",
                quote(&text)
            )));
        } else {
            bytes.extend(units::hex(&text).map_err(|error| {
                usage(format!("argument data {}: {error}; write hexadecimal digits or @FILE", quote(&text)))
            })?);
        }
    }
    Ok(bytes)
}

/// Text in quotes, cut to a readable length.
fn quote(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    let dots = if short.len() < text.len() { "…" } else { "" };
    format!("`{}{dots}`", escape(short.as_bytes()))
}

/// The program counter of an export.
fn entry(program: &Program, name: &str) -> Result<u32> {
    if let Some(export) = program.exports.iter().find(|export| export.name == name) {
        return Ok(export.pc);
    }
    let known: Vec<String> = program.exports.iter().map(|export| escape(export.name.as_bytes())).collect();
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    Err(anyhow!("the program has no entry {}: {known} (`--pc N` starts anywhere)", quote(name)))
}

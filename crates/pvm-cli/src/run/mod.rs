//! `pvmrun run`.

mod program;
mod record;
mod report;
mod riscv;

use crate::Io;
use crate::args::RunArgs;
use crate::exit::usage;
use crate::input::{self, Input};
#[cfg(feature = "wasm")]
use crate::wasm::{self, Choices};
#[cfg(feature = "wasm")]
use anyhow::Context;
use anyhow::{Result, anyhow};
use pvm_conformance::trace::Trace;
use pvm_conformance::vector::{GasVector, Vector};
use pvm_gas::GasModel;
use pvm_host::Stop;
use pvm_isa::Profile;
use pvm_program::{Blob, Program};
use pvm_runtime::{Exit, Instance, Module, Options};
use report::{Guest, Outcome};
use std::time::Instant;

/// The gas of a program if nobody says how much. (10^15: days of running, and exact in every reader of JSON.)
const DEFAULT_GAS: u64 = 1_000_000_000_000_000;

/// Runs a program, for PVM or RISC-V, a vector or a trace.
pub fn run(args: &RunArgs, io: &mut Io<'_>) -> Result<u8> {
    let started = Instant::now();
    let (bytes, input) = input::load(args.program(), &args.read, io).map_err(|error| hint(args, error))?;
    let session = Session { args, started, loaded: Instant::now() };
    if !matches!(input, Input::Executable(_)) {
        session.refuse_system()?;
    }
    let outcome = match input {
        Input::Program(program) => session.program(*program, bytes, io)?,
        Input::Executable(executable) => {
            // It has all that it needs of the file.
            drop(bytes);
            session.executable(*executable, io)?
        }
        Input::Vector(vector) => session.vector(&vector, io)?,
        Input::GasVector(vector) => session.gas_vector(&vector, io)?,
        Input::Trace(trace) => session.trace(&trace)?,
        Input::Wasm(module) => session.wasm(&module, io)?,
    };
    report::print(&outcome, &args.report, io)
}

/// A program that is not there may have been meant as a verb.
fn hint(args: &RunArgs, error: anyhow::Error) -> anyhow::Error {
    let is_missing = error.downcast_ref::<std::io::Error>().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    match is_missing && args.program().components().count() == 1 && args.program().extension().is_none() {
        true => anyhow!("{error:#} (nor is it a verb at the beginning of the line; see `pvmrun --help`)"),
        false => error,
    }
}

/// A run, and when its phases began.
struct Session<'a> {
    args: &'a RunArgs,
    started: Instant,
    loaded: Instant,
}

impl Session<'_> {
    /// Compiles a WebAssembly module and runs it.
    #[cfg(feature = "wasm")]
    fn wasm(&self, module: &[u8], io: &mut Io<'_>) -> Result<Outcome> {
        let args = self.args;
        let choices = Choices::of_run(args.entry.as_ref(), args.stack_size, args.engine.max_memory);
        let name = || input::name(args.program());
        let program = wasm::program(module, args.program(), &args.read.wasm, &choices, io).with_context(name)?;
        let mut bytes = Vec::new();
        program.encode(&mut bytes)?;
        // The stack is as large as it was asked for already, and an entry that was asked for is at the beginning.
        let entry = args.entry.as_deref().filter(|_| choices.entry.is_none());
        self.prepared(program, bytes, entry, io)
    }

    #[cfg(not(feature = "wasm"))]
    fn wasm(&self, _: &[u8], _: &mut Io<'_>) -> Result<Outcome> {
        Err(anyhow!("this pvmrun was built without the compiler from WebAssembly"))
    }

    /// Refuses options that go with programs only.
    fn refuse(&self, kind: &str, refused: &[(&str, bool)]) -> Result<()> {
        match refused.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(usage(format!("{option} does not go with a {kind}: it says itself how it runs"))),
            None => Ok(()),
        }
    }

    /// Refuses options that go with RISC-V programs only.
    fn refuse_system(&self) -> Result<()> {
        let system = &self.args.system;
        let given = [
            ("--dir", !system.dir.is_empty()),
            ("--env", !system.env.is_empty()),
            ("--signature", system.signature.is_some()),
        ];
        match given.iter().find(|(_, is_given)| *is_given) {
            Some((option, _)) => Err(usage(format!("{option} goes with RISC-V programs only"))),
            None => Ok(()),
        }
    }

    fn refuse_for_vector(&self) -> Result<()> {
        let args = self.args;
        self.refuse(
            "vector",
            &[
                ("ARG", !args.arguments().is_empty()),
                ("--entry", args.entry.is_some()),
                ("--stack-size", args.stack_size.is_some()),
                // A trace has no words for the page map.
                ("--trace", args.trace.is_some()),
            ],
        )
    }

    /// The module of a vector's program, with what goes with its kind.
    fn vector_module(&self, blob: Blob, profile: Profile, gas_model: GasModel) -> Result<Module> {
        let args = self.args;
        let engine = crate::setup::engine(&args.engine, args.report.stats)?;
        let options =
            Options { profile: args.read.isa.or(Some(profile)), gas_model: args.engine.gas_model.or(Some(gas_model)) };
        Ok(Module::from_program(&engine, blob.into(), options))
    }

    fn vector(&self, vector: &Vector, io: &mut Io<'_>) -> Result<Outcome> {
        self.refuse_for_vector()?;
        let Ok(blob) = Blob::parse(&vector.program) else {
            return Ok(Outcome::invalid(vector.registers, self.args.gas.unwrap_or(vector.gas)));
        };
        let module = self.vector_module(blob, Profile::V0_7, GasModel::Block)?;
        let mut instance = Instance::new(&module, &[])?;
        vector.prepare(&mut instance).map_err(|error| anyhow!(error))?;
        self.run_vector(instance, vector.gas, io)
    }

    /// Runs once; the steps are for `test`.
    fn gas_vector(&self, vector: &GasVector, io: &mut Io<'_>) -> Result<Outcome> {
        self.refuse_for_vector()?;
        let gas = vector.gas.unwrap_or(DEFAULT_GAS);
        let Ok(blob) = Blob::parse(&vector.program) else {
            return Ok(Outcome::invalid(vector.registers, self.args.gas.unwrap_or(gas)));
        };
        let module = self.vector_module(blob, Profile::Draft, GasModel::Pipeline)?;
        let mut instance = Instance::new(&module, &[])?;
        vector.prepare(&mut instance).map_err(|error| anyhow!(error))?;
        self.run_vector(instance, gas, io)
    }

    fn run_vector(&self, mut instance: Instance, gas: u64, io: &mut Io<'_>) -> Result<Outcome> {
        let args = self.args;
        if let Some(pc) = args.pc {
            instance.set_pc(pc);
        }
        let gas = args.gas.unwrap_or(gas);
        instance.set_gas(gas);
        let prepared = Instant::now();
        let exit = program::execute(&mut instance, args, None, io)?;
        Ok(self.outcome(Guest { instance: &instance, gas }, Stop::Exit(exit), prepared))
    }

    fn trace(&self, trace: &Trace) -> Result<Outcome> {
        let args = self.args;
        self.refuse(
            "trace",
            &[
                ("ARG", !args.arguments().is_empty()),
                ("--gas", args.gas.is_some()),
                ("--pc", args.pc.is_some()),
                ("--entry", args.entry.is_some()),
                ("--stack-size", args.stack_size.is_some()),
                ("--trace", args.trace.is_some()),
            ],
        )?;
        let program = Program::parse(&trace.program)?;
        let engine = crate::setup::engine(&args.engine, args.report.stats)?;
        let options = crate::setup::options(&program, &args.read, &args.engine, None);
        let module = Module::from_program(&engine, program, options);
        let mut instance = Instance::new(&module, &[])?;
        let prepared = Instant::now();
        let alarm = program::alarm(&instance, args)?;
        let replayed = pvm_conformance::replay(&mut instance, trace);
        let exit = match replayed {
            Ok(exit) => exit,
            Err(_) if program::is_overdue(prepared, args) => Exit::Interrupted,
            Err(difference) => return Err(anyhow!("the run differs from the trace: {difference}")),
        };
        drop(alarm);
        Ok(self.outcome(Guest { instance: &instance, gas: trace.start.gas }, Stop::Exit(exit), prepared))
    }

    fn outcome(&self, guest: Guest<'_>, stop: Stop, prepared: Instant) -> Outcome {
        let times = crate::stats::Times {
            load: self.loaded - self.started,
            prepare: prepared - self.loaded,
            run: prepared.elapsed(),
        };
        Outcome::new(guest, stop, self.args.report.stats.then_some(times))
    }
}

//! Tests that are RISC-V programs, as those of `riscv-tests` are.
//!
//! There are two kinds. A user program ends with `exit`, and has passed if that was `exit(0)`. A program for a bare machine
//! has a symbol `tohost`, runs in machine mode, and writes there: 1 if it has passed, else twice the number of the test that
//! failed, plus one.

use crate::{Case, Difference, Suite};
use pvm_gas::GasModel;
use pvm_host::{DEFAULT_STACK, Ending, Folders, Process, Start, Stop, Streams, run_bare, run_process};
use pvm_program::Executable;
use pvm_runtime::{Exit, Instance, Module, Options};
use std::io;

/// The instructions that a test may execute: they take thousands, up to a million.
const LIMIT: u64 = 100_000_000;

impl Suite {
    /// Runs a test that is a RISC-V program.
    pub fn executable(&self, executable: &Executable) -> Case {
        let options = Options { profile: None, gas_model: Some(GasModel::Instruction) };
        let module = match Module::from_executable(&self.engine, executable.clone(), options) {
            Ok(module) => module,
            Err(error) => return Case::refused(&error),
        };
        let mut instance = match Instance::new(&module, &[]) {
            Ok(instance) => instance,
            Err(error) => return Case::refused(&error),
        };
        let alarm = self.timeout.map(|time| instance.interrupt_after(time)).transpose();
        let difference = match &alarm {
            Ok(_) => run(&mut instance, executable).err(),
            Err(error) => Some(format!("no thread to watch the time: {error}")),
        };
        Case { difference, stats: instance.stats(), compiled: instance.compile_stats() }
    }
}

fn run(instance: &mut Instance, executable: &Executable) -> Result<(), Difference> {
    let (mut input, mut output, mut error) = (io::empty(), io::sink(), io::sink());
    let streams = Streams { input: &mut input, output: &mut output, error: &mut error };
    let start = Start {
        streams,
        folders: Folders::default(),
        arguments: vec![b"test".to_vec()],
        environment: Vec::new(),
        stack_size: DEFAULT_STACK,
    };
    let started = Process::start(executable, instance.memory_mut(), start);
    let (mut process, stack) = started.map_err(|error| error.to_string())?;
    instance.all_registers_mut()[2] = stack.into();
    instance.set_gas(LIMIT);
    let stop = match executable.symbol("tohost") {
        Some(tohost) => {
            let mut before = [0; 4];
            if instance.memory().read(tohost, &mut before).is_ok() && before != [0; 4] {
                return Err(format!("tohost holds {} before anything has run", u32::from_le_bytes(before)));
            }
            run_bare(instance, &mut process, tohost)
        }
        None => run_process(instance, &mut process),
    };
    match stop {
        // Whatever says that all is well, something must have run.
        Stop::Result(1) | Stop::End(Ending::Exit(0)) if instance.gas() == LIMIT => {
            Err("nothing was executed".to_owned())
        }
        Stop::Result(1) | Stop::End(Ending::Exit(0)) => Ok(()),
        Stop::Result(value) if value & 1 == 1 => {
            Err(format!("tohost: expected 1, found {value} (test {})", value >> 1))
        }
        Stop::Result(value) => Err(format!("tohost: expected 1, found {value:#x}, which is no result")),
        Stop::End(Ending::Exit(code)) => Err(format!("exit: expected 0, found {code}{}", test_number(instance))),
        Stop::End(Ending::Signal(signal)) => Err(format!("exit: expected 0, found signal {signal}")),
        Stop::Exit(Exit::OutOfGas) => Err(format!("not over after {LIMIT} instructions")),
        Stop::Exit(Exit::Interrupted) => Err(format!("the time was up at pc {:#x}", instance.pc())),
        Stop::Exit(Exit::Trap { trap, value }) => {
            Err(format!("{} at pc {:#010x}, value {value:#x}", trap, instance.pc()))
        }
        Stop::Exit(exit) => Err(format!("stopped by {exit:?} at pc {:#010x}", instance.pc())),
    }
}

/// The test that failed, where that is what `gp` holds, as it does in `riscv-tests`.
fn test_number(instance: &Instance) -> String {
    match instance.all_registers()[3] {
        number @ 1..=1000 => format!(" (test {number} if gp counts tests)"),
        _ => String::new(),
    }
}

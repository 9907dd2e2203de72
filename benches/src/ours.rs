//! This engine.

use crate::clock::{Processes, Stopwatch};
use crate::contender::{Contender, GAS, Guest, Runner, Sample};
use crate::kernel::Kernel;
use anyhow::{Result, bail};
use pvm_runtime::{Config, Engine, Exit, GasModel, Instance, Jit, Module, Options};

/// Where a C function takes its argument and leaves its result.
pub const ARGUMENT: usize = 7;

/// This engine with each gas model, and its interpreter; `jit_threshold` is the default if it is not given.
pub fn contenders(jit_threshold: Option<u32>) -> Result<Vec<Contender>> {
    let default = Config::default();
    let compiled = Config { jit_threshold: jit_threshold.unwrap_or(default.jit_threshold), ..default };
    let interpreted = Config { jit: Jit::Off, ..Config::default() };
    Ok(vec![
        contender("ours-gas", 1, &compiled, GasModel::Instruction)?,
        contender("ours-block", 1, &compiled, GasModel::Block)?,
        contender("ours-pipeline", 1, &compiled, GasModel::Pipeline)?,
        contender("ours-none", 1, &compiled, GasModel::None)?,
        contender("ours-interp-gas", 10, &interpreted, GasModel::Instruction)?,
        contender("ours-interp-none", 10, &interpreted, GasModel::None)?,
    ])
}

fn contender(name: &'static str, share: u64, config: &Config, gas_model: GasModel) -> Result<Contender> {
    let engine = Engine::new(config)?;
    let options = Options { profile: None, gas_model: Some(gas_model) };
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        // One module for all runs: what the first has compiled serves the others.
        let module = Module::from_program(&engine, kernel.pvm()?.program.clone(), options);
        let entry = kernel.pvm()?.entry;
        Ok(Box::new(move |n| run(&module, entry, n)))
    };
    Ok(Contender { name, guest: Guest::Pvm, share, prepare: Box::new(prepare) })
}

fn run(module: &Module, entry: u32, n: u64) -> Result<Sample> {
    let mut instance = Instance::new(module, &[])?;
    instance.set_gas(GAS as u64);
    instance.set_pc(entry);
    instance.registers_mut()[ARGUMENT] = n;
    let stopwatch = Stopwatch::start(Processes::Own);
    let exit = instance.run();
    let time = stopwatch.elapsed();
    match exit {
        Exit::Halt => Ok(Sample { time, result: instance.registers()[ARGUMENT] }),
        exit => bail!("stopped by {exit:?} at {}", instance.pc()),
    }
}

//! This engine.

use crate::contender::{Contender, GAS};
use anyhow::{Result, bail};
use pvm_program::Program;
use pvm_runtime::{Config, Engine, Exit, GasModel, Instance, Jit, Module, Options};
use std::time::Instant;

/// This engine, compiling from the start, by default, and interpreting.
pub fn contenders(program: &Program) -> Result<Vec<Contender>> {
    let compiled = Config { jit_threshold: 0, ..Config::default() };
    let interpreted = Config { jit: Jit::Off, ..Config::default() };
    Ok(vec![
        contender("jit", &compiled, GasModel::Instruction, program, true)?,
        contender("jit-no-gas", &compiled, GasModel::None, program, true)?,
        contender("jit-cold", &Config::default(), GasModel::Instruction, program, false)?,
        contender("interpreter", &interpreted, GasModel::Instruction, program, true)?,
    ])
}

/// `warm` keeps one module, so that only the first run compiles; otherwise every run begins with nothing.
fn contender(name: &str, config: &Config, gas_model: GasModel, program: &Program, warm: bool) -> Result<Contender> {
    let engine = Engine::new(config)?;
    let options = Options { profile: None, gas_model: Some(gas_model) };
    let program = program.clone();
    let kept = warm.then(|| Module::from_program(&engine, program.clone(), options));
    let run = move || {
        let module = kept.clone().unwrap_or_else(|| Module::from_program(&engine, program.clone(), options));
        let mut instance = Instance::new(&module, &[])?;
        instance.set_gas(GAS as u64);
        let start = Instant::now();
        let exit = instance.run();
        let time = start.elapsed();
        match exit {
            Exit::Halt => Ok((time, instance.output())),
            exit => bail!("stopped by {exit:?} at {}", instance.pc()),
        }
    };
    Ok(Contender { name: name.to_owned(), run: Box::new(run) })
}

//! The `wasmtime` crate, through its public interface: WebAssembly, compiled by Cranelift as our guests are.

use crate::clock::{Processes, Stopwatch};
use crate::contender::{Contender, GAS, Guest, Runner, Sample};
use crate::kernel::{ENTRY, Kernel};
use anyhow::{Context, Result, anyhow};
use wasmtime::{Config, Engine, Instance, Module, OptLevel, Store};

/// With and without fuel. Linear memories have their default: four gigabytes of addresses, so accesses need no checks.
///
/// # Errors
///
/// If the host has no compiler.
pub fn contenders() -> Result<Vec<Contender>> {
    Ok(vec![contender("wasmtime-fuel", true)?, contender("wasmtime-none", false)?])
}

/// What optimises as far as it can.
pub fn config(fuel: bool) -> Config {
    let mut config = Config::new();
    config.cranelift_opt_level(OptLevel::Speed).consume_fuel(fuel);
    config
}

/// Compiles a kernel.
///
/// # Errors
///
/// If there is no WebAssembly module of it, or it is refused.
pub fn module(engine: &Engine, kernel: &Kernel) -> Result<Module> {
    let bytes = kernel.wasm.as_ref().with_context(|| format!("no {}.wasm", kernel.name))?;
    Module::new(engine, bytes).map_err(|error| anyhow!("{error:?}"))
}

fn contender(name: &'static str, fuel: bool) -> Result<Contender> {
    let engine = Engine::new(&config(fuel)).map_err(|error| anyhow!("{error:?}"))?;
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        let module = module(&engine, kernel)?;
        Ok(Box::new(move |n| run(&module, fuel, n).map_err(|error| anyhow!("{error:?}"))))
    };
    Ok(Contender { name, guest: Guest::Wasm, share: 1, prepare: Box::new(prepare) })
}

fn run(module: &Module, fuel: bool, n: u64) -> wasmtime::Result<Sample> {
    let mut store = Store::new(module.engine(), ());
    if fuel {
        store.set_fuel(GAS as u64)?;
    }
    let instance = Instance::new(&mut store, module, &[])?;
    let kernel = instance.get_typed_func::<u64, u64>(&mut store, ENTRY)?;
    let stopwatch = Stopwatch::start(Processes::Own);
    let result = kernel.call(&mut store, n)?;
    Ok(Sample { time: stopwatch.elapsed(), result })
}

//! The `wasmi` crate, through its public interface: an interpreter of WebAssembly.

use crate::clock::{Processes, Stopwatch};
use crate::contender::{Contender, GAS, Guest, Runner, Sample};
use crate::kernel::{ENTRY, Kernel};
use anyhow::{Context, Result};
use wasmi::{Config, Engine, Linker, Module, Store};

/// With and without fuel.
pub fn contenders() -> Vec<Contender> {
    vec![contender("wasmi-fuel", true), contender("wasmi-none", false)]
}

fn contender(name: &'static str, fuel: bool) -> Contender {
    let mut config = Config::default();
    config.consume_fuel(fuel);
    let engine = Engine::new(&config);
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        let bytes = kernel.wasm.as_ref().with_context(|| format!("no {}.wasm", kernel.name))?;
        let module = Module::new(&engine, bytes.as_slice())?;
        let engine = engine.clone();
        Ok(Box::new(move |n| run(&engine, &module, fuel, n)))
    };
    Contender { name, guest: Guest::Wasm, share: 10, prepare: Box::new(prepare) }
}

fn run(engine: &Engine, module: &Module, fuel: bool, n: u64) -> Result<Sample> {
    let mut store = Store::new(engine, ());
    if fuel {
        store.set_fuel(GAS as u64)?;
    }
    let instance = Linker::<()>::new(engine).instantiate_and_start(&mut store, module)?;
    let kernel = instance.get_typed_func::<u64, u64>(&store, ENTRY)?;
    let stopwatch = Stopwatch::start(Processes::Own);
    let result = kernel.call(&mut store, n)?;
    Ok(Sample { time: stopwatch.elapsed(), result })
}

//! The `wasmtime` crate.

use super::{Action, Embedded};
use crate::contender::GAS;
use crate::kernel::{ENTRY, Kernel};
use crate::wasmtime_peer;
use anyhow::{Result, anyhow};
use wasmtime::{Engine, Instance, Linker, Module, PoolingAllocationConfig, Store};

/// The same as [`super::HOST_CALLS`].
const HOST_CALLS: &str = r#"(module
    (import "host" "call" (func $call (param i64)))
    (func (export "kernel") (param $count i64)
        (loop $again
            (call $call (local.get $count))
            (br_if $again (i64.ne (local.tee $count (i64.sub (local.get $count) (i64.const 1))) (i64.const 0))))))"#;

/// The `wasmtime` crate with a kernel.
pub struct Wasmtime {
    engine: Engine,
    module: Module,
}

impl Wasmtime {
    /// With memory for instances as they come, or for so many from the beginning.
    ///
    /// # Errors
    ///
    /// If the host has no compiler, or it refuses the program.
    pub fn new(kernel: &Kernel, pooled: Option<usize>) -> Result<Wasmtime> {
        let mut config = wasmtime_peer::config(true);
        if let Some(count) = pooled {
            let mut pool = PoolingAllocationConfig::default();
            let count = u32::try_from(count)?;
            pool.total_core_instances(count).total_memories(count).total_tables(count);
            config.allocation_strategy(pool);
        }
        let engine = Engine::new(&config).map_err(failed)?;
        let module = wasmtime_peer::module(&engine, kernel)?;
        Ok(Wasmtime { engine, module })
    }
}

fn failed(error: wasmtime::Error) -> anyhow::Error {
    anyhow!("{error:?}")
}

fn store<T>(engine: &Engine, data: T) -> Result<Store<T>> {
    let mut store = Store::new(engine, data);
    store.set_fuel(GAS as u64).map_err(failed)?;
    Ok(store)
}

impl Embedded for Wasmtime {
    type Guest = (Store<()>, Instance);

    fn make(&self) -> Result<(Store<()>, Instance)> {
        let mut store = store(&self.engine, ())?;
        let instance = Instance::new(&mut store, &self.module, &[]).map_err(failed)?;
        Ok((store, instance))
    }

    fn run(&self, (store, instance): &mut (Store<()>, Instance)) -> Result<()> {
        let kernel = instance.get_typed_func::<u64, u64>(&mut *store, ENTRY).map_err(failed)?;
        kernel.call(store, 1).map_err(failed)?;
        Ok(())
    }

    fn reset(&self, _: &mut (Store<()>, Instance)) -> Option<Result<()>> {
        None
    }

    fn host_calls(&self) -> Result<Action> {
        let module = Module::new(&self.engine, HOST_CALLS).map_err(failed)?;
        let mut linker = Linker::<u64>::new(&self.engine);
        let call = |mut caller: wasmtime::Caller<'_, u64>, number: u64| {
            *caller.data_mut() = caller.data().wrapping_add(number);
        };
        linker.func_wrap("host", "call", call).map_err(failed)?;
        let mut store = store(&self.engine, 0)?;
        let instance = linker.instantiate(&mut store, &module).map_err(failed)?;
        let kernel = instance.get_typed_func::<u64, ()>(&mut store, ENTRY).map_err(failed)?;
        Ok(Box::new(move |count| {
            store.set_fuel(GAS as u64).map_err(failed)?;
            kernel.call(&mut store, count).map_err(failed)
        }))
    }

    /// There are no snapshots, but a module may begin with as much.
    fn fork(&self) -> Result<Option<Action>> {
        let text = format!(r#"(module (memory 256) (data (i32.const 0) "{}"))"#, "x".repeat(16 << 20));
        let module = Module::new(&self.engine, text).map_err(failed)?;
        let engine = self.engine.clone();
        Ok(Some(Box::new(move |count| {
            for _ in 0..count {
                Instance::new(&mut store(&engine, ())?, &module, &[]).map_err(failed)?;
            }
            Ok(())
        })))
    }
}

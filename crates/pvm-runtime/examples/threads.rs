//! One module, compiled once, and guests of it on four threads.

use pvm_runtime::{Completion, Config, Engine, Linker, Module, Options, Store};
use std::error::Error;

/// Counts the primes below a million.
const SIEVE: &[u8] = include_bytes!("../../../examples/sieve.jam");

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Config::default())?;
    let module = Module::new(&engine, SIEVE, Options::default())?;
    let linker = Linker::new();
    let results = std::thread::scope(|scope| {
        let run = || -> Result<_, pvm_runtime::CallError> {
            let mut store = Store::new(&module, &linker, ())?;
            store.invoke(0, 1_000_000_000, &[])
        };
        let threads: Vec<_> = (0..4).map(|_| scope.spawn(run)).collect();
        threads.into_iter().map(|thread| thread.join().expect("no panic")).collect::<Vec<_>>()
    });
    for result in results {
        let invocation = result?;
        println!("{:?}, {} gas", invocation.completion, invocation.gas_used);
        assert_eq!(invocation.completion, Completion::Output(78_498u64.to_le_bytes().to_vec()));
    }
    println!("compiled: {} regions", module.compile_stats().regions);
    Ok(())
}

//! Invokes a program with bytes as arguments, and gets bytes back: the usual way to run a JAM service.

use pvm_runtime::{Completion, Config, Engine, Linker, Module, Options, Store};
use std::error::Error;

/// Computes the Fibonacci number whose index is the argument, a little-endian `u32`.
const FIBONACCI: &[u8] = include_bytes!("../../../examples/fibonacci.jam");

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Config::default())?;
    let module = Module::new(&engine, FIBONACCI, Options::default())?;
    // The program calls nothing of its host, so the linker is empty, and there is no data.
    let mut store = Store::new(&module, &Linker::new(), ())?;
    for n in [10, 20, 90u32] {
        let invocation = store.invoke(0, 1_000_000, &n.to_le_bytes())?;
        let Completion::Output(output) = invocation.completion else {
            return Err(format!("{:?}", invocation.completion).into());
        };
        let number = u64::from_le_bytes(output.as_slice().try_into()?);
        println!("fibonacci({n}) = {number}, for {} gas", invocation.gas_used);
        let expected = (0..n).fold((0, 1), |(a, b), _| (b, a + b)).0;
        assert_eq!(number, expected);
    }
    Ok(())
}

//! Stops guests that take too long: by a deadline, from another thread, and by gas.

use pvm_runtime::{Config, Engine, Exit, Linker, Module, Options, Store};
use std::error::Error;
use std::time::{Duration, Instant};

const FOREVER: &str = "
        .format raw
loop:   add_imm_64 r7, r7, 1
        jump loop
";

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Config::default())?;
    let module = Module::new(&engine, &pvm_asm::assemble(FOREVER)?, Options::default())?;
    let mut store = Store::new(&module, &Linker::new(), ())?;
    store.instance_mut().set_gas(u64::MAX);

    store.set_deadline(Some(Instant::now() + Duration::from_millis(20)));
    assert_eq!(store.run()?, Exit::Interrupted);
    println!("a deadline: {} rounds", store.instance().registers()[7]);

    // The run goes on where it was stopped.
    store.set_deadline(None);
    let handle = store.interrupt_handle();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            handle.interrupt();
        });
        assert!(matches!(store.run(), Ok(Exit::Interrupted)));
    });
    println!("another thread: {} rounds", store.instance().registers()[7]);

    // Gas stops at the same instruction on every machine.
    let before = store.instance().registers()[7];
    store.instance_mut().set_gas(2001);
    assert_eq!(store.run()?, Exit::OutOfGas);
    let rounds = store.instance().registers()[7] - before;
    println!("gas: {rounds} rounds");
    assert!((1000..=1001).contains(&rounds));
    Ok(())
}

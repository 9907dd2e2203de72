//! Three guests take turns on one thread, and wait for their host. The executor is a loop that polls; any other does as well.

use pvm_runtime::{Config, Engine, Exit, Linker, Module, Options, Slice, Store};
use std::error::Error;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Asks its host five times for a number, sums them up, and then computes for a while.
const PROGRAM: &str = "
        .format raw
        load_imm r9, 5
        fallthrough
ask:    ecalli 1
        add_64 r10, r10, r7
        add_imm_64 r9, r9, -1
        branch_ne_imm r9, 0, ask
        load_imm r9, 100000
        fallthrough
work:   add_imm_64 r9, r9, -1
        branch_ne_imm r9, 0, work
        trap
";

fn linker() -> Linker<u64> {
    let mut linker = Linker::<u64>::new();
    linker.func_async(1, |caller| {
        Box::pin(async move {
            // Whatever a program waits for: here, that the others have had their turn.
            let mut is_first = true;
            poll_fn(|_| if std::mem::take(&mut is_first) { Poll::Pending } else { Poll::Ready(()) }).await;
            *caller.data_mut() += 1;
            let answer = *caller.data();
            caller.set_result(answer);
            Ok(())
        })
    });
    linker
}

fn main() -> Result<(), Box<dyn Error>> {
    let engine = Engine::new(&Config::default())?;
    let module = Module::new(&engine, &pvm_asm::assemble(PROGRAM)?, Options::default())?;
    let linker = linker();
    let mut stores = Vec::new();
    for k in 0..3 {
        let mut store = Store::new(&module, &linker, 10 * k)?;
        store.instance_mut().set_gas(1_000_000);
        store.set_slice(Some(Slice::Gas(50_000)));
        stores.push(store);
    }
    let mut tasks: Vec<(usize, Pin<Box<dyn Future<Output = _>>>)> = Vec::new();
    for (k, store) in stores.iter_mut().enumerate() {
        tasks.push((k, Box::pin(store.run_async())));
    }
    let mut turns = 0;
    while !tasks.is_empty() {
        tasks.retain_mut(|(k, task)| {
            turns += 1;
            match task.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
                Poll::Pending => true,
                Poll::Ready(exit) => {
                    println!("guest {k} ends after {turns} turns");
                    assert!(matches!(exit, Ok(Exit::Panic)));
                    false
                }
            }
        });
    }
    drop(tasks);
    for (k, store) in (0u64..).zip(&stores) {
        assert_eq!(store.instance().registers()[10], 5 * 10 * k + 15);
    }
    Ok(())
}

//! Awaited runs, on an executor of a few lines.

use crate::{engines, raw, raw_program};
use pvm_runtime::{Exit, GasModel, Linker, Module, Options, RunError, Slice, Store};
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll, Wake, Waker};
use std::time::{Duration, Instant};

struct Counting(AtomicU32);

impl Wake for Counting {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Polls a future until it is done, as long as it is woken each time; says how often it was pending.
fn block_on<F: Future>(future: F) -> (F::Output, u32) {
    let counting = Arc::new(Counting(AtomicU32::new(0)));
    let waker = Waker::from(Arc::clone(&counting));
    let mut future = pin!(future);
    let mut pending = 0;
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return (output, pending);
        }
        pending += 1;
        assert_eq!(counting.0.load(Ordering::Relaxed), pending, "nobody would poll it again");
    }
}

/// Is pending once.
async fn later() {
    let mut is_first = true;
    poll_fn(|context| match std::mem::take(&mut is_first) {
        true => {
            context.waker().wake_by_ref();
            Poll::Pending
        }
        false => Poll::Ready(()),
    })
    .await;
}

fn doubling() -> Linker<Vec<u64>> {
    let mut linker = Linker::<Vec<u64>>::new();
    linker.func_async(1, |caller| {
        Box::pin(async move {
            let argument = caller.argument(0);
            later().await;
            caller.charge(5)?;
            caller.data_mut().push(argument);
            caller.set_result(2 * argument);
            Ok(())
        })
    });
    linker.func(2, |caller| {
        caller.data_mut().push(0);
        Ok(())
    });
    linker
}

const TEXT: &str = "load_imm r7, 1\n ecalli 1\n ecalli 2\n ecalli 1\n jump_ind r0, 0";

#[test]
fn host_functions_are_waited_for() {
    for engine in engines() {
        let module = raw(&engine, TEXT);
        let mut store = Store::new(&module, &doubling(), Vec::new()).unwrap();
        store.instance_mut().set_gas(100);
        store.instance_mut().registers_mut()[0] = 0xffff_0000;
        let (exit, pending) = block_on(store.run_async());
        assert_eq!((exit.unwrap(), pending), (Exit::Halt, 2));
        assert_eq!((store.data(), store.instance().registers()[7]), (&vec![1, 0, 2], 4));
        assert_eq!(store.instance().gas(), 100 - 5 - 10);
        // The other way to run does not wait.
        store.instance_mut().set_pc(0);
        assert!(matches!(store.run(), Err(RunError::Asynchronous { number: 1 })));
    }
}

#[test]
fn a_future_can_be_dropped_and_the_run_resumed() {
    for engine in engines() {
        let mut store = Store::new(&raw(&engine, TEXT), &doubling(), Vec::new()).unwrap();
        store.instance_mut().set_gas(100);
        store.instance_mut().registers_mut()[0] = 0xffff_0000;
        {
            let mut future: Pin<Box<_>> = Box::pin(store.run_async());
            let waker = Waker::noop();
            assert!(future.as_mut().poll(&mut Context::from_waker(waker)).is_pending());
        }
        assert_eq!((store.instance().pc(), store.data().len()), (3, 0));
        let (exit, _) = block_on(store.run_async());
        assert_eq!((exit.unwrap(), store.data()), (Exit::Halt, &vec![0, 1]));
    }
}

#[test]
fn slices_of_gas_change_nothing_but_who_runs() {
    let text = "loop: add_imm_64 r7, r7, 1\n add_imm_64 r8, r8, 3\n branch_lt_u_imm r7, 5000, loop\n jump_ind r0, 0";
    for engine in engines() {
        for (model, gas) in [(GasModel::Instruction, 15001), (GasModel::Block, 15001)] {
            let options = Options { gas_model: Some(model), profile: None };
            let module = Module::from_program(&engine, raw_program(text), options);
            for (slice, expected) in [(1000, 14), (1, 4999), (1 << 40, 0)] {
                let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
                store.instance_mut().set_gas(gas);
                store.instance_mut().registers_mut()[0] = 0xffff_0000;
                store.set_slice(Some(Slice::Gas(slice)));
                let (exit, pending) = block_on(store.run_async());
                assert_eq!((exit.unwrap(), store.instance().gas()), (Exit::Halt, 0));
                assert_eq!(store.instance().registers()[7..9], [5000, 15000]);
                assert!(pending >= expected, "{pending} of {expected}");
            }
            // What is missing is missing.
            let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
            store.instance_mut().set_gas(gas - 1);
            store.instance_mut().registers_mut()[0] = 0xffff_0000;
            store.set_slice(Some(Slice::Gas(100)));
            assert_eq!(block_on(store.run_async()).0.unwrap(), Exit::OutOfGas);
        }
    }
}

#[test]
fn cuts_do_not_depend_on_time() {
    // More gas than a run gets until it looks for interruptions, which depends on how long it takes.
    let text = "loop: add_imm_64 r7, r7, 1\n branch_lt_u_imm r7, 1000000, loop\n jump_ind r0, 0";
    for engine in engines() {
        let module = raw(&engine, text);
        for (slice, cuts) in [(300_000, 6), (131_073, 15), (1_999_999, 1), (2_000_001, 0)] {
            let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
            store.instance_mut().set_gas(u64::MAX);
            store.instance_mut().registers_mut()[0] = 0xffff_0000;
            store.set_slice(Some(Slice::Gas(slice)));
            let (exit, pending) = block_on(store.run_async());
            assert_eq!((exit.unwrap(), pending, store.instance().gas()), (Exit::Halt, cuts, u64::MAX - 2_000_001));
        }
    }
}

#[test]
fn slices_of_time_let_others_run_until_the_deadline() {
    for engine in engines() {
        let mut store = Store::new(&raw(&engine, "loop: jump loop"), &Linker::new(), ()).unwrap();
        store.instance_mut().set_gas(u64::MAX);
        store.set_slice(Some(Slice::Time(Duration::from_millis(1))));
        store.set_deadline(Some(Instant::now() + Duration::from_millis(60)));
        let (exit, pending) = block_on(store.run_async());
        assert_eq!(exit.unwrap(), Exit::Interrupted);
        assert!(pending >= 1, "{pending}");
        // Who asks for an interruption gets it.
        store.set_deadline(None);
        store.interrupt_handle().interrupt();
        assert_eq!(block_on(store.run_async()).0.unwrap(), Exit::Interrupted);
    }
}

//! Interruption: from another thread, and by deadline.

use crate::{engines, raw_program};
use pvm_runtime::{Engine, Exit, GasModel, Linker, Module, Options, Store};
use std::time::{Duration, Instant};

/// A loop that never ends, in each way of metering.
fn loops(engine: &Engine) -> Vec<Store<()>> {
    let models = [GasModel::Instruction, GasModel::Block, GasModel::None];
    let store = |model| {
        let options = Options { gas_model: Some(model), profile: None };
        let module = Module::from_program(engine, raw_program("loop: add_imm_64 r7, r7, 1\n jump loop"), options);
        let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
        store.instance_mut().set_gas(u64::MAX);
        store
    };
    models.map(store).into()
}

#[test]
fn a_deadline_stops_a_run_and_can_be_set_again() {
    for engine in engines() {
        for mut store in loops(&engine) {
            let mut advances = 0;
            // On a busy machine the time may be up before the run has begun.
            for _ in 0..200 {
                let began = Instant::now();
                let before = store.instance().registers()[7];
                store.set_deadline(Some(began + Duration::from_millis(5)));
                assert_eq!(store.run().unwrap(), Exit::Interrupted);
                assert!(began.elapsed() >= Duration::from_millis(5));
                assert!(store.instance().registers()[7] >= before, "resumed where it was");
                advances += u32::from(store.instance().registers()[7] > before);
                if advances == 3 {
                    break;
                }
            }
            assert_eq!(advances, 3);
            // A deadline that has passed lets nothing run for long.
            assert_eq!(store.run().unwrap(), Exit::Interrupted);
        }
    }
}

#[test]
fn a_deadline_that_was_not_reached_stops_nothing_later() {
    for engine in engines() {
        let module = Module::from_program(&engine, raw_program("jump_ind r0, 0"), Options::default());
        let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
        for k in 0..200 {
            let instance = store.instance_mut();
            instance.set_pc(0);
            instance.set_gas(10);
            instance.registers_mut()[0] = 0xffff_0000;
            // Around the time that a run takes: some go off while it ends.
            store.set_deadline(Some(Instant::now() + Duration::from_micros(k)));
            let exit = store.run().unwrap();
            assert!(matches!(exit, Exit::Halt | Exit::Interrupted), "{exit}");
            store.set_deadline(None);
            if exit == Exit::Interrupted {
                continue;
            }
            store.instance_mut().set_pc(0);
            assert_eq!(store.run().unwrap(), Exit::Halt, "nothing is left of the deadline");
        }
    }
}

#[test]
fn a_request_is_kept_when_a_deadline_is_taken_back() {
    for engine in engines() {
        let mut store = loops(&engine).remove(0);
        store.instance_mut().set_gas(0);
        store.set_deadline(Some(Instant::now() + Duration::from_secs(3600)));
        store.interrupt_handle().interrupt();
        assert_eq!(store.run().unwrap(), Exit::Interrupted);
        assert_eq!(store.run().unwrap(), Exit::OutOfGas);
    }
}

#[test]
fn another_thread_stops_a_run() {
    for engine in engines() {
        for mut store in loops(&engine) {
            let handle = store.interrupt_handle();
            let exit = std::thread::scope(|scope| {
                scope.spawn(move || {
                    std::thread::sleep(Duration::from_millis(3));
                    handle.interrupt();
                });
                store.run().unwrap()
            });
            assert_eq!(exit, Exit::Interrupted);
        }
    }
}

#[test]
fn nested_functions_are_stopped_too() {
    for engine in engines() {
        let mut linker = Linker::<()>::new();
        linker.func(1, |caller| Ok(caller.call(2, &[]).map(|_| ())?));
        let module =
            Module::from_program(&engine, raw_program("ecalli 1\nfallthrough\nloop: jump loop"), Options::default());
        let mut store = Store::new(&module, &linker, ()).unwrap();
        store.instance_mut().set_gas(u64::MAX);
        store.set_deadline(Some(Instant::now() + Duration::from_millis(3)));
        assert_eq!(store.run().unwrap(), Exit::Interrupted);
        assert_eq!(store.instance().pc(), 0);
    }
}

#[test]
fn an_alarm_stops_a_run_as_long_as_it_lives() {
    for engine in engines() {
        for store in loops(&engine) {
            let (mut instance, ()) = store.into_parts();
            let alarm = instance.interrupt_after(Duration::from_millis(5)).unwrap();
            assert_eq!(instance.run(), Exit::Interrupted);
            drop(alarm);
            // Nobody saw that its time was up.
            let alarm = instance.interrupt_after(Duration::ZERO).unwrap();
            std::thread::sleep(Duration::from_millis(2));
            drop(alarm);
            let never = instance.interrupt_after(Duration::MAX).unwrap();
            let alarm = instance.interrupt_after(Duration::from_millis(5)).unwrap();
            let started = Instant::now();
            assert_eq!(instance.run(), Exit::Interrupted);
            assert!(started.elapsed() >= Duration::from_millis(4));
            drop((never, alarm));
        }
    }
}

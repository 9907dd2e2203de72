//! Things are dropped in any order, and what comes after them sees nothing of them.

use crate::{engines, standard};
use pvm_runtime::{Exit, Instance, Linker, Snapshot, Store};
use std::any::Any;

/// Runs until its host call, and then to its end.
const TEXT: &str = "
        load_u8 r9, [0x20000]
        store_u64 r9, [0x20008]
        ecalli 1
        load_u8 r7, [0x20000]
        jump_ind r0, 0
        .rwdata
        .u64 0x2a
        .u64 0";

fn stopped(instance: &mut Instance) {
    instance.set_gas(100);
    assert_eq!(instance.run(), Exit::HostCall { id: 1 });
}

fn ended(instance: &mut Instance) {
    assert_eq!(instance.run(), Exit::Halt);
    assert_eq!(instance.registers()[7], 0x2a);
}

#[test]
fn things_are_dropped_in_any_order() {
    for kind in 0..3 {
        for first in 0..6 {
            for second in 0..5 {
                let engine = engines().swap_remove(kind);
                let module = standard(&engine, TEXT);
                let mut linker = Linker::<u8>::new();
                linker.func(1, |_| Ok(()));
                let mut instance = Instance::new(&module, &[]).unwrap();
                stopped(&mut instance);
                let snapshot = instance.snapshot();
                let mut fork = Instance::from_snapshot(&module, &snapshot).unwrap();
                let store = Store::from_instance(instance, &linker, 7);
                let handle = store.interrupt_handle();
                let mut things: Vec<Box<dyn Any>> = vec![
                    Box::new(engine),
                    Box::new(module),
                    Box::new(linker),
                    Box::new(snapshot),
                    Box::new(store),
                    Box::new(handle),
                ];
                drop(things.swap_remove(first));
                drop(things.swap_remove(second));
                ended(&mut fork);
                things.into_iter().for_each(|thing| match thing.downcast::<Store<u8>>() {
                    Ok(mut store) => {
                        assert_eq!(store.run().unwrap(), Exit::Halt);
                        assert_eq!(store.instance().registers()[7], 0x2a);
                    }
                    Err(other) => drop(other),
                });
                fork.reset(&[]).unwrap();
                stopped(&mut fork);
                ended(&mut fork);
            }
        }
    }
}

/// Modules and snapshots lie ready in address space that goes around between them: each guest has its own contents.
#[test]
fn guests_of_several_programs_take_turns() {
    for engine in engines() {
        let texts: Vec<String> =
            (1..5).map(|k| TEXT.replace("0x2a", &k.to_string()).replace("ecalli 1", &format!("ecalli {k}"))).collect();
        let mut modules: Vec<_> = texts.iter().map(|text| standard(&engine, text)).collect();
        let mut snapshots: Vec<Option<Snapshot>> = vec![None; modules.len()];
        let mut alive = Vec::new();
        for round in 0..400 {
            let k = round * 7 % modules.len();
            let mut instance = match &snapshots[k] {
                Some(snapshot) if round % 3 == 0 => Instance::from_snapshot(&modules[k], snapshot).unwrap(),
                _ => Instance::new(&modules[k], &[]).unwrap(),
            };
            instance.set_gas(100);
            let memory = instance.memory_mut();
            assert_eq!(memory.read_u64(0x20000).unwrap(), k as u64 + 1, "round {round}");
            assert_eq!(memory.read_vec(0x20008, 0xff8).unwrap(), vec![0; 0xff8], "round {round}");
            assert!(memory.read_u8(0x8000_0000).is_err());
            memory.write(0x20008, &[0xee; 0xff8]).unwrap();
            memory.map(0x8000_0000, 0x1000, pvm_runtime::Access::ReadWrite).unwrap();
            memory.write_u64(0x8000_0000, 1).unwrap();
            instance.reset(&[]).unwrap();
            if round % 5 == 0 {
                snapshots[k] = Some(instance.snapshot());
            }
            instance.set_gas(100);
            assert_eq!(instance.run(), Exit::HostCall { id: k as u64 + 1 });
            assert_eq!(instance.memory().read_u64(0x20008).unwrap(), k as u64 + 1);
            alive.push(instance);
            if alive.len() > 3 {
                drop(alive.swap_remove(round % 4));
            }
            if round % 50 == 49 {
                modules[k] = standard(&engine, &texts[k]);
                snapshots[k] = None;
            }
        }
    }
}

/// A program whose guests run for a moment only gets hot all the same, and a guest that is reset goes on counting.
#[test]
#[cfg(feature = "cranelift")]
fn what_is_hot_is_counted_across_guests() {
    let engine = pvm_runtime::Engine::new(&pvm_runtime::Config::default()).unwrap();
    let run = |instance: &mut Instance| {
        stopped(instance);
        ended(instance);
    };
    let [anew, reset] = [(); 2].map(|()| standard(&engine, TEXT));
    let mut same = Instance::new(&reset, &[]).unwrap();
    for _ in 0..1100 {
        run(&mut Instance::new(&anew, &[]).unwrap());
        same.reset(&[]).unwrap();
        run(&mut same);
    }
    assert_eq!([anew, reset].map(|module| module.compile_stats().regions > 0), [true; 2]);
}

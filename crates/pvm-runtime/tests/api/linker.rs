//! Host functions: who is called, and what comes of what they do.

use crate::{BASE, engines, raw, raw_program, riscv, rv};
use pvm_runtime::{CallError, Exit, HostStop, Instance, Linker, Module, Options, RunError, Store};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Calls 1 and 2, and halts.
const TWO_CALLS: &str = "ecalli 1\n ecalli 2\n jump_ind r0, 0";

fn store<T>(module: &Module, linker: &Linker<T>, data: T) -> Store<T> {
    let mut store = Store::new(module, linker, data).unwrap();
    store.instance_mut().set_gas(1000);
    store.instance_mut().registers_mut()[0] = 0xffff_0000;
    store
}

#[test]
fn functions_are_found_by_number_and_others_by_default() {
    let mut linker = Linker::<Vec<u64>>::new();
    linker.func(1, |caller| {
        caller.data_mut().push(1);
        caller.set_result(11);
        Ok(())
    });
    let mut with_other = linker.clone();
    with_other.func_other(|caller, number| {
        let call = number * 100 + caller.argument(0);
        caller.data_mut().push(call);
        Ok(())
    });
    for engine in engines() {
        let module = raw(&engine, TWO_CALLS);
        let mut store = store(&module, &with_other, Vec::new());
        assert_eq!(store.run().unwrap(), Exit::Halt);
        assert_eq!(store.data(), &[1, 211]);
        // Without it the run stops, and goes on once the embedder has answered.
        let mut store = self::store(&module, &linker, Vec::new());
        assert_eq!(store.run().unwrap(), Exit::HostCall { id: 2 });
        assert_eq!((store.data(), store.instance().pc()), (&vec![1], 2));
        assert_eq!(store.run().unwrap(), Exit::Halt);
    }
}

#[test]
fn names_come_before_numbers() {
    let mut program = raw_program(TWO_CALLS);
    program.imports = vec!["zero".to_owned(), "one".to_owned()];
    let mut linker = Linker::<Vec<&'static str>>::new();
    for number in 0..3 {
        linker.func(number, |caller| {
            caller.data_mut().push("number");
            Ok(())
        });
    }
    linker.func_named("one", |caller| {
        caller.data_mut().push("name");
        Ok(())
    });
    for engine in engines() {
        let module = Module::from_program(&engine, program.clone(), Options::default());
        let mut store = store(&module, &linker, Vec::new());
        assert_eq!(store.run().unwrap(), Exit::Halt);
        assert_eq!(store.data(), &["name", "number"]);
    }
}

#[test]
fn functions_end_runs_in_every_way() {
    for engine in engines() {
        let module = raw(&engine, TWO_CALLS);
        for exit in [Exit::Halt, Exit::Panic, Exit::OutOfGas, Exit::Interrupted] {
            let mut linker = Linker::new();
            linker.func(1, |_| Ok(())).func(2, move |_| Err(exit.into()));
            let mut store = store(&module, &linker, ());
            assert_eq!(store.run().unwrap(), exit);
            assert_eq!(store.instance().pc(), 2, "{exit}: the call itself");
            assert_eq!(store.run().unwrap(), Exit::Halt, "{exit}: it goes on behind the call");
        }
        let mut linker = Linker::new();
        linker.func(1, |_| Err(std::io::Error::other("the disk is full").into()));
        let error = store(&module, &linker, ()).run().unwrap_err();
        assert!(matches!(&error, RunError::Host { number: 1, source } if source.is::<std::io::Error>()));
        assert_eq!(error.to_string(), "the host function 1 has failed: the disk is full");
    }
}

#[test]
fn functions_charge_gas() {
    let mut linker = Linker::<u64>::new();
    linker.func_other(|caller, _| {
        caller.charge(*caller.data())?;
        caller.set_result(caller.gas());
        Ok(())
    });
    for engine in engines() {
        let module = raw(&engine, TWO_CALLS);
        let mut plenty = store(&module, &linker, 10);
        assert_eq!(plenty.run().unwrap(), Exit::Halt);
        assert_eq!((plenty.instance().gas(), plenty.instance().registers()[7]), (1000 - 3 - 20, 1000 - 2 - 20));
        let mut too_dear = store(&module, &linker, 600);
        assert_eq!(too_dear.run().unwrap(), Exit::OutOfGas);
        assert_eq!((too_dear.instance().gas(), too_dear.instance().pc()), (0, 2));
    }
}

#[test]
fn pointers_of_guests_are_checked() {
    let mut linker = Linker::<Vec<u8>>::new();
    linker.func(1, |caller| {
        let bytes = caller.read_vec(caller.argument(0), caller.argument(1))?;
        caller.write(caller.argument(2), &bytes)?;
        *caller.data_mut() = bytes;
        Ok(())
    });
    let text = ".rodata\ntext: .ascii \"hello\"\n.rwdata\nroom: .zero 8\n.text\n ecalli 1\n jump_ind r0, 0";
    for engine in engines() {
        let module = crate::standard(&engine, text);
        let run = |arguments: [u64; 3]| {
            let mut store = store(&module, &linker, Vec::new());
            store.instance_mut().registers_mut()[7..10].copy_from_slice(&arguments);
            let exit = store.run().unwrap();
            (exit, store.instance().memory().read_vec(0x30000, 5).unwrap(), store.into_parts().1)
        };
        let refused = (Exit::Panic, vec![0; 5], vec![]);
        assert_eq!(run([0x10000, 5, 0x30000]), (Exit::Halt, b"hello".to_vec(), b"hello".to_vec()));
        assert_eq!(run([0x10000, u64::MAX, 0x30000]), refused);
        assert_eq!(run([0x10000, 5, 0x10000]), refused, "read-only");
        assert_eq!(run([0x1_0001_0000, 5, 0x30000]), refused, "beyond 2^32");
        assert_eq!(run([u64::MAX, 0, 0]), (Exit::Halt, vec![0; 5], vec![]), "nothing is anywhere");
    }
}

#[test]
fn environment_calls_of_riscv_are_found_by_a7() {
    use rv::{A0, A7, ECALL, RET};
    let mut linker = Linker::<Vec<u64>>::new();
    linker.func_other(|caller, number| {
        let argument = caller.argument(0);
        caller.data_mut().push(number);
        caller.set_result(argument + 1);
        Ok(())
    });
    let words = [rv::addi(A7, 0, 93), ECALL, rv::addi(A7, 0, -1), ECALL, rv::addi(A0, A0, -3), RET];
    for engine in engines() {
        let module = riscv(&engine, &words, Options::default());
        let mut store = Store::new(&module, &linker, Vec::new()).unwrap();
        assert_eq!(store.call(BASE, &[0]).unwrap(), 0xffff_ffff);
        assert_eq!(store.data(), &[93, 0xffff_ffff]);
        let unlinked = Store::new(&module, &Linker::new(), ()).unwrap().call(BASE, &[]);
        assert!(matches!(unlinked, Err(CallError::Stopped(Exit::Ecall))), "{unlinked:?}");
    }
}

#[test]
fn a_panic_in_a_host_function_harms_nobody() {
    for engine in engines() {
        let module = raw(&engine, TWO_CALLS);
        let mut linker = Linker::<u32>::new();
        linker.func_other(|caller, number| {
            *caller.data_mut() += 1;
            assert!(number != 1, "as ordered");
            Ok(())
        });
        let mut store = store(&module, &linker, 0);
        assert!(catch_unwind(AssertUnwindSafe(|| store.run())).is_err());
        assert_eq!((store.instance().pc(), *store.data()), (0, 1));
        // The same guest goes on, and others are not concerned.
        assert_eq!(store.run().unwrap(), Exit::Halt);
        assert_eq!(*store.data(), 2);
        assert_eq!(Instance::new(&module, &[]).unwrap().run(), Exit::OutOfGas);
    }
}

#[test]
fn linkers_that_were_cloned_go_their_own_ways() {
    let mut first = Linker::<()>::new();
    first.func(1, |_| Err(Exit::Panic.into()));
    let mut second = first.clone();
    second.func(1, |_| Ok(())).func(2, |_| Err(HostStop::Exit(Exit::Interrupted)));
    let module = raw(&engines()[0], TWO_CALLS);
    assert_eq!(store(&module, &first, ()).run().unwrap(), Exit::Panic);
    assert_eq!(store(&module, &second, ()).run().unwrap(), Exit::Interrupted);
    assert_eq!(format!("{second:?}"), "Linker { numbers: [1, 2], names: [], has_other: false }");
}

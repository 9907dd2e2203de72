//! Calls of functions, nested ones, and invocations of whole programs.

use crate::{BASE, engines, raw, raw_program, riscv, rv, standard};
use pvm_runtime::{
    CallError, Completion, Config, Engine, Executable, Exit, InstanceError, Linker, Module, Options, Store,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// `sum`: of two arguments; `twice`: calls the host with 7, adds 1 to what comes back.
const FUNCTIONS: &str = "
sum:    add_64 r7, r7, r8
        jump_ind r0, 0
twice:  ecalli 7
        add_imm_64 r7, r7, 1
        jump_ind r0, 0";

/// The program counter of `twice`.
const TWICE: u32 = 5;

fn functions(engine: &Engine) -> Module {
    let mut program = raw_program(FUNCTIONS);
    program.exports.push(pvm_program::Export { name: "sum".to_owned(), pc: 0 });
    program.exports.push(pvm_program::Export { name: "twice".to_owned(), pc: TWICE });
    Module::from_program(engine, program, Options::default())
}

/// Answers 7 by a call of the guest's own sum, with the argument twice.
fn nested() -> Linker<()> {
    let mut linker = Linker::new();
    linker.func(7, |caller| {
        let argument = caller.argument(0);
        caller.set_register(3, 33);
        let sum = caller.call("sum", &[argument, argument])?;
        assert_eq!((caller.argument(0), caller.register(3)), (argument, 33), "the guest's registers are as they were");
        caller.set_result(sum);
        Ok(())
    });
    linker
}

#[test]
fn functions_are_called_by_name_and_address() {
    for engine in engines() {
        let mut store = Store::new(&functions(&engine), &nested(), ()).unwrap();
        store.instance_mut().set_gas(1000);
        store.instance_mut().registers_mut()[5] = 55;
        assert_eq!(store.call("sum", &[40, 2]).unwrap(), 42);
        assert_eq!(store.instance().gas(), 998);
        assert_eq!(store.call(TWICE, &[20]).unwrap(), 41);
        assert_eq!(store.instance().gas(), 998 - 5);
        let instance = store.instance();
        assert_eq!((instance.pc(), instance.registers()[0], instance.registers()[5]), (0, 0, 55));
        let unknown = store.call("product", &[]).unwrap_err();
        assert_eq!(unknown.to_string(), "the program has no function `product`");
        let many = store.call("sum", &[0; 7]).unwrap_err();
        assert_eq!(many.to_string(), "7 arguments are more than the 6 that go into registers");
        store.instance_mut().set_gas(1);
        assert!(matches!(store.call("sum", &[]), Err(CallError::Stopped(Exit::OutOfGas))));
        assert_eq!(store.instance().gas(), 0);
    }
}

#[test]
fn a_call_does_not_disturb_a_run_that_is_stopped() {
    for engine in engines() {
        let mut store = Store::new(&functions(&engine), &Linker::new(), ()).unwrap();
        store.instance_mut().set_gas(1000);
        store.instance_mut().set_pc(TWICE);
        store.instance_mut().registers_mut()[0] = 0xffff_0000;
        assert_eq!(store.run().unwrap(), Exit::HostCall { id: 7 });
        assert_eq!(store.call("sum", &[1, 2]).unwrap(), 3);
        store.instance_mut().registers_mut()[7] = 9;
        assert_eq!(store.run().unwrap(), Exit::Halt);
        assert_eq!(store.instance().registers()[7], 10);
    }
}

#[test]
fn nesting_has_a_limit() {
    for jit in engines().iter().map(|engine| engine.config().clone()) {
        for nesting_limit in [0, 3, 64] {
            let engine = Engine::new(&Config { nesting_limit, ..jit.clone() }).unwrap();
            let mut linker = Linker::<u32>::new();
            linker.func(7, |caller| {
                *caller.data_mut() += 1;
                caller.call("twice", &[])?;
                Ok(())
            });
            let mut store = Store::new(&functions(&engine), &linker, 0).unwrap();
            store.instance_mut().set_gas(100_000);
            let error = store.call("twice", &[]).unwrap_err().to_string();
            assert!(error.contains(&format!("more than {nesting_limit} deep")), "{error}");
            assert_eq!(*store.data(), nesting_limit + 1);
            // It is as it was before.
            assert_eq!(store.call("sum", &[1, 1]).unwrap(), 2);
        }
    }
    let error = Engine::new(&Config { nesting_limit: 65, ..Config::default() }).unwrap_err();
    assert_eq!(error.to_string(), "`nesting_limit` is 65, and must be from 0 to 64");
}

#[test]
fn what_stops_a_nested_function_stops_its_caller() {
    for engine in engines() {
        for (gas, expected) in [(1000, Exit::Panic), (2, Exit::OutOfGas)] {
            let mut linker = Linker::<()>::new();
            linker.func(1, |caller| Ok(caller.call(2, &[]).map(|_| ())?));
            let module = raw(&engine, "ecalli 1\n load_imm r7, 5\n trap");
            let mut store = Store::new(&module, &linker, ()).unwrap();
            store.instance_mut().set_gas(gas);
            assert_eq!(store.run().unwrap(), expected);
            assert_eq!((store.instance().pc(), store.instance().registers()[7]), (0, 0));
        }
    }
}

#[test]
fn a_panic_in_a_nested_function_leaves_the_guest_at_its_call() {
    for engine in engines() {
        let mut linker = Linker::<u32>::new();
        linker.func(7, |caller| {
            *caller.data_mut() += 1;
            assert!(*caller.data() < 2, "as ordered");
            caller.call("twice", &[1])?;
            Ok(())
        });
        let mut store = Store::new(&functions(&engine), &linker, 0).unwrap();
        store.instance_mut().set_gas(1000);
        assert!(catch_unwind(AssertUnwindSafe(|| store.call("twice", &[]))).is_err());
        assert_eq!((store.instance().pc(), store.instance().registers()), (0, &[0; 13]));
        assert_eq!(store.call("sum", &[1, 1]).unwrap(), 2);
    }
}

#[test]
fn functions_of_riscv_get_a_stack() {
    use rv::{A0, A1, RET, SP};
    // Stores its argument on the stack, and loads it again; then the sum; and the stack pointer.
    let words = [
        rv::addi(SP, SP, -16),
        rv::sw(A0, SP, 4),
        rv::lw(A0, SP, 4),
        rv::addi(SP, SP, 16),
        RET,
        rv::add(A0, A0, A1),
        RET,
        rv::add(A0, 0, SP),
        RET,
    ];
    for engine in engines() {
        for options in
            [Options::default(), Options { gas_model: Some(pvm_runtime::GasModel::Instruction), profile: None }]
        {
            let module = riscv(&engine, &words, options);
            let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
            store.instance_mut().set_gas(1000);
            for value in [0, 1, 0x8000_0000, 0xffff_ffff] {
                assert_eq!(store.call(BASE, &[value]).unwrap(), value);
            }
            assert_eq!(store.call(BASE + 20, &[-1i64 as u64, 0x8000_0001]).unwrap(), 0x8000_0000);
            assert_eq!(store.call(BASE + 28, &[]).unwrap() % 16, 0);
            let wide = store.call(BASE, &[1 << 32]).unwrap_err();
            assert_eq!(wide.to_string(), "argument 0, 0x100000000, does not fit into 32 bits");
            assert!(matches!(store.call(BASE, &[0; 9]), Err(CallError::Arguments { count: 9, limit: 8 })));
            assert!(matches!(store.call(BASE + 1, &[]), Err(CallError::Stopped(Exit::Trap { .. }))));
            assert!(matches!(store.invoke(BASE, 0, &[]), Err(CallError::NotPvm)));
        }
    }
}

#[test]
fn functions_of_riscv_are_called_by_symbol_also_from_handlers() {
    use rv::{A0, A7, ECALL, RA, RET, SP};
    let words = [
        // outer: ecall 5 with the return address on the stack.
        rv::addi(SP, SP, -16),
        rv::sw(RA, SP, 0),
        rv::addi(A7, 0, 5),
        ECALL,
        rv::lw(RA, SP, 0),
        rv::addi(SP, SP, 16),
        RET,
        // inner: twice its argument, over what is below its stack pointer.
        rv::sw(A0, SP, -4),
        rv::add(A0, A0, A0),
        RET,
    ];
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let mut executable = Executable::flat(&bytes, BASE).unwrap();
    for (name, address) in [("outer", BASE), ("inner", BASE + 28)] {
        let kind = pvm_program::SymbolKind::Function;
        executable.symbols.push(pvm_program::Symbol { name: name.to_owned(), address, size: 0, kind, is_global: true });
    }
    let mut linker = Linker::<()>::new();
    linker.func(5, |caller| {
        let doubled = caller.call("inner", &[caller.argument(0)])?;
        caller.set_result(doubled + 1);
        Ok(())
    });
    for engine in engines() {
        let module = Module::from_executable(&engine, executable.clone(), Options::default()).unwrap();
        let mut store = Store::new(&module, &linker, ()).unwrap();
        for value in 0..5 {
            assert_eq!(store.call("outer", &[value]).unwrap(), 2 * value + 1);
        }
    }
}

#[test]
fn invocations_begin_anew() {
    // Adds its argument's first byte to a counter in memory, and returns the counter.
    let text = "
        load_ind_u8 r9, [r7]
        load_u8 r10, [0x20000]
        add_64 r9, r9, r10
        store_u8 r9, [0x20000]
        load_imm r7, 0x20000
        load_imm r8, 1
        jump_ind r0, 0
        trap
        .rwdata
        .u8 5";
    for engine in engines() {
        let module = standard(&engine, text);
        let mut store = Store::new(&module, &Linker::new(), ()).unwrap();
        for _ in 0..3 {
            let invocation = store.invoke(0, 100, &[3]).unwrap();
            assert_eq!((invocation.completion, invocation.gas_used), (Completion::Output(vec![8]), 7));
        }
        assert_eq!(store.invoke(0, 6, &[3]).unwrap().completion, Completion::OutOfGas);
        // Without arguments their area is not accessible, which is no end that tells an address.
        let refused = store.invoke(0, 100, &[]).unwrap();
        assert_eq!((refused.completion, refused.gas_used), (Completion::Panic, 1));
        let long = vec![0; (16 << 20) + 1];
        let error = store.invoke(0, 100, &long).unwrap_err();
        assert!(matches!(error, CallError::Start(InstanceError::Arguments { .. })), "{error}");
        assert_eq!(store.invoke(0, 100, &[1]).unwrap().completion, Completion::Output(vec![6]));
    }
}

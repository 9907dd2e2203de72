//! Host calls that are answered while machine code waits: whatever a host function does to the guest, machine code goes on
//! with it, or does not go on.

use crate::{engines, raw, raw_program};
use pvm_runtime::{
    Access, Caller, Config, Engine, Exit, FaultDetection, GasModel, HostResult, HostStop, Instance, Linker, Module,
    Options, Snapshot, Store,
};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A function, and a loop that calls 1 before and 2 after it has stored and loaded.
const TEXT: &str = "
func:   add_64 r7, r7, r8
        jump_ind r0, 0
main:   ecalli 1
        store_ind_u64 r9, [r10]
        load_ind_u64 r6, [r10]
        add_64 r5, r5, r6
        ecalli 2
        add_imm_64 r9, r9, -1
        branch_ne_imm r9, 0, main
        jump_ind r0, 0";

/// The program counter of `main`.
const MAIN: u32 = 5;
const DATA: u32 = 0x20000;
const ROUNDS: u64 = 40;

fn guest(module: &Module) -> Instance {
    let mut instance = Instance::new(module, &[]).unwrap();
    instance.memory_mut().map(DATA, 0x1000, Access::ReadWrite).unwrap();
    instance.set_gas(1_000_000);
    let registers = instance.registers_mut();
    (registers[0], registers[9], registers[10]) = (0xffff_0000, ROUNDS, DATA.into());
    instance.set_pc(MAIN);
    instance
}

/// What the host sees: gas and registers at each call.
#[derive(Default)]
struct Seen {
    calls: Vec<(u64, Vec<u64>)>,
    others: Vec<Instance>,
    snapshot: Option<Snapshot>,
}

type Deed = fn(&mut Caller<'_, Seen>) -> HostResult;

/// Notes every call, and does the deed at some of 1.
fn linker(deed: Deed) -> Linker<Seen> {
    let mut linker = Linker::<Seen>::new();
    linker.func_other(move |caller, number| {
        let at = (caller.gas(), caller.instance().registers().to_vec());
        caller.data_mut().calls.push(at);
        let round = ROUNDS - caller.register(9);
        if number == 1 && round % 16 == 15 { deed(caller) } else { Ok(()) }
    });
    linker
}

/// Engines that differ in when code is compiled, and in how refused accesses are detected.
fn all_engines() -> Vec<Engine> {
    let checks = Config { jit_threshold: 0, fault_detection: FaultDetection::Checks, ..Config::default() };
    engines().into_iter().chain([Engine::new(&checks).unwrap()]).collect()
}

/// What comes of a deed, as far as it can be seen; runs are resumed a few times.
fn outcome(engine: &Engine, model: GasModel, deed: Deed) -> String {
    let options = Options { gas_model: Some(model), ..Options::default() };
    let module = Module::from_program(engine, raw_program(TEXT), options);
    let seen = Seen { others: vec![guest(&module), guest(&module)], ..Seen::default() };
    let mut store = Store::from_instance(guest(&module), &linker(deed), seen);
    let mut text = String::new();
    for _ in 0..4 {
        let exit = catch_unwind(AssertUnwindSafe(|| store.run().map_err(|error| error.to_string())));
        let exit = exit.map_err(|panic| *panic.downcast::<&str>().unwrap());
        let instance = store.instance();
        let memory = instance.memory().read_u64(DATA);
        text += &format!("{exit:?} {} {} {memory:x?} {:x?}\n", instance.pc(), instance.gas(), instance.registers());
    }
    text + &format!("{:x?}", store.data().calls)
}

fn check(name: &str, deed: Deed) {
    for model in [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None] {
        let outcomes: Vec<String> = all_engines().iter().map(|engine| outcome(engine, model, deed)).collect();
        for other in &outcomes[1..] {
            assert_eq!(outcomes[0], *other, "{name}, {model:?}");
        }
    }
}

#[test]
#[cfg(feature = "cranelift")]
fn machine_code_is_not_left_for_host_calls() {
    for model in [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None] {
        let engine = &engines()[1];
        let options = Options { gas_model: Some(model), ..Options::default() };
        let module = Module::from_program(engine, raw_program(TEXT), options);
        let mut store = Store::from_instance(guest(&module), &linker(|_| Ok(())), Seen::default());
        assert_eq!(store.run().unwrap(), Exit::Halt);
        assert_eq!(store.data().calls.len() as u64, 2 * ROUNDS);
        let entries = store.instance().stats().native_entries;
        assert!((1..=4).contains(&entries), "{model:?}: entered {entries} times");
    }
}

#[test]
fn registers_gas_and_memory_may_change() {
    check("registers", |caller| {
        (0..6).for_each(|register| caller.set_register(1 + register, u64::MAX - register as u64));
        caller.memory_mut().write_u64(DATA, 77).unwrap();
        Ok(())
    });
    check("little gas", |caller| {
        caller.instance_mut().set_gas(7);
        Ok(())
    });
    check("much gas", |caller| {
        caller.instance_mut().set_gas(1 << 60);
        Ok(())
    });
    check("charge", |caller| caller.charge(900_000));
    check("rights", |caller| {
        caller.memory_mut().protect(DATA, 0x1000, Access::Read).unwrap();
        Ok(())
    });
    check("no memory", |caller| {
        caller.memory_mut().protect(DATA, 0x1000, Access::None).unwrap();
        Ok(())
    });
}

#[test]
fn functions_may_end_the_run() {
    check("exit", |_| Err(Exit::Panic.into()));
    check("host call", |_| Err(Exit::HostCall { id: 99 }.into()));
    check("error", |_| Err(std::io::Error::other("no").into()));
    check("panic", |_| panic!("no"));
    check("interrupt", |caller| {
        caller.instance().interrupt_handle().interrupt();
        Ok(())
    });
}

#[test]
fn the_guest_may_be_elsewhere_afterwards() {
    check("function instead", |caller| {
        caller.instance_mut().set_pc(0);
        Ok(())
    });
    check("the call again", |caller| {
        let pc = caller.instance().pc();
        caller.set_register(9, 3);
        caller.instance_mut().set_pc(pc);
        Ok(())
    });
    check("reset", |caller| {
        caller.instance_mut().reset(&[]).map_err(|error| HostStop::Error(error.into()))?;
        caller.instance_mut().set_gas(500);
        Ok(())
    });
    check("run on", |caller| {
        caller.set_register(9, 5);
        let exit = caller.instance_mut().run();
        assert_eq!(exit, Exit::HostCall { id: 2 }, "its calls are nobody's");
        Ok(())
    });
    check("step", |caller| {
        caller.instance_mut().step();
        Ok(())
    });
    check("run to the same call", |caller| {
        let exits = [caller.instance_mut().run(), caller.instance_mut().run()];
        assert_eq!(exits, [Exit::HostCall { id: 2 }, Exit::HostCall { id: 1 }]);
        Ok(())
    });
}

#[test]
fn other_code_may_run_meanwhile() {
    check("a function", |caller| {
        let sum = caller.call(0, &[40, 2])?;
        caller.set_register(4, sum);
        Ok(())
    });
    check("the same, again and again", |caller| {
        // Calls that are answered within calls that are answered.
        if caller.data().calls.len() < 200 {
            caller.set_register(9, 7);
            let result = caller.call(MAIN, &[9, 10, 7, DATA.into()]);
            caller.set_register(4, u64::from(result.is_ok()));
        }
        Ok(())
    });
    check("another guest", |caller| {
        let mut other = caller.data_mut().others.pop().unwrap();
        while other.run() != Exit::Halt {}
        caller.set_register(4, other.registers()[5]);
        Ok(())
    });
    check("an inner guest", |caller| {
        let mut other = caller.data_mut().others.pop().unwrap();
        while caller.run_inner(&mut other) != Exit::Halt {}
        caller.set_register(4, other.registers()[5]);
        Ok(())
    });
}

#[test]
fn another_guest_may_have_taken_its_place() {
    check("another instance", |caller| {
        *caller.instance_mut() = caller.data_mut().others.pop().unwrap();
        Ok(())
    });
    check("another one at the same call", |caller| {
        let mut other = caller.data_mut().others.pop().unwrap();
        assert_eq!(other.run(), Exit::HostCall { id: 1 });
        *caller.instance_mut() = other;
        Ok(())
    });
    check("the same one after all", |caller| {
        let mut other = caller.data_mut().others.pop().unwrap();
        std::mem::swap(caller.instance_mut(), &mut other);
        while other.run() != (Exit::HostCall { id: 2 }) {}
        std::mem::swap(caller.instance_mut(), &mut other);
        Ok(())
    });
    check("a guest of another module", |caller| {
        let module =
            raw(caller.instance().module().engine(), "ecalli 1\n add_imm_64 r7, r7, 1\n ecalli 2\n jump_ind r0, 0");
        let mut other = Instance::new(&module, &[]).unwrap();
        other.set_gas(100);
        other.registers_mut()[0] = 0xffff_0000;
        assert_eq!(other.run(), Exit::HostCall { id: 1 });
        *caller.instance_mut() = other;
        Ok(())
    });
    check("other memory", |caller| {
        let mut other = caller.data_mut().others.pop().unwrap();
        other.memory_mut().write_u64(DATA, 1234).unwrap();
        std::mem::swap(caller.memory_mut(), other.memory_mut());
        Ok(())
    });
    check("a former state", |caller| {
        match caller.data_mut().snapshot.take() {
            None => {
                let snapshot = caller.instance_mut().snapshot();
                caller.data_mut().snapshot = Some(snapshot);
            }
            Some(snapshot) => {
                caller.instance_mut().restore(&snapshot).map_err(|error| HostStop::Error(error.into()))?
            }
        }
        Ok(())
    });
}

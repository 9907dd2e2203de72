//! Runs that go on behind host calls: the way back into machine code is short, and leads to the same.

use crate::{engines, raw, raw_program};
use pvm_runtime::{Access, Exit, GasModel, Instance, Linker, Module, Options, Store};

/// Two host calls in a loop, with heap, a store, and a branch between them; it ends as `r8` says.
const TEXT: &str = "
        load_imm r9, 20
        fallthrough
loop:   ecalli 1
        load_imm r5, 24
        sbrk r6, r5
        store_ind_u8 r9, [r6]
        ecalli 2
        add_imm_64 r9, r9, -1
        branch_ne_imm r9, 0, loop
        ecalli 1
        branch_eq_imm r8, 1, bad
        branch_eq_imm r8, 2, trap
        jump_ind r0, 0
bad:    load_u64 r7, [0x10000000]
        jump_ind r0, 0
trap:   trap";

type Observed = (Exit, u32, u64, Vec<u64>, Vec<u64>);

fn observe(module: &Module, linker: &Linker<Vec<u64>>, end: u64, gas: u64) -> Observed {
    let mut instance = Instance::new(module, &[]).unwrap();
    instance.memory_mut().map(0x20000, 0x1000, Access::ReadWrite).unwrap();
    instance.memory_mut().set_heap(0x20000, 0x30000, false);
    instance.set_gas(gas);
    (instance.registers_mut()[0], instance.registers_mut()[8]) = (0xffff_0000, end);
    let mut store = Store::from_instance(instance, linker, Vec::new());
    let exit = store.run().unwrap();
    let instance = store.instance();
    (exit, instance.pc(), instance.gas(), instance.registers().to_vec(), store.data().clone())
}

#[test]
fn every_engine_resumes_alike() {
    let mut linker = Linker::<Vec<u64>>::new();
    linker.func(1, |caller| {
        let (gas, r9) = (caller.gas(), caller.register(9));
        caller.data_mut().extend([gas, r9]);
        caller.charge(3)?;
        Ok(())
    });
    linker.func(2, |caller| {
        if caller.register(9) == 7 {
            caller.instance().interrupt_handle().interrupt();
        }
        let memory = caller.memory().read_u64(0x20000).unwrap_or_default();
        caller.data_mut().push(memory);
        Ok(())
    });
    let mut others = linker.clone();
    // Without gas and time to stop at.
    others.func(2, |caller| {
        let memory = caller.memory().read_u64(0x20000).unwrap_or_default();
        caller.data_mut().push(memory);
        Ok(())
    });
    let engines = engines();
    let models = [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None];
    for model in models {
        let options = Options { gas_model: Some(model), profile: None };
        let modules: Vec<_> =
            engines.iter().map(|engine| Module::from_program(engine, raw_program(TEXT), options)).collect();
        for (linker, end, gas) in (0..600).step_by(7).map(|gas| (&linker, gas % 3, gas)).chain(
            (0..600)
                .step_by(13)
                .chain([10_000, u64::MAX])
                .flat_map(|gas| (0..3).map(move |end| (end, gas)))
                .map(|(end, gas)| (&others, end, gas)),
        ) {
            let expected = observe(&modules[0], linker, end, gas);
            for module in &modules[1..] {
                assert_eq!(observe(module, linker, end, gas), expected, "{model:?}, {gas}, {end}");
            }
            if gas >= 10_000 {
                let exits = [Exit::Halt, Exit::PageFault { address: 0x1000_0000 }, Exit::Panic];
                assert_eq!(expected.0, exits[end as usize]);
                assert_eq!(expected.4.len(), 20 * 3 + 2);
            }
        }
    }
}

/// Calls in a loop, `r9` times.
const CALLS: &str = "
        fallthrough
loop:   ecalli 1
        ecalli 2
        add_imm_64 r9, r9, -1
        branch_ne_imm r9, 0, loop
        jump_ind r0, 0
func:   add_imm_64 r7, r7, 1
        ecalli 3
        jump_ind r0, 0
";

/// Where its function is.
const FUNC: u32 = 13;

/// What a host function sees of the guest.
fn seen(instance: &Instance) -> [u64; 4] {
    [instance.gas(), instance.pc().into(), instance.next_pc().into(), instance.registers()[9]]
}

#[test]
fn host_functions_change_what_they_like() {
    let mut linker = Linker::<Vec<[u64; 4]>>::new();
    linker.func(1, |caller| {
        let now = seen(caller.instance());
        caller.data_mut().push(now);
        // More than a slice, all there is, and less than a round takes.
        let gas = match caller.register(9) {
            19 => u64::MAX,
            17 => 5_000_000,
            13 => 1 << 17,
            11 => (1 << 17) + 1,
            9 => 3,
            _ => caller.gas(),
        };
        caller.instance_mut().set_gas(gas);
        assert_eq!(caller.gas(), gas);
        Ok(())
    });
    linker.func(2, |caller| {
        match caller.register(9) {
            18 => {
                // A copy that goes on from here has the same gas.
                let snapshot = caller.instance_mut().snapshot();
                let copy = Instance::from_snapshot(caller.instance().module(), &snapshot)?;
                assert_eq!(seen(&copy), seen(caller.instance()));
            }
            16 => assert_eq!(caller.instance_mut().step(), None),
            15 => caller.instance_mut().set_pc(5),
            14 => {
                let before = seen(caller.instance());
                assert_eq!(caller.call(FUNC, &[41])?, 42);
                assert_eq!(seen(caller.instance())[1..], before[1..]);
            }
            12 => caller.set_register(9, 11),
            _ => {}
        }
        let now = seen(caller.instance());
        caller.data_mut().push(now);
        Ok(())
    });
    linker.func(3, |caller| caller.charge(7));
    for model in [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None] {
        let mut expected = None;
        for engine in engines() {
            let options = Options { gas_model: Some(model), profile: None };
            let module = Module::from_program(&engine, raw_program(CALLS), options);
            let mut instance = Instance::new(&module, &[]).unwrap();
            instance.set_gas(3 << 21);
            (instance.registers_mut()[0], instance.registers_mut()[9]) = (0xffff_0000, 20);
            let mut store = Store::from_instance(instance, &linker, Vec::new());
            let mut exits = vec![store.run().unwrap()];
            while exits.last() == Some(&Exit::OutOfGas) {
                store.instance_mut().set_gas(1000);
                exits.push(store.run().unwrap());
            }
            let found = (exits, seen(store.instance()), store.into_parts().1);
            assert_eq!(found.0.last(), Some(&Exit::Halt), "{model:?}");
            assert_eq!(expected.get_or_insert_with(|| found.clone()), &found, "{model:?}");
        }
    }
}

#[test]
fn runs_without_a_linker_resume_alike() {
    let observe = |module: &Module| {
        let mut instance = Instance::new(module, &[]).unwrap();
        instance.set_gas(5_000_000);
        (instance.registers_mut()[0], instance.registers_mut()[9]) = (0xffff_0000, 20);
        let mut exits = Vec::new();
        while exits.last().is_none_or(|(exit, _)| *exit != Exit::Halt) {
            let exit = instance.run();
            exits.push((exit, seen(&instance)));
        }
        exits
    };
    let found = engines().iter().map(|engine| observe(&raw(engine, CALLS))).collect::<Vec<_>>();
    assert_eq!(found[0].len(), 41);
    assert!(found.iter().all(|exits| *exits == found[0]));
}

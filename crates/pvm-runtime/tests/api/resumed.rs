//! Runs that go on behind host calls: the way back into machine code is short, and leads to the same.

use crate::{engines, raw_program};
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

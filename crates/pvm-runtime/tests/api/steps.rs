//! Single steps: all of them are one run.

use crate::{engines, raw_program, riscv, rv};
use pvm_runtime::{Access, Exit, GasModel, Instance, Module, Options, Trap};

/// A loop with a host call, a store to a page that is missing at first, a call and a return.
const TEXT: &str = "
        load_imm r9, 3
        fallthrough
loop:   ecalli 4
        add_imm_64 r9, r9, -1
        store_u64 r9, [0x20000]
        add_64 r10, r10, r9
        branch_ne_imm r9, 0, loop
        jump_ind r0, 0";

fn state(instance: &Instance) -> (u32, u64, Vec<u64>) {
    (instance.pc(), instance.gas(), instance.registers().to_vec())
}

/// What stops the guest otherwise than after an instruction, and after how many that is.
fn walk(instance: &mut Instance) -> (Exit, u32) {
    let mut steps = 0;
    loop {
        match instance.step() {
            None => steps += 1,
            Some(exit) => return (exit, steps),
        }
    }
}

#[test]
fn steps_do_what_a_run_does() {
    let models = [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None];
    for (engine, model) in engines().iter().flat_map(|engine| models.map(|model| (engine, model))) {
        let options = Options { gas_model: Some(model), profile: None };
        let module = Module::from_program(engine, raw_program(TEXT), options);
        for gas in [0, 1, 2, 5, 7, 30, 60, 1000] {
            let mut pair = [(); 2].map(|()| Instance::new(&module, &[]).unwrap());
            pair.iter_mut().for_each(|instance| {
                instance.set_gas(gas);
                instance.registers_mut()[0] = 0xffff_0000;
            });
            let [walking, running] = &mut pair;
            let mut all = 0;
            loop {
                let (exit, steps) = walk(walking);
                all += steps;
                assert_eq!(exit, running.run(), "{model:?}, {gas}");
                assert_eq!(state(walking), state(running), "{model:?}, {gas}, {exit:?}");
                match exit {
                    Exit::HostCall { id: 4 } => {}
                    Exit::PageFault { address: 0x20000 } => {
                        for instance in [&mut *walking, running] {
                            instance.memory_mut().map(0x20000, 4096, Access::ReadWrite).unwrap();
                        }
                    }
                    Exit::Halt => {
                        // Host calls, the refused access and the last jump are no steps.
                        assert_eq!(all, 2 + 3 * 4);
                        break;
                    }
                    Exit::OutOfGas => break,
                    other => panic!("{model:?}, {gas}: {other:?}"),
                }
            }
        }
    }
}

#[test]
fn a_run_goes_on_from_steps() {
    for engine in engines() {
        let module = Module::from_program(&engine, raw_program(TEXT), Options::default());
        let mut instance = Instance::new(&module, &[]).unwrap();
        instance.set_gas(100);
        assert_eq!((instance.step(), instance.gas()), (None, 99));
        assert_eq!((instance.step(), instance.step()), (None, Some(Exit::HostCall { id: 4 })));
        assert_eq!((instance.step(), instance.registers()[9]), (None, 2));
        assert_eq!((instance.run(), instance.gas()), (Exit::PageFault { address: 0x20000 }, 95));
        instance.interrupt_handle().interrupt();
        assert_eq!((instance.step(), instance.gas()), (Some(Exit::Interrupted), 95));
    }
}

#[test]
fn riscv_programs_are_stepped() {
    for engine in engines() {
        for model in [GasModel::Instruction, GasModel::None] {
            let options = Options { gas_model: Some(model), profile: None };
            // The fence is done by the run-time system.
            let words = [rv::addi(rv::A0, 0, 20), 0x100f, rv::add(rv::A0, rv::A0, rv::A0), rv::ECALL, rv::RET];
            let mut instance = Instance::new(&riscv(&engine, &words, options), &[]).unwrap();
            instance.set_gas(10);
            assert_eq!(walk(&mut instance), (Exit::Ecall, 3));
            assert_eq!(instance.registers()[10], 40);
            assert_eq!(instance.gas(), if model == GasModel::None { 10 } else { 6 });
            assert_eq!(instance.step(), None);
            assert_eq!(instance.pc(), 0);
            let odd = instance.module().executable().unwrap().entry + 1;
            instance.set_pc(odd);
            assert_eq!(instance.step(), Some(Exit::Trap { trap: Trap::MisalignedTarget, value: odd }));
            assert_eq!(instance.run(), Exit::Trap { trap: Trap::MisalignedTarget, value: odd });
        }
    }
}

#[test]
fn riscv_programs_are_stepped_from_page_to_page() {
    for engine in engines() {
        for model in [GasModel::Instruction, GasModel::None] {
            let options = Options { gas_model: Some(model), profile: None };
            // Two pages of instructions, and one behind them.
            let mut words = vec![rv::addi(rv::A0, rv::A0, 1); 2 * 1024];
            words.push(rv::ECALL);
            let mut instance = Instance::new(&riscv(&engine, &words, options), &[]).unwrap();
            instance.set_gas(3000);
            assert_eq!(walk(&mut instance), (Exit::Ecall, 2048));
            assert_eq!(instance.registers()[10], 2048);
            assert_eq!(instance.gas(), if model == GasModel::None { 3000 } else { 951 });
        }
    }
}

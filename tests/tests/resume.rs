//! A run that was stopped goes on and ends as if it had not been.

use pvm_asm::assemble;
use pvm_runtime::{Access, Config, Engine, Exit, GasModel, Instance, Jit, Module, Options};

/// Writes a byte to each of eight pages, calls the host for each, and sums up what it answers in r7.
const PROGRAM: &str = "
        .format raw
        load_imm r3, 0x20000
        load_imm r4, 8
        fallthrough
page:   store_ind_u8 r4, [r3 + 5]
        ecalli 3
        add_64 r9, r9, r7
        add_imm_64 r3, r3, 4096
        add_imm_64 r4, r4, -1
        branch_ne_imm r4, 0, page
        move_reg r7, r9
        load_imm_64 r1, 0xffff0000
        jump_ind r1, 0
";

const MODELS: [GasModel; 4] = [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None];

fn engines() -> Vec<Engine> {
    let config = |jit, jit_threshold, region_limit| Config { jit, jit_threshold, region_limit, ..Config::default() };
    [
        config(Jit::Off, 0, 1),
        config(Jit::Cranelift, 0, 1000),
        config(Jit::Cranelift, 0, 2),
        config(Jit::Cranelift, 3, 5),
    ]
    .iter()
    .map(|config| Engine::new(config).unwrap())
    .collect()
}

fn instance(engine: &Engine, gas_model: GasModel) -> Instance {
    let options = Options { gas_model: Some(gas_model), ..Options::default() };
    let module = Module::new(engine, &assemble(PROGRAM).unwrap(), options).unwrap();
    Instance::new(&module, &[]).unwrap()
}

/// Runs to the end, with an answer to each stop. Returns the stops, and the gas that was used in all.
fn drive(mut instance: Instance, mut gas: u64, more_gas: u64, mapped: bool) -> (Vec<Exit>, u64, Instance) {
    if mapped {
        instance.memory_mut().map(0x20000, 8 * 4096, Access::ReadWrite).unwrap();
    }
    instance.set_gas(gas);
    let mut stops = Vec::new();
    loop {
        let exit = instance.run();
        stops.push(exit);
        match exit {
            Exit::HostCall { id } => {
                assert_eq!((id, instance.registers()[4] >= 1), (3, true));
                instance.registers_mut()[7] = instance.registers()[4] * 10;
            }
            Exit::PageFault { address } => {
                instance.memory_mut().map(address, 4096, Access::ReadWrite).unwrap();
            }
            Exit::OutOfGas => {
                gas += more_gas;
                let left = instance.gas();
                instance.set_gas(left + more_gas);
            }
            Exit::Halt => break,
            exit => panic!("{exit:?} at {}", instance.pc()),
        }
        assert!(stops.len() < 1000);
    }
    let used = gas - instance.gas();
    (stops, used, instance)
}

fn count(stops: &[Exit], wanted: fn(&Exit) -> bool) -> usize {
    stops.iter().filter(|exit| wanted(exit)).count()
}

fn check(instance: &Instance) {
    assert_eq!(instance.registers()[7], 10 * (1..=8).sum::<u64>());
    for page in 0..8 {
        let mut byte = [0];
        instance.memory().read(0x20005 + page * 4096, &mut byte).unwrap();
        assert_eq!(u32::from(byte[0]), 8 - page);
    }
}

#[test]
fn host_calls_go_on_behind_the_call() {
    for engine in engines() {
        for model in MODELS {
            let (stops, used, instance) = drive(instance(&engine, model), 10_000, 0, true);
            assert_eq!(stops.len(), 9);
            check(&instance);
            if model == GasModel::Instruction {
                assert_eq!(used, 3 + 8 * 6 + 3);
            }
        }
    }
}

#[test]
fn a_fault_is_paid_again_only_per_instruction() {
    for engine in engines() {
        for model in MODELS {
            let (_, without, _) = drive(instance(&engine, model), 10_000, 0, true);
            let (stops, with, instance) = drive(instance(&engine, model), 10_000, 0, false);
            assert_eq!(count(&stops, |exit| matches!(exit, Exit::PageFault { .. })), 8, "{model}");
            check(&instance);
            let again = if model == GasModel::Instruction { 8 } else { 0 };
            assert_eq!(with, without + again, "{model}");
        }
    }
}

#[test]
fn gas_can_be_given_later() {
    for engine in engines() {
        for model in [GasModel::Instruction, GasModel::Block, GasModel::Pipeline] {
            let (_, at_once, _) = drive(instance(&engine, model), 10_000, 0, true);
            for more in [1, 2, 7, 100] {
                let (stops, in_parts, instance) = drive(instance(&engine, model), 0, more, true);
                assert!(count(&stops, |exit| *exit == Exit::OutOfGas) > 0);
                check(&instance);
                assert_eq!(in_parts, at_once, "{model} by {more}");
            }
        }
    }
}

#[test]
fn an_interruption_changes_nothing() {
    for engine in engines() {
        for model in MODELS {
            let mut instance = instance(&engine, model);
            instance.set_gas(10_000);
            instance.interrupt_handle().interrupt();
            assert_eq!(instance.run(), Exit::Interrupted);
            assert_eq!((instance.pc(), instance.gas()), (0, 10_000));
            let (_, _, instance) = drive(instance, 10_000, 0, true);
            check(&instance);
        }
    }
}

/// A loop without calls, interrupted from another thread.
#[test]
fn an_endless_loop_is_interrupted() {
    let bytes = assemble(".format raw\nloop: add_imm_64 r7, r7, 1\njump loop\n").unwrap();
    for engine in engines() {
        for model in MODELS {
            let options = Options { gas_model: Some(model), ..Options::default() };
            let mut instance = Instance::new(&Module::new(&engine, &bytes, options).unwrap(), &[]).unwrap();
            instance.set_gas(u64::MAX);
            let handle = instance.interrupt_handle();
            let timer = std::thread::spawn(move || {
                std::thread::sleep(std::time::Duration::from_millis(20));
                handle.interrupt();
            });
            assert_eq!(instance.run(), Exit::Interrupted);
            timer.join().unwrap();
            assert!(instance.registers()[7] > 0);
            if model == GasModel::Instruction {
                assert_eq!(u64::MAX - instance.gas(), 2 * instance.registers()[7] - u64::from(instance.pc() != 0));
            }
        }
    }
}

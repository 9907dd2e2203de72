//! Snapshots: taken anywhere, they go on as the guest would have; and bytes from anywhere do no harm.

use crate::{BASE, engines, raw, riscv, rv, standard};
use pvm_runtime::{Access, Config, Engine, Exit, GasModel, Instance, Jit, Module, Options, Snapshot, SnapshotError};

/// Memory, heap, host calls, and a loop.
const TEXT: &str = "
        .stack 4096
        .heap_pages 1
        .rwdata
count:  .u64 7
        .text
        load_imm r9, 4096
        sbrk r10, r9
        store_ind_u64 r9, [r10]
        load_imm r11, 20
        fallthrough
loop:   load_u64 r8, [count]
        add_imm_64 r8, r8, 3
        store_u64 r8, [count]
        ecalli 3
        add_64 r12, r12, r7
        add_imm_64 r11, r11, -1
        branch_ne_imm r11, 0, loop
        load_imm r7, count
        load_imm r8, 8
        jump_ind r0, 0";

fn modules() -> Vec<Module> {
    let bytes = pvm_asm::assemble(&format!(".format spi\n{TEXT}")).unwrap();
    let models = [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None];
    let module = |engine: &Engine, model| {
        Module::new(engine, &bytes, Options { gas_model: Some(model), profile: None }).unwrap()
    };
    engines().iter().flat_map(|engine| models.map(|model| module(engine, model))).collect()
}

/// Runs to the end and answers calls with their number; what there is to see then.
fn finish(mut instance: Instance) -> (Exit, u32, u64, [u64; 13], Vec<u8>, u64) {
    let mut calls = 0;
    loop {
        match instance.run() {
            Exit::HostCall { id } => {
                calls += 1;
                instance.registers_mut()[7] = id;
            }
            exit => {
                let registers = *instance.registers();
                return (exit, instance.pc(), instance.gas(), registers, instance.output(), calls);
            }
        }
    }
}

#[test]
fn a_snapshot_goes_on_as_the_guest_does() {
    for module in modules() {
        let gas = 10_000;
        let mut instance = Instance::new(&module, &[]).unwrap();
        instance.set_gas(gas);
        for calls in 0..5 {
            let snapshot = instance.snapshot();
            let bytes = snapshot.to_bytes();
            let read = Snapshot::from_bytes(&bytes).unwrap();
            assert!(read == snapshot);
            let forks: Vec<_> = (0..2).map(|_| Instance::from_snapshot(&module, &read).unwrap()).collect();
            // A guest that has done something else can be restored, too.
            let mut used = Instance::new(&module, &[1, 2]).unwrap();
            used.set_gas(50);
            let _ = used.run();
            used.memory_mut().map(0x8000_0000, 4096, Access::ReadWrite).unwrap();
            used.restore(&snapshot).unwrap();
            assert_eq!(used.memory().access(0x8000_0000), Access::None);
            let mut original = Instance::new(&module, &[]).unwrap();
            original.set_gas(gas);
            for _ in 0..calls {
                assert_eq!(original.run(), Exit::HostCall { id: 3 });
                original.registers_mut()[7] = 3;
            }
            let expected = finish(original);
            assert_eq!((expected.0, expected.5), (Exit::Halt, 20 - calls));
            for fork in forks.into_iter().chain([used]) {
                assert_eq!(finish(fork), expected);
            }
            assert_eq!(instance.run(), Exit::HostCall { id: 3 });
            instance.registers_mut()[7] = 3;
        }
    }
}

#[test]
fn snapshots_move_between_engines() {
    let module = |config| standard(&Engine::new(&config).unwrap(), TEXT);
    let interpreted = module(Config { jit: Jit::Off, ..Config::default() });
    let compiled = module(Config { jit_threshold: 0, ..Config::default() });
    let mut instance = Instance::new(&compiled, &[]).unwrap();
    instance.set_gas(1000);
    assert_eq!(instance.run(), Exit::HostCall { id: 3 });
    let bytes = instance.snapshot().to_bytes();
    let moved = Instance::from_snapshot(&interpreted, &Snapshot::from_bytes(&bytes).unwrap()).unwrap();
    assert_eq!(finish(moved), finish(instance));
}

#[test]
fn forks_do_not_see_one_another() {
    let module = standard(&engines()[1], TEXT);
    let mut first = Instance::new(&module, &[]).unwrap();
    let snapshot = first.snapshot();
    let mut second = Instance::from_snapshot(&module, &snapshot).unwrap();
    first.memory_mut().write_u64(0x20000, 100).unwrap();
    second.memory_mut().write_u64(0x20000, 200).unwrap();
    let third = Instance::from_snapshot(&module, &snapshot).unwrap();
    let read = |instance: &Instance| instance.memory().read_u64(0x20000).unwrap();
    assert_eq!((read(&first), read(&second), read(&third)), (100, 200, 7));
}

#[test]
fn riscv_guests_keep_their_code_and_control_registers() {
    use rv::{A0, ECALL};
    // Increments a0, and calls; the program changes its own increment, as the host does here.
    let words = [rv::addi(A0, A0, 1), ECALL, 0xff9f_f06f];
    for engine in engines() {
        let module = riscv(&engine, &words, Options::default());
        let mut instance = Instance::new(&module, &[]).unwrap();
        assert_eq!((instance.run(), instance.all_registers()[10]), (Exit::Ecall, 1));
        let early = instance.snapshot();
        instance.memory_mut().initialise(BASE, &rv::addi(A0, A0, 5).to_le_bytes()).unwrap();
        let late = Snapshot::from_bytes(&instance.snapshot().to_bytes()).unwrap();
        for (snapshot, result) in [(&early, 2), (&late, 6), (&early, 2)] {
            let mut fork = Instance::from_snapshot(&module, snapshot).unwrap();
            assert_eq!((fork.run(), fork.all_registers()[10]), (Exit::Ecall, result));
            instance.restore(snapshot).unwrap();
            assert_eq!((instance.run(), instance.all_registers()[10]), (Exit::Ecall, result));
        }
    }
}

#[test]
fn snapshots_of_other_programs_are_refused() {
    let engine = &engines()[0];
    let module = standard(engine, TEXT);
    let snapshot = Instance::new(&module, &[]).unwrap().snapshot();
    let error = |module: &Module| Instance::from_snapshot(module, &snapshot).unwrap_err().to_string();
    assert!(error(&raw(engine, "trap")).contains("another program: its sum is 0x"));
    let bytes = pvm_asm::assemble(&format!(".format spi\n{TEXT}")).unwrap();
    let unmetered = Options { gas_model: Some(GasModel::None), profile: None };
    let other = Module::new(engine, &bytes, unmetered).unwrap();
    assert_eq!(error(&other), "the snapshot is of another program: its gas model is 0x0, and the module's 0x3");
    assert!(error(&riscv(engine, &[rv::RET], Options::default())).contains("its instruction set is 0x0"));
    let small = Engine::new(&Config { memory_limit: 8192, ..Config::default() }).unwrap();
    let refused = Instance::from_snapshot(&standard(&small, TEXT), &snapshot).unwrap_err();
    assert!(matches!(refused, SnapshotError::Memory(_)), "{refused}");
}

#[test]
fn bytes_that_are_no_snapshot_are_refused() {
    let module = standard(&engines()[0], ".stack 4096\n.rwdata\n.u8 1\n.text\n trap");
    let bytes = Instance::new(&module, &[]).unwrap().snapshot().to_bytes();
    for len in 0..bytes.len() {
        let error = Snapshot::from_bytes(&bytes[..len]).unwrap_err();
        assert!(matches!(error, SnapshotError::Format { offset, .. } if offset <= len), "{error}");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    let error = Snapshot::from_bytes(&longer).unwrap_err().to_string();
    assert_eq!(error, format!("no snapshot: end at offset {}: 1 more bytes follow", bytes.len()));
    // Whatever is changed, it is refused, or a guest that can be run and stays within its limits.
    let end = bytes.len() - 4096;
    for at in 0..end {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut changed = bytes.clone();
            changed[at] = value;
            let Ok(snapshot) = Snapshot::from_bytes(&changed) else { continue };
            let Ok(mut instance) = Instance::from_snapshot(&module, &snapshot) else { continue };
            instance.set_gas(10);
            let exit = instance.run();
            assert!(matches!(exit, Exit::Panic), "{at}: {exit}");
        }
    }
}

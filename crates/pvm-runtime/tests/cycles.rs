//! Making, running and dropping, again and again: memory, mappings and open files do not grow.
//!
//! `tools/full-check cycles` runs it with a million instances and a hundred thousand modules.
#![cfg(target_os = "linux")]

use pvm_runtime::{Access, Config, Engine, FaultDetection, Instance, Jit, Linker, Module, Options, Snapshot, Store};
use std::fs;

/// Asks for two pages of heap and writes to the second, writes to its data and its stack, calls its host twice, and returns
/// its first argument byte and what was in its data.
const PROGRAM: &str = "
        .format spi
        .stack 4096
        load_ind_u8 r9, [r7]
        load_imm r10, 0x2000
        sbrk r11, r10
        add_64 r11, r11, r10
        store_ind_u8 r9, [r11 - 1]
        load_u8 r10, [0x20000]
        store_u8 r9, [0x20000]
        store_u8 r10, [0x20001]
        store_ind_u64 r9, [r1 - 16]
        ecalli 1
        ecalli 1
        load_imm r7, 0x20000
        load_imm r8, 2
        jump_ind r0, 0
        .rwdata
        .u64 0x55";

/// How many times, unless somebody has the time for more.
fn count(name: &str, default: u64) -> u64 {
    std::env::var(name).map_or(default, |text| text.parse().expect("a number"))
}

/// What the process has of its host.
#[derive(Debug)]
struct Footprint {
    resident_kib: u64,
    tables_kib: u64,
    mappings: usize,
    files: usize,
}

impl Footprint {
    fn now() -> Footprint {
        let status = fs::read_to_string("/proc/self/status").unwrap();
        let kib = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
            line.split_whitespace().next().unwrap().parse().unwrap()
        };
        Footprint {
            resident_kib: kib("VmRSS:"),
            tables_kib: kib("VmPTE:"),
            mappings: fs::read_to_string("/proc/self/maps").unwrap().lines().count(),
            files: fs::read_dir("/proc/self/fd").unwrap().count(),
        }
    }
}

/// Does something a tenth of the times, and then all the times: the second part adds nothing to what the first has left.
fn stays_small(what: &str, times: u64, mut cycle: impl FnMut(u64)) {
    (0..times / 10).for_each(&mut cycle);
    let before = Footprint::now();
    (0..times).for_each(&mut cycle);
    let after = Footprint::now();
    println!("{times} times {what}: before {before:?}, after {after:?}");
    assert_eq!(after.files, before.files, "{what}");
    // Which allocations share a mapping is up to the allocator.
    assert!(after.mappings <= before.mappings + 16, "{what}: {before:?}, {after:?}");
    assert!(after.resident_kib <= before.resident_kib + 2048, "{what}: {before:?}, {after:?}");
}

fn run(instance: Instance, linker: &Linker<u64>, n: u64) {
    let mut store = Store::from_instance(instance, linker, 0);
    let invocation = store.invoke(0, 1000, &[n as u8 | 1]).unwrap();
    assert_eq!(invocation.completion, pvm_runtime::Completion::Output(vec![n as u8 | 1, 0x55]), "in cycle {n}");
    assert_eq!(*store.data(), 2);
}

#[test]
fn nothing_grows() {
    let bytes = pvm_asm::assemble(PROGRAM).unwrap();
    let mut linker = Linker::new();
    linker.func(1, |caller| {
        *caller.data_mut() += 1;
        Ok(())
    });
    let checks = Config { fault_detection: FaultDetection::Checks, ..Config::default() };
    let engines = [Config::default(), checks, Config { jit: Jit::Off, ..Config::default() }]
        .map(|config| Engine::new(&config).unwrap());

    let modules = engines.each_ref().map(|engine| Module::new(engine, &bytes, Options::default()).unwrap());
    modules.iter().for_each(Module::compile_all);
    stays_small("an instance was made, run and dropped", count("PVM_INSTANCES", 2000), |n| {
        run(Instance::new(&modules[n as usize % modules.len()], &[]).unwrap(), &linker, n);
    });
    let module = &modules[0];
    stays_small("ten instances were there at once", count("PVM_INSTANCES", 2000) / 10, |n| {
        let instances: Vec<_> = (0..10).map(|_| Instance::new(module, &[]).unwrap()).collect();
        instances.into_iter().for_each(|instance| run(instance, &linker, n));
    });
    // What the host has for one guest may be eight megabytes, and is for none that is gone.
    let before = Footprint::now();
    stays_small("pages far apart were touched", count("PVM_INSTANCES", 2000), |n| {
        let mut instance = Instance::new(module, &[]).unwrap();
        for at in 0..10 {
            let page = ((n * 10 + at).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 44 | 0x100) as u32;
            instance.memory_mut().map(page << 12, 4096, Access::ReadWrite).unwrap();
            instance.memory_mut().write(page << 12, &[1]).unwrap();
        }
    });
    let after = Footprint::now();
    assert!(after.tables_kib <= before.tables_kib + 1024, "{before:?}, {after:?}");
    assert!(after.resident_kib <= before.resident_kib + 512, "{before:?}, {after:?}");
    stays_small("a snapshot was taken and forked", count("PVM_INSTANCES", 2000) / 10, |n| {
        let snapshot: Snapshot = Instance::new(module, &[]).unwrap().snapshot();
        run(Instance::from_snapshot(module, &snapshot).unwrap(), &linker, n);
    });
    stays_small("a module was compiled and dropped", count("PVM_MODULES", 200), |n| {
        let module = Module::new(&engines[n as usize % engines.len()], &bytes, Options::default()).unwrap();
        module.compile_all();
        run(Instance::new(&module, &[]).unwrap(), &linker, n);
    });
    stays_small("an engine was made and dropped", count("PVM_MODULES", 200) / 10, |n| {
        let module = Module::new(&Engine::new(&Config::default()).unwrap(), &bytes, Options::default()).unwrap();
        run(Instance::new(&module, &[]).unwrap(), &linker, n);
    });
}

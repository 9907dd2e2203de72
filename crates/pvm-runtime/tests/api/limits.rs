//! Limits: looked at before anything is allocated, and told with value and limit.

use crate::{engines, raw, standard};
use pvm_runtime::{Config, Engine, Instance, InstanceError, MemoryError, Module, Options};

fn engine(config: Config) -> Engine {
    Engine::new(&config).unwrap()
}

#[test]
fn programs_have_a_limit() {
    let bytes = pvm_asm::assemble(".format raw\n trap").unwrap();
    let engine = engine(Config { module_limit: bytes.len() - 1, ..Config::default() });
    let error = Module::new(&engine, &bytes, Options::default()).unwrap_err();
    assert_eq!(error.to_string(), "a program of 5 bytes is longer than the limit of 4");
}

#[test]
fn guest_memory_has_a_limit() {
    let text = ".stack 8192\n.rwdata\n.zero 4096\n.text\n trap";
    for memory_limit in [0, 4096, 3 * 4096 - 1] {
        let module = standard(&engine(Config { memory_limit, ..Config::default() }), text);
        let error = Instance::new(&module, &[]).unwrap_err();
        assert!(
            matches!(error, InstanceError::Memory(MemoryError::Limit { wanted: 0x3000, limit }) if limit == memory_limit),
            "{error:?}"
        );
    }
    let module = standard(&engine(Config { memory_limit: 3 * 4096, ..Config::default() }), text);
    let mut instance = Instance::new(&module, &[]).unwrap();
    assert!(Instance::new(&module, &[1]).is_err(), "a page of arguments");
    assert!(instance.reset(&[1]).is_err());
    assert!(instance.memory_mut().map(0x80000, 4096, pvm_runtime::Access::Read).is_err());
    let error = Engine::new(&Config { memory_limit: (1 << 32) + 1, ..Config::default() }).unwrap_err();
    assert_eq!(error.to_string(), "`memory_limit` is 4294967297, and must be from 0 to 4294967296");
}

#[test]
fn instances_have_a_limit() {
    let engine = engine(Config { instance_limit: 2, ..Config::default() });
    let module = raw(&engine, "trap");
    let first = Instance::new(&module, &[]).unwrap();
    let second = Instance::new(&module, &[]).unwrap();
    let error = Instance::new(&raw(&engine, "trap"), &[]).unwrap_err();
    assert_eq!(error.to_string(), "there are 2 instances, which is the limit");
    drop(first);
    let third = Instance::new(&module, &[]).unwrap();
    assert!(Instance::new(&module, &[]).is_err());
    drop((second, third));
    assert!(Instance::new(&module, &[]).is_ok());
}

#[test]
fn things_can_be_dropped_in_any_order() {
    for engine in engines() {
        let module = raw(&engine, "loop: jump loop");
        let mut instance = Instance::new(&module, &[]).unwrap();
        let handle = instance.interrupt_handle();
        drop((engine, module));
        instance.set_gas(1000);
        assert_eq!(instance.run(), pvm_runtime::Exit::OutOfGas);
        drop(instance);
        handle.interrupt();
    }
}

//! Modules compiled to services and run, interpreted and compiled.

use pvm_program::Program;
use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};
use pvm_wasm::compile;

/// Runs a service on both tiers: the exit and the output.
fn run_bytes(file: &[u8], arguments: &[u8]) -> (Exit, Vec<u8>) {
    let outcomes = [Jit::Off, Jit::default()].map(|jit| {
        let config = Config { jit, jit_threshold: 0, ..Config::default() };
        let engine = Engine::new(&config).unwrap();
        let program = Program::parse(file).unwrap();
        let module = Module::from_program(&engine, program, Options::default());
        let mut instance = Instance::new(&module, arguments).unwrap();
        instance.set_gas(100_000_000);
        let exit = instance.run();
        (exit, instance.output(), instance.gas(), *instance.registers(), instance.pc())
    });
    assert_eq!(outcomes[0], outcomes[1], "interpreted and compiled");
    (outcomes[0].0, outcomes[0].1.clone())
}

fn service(wat: &str, options: &pvm_wasm::Options) -> Vec<u8> {
    let compiled = compile(wat.as_bytes(), options).unwrap_or_else(|error| panic!("{error}"));
    let mut file = Vec::new();
    compiled.service.encode(&mut file).unwrap();
    file
}

fn run(wat: &str, arguments: &[u8]) -> (Exit, Vec<u8>) {
    run_bytes(&service(wat, &pvm_wasm::Options::default()), arguments)
}

#[test]
fn arguments_are_copied_and_the_result_is_a_slice_of_memory() {
    let wat = r#"(module
        (memory 1)
        (func (export "main") (param $ptr i32) (param $len i32) (result i64)
            (i32.store (i32.const 0) (i32.add (i32.load (local.get $ptr)) (i32.load offset=4 (local.get $ptr))))
            (i64.const 0x400000000)))"#;
    assert_eq!(run(wat, &[5, 0, 0, 0, 7, 0, 0, 0]), (Exit::Halt, vec![12, 0, 0, 0]));
}

#[test]
fn a_loop_with_a_result() {
    let wat = r#"(module
        (memory 1)
        (func (export "main") (param i32 i32) (result i32 i32)
            (local $a i64) (local $b i64) (local $n i32)
            (local.set $b (i64.const 1))
            (local.set $n (i32.load (local.get 0)))
            (i64.store (i32.const 16)
                (loop $again (result i64)
                    (local.get $a) (local.get $b)
                    (local.set $a)
                    (local.get $a) (i64.add)
                    (local.set $b)
                    (local.tee $n (i32.sub (local.get $n) (i32.const 1)))
                    (br_if $again)
                    (local.get $a)))
            (i32.const 16) (i32.const 8)))"#;
    assert_eq!(run(wat, &50u32.to_le_bytes()), (Exit::Halt, 12_586_269_025_u64.to_le_bytes().to_vec()));
}

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

fn options(change: impl FnOnce(&mut pvm_wasm::Options)) -> pvm_wasm::Options {
    let mut options = pvm_wasm::Options::default();
    change(&mut options);
    options
}

fn error(wat: &str, options: &pvm_wasm::Options) -> String {
    compile(wat.as_bytes(), options).unwrap_err().to_string()
}

/// A service whose `main` gives four bytes: what an expression of type i32 is.
fn gives(expression: &str) -> String {
    format!(
        r#"(module (memory 1 3)
            (func (export "main") (param i32 i32) (result i64)
                (i32.store (i32.const 0) {expression})
                (i64.const 0x400000000)))"#
    )
}

#[test]
fn without_arguments_the_memory_is_as_it_is_declared() {
    assert_eq!(run(&gives("(memory.size)"), &[]), (Exit::Halt, vec![1, 0, 0, 0]));
    assert_eq!(run(&gives("(i32.load (i32.const 65532))"), &[]), (Exit::Halt, vec![0; 4]));
    assert_eq!(run(&gives("(i32.load (i32.const 65533))"), &[]).0, Exit::Panic);
    assert_eq!(run(&gives("(i32.load offset=4294967295 (i32.const 4294967295))"), &[]).0, Exit::Panic);
    assert_eq!(run(&gives("(local.get 1)"), &[]), (Exit::Halt, vec![0; 4]));
}

#[test]
fn arguments_lie_behind_a_gap_and_do_not_count_when_the_memory_grows() {
    // 256 pages of gap, and one for the arguments.
    assert_eq!(run(&gives("(memory.size)"), &[1]), (Exit::Halt, 258_u32.to_le_bytes().to_vec()));
    assert_eq!(run(&gives("(local.get 0)"), &[1]), (Exit::Halt, (257_u32 << 16).to_le_bytes().to_vec()));
    // Two pages more, as the maximum of three allows, and no third.
    for arguments in [&[][..], &[1]] {
        let grown = gives("(i32.add (i32.ge_s (memory.grow (i32.const 2)) (i32.const 0)) (memory.grow (i32.const 1)))");
        assert_eq!(run(&grown, arguments), (Exit::Halt, vec![0; 4]));
    }
    let long = vec![7; 70_000];
    assert_eq!(run(&gives("(i32.load8_u offset=69999 (local.get 0))"), &long), (Exit::Halt, vec![7, 0, 0, 0]));
}

#[test]
fn results_come_in_several_forms() {
    let pair = r#"(module (memory 1) (data (i32.const 8) "pair")
        (func (export "main") (result i32 i32) (i32.const 8) (i32.const 4)))"#;
    assert_eq!(run(pair, &[]), (Exit::Halt, b"pair".to_vec()));
    let globals = r#"(module (memory 1) (data (i32.const 8) "globals")
        (global (export "result_ptr") (mut i32) (i32.const 0)) (global (export "result_len") (mut i32) (i32.const 0))
        (func (export "main") (param i32 i32) (global.set 0 (i32.const 8)) (global.set 1 (i32.const 7))))"#;
    assert_eq!(run(globals, &[1, 2]), (Exit::Halt, b"globals".to_vec()));
    let nothing = r#"(module (func (export "main")))"#;
    assert_eq!(run(nothing, &[]), (Exit::Halt, vec![]));
    // A result that is not inside of the memory is none.
    let outside = r#"(module (memory 1) (func (export "main") (result i32 i32) (i32.const 65535) (i32.const 2)))"#;
    assert_eq!(run(outside, &[]).0, Exit::Panic);
    let wrong = error(r#"(module (func (export "main") (param f64)))"#, &pvm_wasm::Options::default());
    assert!(wrong.contains("main") && wrong.contains("f64") && wrong.contains("result_ptr"), "{wrong}");
}

#[test]
fn entry_points_are_where_jam_wants_them() {
    let wat = r#"(module (memory 1) (data (i32.const 0) "refineaccumulate")
        (func (export "accumulate") (param i32 i32) (result i32 i32) (i32.const 6) (i32.const 10))
        (func (export "refine") (param i32 i32) (result i32 i32) (i32.const 0) (i32.const 6))
        (func (export "other") (result i32 i32) (i32.const 2) (i32.const 2)))"#;
    let file = service(wat, &pvm_wasm::Options::default());
    let program = Program::parse(&file).unwrap();
    let engine = Engine::new(&Config::default()).unwrap();
    let module = Module::from_program(&engine, program, Options::default());
    for (pc, output) in [(0, &b"refine"[..]), (5, b"accumulate")] {
        let mut instance = Instance::new(&module, &[]).unwrap();
        instance.set_pc(pc);
        instance.set_gas(1_000_000);
        assert_eq!((instance.run(), instance.output()), (Exit::Halt, output.to_vec()));
    }
    let other = service(wat, &options(|options| options.entry = Some("other".into())));
    assert_eq!(run_bytes(&other, &[]), (Exit::Halt, b"fi".to_vec()));
    let missing = error(wat, &options(|options| options.entry = Some("absent".into())));
    assert!(missing.contains("absent") && missing.contains("accumulate, refine, other"), "{missing}");
}

#[test]
fn the_start_function_and_segments_come_first() {
    let wat = r#"(module (memory 1) (table 2 funcref) (global $g (mut i32) (i32.const 0))
        (data (i32.const 4) "abcd") (elem (i32.const 1) $f)
        (type $t (func (result i32)))
        (func $f (result i32) (i32.load (i32.const 4)))
        (func $start (i32.store (i32.const 8) (call_indirect (type $t) (i32.const 1))))
        (start $start)
        (func (export "main") (result i32 i32) (i32.const 4) (i32.const 8)))"#;
    assert_eq!(run(wat, &[]), (Exit::Halt, b"abcdabcd".to_vec()));
    let outside = r#"(module (memory 1) (data (i32.const 65533) "abcd") (func (export "main")))"#;
    assert_eq!(run(outside, &[]).0, Exit::Panic);
}

#[test]
fn zeros_are_not_shipped() {
    let wat = r#"(module (memory 40) (data (i32.const 1048576) "far away") (data (i32.const 2097152) "\00\00")
        (func (export "main") (result i32 i32) (i32.const 1048576) (i32.const 8)))"#;
    let file = service(wat, &pvm_wasm::Options::default());
    assert!(file.len() < 1000, "{} bytes", file.len());
    assert_eq!(run_bytes(&file, &[]), (Exit::Halt, b"far away".to_vec()));
    // What is in front of linear memory takes no page.
    let wat = r#"(module (memory 1 2) (global (mut i32) (i32.const 5)) (data (i32.const 0) "text")
        (func (export "main") (result i32 i32) (drop (memory.grow (i32.const 1))) (i32.const 0) (i32.const 4)))"#;
    let file = service(wat, &pvm_wasm::Options::default());
    assert!(file.len() < 300, "{} bytes", file.len());
    assert_eq!(run_bytes(&file, &[]), (Exit::Halt, b"text".to_vec()));
}

#[test]
fn zeros_of_passive_segments_are_not_shipped() {
    let zeros = "\\00".repeat(1 << 20);
    let wat = format!(
        r#"(module (memory 40) (data $d "begin{zeros}end")
            (func (export "main") (param i32 i32) (result i32 i32)
                (memory.fill (i32.const 0) (i32.const 0x78) (i32.const 1048600))
                (memory.init $d (i32.const 1) (i32.const 4) (i32.const 1048580))
                (if (local.get 1) (then (memory.init $d (i32.const 0) (i32.const 1048584) (i32.const 1))))
                (i32.store8 (i32.const 2) (i32.load8_u (i32.const 500000)))
                (i32.store (i32.const 3) (i32.load (i32.const 1048577)))
                (i32.const 0) (i32.const 7)))"#
    );
    let file = service(&wat, &pvm_wasm::Options::default());
    assert!(file.len() < 1000, "{} bytes", file.len());
    assert_eq!(run_bytes(&file, &[]), (Exit::Halt, b"xn\0\0end".to_vec()));
    assert_eq!(run_bytes(&file, &[1]).0, Exit::Panic);
}

#[test]
fn passive_segments_are_copied_until_they_are_dropped() {
    let wat = r#"(module (memory 1) (data $d "0123456789")
        (func (export "main") (param i32 i32) (result i32 i32)
            (memory.init $d (i32.const 1) (i32.const 2) (i32.const 5))
            (memory.copy (i32.const 3) (i32.const 1) (i32.const 5))
            (memory.fill (i32.const 8) (i32.const 0x78) (i32.const 3))
            (if (local.get 1) (then (data.drop $d) (memory.init $d (i32.const 0) (i32.const 0) (i32.const 1))))
            (i32.const 1) (i32.const 10)))"#;
    assert_eq!(run(wat, &[]), (Exit::Halt, b"2323456xxx".to_vec()));
    assert_eq!(run(wat, &[1]).0, Exit::Panic);
}

#[test]
fn endless_recursion_is_a_trap() {
    let wat = r#"(module (func $f (param i32) (result i32) (i32.add (call $f (i32.add (local.get 0) (i32.const 1))) (i32.const 1)))
        (func (export "main") (drop (call $f (i32.const 0)))))"#;
    for stack_size in [4096, 64 << 10, 1 << 24] {
        let file = service(wat, &options(|options| options.stack_size = stack_size));
        assert_eq!(run_bytes(&file, &[]).0, Exit::Panic);
    }
    assert!(error(wat, &options(|options| options.stack_size = (1 << 24) + 1)).contains("bytes of stack"));
}

#[test]
fn guarded_memory_does_not_trap_before_its_maximum() {
    let wat = r#"(module (memory 1 2) (func (export "main") (result i32 i32)
            (i32.store (i32.const 100000) (i32.const 1))
            (if (i32.eqz (i32.const 1)) (then (drop (memory.grow (i32.const 1)))))
            (i32.const 0) (i32.const 0)))"#;
    let guard = options(|options| options.bounds = pvm_wasm::Bounds::Guard);
    assert_eq!(run(wat, &[]).0, Exit::Panic);
    assert_eq!(run_bytes(&service(wat, &guard), &[]).0, Exit::Halt);
    let beyond = wat.replace("100000", "131069");
    assert_eq!(run_bytes(&service(&beyond, &guard), &[]).0, Exit::Panic);
    // What cannot grow is checked exactly either way.
    let fixed = beyond.replace("(drop (memory.grow (i32.const 1)))", "(nop)").replace("131069", "65533");
    assert_eq!(run_bytes(&service(&fixed, &guard), &[]).0, Exit::Panic);
}

#[test]
fn adapters_take_the_place_of_imports() {
    let wat = r#"(module (import "env" "twice" (func $twice (param i32))) (memory (export "memory") 1)
        (func (export "main") (result i32 i32)
            (i32.store (i32.const 0) (i32.const 21)) (call $twice (i32.const 0)) (i32.const 0) (i32.const 4)))"#;
    // It works on the memory of the module, and has data of its own there.
    let adapter = r#"(module (import "main" "memory" (memory 1)) (import "env" "factor" (func $factor (result i32)))
        (func (export "twice") (param i32)
            (i32.store (local.get 0) (i32.mul (i32.load (local.get 0)) (call $factor)))))"#;
    let further = r#"(module (global $g (mut i32) (i32.const 1)) (func $start (global.set $g (i32.const 2))) (start $start)
        (func (export "factor") (result i32) (global.get $g)))"#;
    let both = options(|options| options.adapters = vec![adapter.into(), further.into()]);
    assert_eq!(run_bytes(&service(wat, &both), &[]), (Exit::Halt, vec![42, 0, 0, 0]));
    let wrong = options(|options| options.adapters = vec![r#"(module (func (export "twice") (param i64)))"#.into()]);
    let text = error(wat, &wrong);
    assert!(text.contains("env.twice") && text.contains("(i32) -> ()") && text.contains("(i64) -> ()"), "{text}");
    let invalid = options(|options| options.adapters = vec!["(module (func (drop)))".into()]);
    assert!(error(wat, &invalid).contains("adapter module 1"));
}

#[test]
fn host_calls_have_their_arguments_in_registers() {
    let wat = r#"(module
        (import "env" "host_call_2b" (func $call (param i64 i64 i64) (result i64)))
        (import "env" "host_call_r8" (func $second (result i64)))
        (import "env" "pvm_ptr" (func $address (param i64) (result i64)))
        (import "any" "thing" (func $thing (param i32 i64) (result i32)))
        (memory 1)
        (func (export "main") (result i32 i32)
            (i64.store (i32.const 0) (call $call (i64.const 77) (call $address (i64.const 16)) (i64.const -1)))
            (i64.store (i32.const 8) (call $second))
            (i32.store (i32.const 16) (call $thing (i32.const -2) (i64.const 9)))
            (i32.const 0) (i32.const 20)))"#;
    let map = pvm_wasm::ImportMap::parse("any.thing = ecalli 5").unwrap();
    let file = service(wat, &options(|options| options.imports = map));
    let engine = Engine::new(&Config::default()).unwrap();
    let module = Module::from_program(&engine, Program::parse(&file).unwrap(), Options::default());
    let mut instance = Instance::new(&module, &[]).unwrap();
    instance.set_gas(1_000_000);
    assert_eq!(instance.run(), Exit::HostCall { id: 77 });
    let address = instance.registers()[7];
    assert_eq!(instance.registers()[8], u64::MAX);
    instance.registers_mut()[7] = 1000;
    instance.registers_mut()[8] = 2000;
    assert_eq!(instance.run(), Exit::HostCall { id: 5 });
    assert_eq!((instance.registers()[7], instance.registers()[8]), (0xffff_fffe, 9));
    instance.registers_mut()[7] = 0x1_0000_0003;
    assert_eq!(instance.run(), Exit::Halt);
    let output = [&1000_u64.to_le_bytes()[..], &2000_u64.to_le_bytes(), &3_u32.to_le_bytes()].concat();
    assert_eq!(instance.output(), output);
    let mut bytes = [0; 4];
    instance.memory().read(address as u32, &mut bytes).unwrap();
    assert_eq!(bytes, [3, 0, 0, 0], "the address is that of offset 16");
    let variable = wat.replace("(i64.const 77)", "(i64.load (i32.const 0))");
    let map = pvm_wasm::ImportMap::parse("any.* = nop").unwrap();
    assert!(error(&variable, &options(|options| options.imports = map)).contains("constant"));
}

#[test]
fn what_is_too_large_is_refused() {
    let cases = [
        ("(module (memory 65536) (func (export \"main\")))", "bytes of linear memory"),
        ("(module (memory 4000) (func (export \"main\") (param i32 i32)))", "bytes of linear memory"),
        (
            "(module (table 9000000 funcref) (table 9000000 funcref) (table 9000000 funcref) (table 9000000 funcref) (func (export \"main\")))",
            "tables and linear memory",
        ),
    ];
    for (wat, what) in cases {
        let text = error(wat, &pvm_wasm::Options::default());
        assert!(text.contains(what) && text.contains("limit"), "{text}");
    }
    // A small file that is much work: locals that every one of many nested loops sets.
    let sets: String = (0..5000).map(|local| format!("(local.set {local} (i32.const 1))")).collect();
    let (open, close) = ("(loop ".repeat(1000), ")".repeat(1000));
    let wat = format!("(module (func $f (export \"main\") (local {}) {open}{sets}{close}))", "i32 ".repeat(5000));
    let text = error(&wat, &pvm_wasm::Options::default());
    assert!(text.contains("locals in nested loops") && text.contains('f'), "{text}");
}

#[test]
fn the_same_module_gives_the_same_bytes() {
    let functions: String = (0..50)
        .map(|index| format!("(func $f{index} (param i32) (result i32) (i32.mul (local.get 0) (i32.const {index})))"))
        .collect();
    let names: String = (0..50).map(|index| format!(" $f{index}")).collect();
    let wat = format!(
        r#"(module (memory 1) (table 50 funcref) (elem (i32.const 0){names}) {functions} (type $t (func (param i32) (result i32)))
            (func (export "main") (param i32 i32) (drop (call_indirect (type $t) (local.get 0) (local.get 1)))))"#
    );
    let first = service(&wat, &pvm_wasm::Options::default());
    assert!((0..5).all(|_| service(&wat, &pvm_wasm::Options::default()) == first));
}

#[test]
fn what_is_nested_deeply_is_compiled() {
    // Each of these took time in proportion to the square of its size, or more.
    let deep = format!("{}{}", "(block ".repeat(30_000), "(br_if 0 (local.get 0)))".repeat(30_000));
    let targets: String = (0..150).map(|depth| format!("{depth} ")).collect();
    let table = format!("(block (br_table {targets} (local.get 0)))");
    let wide = format!("{}{}{}", "(block ".repeat(150), table.repeat(150), ")".repeat(150));
    for body in [deep, wide] {
        let wat = format!(r#"(module (memory 1) (func (export "main") (param i32 i32) {body}))"#);
        assert_eq!(run_bytes(&service(&wat, &pvm_wasm::Options::default()), &[1]).0, Exit::Halt);
    }
}

//! Accesses to memory and tables at their bounds, where checks are merged or left out.

use pvm_program::Program;
use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};
use pvm_wasm::compile;

/// Runs a module with what `head` says and `main` with such a body, in which `$x` is the argument: the exit, and the first
/// eight bytes of memory then.
fn run(head: &str, body: &str, argument: u32) -> (Exit, [u8; 8]) {
    let wat = format!(
        r#"(module (import "env" "pvm_ptr" (func $address (param i32) (result i64)))
            (import "env" "host_call_2" (func $host (param i64 i64 i64) (result i64)))
            {head}
            (func (export "main") (local $x i32) (local $y i32)
                (local.set $x (i32.wrap_i64 (call $host (i64.const 1) (call $address (i32.const 0)) (i64.const 0))))
                {body}))"#
    );
    let compiled = compile(wat.as_bytes(), &pvm_wasm::Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let mut file = Vec::new();
    compiled.service.encode(&mut file).unwrap();
    let outcomes = [Jit::Off, Jit::default()].map(|jit| {
        let engine = Engine::new(&Config { jit, jit_threshold: 0, ..Config::default() }).unwrap();
        let module = Module::from_program(&engine, Program::parse(&file).unwrap(), Options::default());
        let mut instance = Instance::new(&module, &[]).unwrap();
        instance.set_gas(1_000_000);
        assert_eq!(instance.run(), Exit::HostCall { id: 1 });
        let address = instance.registers()[7] as u32;
        instance.registers_mut()[7] = u64::from(argument);
        let exit = instance.run();
        let mut bytes = [0; 8];
        instance.memory().read(address, &mut bytes).unwrap();
        (exit, bytes)
    });
    assert_eq!(outcomes[0], outcomes[1], "interpreted and compiled");
    outcomes[0]
}

const PAGE: &str = "(memory 1)";
/// One that grows, so that its size is not known beforehand.
const GROWING: &str = "(memory 1 3) (func $grow (export \"grow\") (drop (memory.grow (i32.const 1))))";

fn exit(head: &str, body: &str, argument: u32) -> Exit {
    run(head, body, argument).0
}

#[test]
fn loads_from_one_address_share_a_check() {
    let loads = "(drop (i32.load (local.get $x))) (drop (i32.load offset=4 (local.get $x)))";
    for head in [PAGE, GROWING] {
        assert_eq!(exit(head, loads, 65528), Exit::Halt);
        assert_eq!(exit(head, loads, 65532), Exit::Panic);
    }
}

#[test]
fn a_check_does_not_come_before_an_effect() {
    let between = [
        ("(i32.store8 (i32.const 0) (i32.const 7))", 7),
        ("(memory.fill (i32.const 0) (i32.const 9) (i32.const 1))", 9),
        ("(if (i32.eqz (local.get $y)) (then (i32.store8 (i32.const 0) (i32.const 5))))", 5),
    ];
    for (effect, byte) in between {
        let body = format!("(drop (i32.load (local.get $x))) {effect} (drop (i32.load offset=4 (local.get $x)))");
        for head in [PAGE, GROWING] {
            assert_eq!(run(head, &body, 65532), (Exit::Panic, [byte, 0, 0, 0, 0, 0, 0, 0]), "{effect}");
        }
    }
    // Nor where what follows may not be reached.
    let left = "(drop (i32.load (local.get $x))) (block (br_if 0 (i32.eqz (local.get $y))) (drop (i32.load offset=4 (local.get $x))))";
    let returned = "(drop (i32.load (local.get $x))) (if (i32.eqz (local.get $y)) (then return)) (drop (i32.load offset=4 (local.get $x)))";
    for body in [left, returned] {
        assert_eq!(exit(PAGE, body, 65532), Exit::Halt);
        assert_eq!(exit(GROWING, body, 65532), Exit::Halt);
    }
}

#[test]
fn numbers_that_cannot_be_outside_are_not_checked_and_others_are() {
    let cases = [
        ("(i32.load8_u (i32.and (local.get $x) (i32.const 0xffff)))", 0xffff_ffff, true),
        ("(i32.load (i32.and (local.get $x) (i32.const 0xffff)))", 0xffff_fffc, true),
        ("(i32.load (i32.and (local.get $x) (i32.const 0xffff)))", 0xffff_fffd, false),
        ("(i32.load8_u offset=1 (i32.and (local.get $x) (i32.const 0xffff)))", 0xffff_ffff, false),
        ("(i32.load8_u (i32.shr_u (local.get $x) (i32.const 16)))", 0xffff_ffff, true),
        ("(i32.load8_u (i32.shr_u (local.get $x) (i32.const 47)))", 0xffff_ffff, false),
        // A sum that wraps may be anything.
        ("(i32.load8_u (i32.add (i32.and (local.get $x) (i32.const 255)) (i32.const 0xffffff80)))", 0x80, true),
        ("(i32.load8_u (i32.add (i32.and (local.get $x) (i32.const 255)) (i32.const 0xffffff80)))", 0x7f, false),
        ("(i32.load8_u (i32.mul (i32.and (local.get $x) (i32.const 0xffff)) (i32.const 0x10001)))", 0xffff, false),
        ("(i32.load8_u (i32.shl (i32.and (local.get $x) (i32.const 0xff)) (i32.const 8)))", 0xff, true),
        ("(i32.load8_u (i32.shl (i32.and (local.get $x) (i32.const 0x1ff)) (i32.const 8)))", 0x1ff, false),
        ("(i32.load8_u (i32.rem_u (local.get $x) (i32.const 65536)))", 0xffff_ffff, true),
        ("(i32.load8_u (i32.rem_u (local.get $x) (i32.const 65537)))", 65536, false),
        ("(i32.load8_u (i32.or (i32.and (local.get $x) (i32.const 0x8000)) (i32.const 0x7fff)))", 0x8000, true),
        ("(i32.load8_u (i32.or (i32.and (local.get $x) (i32.const 0x10000)) (i32.const 1)))", 0x1_0000, false),
        ("(i32.load8_u (select (i32.const 65536) (i32.const 0) (local.get $x)))", 1, false),
        ("(i32.load8_u (select (i32.const 65535) (i32.const 0) (local.get $x)))", 1, true),
        (
            "(i32.load8_u (i32.wrap_i64 (i64.shr_u (i64.shl (i64.extend_i32_u (local.get $x)) (i64.const 32)) (i64.const 48))))",
            0xffff_ffff,
            true,
        ),
    ];
    for (load, argument, is_inside) in cases {
        for head in [PAGE, GROWING] {
            let expected = if is_inside { Exit::Halt } else { Exit::Panic };
            assert_eq!(exit(head, &format!("(drop {load})"), argument), expected, "{load} {argument:#x}");
        }
    }
}

#[test]
fn a_memory_that_is_empty_at_first_is_known_to_have_grown_where_it_was_accessed() {
    let empty = "(memory 0 2) (func $grow (drop (memory.grow (i32.const 1))))";
    let access = "(i32.store8 (i32.const 0) (i32.const 1))";
    assert_eq!(exit(empty, "(drop (i32.load8_u (i32.const 0)))", 0), Exit::Panic);
    let after = format!(
        "(call $grow) {access} (drop (i32.load offset=65528 (i32.const 4))) (drop (i32.load8_u (local.get $x)))"
    );
    assert_eq!(exit(empty, &after, 65535), Exit::Halt);
    assert_eq!(exit(empty, &after, 65536), Exit::Panic);
    assert_eq!(exit(empty, &format!("(call $grow) {access} (drop (i32.load8_u (i32.const 65536)))"), 0), Exit::Panic);
    // What one way knows, the other does not.
    let one_way = format!("(if (local.get $x) (then (call $grow) {access})) (drop (i32.load8_u (i32.const 0)))");
    assert_eq!(exit(empty, &one_way, 1), Exit::Halt);
    assert_eq!(exit(empty, &one_way, 0), Exit::Panic);
}

#[test]
fn few_bytes_are_copied_and_set_in_place() {
    for length in 1..=33 {
        // Bytes 1, 2, 3 … are copied three to the right and two back; then some are set.
        let body = format!(
            r#"(loop $next (i32.store8 offset=100 (local.get $y) (i32.add (local.get $y) (i32.const 1)))
                (br_if $next (i32.lt_u (local.tee $y (i32.add (local.get $y) (i32.const 1))) (i32.const 60))))
            (memory.copy (i32.add (local.get $x) (i32.const 3)) (local.get $x) (i32.const {length}))
            (memory.copy (i32.add (local.get $x) (i32.const 1)) (i32.add (local.get $x) (i32.const 3)) (i32.const {length}))
            (memory.fill (i32.add (local.get $x) (i32.const {length})) (i32.const 0x1ee) (i32.const {length}))
            (i32.store8 (i32.const 0) (i32.load8_u (local.get $x)))
            (i32.store8 (i32.const 1) (i32.load8_u offset=1 (local.get $x)))
            (i32.store8 (i32.const 2) (i32.load8_u offset={last} (local.get $x)))
            (i32.store8 (i32.const 3) (i32.load8_u offset={length} (local.get $x)))
            (i32.store8 (i32.const 4) (i32.load8_u offset={end} (local.get $x)))
            (i32.store8 (i32.const 5) (i32.load8_u offset={behind} (local.get $x)))"#,
            last = length - 1,
            end = 2 * length - 1,
            behind = 2 * length
        );
        let mut bytes: Vec<u8> = (1..=80).map(|byte| if byte <= 60 { byte } else { 0 }).collect();
        bytes.copy_within(0..length, 3);
        bytes.copy_within(3..3 + length, 1);
        bytes[length..2 * length].fill(0xee);
        let expected =
            [bytes[0], bytes[1], bytes[length - 1], bytes[length], bytes[2 * length - 1], bytes[2 * length], 0, 0];
        assert_eq!(run(PAGE, &body, 100), (Exit::Halt, expected), "{length} bytes");
    }
}

#[test]
fn nothing_is_copied_or_set_that_does_not_fit() {
    let copy_out = "(i32.store8 (i32.const 0) (i32.const 1)) (memory.copy (local.get $x) (i32.const 0) (i32.const 8))";
    let copy_in = "(memory.copy (i32.const 0) (local.get $x) (i32.const 8))";
    let fill = "(memory.fill (local.get $x) (i32.const 1) (i32.const 8))";
    for body in [copy_out, copy_in, fill] {
        for head in [PAGE, GROWING] {
            assert_eq!(exit(head, body, 65528), Exit::Halt, "{body}");
            assert_eq!(exit(head, body, 65529), Exit::Panic, "{body}");
            assert_eq!(exit(head, body, u32::MAX), Exit::Panic, "{body}");
        }
    }
    let far = "(memory.fill (i32.const 65536) (i32.const 1) (local.get $x))";
    assert_eq!((exit(PAGE, far, 0), exit(PAGE, far, 1)), (Exit::Halt, Exit::Panic));
}

#[test]
fn entries_of_tables_that_are_there_are_not_checked() {
    let head = "(memory 1) (table 8 funcref) (elem (i32.const 0) $f $f $f $f $f $f $f $f) (func $f)";
    let call = |mask: u32| format!("(call_indirect (i32.and (local.get $x) (i32.const {mask})))");
    assert_eq!(exit(head, &call(7), u32::MAX), Exit::Halt);
    assert_eq!(exit(head, &call(15), 7), Exit::Halt);
    assert_eq!(exit(head, &call(15), 8), Exit::Panic);
}

//! WebAssembly on the command line.

mod common;

use common::{Folder, in_process, pvmrun, pvmrun_with};

const ADD: &str = r#"(module
    (import "env" "abort" (func (param i32 i32 i32 i32)))
    (memory (export "memory") 1)
    (func (export "main") (param $ptr i32) (param $len i32) (result i64)
        (i32.store (i32.const 0) (i32.add (i32.load (local.get $ptr)) (i32.load offset=4 (local.get $ptr))))
        (i64.const 0x400000000)))"#;

#[test]
fn a_module_is_compiled_and_run_in_one_step() {
    let folder = Folder::new("wasm-run");
    let text = folder.write("anything", ADD);
    let binary = folder.write("binary", wat::parse_str(ADD).unwrap());
    for program in [&text, &binary] {
        let done = pvmrun(&[program, "0x0500000007000000"]);
        assert_eq!((done.code, done.out.as_str()), (0, "0c000000\n"), "{done:?}");
    }
    let done = pvmrun_with(&["-", "0x0500000007000000"], ADD.as_bytes());
    assert_eq!((done.code, done.out.as_str()), (0, "0c000000\n"));
}

#[test]
fn a_module_is_compiled_to_a_service() {
    let folder = Folder::new("wasm-compile");
    let text = folder.write("add.wat", ADD);
    assert_eq!(pvmrun(&["compile", &text]).code, 0);
    let done = pvmrun(&["run", "--json", &folder.path("add.jam"), "0x0500000007000000"]);
    assert_eq!((done.json()["output"].as_str(), done.json()["status"].as_str()), (Some("0c000000"), Some("halt")));
    let info = pvmrun(&["info", "--json", &folder.path("add.jam")]).json();
    assert_eq!((info["format"].as_str(), info["metadata"]["name"].as_str()), (Some("jam"), Some("add")));
    // The same bytes each time.
    assert_eq!(pvmrun(&["compile", &text, "-o", &folder.path("again.jam")]).code, 0);
    let bytes = |name: &str| std::fs::read(folder.path(name)).unwrap();
    assert_eq!(bytes("add.jam"), bytes("again.jam"));
}

#[test]
fn the_other_verbs_take_modules() {
    let folder = Folder::new("wasm-verbs");
    let text = folder.write("add.wat", ADD);
    assert!(pvmrun(&["disasm", &text]).out.contains("jump"));
    assert_eq!(pvmrun(&["info", "--json", &text]).json()["format"], "jam");
}

#[test]
fn unresolved_imports_are_one_error() {
    let folder = Folder::new("wasm-imports");
    let text = folder.write(
        "in.wat",
        r#"(module (import "a" "one" (func (param i32))) (import "b" "two" (func (result i64)))
            (func (export "main") (i32.const 1) (call 0) (drop (call 1))))"#,
    );
    let done = pvmrun(&["compile", &text]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("a.one") && done.err.contains("b.two") && done.err.contains("--import"), "{}", done.err);
    let map = folder.write("map", "# both\none = nop\nb.* = 7\n");
    assert_eq!(pvmrun(&["--imports", &map, &text]).code, 0);
    assert_eq!(pvmrun(&["--import=one=trap", "--import=two=nop", &text]).code, 111);
    assert_eq!(pvmrun(&["--import=one=what", &text]).code, 2);
    let adapter = folder.write(
        "adapter.wat",
        r#"(module (func (export "one") (param i32)) (func (export "two") (result i64) unreachable))"#,
    );
    assert_eq!(pvmrun(&["--adapter", &adapter, &text]).code, 111);
}

#[test]
fn what_is_not_supported_is_refused_by_name() {
    let folder = Folder::new("wasm-refused");
    let cases = [
        (r#"(module (func $f (export "main") (drop (v128.const i64x2 1 2))))"#, "vector instructions"),
        (r#"(module (memory 1 1 shared) (func (export "main")))"#, "threads"),
        (r#"(module (memory i64 1) (func (export "main")))"#, "64-bit memories"),
        (r#"(module (func $f (export "main") (return_call $f)))"#, "tail calls"),
        (r#"(module (tag) (func (export "main")))"#, "exceptions"),
        (r#"(module (type (struct)) (func (export "main")))"#, "GC"),
        (
            r#"(module (type $t (func)) (func $f (export "main") (call_ref $t (ref.func $f))) (elem declare func $f))"#,
            "typed function references",
        ),
        (r#"(module (memory 1) (memory 1) (func (export "main")))"#, "several memories"),
    ];
    for (text, name) in cases {
        let path = folder.write("in.wat", text);
        let done = pvmrun(&["compile", &path]);
        assert_eq!(done.code, 1);
        assert!(done.err.contains(name) && done.err.contains("not supported"), "{text}: {}", done.err);
    }
    let path = folder.write("in.wat", r#"(module (func $deep (export "main") (drop (v128.const i64x2 1 2))))"#);
    let err = pvmrun(&["compile", &path]).err;
    assert!(err.contains("deep") && err.contains("at byte"), "{err}");
}

#[test]
fn floating_point_arithmetic_is_a_note_and_a_trap() {
    let folder = Folder::new("wasm-floats");
    let path =
        folder.write("in.wat", r#"(module (func (export "main") (drop (f32.add (f32.const 1) (f32.const 2)))))"#);
    let done = pvmrun(&[&path]);
    assert_eq!(done.code, 111);
    assert!(done.err.contains("1 function computes with floating-point"), "{}", done.err);
}

#[test]
fn a_script_counts_its_assertions() {
    let folder = Folder::new("wasm-script");
    let script = r#"(module (func (export "f") (param i32) (result i32) (i32.div_u (i32.const 6) (local.get 0)))
            (func (export "g") (result f32) (f32.add (f32.const 1) (f32.const 1))))
        (assert_return (invoke "f" (i32.const 2)) (i32.const 3))
        (assert_return (invoke "f" (i32.const 2)) (i32.const 4))
        (assert_return (invoke "g") (f32.const 2))
        (assert_trap (invoke "f" (i32.const 0)) "integer divide by zero")"#;
    let path = folder.write("a.wast", script);
    let done = in_process(&["test", &path], b"");
    assert_eq!(done.code, 1);
    assert!(done.out.contains("a.wast:4: assert_return: expected 0x4, found 0x3"), "{}", done.out);
    assert!(done.out.ends_with("2 passed, 1 failed, 1 skipped\n"), "{}", done.out);
    let list = folder.write("list", "a.wast:4 wrong on purpose\n");
    let done = in_process(&["test", "--skip-list", &list, &path], b"");
    assert_eq!((done.code, done.out.lines().last()), (0, Some("2 passed, 0 failed, 2 skipped")));
}

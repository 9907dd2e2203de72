//! What the back end refuses, and how it says so.

mod common;

use common::{parse, program};
use pvm_backend::{CodePointer, CompileError, Options, Problem, compile};

fn refusal(text: &str) -> CompileError {
    compile(&program(text), &Options::default()).expect_err("this is to be refused")
}

#[test]
fn instructions_are_named_with_their_function() {
    let error = refusal(
        "function u0:0(i64) -> i64 fast {
        block0(v0: i64):
            v1 = bitcast.f64 v0
            v2 = fadd v1, v1
            v3 = bitcast.i64 v2
            return v3
        }",
    );
    assert_eq!(error.function.as_deref(), Some("f0"));
    assert!(matches!(error.problem, Problem::Unsupported { .. }), "{error}");
    assert!(error.to_string().starts_with("function f0: `v3 = bitcast.i64 v2` is not supported"), "{error}");
}

#[test]
fn wide_values_are_refused() {
    let error = refusal(
        "function u0:0(i64) -> i64 fast {
        block0(v0: i64):
            v1 = uextend.i128 v0
            v2 = imul v1, v1
            v3, v4 = isplit v2
            return v4
        }",
    );
    assert!(matches!(error.problem, Problem::Unsupported { .. }), "{error}");
    let error = refusal("function u0:0(f64) -> f64 fast {\nblock0(v0: f64):\n    return v0\n}");
    assert!(matches!(error.problem, Problem::Unsupported { .. } | Problem::SignatureType(_)), "{error}");
}

#[test]
fn tail_calls_are_refused() {
    let error = refusal(
        "function u0:0(i64) -> i64 tail {
            fn0 = u0:0(i64) -> i64 tail
        block0(v0: i64):
            return_call fn0(v0)
        }",
    );
    assert!(error.to_string().contains("return_call"), "{error}");
}

#[test]
fn big_endian_memory_is_refused() {
    let error = refusal(
        "function u0:0(i64) -> i64 fast {
        block0(v0: i64):
            v1 = load.i64 big v0
            return v1
        }",
    );
    assert!(error.to_string().contains("little-endian"), "{error}");
}

#[test]
fn invalid_functions_are_refused() {
    let error = refusal("function u0:0(i64) -> i64 fast {\nblock0(v0: i64):\n    return\n}");
    assert!(matches!(error.problem, Problem::Invalid(_)), "{error}");
}

#[test]
fn calls_must_fit() {
    let call = |signature: &str, number: u32| {
        format!(
            "function u0:0(i64) -> i64 fast {{
                fn0 = u0:{number}{signature} fast
            block0(v0: i64):
                v1 = call fn0(v0)
                return v1
            }}
            function u0:1(i32) -> i64 fast {{
            block0(v0: i32):
                v1 = uextend.i64 v0
                return v1
            }}"
        )
    };
    let error = refusal(&call("(i64) -> i64", 1));
    assert_eq!(error.problem, Problem::CallSignature { callee: "f1".into() });
    let error = refusal(&call("(i64) -> i64", 7));
    assert_eq!(error.problem, Problem::NoSuchFunction { number: 7, count: 3 });
}

#[test]
fn frames_and_stacks_have_limits() {
    let text = "function u0:0(i64) -> i64 fast {
            ss0 = explicit_slot 20000000, align = 8
        block0(v0: i64):
            v1 = stack_addr.i64 ss0
            store v0, v1
            v2 = load.i64 v1+8
            return v2
        }";
    let error = refusal(text);
    assert!(matches!(error.problem, Problem::TooLarge { value: 20_000_000, .. }), "{error}");
    let source = program("function u0:0(i64) -> i64 fast {\nblock0(v0: i64):\n    return v0\n}");
    for stack_size in [0, (16 << 20) + 1] {
        let error = compile(&source, &Options { stack_size, ..Options::default() }).unwrap_err();
        assert!(matches!(error.problem, Problem::TooLarge { what: "stack size", .. }), "{error}");
    }
    for stack_size in [1, 16 << 20] {
        assert!(compile(&source, &Options { stack_size, ..Options::default() }).is_ok());
    }
}

#[test]
fn code_pointers_lie_in_data() {
    let mut source = program("function u0:0(i64) -> i64 fast {\nblock0(v0: i64):\n    return v0\n}");
    source.data.read_write = vec![0; 8];
    source.data.pointers = vec![CodePointer { address: 0x20004, function: 0 }];
    let compiled = compile(&source, &Options::default()).unwrap();
    assert_eq!(compiled.program.rw_data, [0, 0, 0, 0, 2]);
    assert_eq!(compiled.program.heap_pages, 2);
    source.data.pointers[0].address = 0x20005;
    let error = compile(&source, &Options::default()).unwrap_err();
    assert_eq!(error.problem, Problem::PointerOutside { address: 0x20005 });
    source.data.pointers[0].function = 9;
    assert!(compile(&source, &Options::default()).is_err());
}

#[test]
fn entry_points_have_a_signature() {
    let mut source = program("function u0:0(i64) -> i64 fast {\nblock0(v0: i64):\n    return v0\n}");
    source.entries = vec![0];
    assert_eq!(compile(&source, &Options::default()).unwrap_err().problem, Problem::EntrySignature);
}

#[test]
fn zeros_are_not_stored() {
    let mut source = program("function u0:0(i64) -> i64 fast {\nblock0(v0: i64):\n    return v0\n}");
    source.data.read_write = [vec![1], vec![0; 9999]].concat();
    source.data.heap_pages = 1;
    let compiled = compile(&source, &Options::default()).unwrap();
    assert_eq!((compiled.program.rw_data, compiled.program.heap_pages), (vec![1], 3));
}

#[test]
fn functions_that_nothing_reaches_are_left_out() {
    let source = program(
        "function u0:0(i64) -> i64 fast {\nblock0(v0: i64):\n    return v0\n}
        function u0:1(i64) -> i64 fast {\nblock0(v0: i64):\n    return v0\n}",
    );
    let compiled = compile(&source, &Options::default()).unwrap();
    assert_eq!(compiled.starts.keys().copied().collect::<Vec<_>>(), [0, 2]);
    assert_eq!(parse("function u0:0() fast {\nblock0:\n    return\n}").len(), 1);
}

//! Programs whose results are known.

mod common;

use common::{Outcome, run_text};

fn values(values: &[i64]) -> Outcome {
    Outcome::Values(values.to_vec())
}

const FIBONACCI: &str = "
function u0:0(i32) -> i64 fast {
block0(v0: i32):
    v1 = iconst.i64 0
    v2 = iconst.i64 1
    brif v0, block1(v1, v2, v0), block2(v1)
block1(v3: i64, v4: i64, v5: i32):
    v6 = iadd v3, v4
    v7 = iconst.i32 -1
    v8 = iadd v5, v7
    brif v8, block1(v4, v6, v8), block2(v4)
block2(v9: i64):
    return v9
}";

#[test]
fn loops() {
    assert_eq!(run_text(FIBONACCI, &[0]), values(&[0]));
    assert_eq!(run_text(FIBONACCI, &[50]), values(&[12_586_269_025]));
}

#[test]
fn recursion_ends_with_the_stack() {
    let text = "
function u0:0(i64) -> i64 fast {
    fn0 = u0:0(i64) -> i64 fast
block0(v0: i64):
    v1 = iconst.i64 1
    v2 = iadd v0, v1
    v3 = call fn0(v2)
    v4 = iadd v3, v2
    return v4
}";
    assert_eq!(run_text(text, &[0]), Outcome::Trap);
}

#[test]
fn calls() {
    let text = "
function u0:0(i64) -> i64 fast {
    fn0 = u0:0(i64) -> i64 fast
block0(v0: i64):
    v1 = iconst.i64 2
    v2 = icmp ult v0, v1
    brif v2, block1, block2
block1:
    return v0
block2:
    v3 = iconst.i64 -1
    v4 = iadd v0, v3
    v5 = call fn0(v4)
    v6 = iadd v4, v3
    v7 = call fn0(v6)
    v8 = iadd v5, v7
    return v8
}";
    assert_eq!(run_text(text, &[20]), values(&[6765]));
}

#[test]
fn indirect_calls() {
    let text = "
function u0:0(i64, i64) -> i64 fast {
    sig0 = (i64) -> i64 fast
    fn1 = u0:1(i64) -> i64 fast
    fn2 = u0:2(i64) -> i64 fast
block0(v0: i64, v1: i64):
    v2 = func_addr.i64 fn1
    v3 = func_addr.i64 fn2
    v4 = select v0, v2, v3
    v5 = call_indirect sig0, v4(v1)
    return v5
}
function u0:1(i64) -> i64 fast {
block0(v0: i64):
    v1 = iconst.i64 10
    v2 = imul v0, v1
    return v2
}
function u0:2(i64) -> i64 fast {
block0(v0: i64):
    v1 = iconst.i64 10
    v2 = iadd v0, v1
    return v2
}";
    assert_eq!(run_text(text, &[1, 5]), values(&[50]));
    assert_eq!(run_text(text, &[0, 5]), values(&[15]));
}

#[test]
fn tables() {
    let text = "
function u0:0(i32) -> i32 fast {
block0(v0: i32):
    br_table v0, block7, [block1, block2, block3, block2, block4, block5, block6]
block1:
    v1 = iconst.i32 10
    return v1
block2:
    v2 = iconst.i32 11
    return v2
block3:
    v3 = iconst.i32 12
    return v3
block4:
    v4 = iconst.i32 13
    return v4
block5:
    v5 = iconst.i32 14
    return v5
block6:
    v6 = iconst.i32 15
    return v6
block7:
    v7 = iconst.i32 -1
    return v7
}";
    for (index, result) in [(0, 10), (1, 11), (2, 12), (3, 11), (4, 13), (5, 14), (6, 15), (7, -1), (-1, -1)] {
        assert_eq!(run_text(text, &[index]), values(&[result]));
    }
}

#[test]
fn memory() {
    let text = "
function u0:0(i32, i32) -> i64, i32 fast {
    ss0 = explicit_slot 16, align = 8
block0(v0: i32, v1: i32):
    v2 = uextend.i64 v0
    v3 = iconst.i64 0x21000
    v4 = iadd v2, v3
    store v1, v4+4
    istore8 v1, v4+1
    v5 = load.i64 v4
    v6 = stack_addr.i64 ss0
    store v5, v6+8
    v7 = load.i32 v6+12
    return v5, v7
}";
    assert_eq!(run_text(text, &[8, -2]), values(&[0xffff_fffe_0000_fe00_u64 as i64, -2]));
}

#[test]
fn many_parameters_and_results() {
    let params: Vec<String> = (0..20).map(|index| format!("v{index}: i64")).collect();
    let types = vec!["i64"; 20].join(", ");
    let values: Vec<String> = (0..20).rev().map(|index| format!("v{index}")).collect();
    let results: Vec<String> = (20..40).map(|index| format!("v{index}")).collect();
    let args: Vec<String> = (0..20).map(|index| format!("v{index}")).collect();
    let text = format!(
        "
function u0:0({types}) -> {types} fast {{
    fn1 = u0:1({types}) -> {types} fast
block0({}):
    {} = call fn1({})
    return {}
}}
function u0:1({types}) -> {types} fast {{
block0({}):
    return {}
}}",
        params.join(", "),
        results.join(", "),
        args.join(", "),
        results.join(", "),
        params.join(", "),
        values.join(", "),
    );
    let args: Vec<i64> = (100..120).collect();
    let reversed: Vec<i64> = args.iter().rev().copied().collect();
    assert_eq!(run_text(&text, &args), Outcome::Values(reversed));
}

#[test]
fn division_traps() {
    let text = |op: &str, ty: &str| {
        format!(
            "function u0:0({ty}, {ty}) -> {ty} fast {{\nblock0(v0: {ty}, v1: {ty}):\n    v2 = {op} v0, v1\n    return v2\n}}"
        )
    };
    for ty in ["i8", "i16", "i32", "i64"] {
        for op in ["udiv", "sdiv", "urem", "srem"] {
            assert_eq!(run_text(&text(op, ty), &[1, 0]), Outcome::Trap, "{op}.{ty}");
        }
    }
    for (ty, least) in
        [("i8", i64::from(i8::MIN)), ("i16", i64::from(i16::MIN)), ("i32", i64::from(i32::MIN)), ("i64", i64::MIN)]
    {
        assert_eq!(run_text(&text("sdiv", ty), &[least, -1]), Outcome::Trap);
        assert_eq!(run_text(&text("srem", ty), &[least, -1]), values(&[0]));
        assert_eq!(run_text(&text("sdiv", ty), &[least, 1]), values(&[least]));
        assert_eq!(run_text(&text("sdiv", ty), &[7, -2]), values(&[-3]));
        assert_eq!(run_text(&text("udiv", ty), &[-1, 2]), values(&[least ^ -1]));
    }
}

#[test]
fn host_calls_are_numbers() {
    let text = "
function u0:0(i64) -> i64 fast {
    fn0 = u1:7(i64) -> i64 fast
block0(v0: i64):
    v1 = call fn0(v0)
    v2 = iadd v1, v0
    return v2
}";
    let compiled = common::compiled(text);
    let mut instance = common::instance(&compiled, &[5], 1000);
    assert_eq!(instance.run(), pvm_runtime::Exit::HostCall { id: 7 });
    assert_eq!(instance.registers()[7], 5);
    instance.registers_mut()[7] = 100;
    assert_eq!(instance.run(), pvm_runtime::Exit::Halt);
    assert_eq!(instance.output(), 105u64.to_le_bytes());
}

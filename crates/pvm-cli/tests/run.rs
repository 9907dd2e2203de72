//! `pvmrun run`: exit codes, JSON, options.

mod common;

use common::{Folder, asm, countdown, echo, pvmrun, pvmrun_with, vector};

#[test]
fn a_program_returns_its_output() {
    let folder = Folder::new("run_output");
    let program = folder.write("echo.jam", echo());
    let arguments = folder.write("arguments", [9, 8]);
    let done = pvmrun(&["run", &program, "0x0102", "ff", &format!("@{arguments}")]);
    assert_eq!((done.code, done.out.as_str()), (0, "0102ff0908\n"));
    // The guest's text cannot reach the terminal as it is.
    assert_eq!(done.err, "WARN hi \\u{1b}[31m\\nthere\n");
    let done = pvmrun(&[&program]);
    assert_eq!((done.code, done.out.as_str()), (0, ""));
    assert_eq!(pvmrun_with(&["-", "00"], &echo()).out, "00\n");
    assert_eq!(pvmrun(&["--entry", "accumulate", &program]).code, 111);
}

#[test]
fn the_json_has_the_shape_that_scripts_rely_on() {
    let folder = Folder::new("run_json");
    let program = folder.write("echo.jam", echo());
    let done = pvmrun(&["--json", "--gas", "1000", &program, "0a"]);
    let json = done.json();
    assert_eq!((&json["status"], &json["output"]), (&"halt".into(), &"0a".into()));
    assert_eq!((&json["gas_used"], &json["gas_left"]), (&45.into(), &955.into()));
    let registers = json["registers"].as_array().unwrap();
    assert_eq!(registers.len(), 13);
    assert_eq!(registers[0], 0xffff_0000_u64);
    // The gas after the second host call had been charged.
    assert_eq!(registers[4], 1000 - 9 - 10 - 1 - 10);
    assert!(json["pc"].is_u64() && json.get("stats").is_none() && json.get("fault_address").is_none());
    let names: Vec<&str> = json.as_object().unwrap().keys().map(String::as_str).collect();
    assert!(["gas_left", "gas_used", "output", "pc", "registers", "status"].iter().all(|name| names.contains(name)));
}

#[test]
fn every_exit_has_its_code() {
    let folder = Folder::new("run_exits");
    let run = |name: &str, source: &str, options: &[&str]| {
        let path = folder.write(name, asm(&format!(".format raw\n{source}\n")));
        let done = pvmrun(&[options, &["--json", &path]].concat());
        (done.code, done.json())
    };
    let (code, json) = run("halt", "load_imm r1, -65536\njump_ind r1, 0", &[]);
    assert_eq!((code, &json["status"], &json["pc"]), (0, &"halt".into(), &5.into()));
    let (code, json) = run("panic", "fallthrough\ntrap", &[]);
    assert_eq!((code, &json["status"], &json["pc"], &json["gas_used"]), (111, &"panic".into(), &1.into(), &2.into()));
    let (code, json) = run("fault", "load_u8 r1, [0x30005]", &[]);
    assert_eq!((code, &json["status"], &json["fault_address"]), (112, &"page-fault".into(), &0x30000.into()));
    let (code, json) = run("gas", "L: jump L", &["--gas", "7"]);
    assert_eq!((code, &json["status"], &json["gas_left"]), (113, &"out-of-gas".into(), &0.into()));
    let (code, json) = run("call", "ecalli 7\ntrap", &["--host", "none"]);
    assert_eq!((code, &json["status"], &json["host_call"]), (114, &"host-call".into(), &7.into()));
    for options in
        [&["--timeout", "50ms"][..], &["--timeout=50ms", "--jit=off"], &["--timeout=0.05", "--gas-model=none"]]
    {
        let (code, json) = run("time", "L: jump L", options);
        assert_eq!((code, &json["status"]), (115, &"timeout".into()), "{options:?}");
    }
    assert_eq!(pvmrun(&[&folder.path("missing")]).code, 1);
    assert_eq!(pvmrun(&["--gas", "many", "x"]).code, 2);
}

#[test]
fn a_host_call_that_cannot_be_paid_ends_the_run() {
    let folder = Folder::new("run_unpaid");
    let program = folder.write("p", asm(".format raw\nload_imm r7, 3\necalli 100\ntrap\n"));
    let json = pvmrun(&["--json", "--gas", "11", &program]).json();
    assert_eq!((&json["status"], &json["gas_left"], &json["pc"]), (&"out-of-gas".into(), &0.into(), &3.into()));
    assert_eq!(json["registers"][7], 3);
    let json = pvmrun(&["--json", "--gas", "12", &program]).json();
    assert_eq!((&json["status"], &json["registers"][7]), (&"out-of-gas".into(), &(u64::MAX - 1).into()));
    let json = pvmrun(&["--json", "--gas-model=none", "--gas", "1", &program]).json();
    assert_eq!((&json["status"], &json["gas_used"]), (&"panic".into(), &0.into()));
}

#[test]
fn nothing_is_logged_that_the_guest_cannot_read() {
    let folder = Folder::new("run_log");
    let log = |at: u64, len: u64, target: &str| {
        let source = format!(
            ".rodata\n.ascii \"0123\"\n.text\nload_imm r7, 9\n{target}\nload_imm_64 r10, {at}\nload_imm_64 r11, {len}\n\
             ecalli 100\njump_ind r0, 0\n"
        );
        let done = pvmrun(&[&folder.write("log.jam", asm(&source))]);
        assert_eq!(done.code, 0);
        done.err
    };
    let none = "load_imm r8, 0\nload_imm r9, 0";
    assert_eq!(log(0x10000, 4, none), "TRACE 0123\n");
    assert_eq!(log(0x10002, 1, "load_imm r8, 0x10000\nload_imm r9, 2"), "TRACE 01: 2\n");
    assert_eq!(log(0x10000, 0x1001, none), "");
    assert_eq!(log(0x1_0001_0000, 4, none), "");
    assert_eq!(log(0x10000, u64::MAX, none), "");
    assert_eq!(log(0x10000, 4, "load_imm r8, 4\nload_imm r9, 1"), "");
    assert_eq!(log(u64::MAX, 0, "load_imm r8, 1\nload_imm r9, 0"), "TRACE : \n");
}

#[test]
fn places_to_start_at() {
    let folder = Folder::new("run_start");
    let program = folder.write("echo.jam", echo());
    let done = pvmrun(&["--entry", "nothing", &program]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("it has is_authorized, refine, accumulate"), "{}", done.err);
    let raw = folder.write("raw", countdown());
    assert_eq!(pvmrun(&["--json", "--pc", "0x1", &raw]).json()["pc"], 1);
    assert!(pvmrun(&["--entry", "main", &raw]).err.contains("it has none"));
    assert_eq!(pvmrun(&["--pc", "1", "--entry", "main", &raw]).code, 2);
}

#[test]
fn memory_has_limits() {
    let folder = Folder::new("run_memory");
    let program = folder.write("echo.jam", echo());
    let done = pvmrun(&["--max-memory", "4K", &program]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("limit of 4096"), "{}", done.err);
    assert_eq!(pvmrun(&["--max-memory", "12K", &program]).code, 0);
    let deep = folder
        .write("deep.jam", asm(".stack 4096\n.text\nload_ind_u8 r7, [r1 - 8192]\nload_imm r8, 0\njump_ind r0, 0\n"));
    let json = pvmrun(&["--json", &deep]).json();
    assert_eq!((&json["status"], &json["fault_address"]), (&"page-fault".into(), &0xfefd_e000_u32.into()));
    assert_eq!(pvmrun(&["--stack-size", "8KiB", &deep]).code, 0);
    assert_eq!(pvmrun(&["--stack-size", "16M", &deep]).code, 1);
    assert_eq!(pvmrun(&["--stack-size", "8K", &folder.write("raw", countdown())]).code, 2);
}

#[test]
fn wrong_arguments_are_wrong_usage() {
    let folder = Folder::new("run_arguments");
    let program = folder.write("echo.jam", echo());
    for argument in ["xyz", "0", "0x123", "--json"] {
        let done = pvmrun(&[&program, argument]);
        assert_eq!((done.code, done.out.as_str()), (2, ""), "{argument}");
    }
    assert_eq!(pvmrun(&[&program, "@/nowhere"]).code, 1);
    // A blob takes no arguments.
    assert_eq!(pvmrun(&[&folder.write("raw", countdown()), "00"]).code, 1);
}

#[test]
fn opcodes_and_gas_models_are_chosen() {
    let folder = Folder::new("run_isa");
    // Byte 102 counts the set bits of 64 up to the draft, and of 32 in 0.8.
    let source = ".format raw\nload_imm_64 r8, 0x300000001\ncount_set_bits_64 r7, r8\ntrap\n";
    let program = folder.write("p", asm(source));
    let register = |options: &[&str]| pvmrun(&[options, &["--json", &program]].concat()).json()["registers"][7].clone();
    assert_eq!((register(&[]), register(&["--isa=draft"]), register(&["--isa=0.8"])), (3.into(), 3.into(), 1.into()));
    let used = |options: &[&str]| pvmrun(&[options, &["--json", &program]].concat()).json()["gas_used"].clone();
    assert_eq!((used(&[]), used(&["--gas-model=none"])), (3.into(), 0.into()));
    assert_eq!(used(&["--isa=0.8"]), used(&["--isa=0.8", "--gas-model=pipeline"]));
}

#[test]
fn vectors_and_traces_run() {
    let folder = Folder::new("run_conformance");
    let path = folder.write("vector.json", vector().to_string());
    let done = pvmrun(&["--json", &path]);
    assert_eq!((done.code, &done.json()["gas_left"]), (111, &93.into()));
    assert_eq!(pvmrun(&["--gas", "3", &path]).code, 113);
    assert_eq!(pvmrun(&["--trace", &folder.path("t"), &path]).code, 2);
    let mut invalid = vector();
    invalid["program"] = serde_json::json!([0, 0, 9]);
    let json = pvmrun(&["--json", &folder.write("invalid.json", invalid.to_string())]).json();
    assert_eq!((&json["status"], &json["pc"], &json["gas_used"]), (&"panic".into(), &0.into(), &0.into()));

    let text = common::trace(&folder);
    let done = pvmrun(&["--json", &folder.path("run.trace")]);
    assert_eq!((done.code, &done.json()["output"]), (0, &"abcd".into()));
    let done = pvmrun(&[&folder.write("other.trace", text.replace("setgas <- 981", "setgas <- 980"))]);
    assert_eq!(done.code, 1);
    assert!(done.err.contains("differs from the trace: host call 1, gas: expected"), "{}", done.err);
}

#[test]
fn traces_replay() {
    let folder = Folder::new("run_trace");
    let program = folder.write("echo.jam", echo());
    let path = folder.path("trace");
    // Until its end, and until each place where gas can run out, in the machine and in a host call.
    for gas in (0..60).chain([1000]) {
        let gas = gas.to_string();
        let run = pvmrun(&["--gas", &gas, "--trace", &path, &program, "0102"]);
        assert!(matches!(run.code, 0 | 113), "{run:?}");
        let done = pvmrun(&["test", &path]);
        assert_eq!(done.out, "1 passed, 0 failed\n", "gas {gas}");
    }
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains("memwrite 0xfeff0000 len=2 <- 0x0102\nstart pc=0 gas=1000 r00=0xffff0000"), "{text}");
    assert!(text.contains("memread 0x00010000 len=14 -> 0x6869"), "{text}");
    // A trace is not written over the program.
    assert_eq!(pvmrun(&["--trace", &program, &program]).code, 1);
    assert_eq!(std::fs::read(&program).unwrap(), echo());
}

#[cfg(feature = "cranelift")]
#[test]
fn compiled_code_really_runs() {
    let folder = Folder::new("run_stats");
    let program = folder.write("echo.jam", echo());
    let stats = |options: &[&str]| {
        let done = pvmrun(&[&["--json", "--stats"], options, &[&program]].concat());
        assert_eq!(done.code, 0);
        done.json()["stats"].clone()
    };
    let native = stats(&["--jit-threshold", "0"]);
    assert_eq!((&native["instructions_interpreted"], &native["instructions_native"]), (&0.into(), &15.into()));
    let positive = ["regions_compiled", "blocks_compiled", "instructions_compiled", "code_bytes", "code_memory_bytes"];
    assert!(positive.iter().all(|name| native[name].as_u64().unwrap() > 0), "{native}");
    assert_eq!(
        (&native["regions_evicted"], &native["side_table_bytes"]),
        (&0.into(), &native["landings"].as_u64().map(|n| n * 8).into())
    );
    assert!(
        ["load", "prepare", "blocks", "compile", "run"].iter().all(|name| native["time_us"][name].is_u64()),
        "{native}"
    );
    let interpreted = stats(&["--jit=off"]);
    assert_eq!((&interpreted["instructions_interpreted"], &interpreted["code_bytes"]), (&15.into(), &0.into()));
    let hot = folder.write("hot", asm(".format raw\nL: add_imm_64 r7, r7, 1\njump L\n"));
    let json = pvmrun(&["--json", "--stats", "--jit-threshold=5", "--gas", "1000", &hot]).json();
    let count = |name: &str| json["stats"][name].as_u64().unwrap();
    assert_eq!(count("instructions_interpreted") + count("instructions_native"), 1000);
    assert!(count("instructions_native") > 900);
    let table = pvmrun(&["--stats", "--jit-threshold", "0", &program]);
    assert!(table.err.contains("instructions run as machine code"), "{}", table.err);
    assert_eq!(table.out, "");
}

#[cfg(not(feature = "cranelift"))]
#[test]
fn without_a_compiler_that_is_said() {
    let folder = Folder::new("run_interpreter_only");
    let program = folder.write("echo.jam", echo());
    let done = pvmrun(&["--jit=cranelift", &program]);
    assert_eq!(done.code, 2);
    assert!(done.err.contains("built without Cranelift"), "{}", done.err);
    assert_eq!(pvmrun(&[&program, "01"]).out, "01\n");
}

//! RISC-V programs on the command line: those of `examples/riscv`, the suite of `conformance/riscv`, and files that mean harm.

mod common;

use common::{Done, Folder, pvmrun, pvmrun_with};
use pvm_ops::Access;
use pvm_program::{Executable, MemoryImage, Segment, Symbol, SymbolKind};
use pvm_rv32::{Instruction, SPECS};
use std::collections::BTreeSet;
use std::path::Path;

/// Ways to run a program.
#[cfg(feature = "cranelift")]
const WAYS: [&[&str]; 3] = [&["--jit=off"], &["--jit-threshold=0"], &[]];
#[cfg(not(feature = "cranelift"))]
const WAYS: [&[&str]; 1] = [&[]];

fn repository(path: &str) -> String {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path).to_str().unwrap().to_owned()
}

fn example(name: &str, libc: &str) -> String {
    repository(&format!("examples/riscv/{name}-{libc}.elf"))
}

/// A program from words, that starts with the first and has a page of data behind it.
fn program(words: &[u32], symbols: &[(&str, u32)]) -> Vec<u8> {
    let data: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let segment =
        |address, access, data: Vec<u8>| Segment { name: "", address, size: 0x1000, access, data: data.into() };
    let segments =
        vec![segment(CODE, Access::ReadExecute, data), segment(DATA, Access::ReadWrite, vec![1, 2, 3, 4, 5, 6, 7, 8])];
    let symbol = |&(name, address): &(&str, u32)| Symbol {
        name: name.to_owned(),
        address,
        size: 0,
        kind: SymbolKind::Label,
        is_global: true,
    };
    let symbols = symbols.iter().map(symbol).collect();
    let image = MemoryImage { segments, heap: None };
    Executable { image, entry: CODE, end: DATA + 0x1000, symbols, program_headers: None, flags: 0 }.encode()
}

const CODE: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;

/// `li a7, 93; ecall`, with `li a0, CODE` before it.
fn exit(code: u32) -> [u32; 3] {
    [code << 20 | 0x513, 93 << 20 | 0x893, 0x73]
}

fn run(folder: &Folder, name: &str, file: &[u8], options: &[&str]) -> Done {
    let path = folder.write(name, file);
    pvmrun(&[options, &[&path]].concat())
}

#[test]
fn programs_get_arguments_and_environment_and_give_their_exit_code() {
    for libc in ["musl", "picolibc"] {
        for way in WAYS {
            let hello = example("hello", libc);
            let done = pvmrun(&[way, &["--env", "GREETING=hi", &hello, "--one", "two words"]].concat());
            let expected = "hello from 32-bit RISC-V\nargument 1: --one\nargument 2: two words\nGREETING is hi\n";
            assert_eq!((done.code, done.out.as_str(), done.err.as_str()), (2, expected, ""), "{libc}");
            assert_eq!(pvmrun(&[way, &[&hello]].concat()).out, "hello from 32-bit RISC-V\n");
        }
    }
    assert_eq!(pvmrun(&["--env", "=x", &example("hello", "musl")]).code, 2);
}

#[test]
fn programs_read_streams_and_files_of_opened_folders() {
    let folder = Folder::new("riscv_files");
    folder.write("in/text", "a b a\n");
    std::fs::write(folder.path("secret"), "secret").unwrap();
    let inside = folder.path("in");
    for libc in ["musl", "picolibc"] {
        let words = example("words", libc);
        assert_eq!(pvmrun_with(&[&words], b"a b a\n").out, "3 words, 2 different\n     2 a\n     1 b\n");
        let mapped = format!("{inside}::data");
        for (options, file, works) in [
            (&[][..], "text", false),
            (&["--dir", &mapped], "data/text", true),
            (&["--dir", &mapped], "/data/../data/text", true),
            (&["--dir", &mapped], "text", false),
            (&["--dir", &mapped], "data/../secret", false),
            (&["--dir", &mapped], &folder.path("secret"), false),
            (&["--dir", &inside], &folder.path("in/text"), true),
            (&["--dir", &inside], &folder.path("in/../secret"), false),
        ] {
            let done = pvmrun(&[options, &[&words, file]].concat());
            assert_eq!((done.code == 0, done.out.is_empty()), (works, !works), "{libc} {options:?} {file}: {done:?}");
        }
    }
    assert_eq!(pvmrun(&["--dir", &folder.path("missing"), &example("words", "musl")]).code, 1);
}

#[test]
fn code_that_writes_code_sees_it() {
    for libc in ["musl", "picolibc"] {
        for way in WAYS {
            assert_eq!(pvmrun(&[way, &[&example("patch", libc)]].concat()).out, "c269cce0\n", "{libc} {way:?}");
        }
    }
}

#[test]
fn the_json_has_output_and_exit_code() {
    let json = pvmrun(&["--json", "--stats", &example("digits", "musl"), "5"]).json();
    assert_eq!((&json["status"], &json["exit_code"]), (&"exit".into(), &0.into()));
    assert_eq!(json["output"], "332e313431350a");
    assert_eq!(json["registers"].as_array().unwrap().len(), 32);
    let ran = |name: &str| json["stats"][name].as_u64().unwrap();
    assert!(ran("instructions_interpreted") + ran("instructions_native") > 1000);
}

#[test]
fn every_exit_has_its_code() {
    let folder = Folder::new("riscv_exits");
    for way in WAYS {
        let run = |name: &str, words: &[u32], options: &[&str]| {
            let done = run(&folder, name, &program(words, &[]), &[way, &["--json"], options].concat());
            (done.code, done.json())
        };
        let (code, json) = run("exit", &exit(7), &[]);
        assert_eq!(
            (code, &json["status"], &json["exit_code"], &json["pc"]),
            (7, &"exit".into(), &7.into(), &0x10008.into())
        );
        // The lowest eight bits are the code.
        assert_eq!(run("exit_wide", &exit(0x107), &[]).0, 7);
        let (code, json) = run("illegal", &[0x13, 0xffff_ffff], &[]);
        assert_eq!((code, &json["status"], &json["pc"]), (111, &"trap".into(), &0x10004.into()));
        assert_eq!((&json["trap"]["cause"], &json["trap"]["value"]), (&2.into(), &0xffff_ffff_u32.into()));
        // lw a0, 4(zero)
        let (code, json) = run("load", &[0x0040_2503], &[]);
        assert_eq!((code, &json["trap"]["cause"], &json["fault_address"]), (111, &5.into(), &4.into()));
        // sw zero, 0(a0), to the code
        let (code, json) = run("store", &[0x0001_0537, 0x0005_2023], &[]);
        assert_eq!((code, &json["trap"]["cause"], &json["fault_address"]), (111, &7.into(), &CODE.into()));
        // lui a0, 0x20; jr a0: the data is no code.
        let (code, json) = run("fetch", &[0x0002_0537, 0x0005_0067], &[]);
        assert_eq!((code, &json["trap"]["cause"], &json["pc"]), (111, &1.into(), &DATA.into()));
        let (code, json) = run("break", &[0x0010_0073], &[]);
        assert_eq!((code, &json["trap"]["name"]), (111, &"breakpoint".into()));
        // j .
        let (code, json) = run("gas", &[0x6f], &["--gas", "1000"]);
        assert_eq!(
            (code, &json["status"], &json["gas_used"], &json["gas_left"]),
            (113, &"out-of-gas".into(), &1000.into(), &0.into())
        );
        let (code, json) = run("time", &[0x6f], &["--timeout", "50ms"]);
        assert_eq!((code, &json["status"]), (115, &"timeout".into()));
        // tkill(gettid(), SIGABRT)
        let abort = [178 << 20 | 0x893, 0x73, 6 << 20 | 0x593, 130 << 20 | 0x893, 0x73];
        assert_eq!(run("abort", &abort, &[]).0, 134);
    }
    let done = run(&folder, "text", &program(&[0], &[]), &[]);
    assert!(done.err.contains("illegal instruction at pc 0x00010000"), "{done:?}");
}

#[test]
fn places_to_start_at_and_signatures_are_symbols() {
    let folder = Folder::new("riscv_symbols");
    let code: Vec<u32> = exit(1).into_iter().chain(exit(2)).collect();
    let symbols = [("other", CODE + 12), ("begin_signature", DATA), ("end_signature", DATA + 8)];
    let file = program(&code, &symbols);
    assert_eq!(run(&folder, "a", &file, &[]).code, 1);
    assert_eq!(run(&folder, "a", &file, &["--entry=other"]).code, 2);
    assert_eq!(run(&folder, "a", &file, &["--pc=0x1000c"]).code, 2);
    let done = run(&folder, "a", &file, &["--entry=nothing"]);
    assert!(done.code == 1 && done.err.contains("no symbol `nothing`"), "{done:?}");
    let signature = folder.path("signature");
    assert_eq!(run(&folder, "a", &file, &["--signature", &signature]).code, 1);
    assert_eq!(std::fs::read_to_string(&signature).unwrap(), "04030201\n08070605\n");
    let done = run(&folder, "b", &program(&code, &[]), &["--signature", &signature]);
    assert!(done.code == 1 && done.err.contains("no symbol `begin_signature`"), "{done:?}");
    let done = run(
        &folder,
        "c",
        &program(&code, &[("begin_signature", DATA + 8), ("end_signature", DATA)]),
        &["--signature", &signature],
    );
    assert!(done.code == 1 && done.err.contains("no whole words"), "{done:?}");
}

#[test]
fn flat_binaries_have_a_base() {
    let folder = Folder::new("riscv_flat");
    let bytes: Vec<u8> = exit(9).iter().flat_map(|word| word.to_le_bytes()).collect();
    assert_eq!(run(&folder, "flat", &bytes, &["--base", "0x80000000"]).code, 9);
    let done = run(&folder, "flat", &bytes, &["--base", "0x80000001"]);
    assert!(done.code == 1 && done.err.contains("0x80000001 is not even"), "{done:?}");
    let done = run(&folder, "elf", &program(&exit(0), &[]), &["--base", "0"]);
    assert!(done.code == 1 && done.err.contains("--base is for flat binaries"), "{done:?}");
}

#[test]
fn files_that_cannot_be_run_are_refused() {
    let folder = Folder::new("riscv_refused");
    let file = program(&exit(0), &[]);
    for (at, byte, text) in [
        (4, 2, "class at byte 4: 2 (64-bit)"),
        (5, 2, "byte order at byte 5: 2 (big-endian)"),
        (18, 62, "machine at byte 18: 62 (x86-64)"),
        (16, 3, "type at byte 16: 3 (position-independent or dynamic)"),
        (24, 1, "entry point at byte 24: 0x10001 is not even"),
        (26, 9, "entry point at byte 24: 0x90000 is not in an executable segment"),
    ] {
        let mut changed = file.clone();
        changed[at] = byte;
        let done = run(&folder, "changed", &changed, &[]);
        assert!(done.code == 1 && done.err.contains(text), "{done:?}");
    }
    for len in [5, 60, 5000] {
        let done = run(&folder, "cut", &file[..len], &[]);
        assert!(done.code == 1 && done.err.contains("not a valid RISC-V executable"), "{done:?}");
    }
    let done = run(&folder, "large", &file, &["--max-memory", "64K", "--stack-size", "512K"]);
    assert!(done.code == 1 && done.err.contains("more than the limit of 65536"), "{done:?}");
    assert_eq!(run(&folder, "trace", &file, &["--trace", &folder.path("t")]).code, 2);
    assert_eq!(run(&folder, "model", &file, &["--gas-model=pipeline"]).code, 1);
    // What is for RISC-V goes with nothing else.
    let done = pvmrun(&["--signature", "x", &repository("examples/fibonacci.jam")]);
    assert!(done.code == 2 && done.err.contains("goes with RISC-V programs only"), "{done:?}");
}

#[test]
fn the_suite_passes_three_ways() {
    for way in WAYS {
        let done = pvmrun(&[&["test"], way, &["--json", "--stats", &repository("conformance/riscv/elf")]].concat());
        let json = done.json();
        assert_eq!((&json["passed"], &json["failed"]), (&10.into(), &0.into()), "{way:?}: {done:?}");
        let [interpreted, native] =
            ["instructions_interpreted", "instructions_native"].map(|name| json["stats"][name].as_u64().unwrap());
        // Each way runs what it is there for.
        match way {
            [] if cfg!(feature = "cranelift") => assert!(interpreted > 100_000 && native > 100_000),
            ["--jit-threshold=0"] => assert!(native > interpreted),
            _ => assert!(native == 0 && interpreted > 1_000_000),
        }
    }
}

#[test]
fn the_suite_has_every_instruction() {
    // Waiting for interrupts: there is nothing to compare with.
    let mut missing: BTreeSet<&str> = SPECS.iter().map(|spec| spec.mnemonic).collect();
    missing.remove("wfi");
    for entry in std::fs::read_dir(repository("conformance/riscv/elf")).unwrap() {
        let executable = Executable::parse(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap();
        for segment in executable.image.segments.iter().filter(|segment| segment.access.is_executable()) {
            let mut rest = &segment.data[..];
            while let Some(bytes) = rest.first_chunk() {
                let len = match Instruction::decode(u32::from_le_bytes(*bytes)) {
                    Ok((instruction, len)) => {
                        missing.remove(instruction.spec.mnemonic);
                        len
                    }
                    Err(illegal) => illegal.len,
                };
                rest = &rest[len as usize..];
            }
        }
    }
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn a_test_must_pass_and_must_run() {
    let folder = Folder::new("riscv_tests");
    let test = |name: &str, file: &[u8]| pvmrun(&["test", &folder.write(name, file)]);
    assert_eq!(test("pass", &program(&exit(0), &[])).out, "1 passed, 0 failed\n");
    let done = test("fail", &program(&exit(3), &[]));
    assert!(done.code == 1 && done.out.contains("exit: expected 0, found 3"), "{done:?}");
    let done = test("trap", &program(&[0], &[]));
    assert!(done.out.contains("illegal instruction at pc 0x00010000"), "{done:?}");
    // sw a0, 0(a1) to `tohost`, again and again
    let write = |value: u32| [value << 20 | 0x513, 0x0002_05b7, 0x00a5_a023, 0x6f];
    let tohost = &[("tohost", DATA + 0x10)];
    let store = |value| {
        let mut words = write(value);
        words[2] = 0x00a5_a823; // sw a0, 16(a1)
        program(&words, tohost)
    };
    assert_eq!(test("bare", &store(1)).out, "1 passed, 0 failed\n");
    let done = test("bare_fail", &store(7));
    assert!(done.out.contains("tohost: expected 1, found 7 (test 3)"), "{done:?}");
    let done = test("bare_odd", &store(2));
    assert!(done.out.contains("which is no result"), "{done:?}");
    // What is there from the beginning is no proof that anything ran.
    let mut there = program(&exit(0), &[("tohost", DATA + 4)]);
    let at = there.windows(8).position(|window| window == [1, 2, 3, 4, 5, 6, 7, 8]).unwrap();
    there[at + 4..at + 8].copy_from_slice(&[1, 0, 0, 0]);
    let done = test("bare_nothing", &there);
    assert_eq!(done.code, 1, "{done:?}");
    // Under `run` the number of the test is the exit code.
    assert_eq!(run(&folder, "bare_fail", &store(7), &[]).code, 3);
}

#[test]
fn programs_are_listed() {
    let folder = Folder::new("riscv_listed");
    let file = program(&exit(5), &[("start", CODE)]);
    let path = folder.write("a", &file);
    let listing = pvmrun(&["disasm", &path]).out;
    assert!(listing.contains("00010000 <start>:\n   10000:\t00500513\t"), "{listing}");
    assert!(listing.contains("ecall"), "{listing}");
    let json = pvmrun(&["info", "--json", &path]).json();
    assert_eq!((&json["format"], &json["entry"], &json["instructions"]), (&"elf".into(), &CODE.into(), &3.into()));
    assert_eq!(json["symbols"][0]["name"], "start");
    let flat = folder.write("flat", 0x0050_0513_u32.to_le_bytes());
    let json = pvmrun(&["info", "--json", "--base", "0x20000", &flat]).json();
    assert_eq!((&json["format"], &json["entry"], &json["instructions"]), (&"flat".into(), &0x2_0000.into(), &1.into()));
    let text = pvmrun(&["info", &example("words", "musl")]).out;
    assert!(text.contains("read-execute") && text.contains("RV32IMAC"), "{text}");
    // Bytes that are no instruction are listed, too.
    assert_eq!(pvmrun(&["disasm", &example("words", "musl")]).code, 0);
}

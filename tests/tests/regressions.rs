//! Every difference that the fuzzer has found, in every setting.
//!
//! A case lies in `tests/regressions/` as the fuzzer has written it, with a note on what was wrong; those of RISC-V are in a
//! folder of their own.

use pvm_fuzzing::{Case, Engines, Ours, Step, rv32};
use pvm_gas::GasModel;
use pvm_runtime::{Config, Engine, Exit};
use std::path::PathBuf;

/// The files of a folder, as cases that `read` makes of their text.
fn cases<T>(folder: &str, read: impl Fn(&str) -> Result<T, serde_json::Error>) -> Vec<(PathBuf, T)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.is_file());
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let case = read(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, case)
    };
    let cases: Vec<_> = files.into_iter().map(read).collect();
    assert!(!cases.is_empty());
    cases
}

#[test]
fn nothing_that_was_found_differs_again() {
    let engines = Engines::new();
    let all: Vec<usize> = (0..engines.settings()).collect();
    for (file, case) in cases("regressions", Case::from_text) {
        let report = engines.check(&case, &all, true);
        assert_eq!(report.difference, None, "{}: {}", file.display(), case.note);
        assert!(!case.note.is_empty(), "{} says what was wrong", file.display());
    }
}

#[test]
fn nothing_that_was_found_of_riscv_differs_again() {
    let tiers = rv32::Tiers::new();
    for (file, case) in cases("regressions/riscv", rv32::Case::from_text) {
        for setting in 0..tiers.settings() {
            let report = tiers.check(&case, setting);
            assert_eq!(report.difference, None, "{}: {}", file.display(), case.note);
        }
        assert!(!case.note.is_empty(), "{} says what was wrong", file.display());
    }
}

/// A short run of the fuzzer itself.
#[test]
fn random_cases_agree() {
    let engines = Engines::new();
    for seed in 0..600 {
        let mut case = pvm_fuzzing::random::case(seed);
        engines.tame(&mut case);
        let settings = [seed as usize % engines.settings(), (seed as usize * 5 + 7) % engines.settings()];
        let report = engines.check(&case, &settings, true);
        assert_eq!(report.difference, None, "seed {seed}");
    }
}

/// In the settings of the fuzzer in which calls are answered, machine code is not left for them.
#[test]
fn answered_calls_do_not_leave_machine_code() {
    const CALLS: usize = 50;
    let text = ".format raw\nagain: ecalli 1\n add_imm_64 r7, r7, -1\n branch_ne_imm r7, 0, again\n jump_ind r0, 0";
    let mut case = pvm_fuzzing::random::case(0);
    case.program = pvm_asm::assemble(text).expect("it is right");
    (case.pc, case.gas, case.gas_model) = (0, 1000, GasModel::Instruction);
    (case.registers[0], case.registers[7]) = (0xffff_0000, CALLS as u64);
    case.script = vec![Step { gas: 0, restart: None, fault: None, actions: Vec::new() }; CALLS];
    let blob = case.blob().expect("it is one");
    let engine = Engine::new(&Config { jit_threshold: 0, ..Config::default() }).expect("the host has a compiler");
    let (guest, stops) = Ours::new(&engine, &case, &blob).play_answered(&case);
    assert_eq!((stops.len(), stops[CALLS].exit), (CALLS + 1, Exit::Halt));
    assert_eq!(stops[CALLS - 1].registers[7], 1);
    let entries = guest.instance().stats().native_entries;
    assert!((1..=4).contains(&entries), "entered {entries} times");
}

/// The same for RISC-V.
#[test]
fn random_riscv_programs_agree() {
    let tiers = rv32::Tiers::new();
    let mut native = 0;
    for seed in 0..600 {
        let mut case = rv32::wild(seed);
        tiers.tame(&mut case);
        let report = tiers.check(&case, seed as usize % tiers.settings());
        assert_eq!(report.difference, None, "seed {seed}");
        native += u32::from(report.native_entries > 0);
    }
    assert!(native > 200, "{native} programs ran as machine code");
}

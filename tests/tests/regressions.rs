//! Every difference that the fuzzer has found, in every setting.
//!
//! A case lies in `tests/regressions/` as the fuzzer has written it, with a note on what was wrong; those of RISC-V are in a
//! folder of their own.

use pvm_fuzzing::{Case, Engines, rv32};
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

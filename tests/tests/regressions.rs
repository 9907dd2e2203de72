//! Every difference that the fuzzer has found, in every setting.
//!
//! A case lies in `tests/regressions/` as the fuzzer has written it, with a note on what was wrong.

use pvm_fuzzing::{Case, Engines};
use std::path::PathBuf;

fn cases() -> Vec<(PathBuf, Case)> {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("regressions");
    let mut files: Vec<PathBuf> = folder.read_dir().unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: PathBuf| {
        let text = std::fs::read_to_string(&file).unwrap();
        let case = Case::from_text(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        (file, case)
    };
    files.into_iter().map(read).collect()
}

#[test]
fn nothing_that_was_found_differs_again() {
    let engines = Engines::new();
    let all: Vec<usize> = (0..engines.settings()).collect();
    let cases = cases();
    assert!(!cases.is_empty());
    for (file, case) in cases {
        let report = engines.check(&case, &all, true);
        assert_eq!(report.difference, None, "{}: {}", file.display(), case.note);
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

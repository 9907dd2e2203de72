//! Random WebAssembly modules, against `wasmi`.

use crate::budget::Budget;
use crate::totals;
use anyhow::Result;
use pvm_fuzzing::wasm;
use std::panic::catch_unwind;
use std::sync::atomic::{AtomicU64, Ordering};

/// The most findings that are written; more of them are hardly others.
const FINDINGS: u64 = 50;

/// Runs, and returns how many modules differed.
pub fn run(budget: &Budget) -> Result<u64> {
    let [failures, returned, trapped, cut_short, too_large] = [(); 5].map(|()| AtomicU64::new(0));
    let count = |total: &AtomicU64, number: u32| total.fetch_add(number.into(), Ordering::Relaxed);
    let spent = budget.spend("modules", |seed| {
        match catch_unwind(|| wasm::check(&wasm::module(seed), seed)).unwrap_or_else(|_| Err("it panics".to_owned())) {
            Ok(checked) => {
                count(&returned, checked.returned);
                count(&trapped, checked.trapped);
                count(&cut_short, checked.cut_short.into());
                count(&too_large, checked.too_large.into());
            }
            Err(problem) => {
                println!("\rseed {seed}: {problem}");
                if failures.fetch_add(1, Ordering::Relaxed) < FINDINGS {
                    keep(budget, seed);
                }
            }
        }
    });
    let failures = failures.into_inner();
    let [returned, trapped, cut_short, too_large] =
        [returned, trapped, cut_short, too_large].map(AtomicU64::into_inner);
    println!(
        "{} modules, {failures} differed, {:.0}/s; {returned} calls returned, {trapped} trapped, {cut_short} modules were \
         compared up to floating-point arithmetic or a limit of wasmi, {too_large} are too large",
        spent.count,
        spent.rate()
    );
    if let Some(file) = &budget.total {
        totals::add(file, "wasm", &spent, None, failures)?;
    }
    Ok(failures)
}

/// Compares the module of a seed again; returns 1 if it differs.
pub fn again(seed: u64) -> u64 {
    let outcome = wasm::check(&wasm::module(seed), seed);
    println!("{outcome:?}");
    u64::from(outcome.is_err())
}

fn keep(budget: &Budget, seed: u64) {
    let file = budget.findings.join(format!("wasm-{seed:016x}.wasm"));
    match std::fs::create_dir_all(&budget.findings).and_then(|()| std::fs::write(&file, wasm::module(seed))) {
        Ok(()) => println!("  kept: {}", file.display()),
        Err(error) => println!("  cannot write {}: {error}", file.display()),
    }
}

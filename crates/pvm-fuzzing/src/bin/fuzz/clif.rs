//! Random functions through the PVM back end, against Cranelift's interpreter.

use crate::budget::Budget;
use crate::totals;
use anyhow::Result;
use cranelift_codegen::ir::Function;
use fastrand::Rng;
use pvm_fuzzing::clif;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs, and returns how many programs differed.
pub fn run(budget: &Budget) -> Result<u64> {
    let [failures, returned, trapped, given_up] = [(); 4].map(|()| AtomicU64::new(0));
    let spent = budget.spend("programs", |seed| match attempt(seed) {
        Ok(checked) => {
            returned.fetch_add(checked.returned.into(), Ordering::Relaxed);
            trapped.fetch_add(checked.trapped.into(), Ordering::Relaxed);
            given_up.fetch_add(checked.given_up.into(), Ordering::Relaxed);
        }
        Err(problem) => {
            println!("\rseed {seed}: {problem}");
            if failures.fetch_add(1, Ordering::Relaxed) < 50 {
                keep(budget, seed);
            }
        }
    });
    let [failures, returned, trapped, given_up] = [failures, returned, trapped, given_up].map(AtomicU64::into_inner);
    println!(
        "{} programs, {failures} differed, {:.0}/s; {returned} runs returned, {trapped} trapped, {given_up} took too long",
        spent.count,
        spent.rate()
    );
    if let Some(file) = &budget.total {
        totals::add(file, "clif", &spent, None, failures)?;
    }
    Ok(failures)
}

fn attempt(seed: u64) -> Result<clif::Checked, String> {
    let mut rng = Rng::with_seed(seed);
    let functions = clif::functions(&mut rng);
    check(&functions, rng)
}

fn check(functions: &[Function], mut rng: Rng) -> Result<clif::Checked, String> {
    let check = AssertUnwindSafe(|| clif::check(functions, &mut rng));
    catch_unwind(check).unwrap_or_else(|_| Err("it panics".to_owned()))
}

/// Writes the functions of a program that differed, made as small as can be.
fn keep(budget: &Budget, seed: u64) {
    let file = budget.findings.join(format!("clif-{seed:016x}.clif"));
    let mut rng = Rng::with_seed(seed);
    let mut functions = clif::functions(&mut rng);
    // A difference stays one of its kind.
    let kind = |outcome: Result<clif::Checked, String>| {
        let problem = outcome.err()?;
        let (found, expected) = problem.split_once(" instead of ")?;
        Some((found.ends_with("Trap"), expected.starts_with("Trap")))
    };
    let found = kind(check(&functions, rng.clone()));
    if found.is_some() {
        clif::shrink(&mut functions, |functions| kind(check(functions, rng.clone())) == found);
    }
    let problem = check(&functions, rng).err().unwrap_or_default();
    let text = format!("; {problem}\n{}", clif::text(&functions));
    match std::fs::create_dir_all(&budget.findings).and_then(|()| std::fs::write(&file, text)) {
        Ok(()) => println!("  kept: {}", file.display()),
        Err(error) => println!("  cannot write {}: {error}", file.display()),
    }
}

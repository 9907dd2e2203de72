//! Random RISC-V programs on QEMU and on our engines.

use crate::budget::Budget;
use crate::totals;
use anyhow::Result;
use pvm_fuzzing::rv32::{Batch, Oracle};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many programs QEMU gets at once: starting it takes longer than most of them.
const CASES: u64 = 100;

/// The most findings that are written.
const FINDINGS: u64 = 20;

/// Runs, and returns how many differed.
pub fn run(budget: &Budget) -> Result<u64> {
    let oracle = Oracle::new(&budget.findings)?;
    let differences = AtomicU64::new(0);
    let spent = budget.spend_in(CASES, "programs", |seed| {
        let seeds: Vec<u64> = (0..CASES).map(|case| seed.wrapping_add(case)).collect();
        let checked = oracle.check(&Batch::new(&seeds), &format!("batch-{seed:016x}"));
        let found = match checked {
            Ok(found) => found.into_iter().map(|d| (seeds[d.case], format!("{}: {}", d.engine, d.words))).collect(),
            Err(error) => vec![(seed, format!("{error:#}"))],
        };
        for (seed, words) in found {
            println!("\rseed {seed}: {words}");
            if differences.fetch_add(1, Ordering::Relaxed) < FINDINGS {
                keep(seed, &budget.findings);
            }
        }
    });
    let differences = differences.into_inner();
    println!("{} programs, {differences} different, {:.0}/s", spent.count, spent.rate());
    if let Some(file) = &budget.total {
        totals::add(file, "riscv-qemu", &spent, None, differences)?;
    }
    Ok(differences)
}

/// Writes the program of a seed, alone, as an ELF file that any engine runs.
fn keep(seed: u64, folder: &Path) {
    let file = folder.join(format!("riscv-{seed:016x}.elf"));
    match std::fs::write(&file, Batch::new(&[seed]).executable.encode()) {
        Ok(()) => println!("  written: {}", file.display()),
        Err(error) => println!("  cannot write {}: {error}", file.display()),
    }
}

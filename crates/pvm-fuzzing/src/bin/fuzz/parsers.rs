//! Mutated inputs through every parser.
//!
//! A panic, more than a second, or more than 64 MiB of memory at once is a failure. Time and memory are measured for
//! the process as a whole, with other threads at work; an input that is suspected on that ground is run again alone.

use crate::ALLOCATOR;
use crate::budget::Budget;
use crate::totals;
use anyhow::Result;
use pvm_fuzzing::parsers::{Parser, Pool};
use std::panic::catch_unwind;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{PoisonError, RwLock};
use std::time::{Duration, Instant};

const TIME_LIMIT: Duration = Duration::from_secs(1);
const MEMORY_LIMIT: usize = 64 << 20;

struct Watch {
    /// What is allocated for the pool and by other threads, with room to spare.
    expected: usize,
    /// Held for reading while inputs run, for writing to run one alone.
    alone: RwLock<()>,
    /// How often memory has gone over what is expected.
    alarms: AtomicU64,
}

/// Runs, and returns how many inputs failed.
pub fn run(budget: &Budget) -> Result<u64> {
    let pool = Pool::new();
    let failures = AtomicU64::new(0);
    let accepted = AtomicU64::new(0);
    ALLOCATOR.reset_peak_usage();
    let expected = ALLOCATOR.current_usage() + MEMORY_LIMIT;
    let watch = Watch { expected, alone: RwLock::new(()), alarms: AtomicU64::new(0) };
    let spent = budget.spend("inputs", |seed| {
        let (parser, input) = pool.input(seed);
        match watch.check(parser, &input) {
            Ok(is_accepted) => drop(accepted.fetch_add(u64::from(is_accepted), Ordering::Relaxed)),
            Err(problem) => {
                println!("\rseed {seed}, {}: {problem}", parser.name());
                if failures.fetch_add(1, Ordering::Relaxed) < 50 {
                    keep(&budget.findings, parser, seed, &input);
                }
            }
        }
    });
    let failures = failures.into_inner();
    let accepted = accepted.into_inner();
    println!("{} inputs, {accepted} accepted, {failures} failed, {:.0}/s", spent.count, spent.rate());
    if let Some(file) = &budget.total {
        totals::add(file, "parsers", &spent, None, failures)?;
    }
    Ok(failures)
}

impl Watch {
    fn check(&self, parser: Parser, input: &[u8]) -> Result<bool, String> {
        let (accepted, suspected) = {
            let _together = self.alone.read().unwrap_or_else(PoisonError::into_inner);
            let alarms = self.alarms.load(Ordering::SeqCst);
            let started = Instant::now();
            let accepted = attempt(parser, input)?;
            if ALLOCATOR.peak_usage() > self.expected {
                self.alarms.fetch_add(1, Ordering::SeqCst);
            }
            (accepted, started.elapsed() > TIME_LIMIT || self.alarms.load(Ordering::SeqCst) != alarms)
        };
        if suspected { self.check_alone(parser, input) } else { Ok(accepted) }
    }

    fn check_alone(&self, parser: Parser, input: &[u8]) -> Result<bool, String> {
        let _alone = self.alone.write().unwrap_or_else(PoisonError::into_inner);
        let before = ALLOCATOR.current_usage();
        ALLOCATOR.reset_peak_usage();
        let started = Instant::now();
        let outcome = attempt(parser, input);
        let time = started.elapsed();
        let memory = ALLOCATOR.peak_usage().saturating_sub(before);
        ALLOCATOR.reset_peak_usage();
        match () {
            () if time > TIME_LIMIT => Err(format!("it takes {time:?}")),
            () if memory > MEMORY_LIMIT => Err(format!("it takes {} MiB", memory >> 20)),
            () => outcome,
        }
    }
}

fn attempt(parser: Parser, input: &[u8]) -> Result<bool, String> {
    catch_unwind(|| parser.check(input)).unwrap_or_else(|_| Err("it panics".to_owned()))
}

fn keep(folder: &Path, parser: Parser, seed: u64, input: &[u8]) {
    let file = folder.join(format!("{}-{seed:016x}", parser.name()));
    match std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, input)) {
        Ok(()) => println!("  kept: {}", file.display()),
        Err(error) => println!("  cannot write {}: {error}", file.display()),
    }
}

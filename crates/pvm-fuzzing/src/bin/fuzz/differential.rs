//! Random programs on several engines.

use crate::budget::Budget;
use crate::totals;
use anyhow::Result;
use fastrand::Rng;
use pvm_fuzzing::{Case, Difference, Engines, PeerReport, Report, random, shrink};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
struct Tally {
    stops: u64,
    native: u64,
    interruptions: u64,
    interrupted: u64,
    whole: u64,
    cut_short: BTreeMap<&'static str, u64>,
    excluded: BTreeMap<&'static str, u64>,
    differences: u64,
}

/// The most findings that are shrunk and written; more of them are hardly others.
const FINDINGS: u64 = 20;

/// How often a case is tried whose outcome depends on time.
const TRIES: u32 = 20;

/// Runs, and returns how many differed.
pub fn run(budget: &Budget) -> Result<u64> {
    let engines = Engines::new();
    let tally = Mutex::new(Tally::default());
    let spent = budget.spend("programs", |seed| {
        // Other numbers than the case is made of, or what it is would decide on the settings.
        let rng = &mut Rng::with_seed(!seed);
        let mut case = random::case(seed);
        engines.tame(&mut case);
        let settings = engines.choose(rng, &case);
        let report = check(&engines, &case, &settings);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(&report);
        if let Some(difference) = report.difference {
            tally.differences += 1;
            println!("\rseed {seed}: {}", difference.words);
            if tally.differences <= FINDINGS {
                keep(&engines, &case, &difference, &budget.findings, seed);
            }
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let cut_short: u64 = tally.cut_short.values().sum();
    let with_polkavm = tally.whole + cut_short;
    println!("{} stops compared; {} programs entered machine code", tally.stops, tally.native);
    println!("{} programs were interrupted under way, {} times", tally.interrupted, tally.interruptions);
    println!(
        "polkavm to the end {}, up to a quirk {}, not at all {}",
        tally.whole,
        list(&tally.cut_short),
        list(&tally.excluded)
    );
    println!(
        "{} programs, {with_polkavm} with polkavm, {} different, {:.0}/s",
        spent.count,
        tally.differences,
        spent.rate()
    );
    if let Some(file) = &budget.total {
        totals::add(file, "differential", &spent, Some(with_polkavm), tally.differences)?;
    }
    Ok(tally.differences)
}

fn list(counts: &BTreeMap<&'static str, u64>) -> String {
    let total: u64 = counts.values().sum();
    let each: Vec<String> = counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    format!("{total} ({})", each.join(", "))
}

/// Checks a case; a panic of an engine is a difference, too.
fn check(engines: &Engines, case: &Case, settings: &[usize]) -> Report {
    catch_unwind(AssertUnwindSafe(|| engines.check(case, settings, true))).unwrap_or_else(|_| Report {
        difference: Some(Difference { engine: settings.first().copied(), words: "an engine panicked".to_owned() }),
        ..Report::default()
    })
}

/// Shrinks a case and writes it.
fn keep(engines: &Engines, case: &Case, difference: &Difference, folder: &Path, seed: u64) {
    let settings: Vec<usize> = difference.engine.into_iter().collect();
    let tries = if engines.depends_on_time(&settings) { TRIES } else { 1 };
    let again = |case: &Case| {
        let mut found = (0..tries).filter_map(|_| check(engines, case, &settings).difference);
        found.find(|found| found.engine == difference.engine)
    };
    let mut small = shrink(case, |case| again(case).is_some());
    small.note = again(&small).map_or_else(|| difference.words.clone(), |found| found.words);
    let file = folder.join(format!("case-{seed:016x}.json"));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, small.to_text()));
    match written {
        Ok(()) => println!("  shrunk: {}", file.display()),
        Err(error) => println!("  cannot write {}: {error}", file.display()),
    }
}

impl Tally {
    fn add(&mut self, report: &Report) {
        self.stops += report.stops as u64;
        self.native += u64::from(report.native_entries > 0);
        self.interruptions += report.interruptions;
        self.interrupted += u64::from(report.interruptions > 0);
        match report.peer {
            Some(PeerReport::Whole) => self.whole += 1,
            Some(PeerReport::CutShort(quirk)) => *self.cut_short.entry(quirk.name()).or_default() += 1,
            Some(PeerReport::Excluded(quirk)) => *self.excluded.entry(quirk.name()).or_default() += 1,
            None => {}
        }
    }
}

//! Random RISC-V programs, interpreted and compiled.

use crate::budget::Budget;
use crate::totals;
use anyhow::{Context, Result};
use fastrand::Rng;
use pvm_fuzzing::rv32::{Case, Difference, Report, Tiers, shrink, wild};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

#[derive(Default)]
struct Tally {
    stops: u64,
    native: u64,
    interrupted: u64,
    differences: u64,
}

/// The most findings that are shrunk and written; more of them are hardly others.
const FINDINGS: u64 = 20;

/// How often a case is tried whose outcome depends on time.
const TRIES: u32 = 20;

/// Runs, and returns how many differed.
pub fn run(budget: &Budget) -> Result<u64> {
    let tiers = Tiers::new();
    let tally = Mutex::new(Tally::default());
    let spent = budget.spend("programs", |seed| {
        let case = case(&tiers, seed);
        // Other numbers than the case is made of, or what it is would decide on the setting.
        let setting = tiers.choose(&mut Rng::with_seed(!seed), &case);
        let report = check(&tiers, &case, setting);
        let mut tally = tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.add(&report);
        if let Some(difference) = report.difference {
            tally.differences += 1;
            println!("\rseed {seed}: {}", difference.words);
            if tally.differences <= FINDINGS {
                keep(&tiers, &case, &difference, &budget.findings, seed);
            }
        }
    });
    let tally = tally.into_inner().unwrap_or_else(PoisonError::into_inner);
    let Tally { stops, native, interrupted, differences } = tally;
    println!(
        "{stops} stops compared; {native} programs entered machine code, {interrupted} were interrupted under way"
    );
    println!("{} programs, {differences} different, {:.0}/s", spent.count, spent.rate());
    if let Some(file) = &budget.total {
        totals::add(file, "riscv", &spent, None, differences)?;
    }
    Ok(differences)
}

/// The case of a seed, which ends.
fn case(tiers: &Tiers, seed: u64) -> Case {
    let mut case = wild(seed);
    tiers.tame(&mut case);
    case
}

/// Prints the case of a seed; nothing can differ in that.
pub fn print(seed: u64) -> u64 {
    print!("{}", case(&Tiers::new(), seed).to_text());
    0
}

/// Checks a case; a panic of an engine is a difference, too.
fn check(tiers: &Tiers, case: &Case, setting: usize) -> Report {
    catch_unwind(AssertUnwindSafe(|| tiers.check(case, setting))).unwrap_or_else(|_| Report {
        difference: Some(Difference { setting, words: "an engine panicked".to_owned() }),
        ..Report::default()
    })
}

/// Shrinks a case and writes it.
fn keep(tiers: &Tiers, case: &Case, difference: &Difference, folder: &Path, seed: u64) {
    let tries = if tiers.depends_on_time(difference.setting) { TRIES } else { 1 };
    let again = |case: &Case| {
        // What is left must end, too.
        let mut tamed = case.clone();
        tiers.tame(&mut tamed);
        (tamed == *case).then(|| (0..tries).find_map(|_| check(tiers, case, difference.setting).difference)).flatten()
    };
    let mut small = shrink(case, |case| again(case).is_some());
    small.note = again(&small).map_or_else(|| difference.words.clone(), |found| found.words);
    let file = folder.join(format!("riscv-{seed:016x}.json"));
    match std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&file, small.to_text())) {
        Ok(()) => println!("  shrunk: {}", file.display()),
        Err(error) => println!("  cannot write {}: {error}", file.display()),
    }
}

/// Plays a case in every setting; returns 1 if it differs.
pub fn replay(file: &Path, mut case: Case, smaller: bool, verbose: bool) -> Result<u64> {
    let tiers = Tiers::new();
    let differing = |case: &Case| (0..tiers.settings()).find_map(|setting| tiers.check(case, setting).difference);
    if smaller {
        case = shrink(&case, |case| differing(case).is_some());
        std::fs::write(file, case.to_text()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    let difference = differing(&case);
    if verbose {
        show(&tiers, &case, difference.as_ref().map_or(0, |difference| difference.setting));
    }
    match &difference {
        Some(difference) => println!("{}", difference.words),
        None => println!("all the same in {} settings", tiers.settings()),
    }
    Ok(u64::from(difference.is_some()))
}

fn show(tiers: &Tiers, case: &Case, setting: usize) {
    for area in &case.areas {
        println!("{:#010x} {} {} bytes", area.address, area.access.name(), area.bytes.len());
        if (area.address..=area.address + (area.size() - 1)).contains(&case.pc) {
            list(area.address, &area.bytes);
        }
    }
    println!("{} pc {:#x} gas {} registers {:x?}", case.gas_model, case.pc, case.gas, case.registers);
    for (name, stops) in ["interpreted", "compiled"].into_iter().zip(tiers.runs(case, setting)) {
        println!("{name}");
        for (at, stop) in stops.iter().enumerate() {
            println!("  {stop:x?}");
            if let Some(step) = case.script.get(at) {
                println!("    then {step:x?}");
            }
        }
    }
}

/// Lists code, one instruction after the other from its beginning on; zeros are left out.
fn list(address: u32, bytes: &[u8]) {
    let mut at = 0;
    while let Some(bits) = bytes.get(at..at + 2) {
        let mut word = [0; 4];
        let len = (bytes.len() - at).min(4);
        word[..len].copy_from_slice(&bytes[at..at + len]);
        let (bits, pc) = (u16::from_le_bytes([bits[0], bits[1]]), address.wrapping_add(at as u32));
        match pvm_rv32::Instruction::decode(u32::from_le_bytes(word)) {
            Ok((instruction, len)) => {
                println!("  {pc:08x} {}", instruction.text(pc));
                at += len as usize;
            }
            Err(_) if bits == 0 => at += 2,
            Err(_) => {
                println!("  {pc:08x} {bits:#06x}");
                at += 2;
            }
        }
    }
}

impl Tally {
    fn add(&mut self, report: &Report) {
        self.stops += report.stops as u64;
        self.native += u64::from(report.native_entries > 0);
        self.interrupted += u64::from(report.interruptions > 0);
    }
}

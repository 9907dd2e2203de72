//! Findings again.

use anyhow::{Context, Result};
use pvm_fuzzing::{Case, Engines, parsers, random, rv32, shrink};
use std::path::Path;

/// Plays a case in every setting, or gives an input to the parsers; returns 1 if that fails.
pub fn run(file: &Path, smaller: bool, verbose: bool) -> Result<u64> {
    let bytes = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = std::str::from_utf8(&bytes).ok();
    if let Some(case) = text.and_then(|text| rv32::Case::from_text(text).ok()) {
        return crate::riscv::replay(file, case, smaller, verbose);
    }
    let Some(mut case) = text.and_then(|text| Case::from_text(text).ok()) else {
        let problems = parsers::check_everything(&bytes);
        problems.iter().for_each(|problem| println!("{problem}"));
        println!("{} bytes, {} problems", bytes.len(), problems.len());
        return Ok(u64::from(!problems.is_empty()));
    };
    let engines = Engines::new();
    let all: Vec<usize> = (0..engines.settings()).collect();
    if smaller {
        case = shrink(&case, |case| engines.check(case, &all, true).difference.is_some());
        std::fs::write(file, case.to_text()).with_context(|| format!("cannot write {}", file.display()))?;
    }
    if verbose {
        show(&engines, &case);
    }
    let report = engines.check(&case, &all, true);
    match &report.difference {
        Some(difference) => println!("{}", difference.words),
        None => println!("{} stops, all the same; polkavm: {:?}", report.stops, report.peer),
    }
    Ok(u64::from(report.difference.is_some()))
}

/// Prints the case of a seed; nothing can differ in that.
pub fn print(seed: u64) -> u64 {
    let mut case = random::case(seed);
    Engines::new().tame(&mut case);
    print!("{}", case.to_text());
    0
}

fn show(engines: &Engines, case: &Case) {
    if let Some(blob) = case.blob() {
        println!("{}", pvm_asm::disassemble(&blob.into(), case.profile));
    }
    println!("{} {} pc {} gas {} registers {:x?}", case.profile, case.gas_model, case.pc, case.gas, case.registers);
    println!("pages {:x?} heap {:x?}", case.pages, case.heap);
    for (name, stops) in engines.runs(case, &[0]) {
        println!("{name}");
        for (at, stop) in stops.iter().enumerate() {
            println!("  {stop:x?}");
            if let Some(step) = case.script.get(at) {
                println!("    then {step:x?}");
            }
        }
    }
}

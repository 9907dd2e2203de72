//! Runs programs on this engine and on its peers, in turn, and prints the times as ratios.
//!
//! Every contender does the same work on the same program in one process: each round runs all of them once, one after
//! the other, so that a machine whose speed drifts drifts for all. The result of every run is compared. The figure of a
//! contender is the least of its times, which noise can only raise.

mod contender;
mod ours;
mod polkavm_peer;

use anyhow::{Context, Result, ensure};
use clap::Parser;
use contender::Contender;
use pvm_program::Program;
use std::path::PathBuf;
use std::time::Duration;

/// Compare this engine with its peers on whole programs.
///
/// Times are from the first instruction to the halt: programs are loaded before. What is compiled before the first
/// instruction is not counted; what is compiled while running is.
#[derive(Parser)]
struct Arguments {
    /// Standard programs or JAM service files.
    #[arg(required = true)]
    programs: Vec<PathBuf>,
    /// How many rounds.
    #[arg(long, default_value_t = 5)]
    rounds: u32,
    /// Only contenders whose names contain one of these.
    #[arg(long)]
    only: Vec<String>,
}

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    let mut header = false;
    for path in &arguments.programs {
        let bytes = std::fs::read(path).with_context(|| path.display().to_string())?;
        let program = Program::parse(&bytes).with_context(|| path.display().to_string())?;
        let mut contenders = ours::contenders(&program)?;
        contenders.extend(polkavm_peer::contenders(&program)?);
        if !arguments.only.is_empty() {
            contenders.retain(|one| arguments.only.iter().any(|name| one.name.contains(name.as_str())));
        }
        if !std::mem::replace(&mut header, true) {
            print!("{:<14}", "program");
            contenders.iter().for_each(|one| print!(" {:>18}", one.name));
            println!();
        }
        let times = measure(&mut contenders, arguments.rounds).with_context(|| path.display().to_string())?;
        print!("{:<14}", path.file_stem().unwrap_or_default().to_string_lossy());
        for time in &times {
            let ratio = time.as_secs_f64() / times[0].as_secs_f64();
            print!(" {:>9.2}ms {ratio:>6.2}", time.as_secs_f64() * 1e3);
        }
        println!();
    }
    Ok(())
}

/// The least time of each contender.
fn measure(contenders: &mut [Contender], rounds: u32) -> Result<Vec<Duration>> {
    let mut least = vec![Duration::MAX; contenders.len()];
    let mut expected = None;
    for _ in 0..rounds {
        for (one, least) in contenders.iter_mut().zip(&mut least) {
            let (time, result) = (one.run)().with_context(|| one.name.clone())?;
            let expected = expected.get_or_insert_with(|| result.clone());
            ensure!(*expected == result, "{}: the result is {result:02x?} instead of {expected:02x?}", one.name);
            *least = time.min(*least);
        }
    }
    Ok(least)
}

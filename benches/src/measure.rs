//! Rounds of runs, and what remains of their times.

use crate::contender::{Contender, Runner, Sample};
use crate::kernel::Kernel;
use anyhow::{Context, Result, ensure};
use std::collections::HashMap;
use std::time::Duration;

/// How long the first runs are made before the length of the others is computed from them.
const CALIBRATION: Duration = Duration::from_millis(10);

/// What one contender took for one kernel.
pub struct Figures {
    /// The argument of the shorter runs; that of the longer ones is twice as much.
    pub n: u64,
    /// How long the shorter run and the longer run of each round took.
    pub rounds: Vec<[Duration; 2]>,
}

impl Figures {
    /// The median of the shorter runs, if `which` is 0, or of the longer ones, if it is 1, in seconds.
    pub fn median(&self, which: usize) -> f64 {
        median(self.rounds.iter().map(|round| round[which].as_secs_f64()).collect())
    }

    /// The time for one unit of work as a ratio to that of `other`: the median of the rounds, each of which compares what ran one shortly
    /// after the other.
    pub fn ratio_to(&self, other: &Figures) -> f64 {
        median(self.steady().zip(other.steady()).map(|(ours, others)| ours / others).collect())
    }

    /// Seconds for one unit of work in each round, start and compiling left out: what the longer run took more than the shorter.
    fn steady(&self) -> impl Iterator<Item = f64> {
        self.rounds.iter().map(|[short, long]| (long.as_secs_f64() - short.as_secs_f64()) / self.n as f64)
    }
}

/// The one in the middle, or the mean of both. There is at least one.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len().is_multiple_of(2) { f64::midpoint(values[middle - 1], values[middle]) } else { values[middle] }
}

/// A contender with the kernel loaded.
struct Entrant {
    name: &'static str,
    run: Runner,
    figures: Figures,
}

impl Entrant {
    /// One run, its result compared with those of the others.
    fn run(&mut self, n: u64, results: &mut HashMap<u64, u64>) -> Result<Duration> {
        let Sample { time, result } = (self.run)(n).with_context(|| self.name)?;
        let expected = *results.entry(n).or_insert(result);
        ensure!(result == expected, "{}: kernel({n}) is {result:#x} instead of {expected:#x}", self.name);
        Ok(time)
    }
}

/// Runs a kernel on all contenders in turn, `rounds` times. The first of them is native code: it says what is right, and
/// its shorter runs take `native`.
///
/// # Errors
///
/// If a contender cannot run the kernel, or its result differs.
pub fn measure(contenders: &[Contender], kernel: &Kernel, native: Duration, rounds: u32) -> Result<Vec<Figures>> {
    let mut entrants = Vec::new();
    let mut results = HashMap::new();
    let mut total = 1;
    for contender in contenders {
        let run = (contender.prepare)(kernel).with_context(|| contender.name)?;
        let figures = Figures { n: 1, rounds: Vec::new() };
        let mut entrant = Entrant { name: contender.name, run, figures };
        if entrants.is_empty() {
            total = calibrate(&mut entrant.run, native)?;
        }
        entrant.figures.n = (total / contender.share).max(1);
        entrants.push(entrant);
    }
    // Native code goes first, so its results are those that the others are held to; and every contender gets a run
    // before those that count.
    let lengths: Vec<u64> = entrants.iter().flat_map(|entrant| [entrant.figures.n, 2 * entrant.figures.n]).collect();
    for n in lengths {
        if !results.contains_key(&n) {
            entrants[0].run(n, &mut results)?;
        }
    }
    for entrant in &mut entrants[1..] {
        entrant.run(entrant.figures.n, &mut results)?;
    }
    for _ in 0..rounds {
        for entrant in &mut entrants {
            let n = entrant.figures.n;
            let round = [entrant.run(n, &mut results)?, entrant.run(2 * n, &mut results)?];
            entrant.figures.rounds.push(round);
        }
    }
    Ok(entrants.into_iter().map(|entrant| entrant.figures).collect())
}

/// The argument for which native code takes about `time`.
fn calibrate(run: &mut Runner, time: Duration) -> Result<u64> {
    let mut n = 1;
    loop {
        let sample = run(n)?;
        if sample.time >= CALIBRATION {
            let scale = time.as_secs_f64() / sample.time.as_secs_f64();
            return Ok(((n as f64 * scale) as u64).max(1));
        }
        n *= 2;
    }
}

//! How long to go on, on how many threads, and how far one is.

use anyhow::{Context, Result};
use clap::Args;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// What all targets have in common.
#[derive(Args)]
pub struct Budget {
    /// Stop after this many.
    #[arg(long, required_unless_present = "time")]
    count: Option<u64>,
    /// Stop after this long: `90s`, `10m`, `2h`.
    #[arg(long, value_parser = duration)]
    time: Option<Duration>,
    /// The seed; by default another one each time.
    #[arg(long)]
    seed: Option<u64>,
    /// Begin with this one of the seed's sequence.
    #[arg(long, default_value_t = 0)]
    skip: u64,
    /// How many threads; by default as many as the machine has.
    #[arg(long)]
    threads: Option<usize>,
    /// Add to the totals in this file.
    #[arg(long)]
    pub total: Option<PathBuf>,
    /// Where findings are written.
    #[arg(long, default_value = "target/fuzz")]
    pub findings: PathBuf,
}

fn duration(text: &str) -> Result<Duration> {
    let (digits, unit) = text.split_at(text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len()));
    let seconds = match unit {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        _ => anyhow::bail!("`{unit}` is no unit of time; there are s, m and h"),
    };
    let count: u64 = digits.parse().context("a time begins with a number")?;
    Ok(Duration::from_secs(count * seconds))
}

/// A run on several threads.
pub struct Progress {
    seed: u64,
    next: AtomicU64,
    end: u64,
    /// How many are done at a time.
    each: u64,
    done: AtomicU64,
    started: Instant,
    deadline: Option<Instant>,
    stop: AtomicBool,
    /// What each thread works on, and since when.
    at_work: Vec<Mutex<Option<(u64, Instant)>>>,
}

/// What takes longer than this does not end.
const PATIENCE: Duration = Duration::from_secs(120);

/// How many of the sequence a thread takes at a time.
const BATCH: u64 = 64;

impl Budget {
    /// Works until the budget is used up: `work` gets the seed of one, and does it.
    pub fn spend(&self, unit: &str, work: impl Fn(u64) + Sync) -> Spent {
        self.spend_in(1, unit, work)
    }

    /// The same where `work` does `each` of them at a time.
    pub fn spend_in(&self, each: u64, unit: &str, work: impl Fn(u64) + Sync) -> Spent {
        let started = Instant::now();
        let seed = self.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
        println!("seed {seed}");
        let threads = self.threads.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, Into::into)).max(1);
        let progress = Progress {
            seed,
            next: AtomicU64::new(self.skip),
            end: self.count.map_or(u64::MAX, |count| self.skip + count.div_ceil(each)),
            each,
            done: AtomicU64::new(0),
            started,
            deadline: self.time.map(|time| started + time),
            stop: AtomicBool::new(false),
            at_work: (0..threads).map(|_| Mutex::default()).collect(),
        };
        std::thread::scope(|scope| {
            let at_work = progress.at_work.iter();
            let workers: Vec<_> = at_work.map(|at| scope.spawn(|| progress.work(at, &work))).collect();
            scope.spawn(|| progress.show(unit));
            workers.into_iter().for_each(|worker| {
                let _ = worker.join();
            });
            progress.stop.store(true, Ordering::Relaxed);
        });
        Spent { count: progress.done.into_inner(), time: started.elapsed() }
    }
}

/// What has been done.
pub struct Spent {
    /// How many.
    pub count: u64,
    /// How long it took.
    pub time: Duration,
}

impl Spent {
    /// How many a second.
    pub fn rate(&self) -> f64 {
        self.count as f64 / self.time.as_secs_f64().max(1e-9)
    }
}

impl Progress {
    fn work(&self, at_work: &Mutex<Option<(u64, Instant)>>, work: &(impl Fn(u64) + Sync)) {
        loop {
            let from = self.next.fetch_add(BATCH, Ordering::Relaxed);
            for index in from..(from + BATCH).min(self.end) {
                if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                    return;
                }
                let seed = mix(self.seed, index);
                *lock(at_work) = Some((seed, Instant::now()));
                work(seed);
                *lock(at_work) = None;
                self.done.fetch_add(self.each, Ordering::Relaxed);
            }
            if from + BATCH >= self.end {
                return;
            }
        }
    }

    /// Shows how far it is, and gives up when a thread hangs, which nothing else would end.
    fn show(&self, unit: &str) {
        let is_terminal = std::io::stdout().is_terminal();
        while !self.stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(100));
            for (seed, since) in self.at_work.iter().filter_map(|at| *lock(at)) {
                if since.elapsed() > PATIENCE {
                    println!("\rseed {seed} does not end");
                    std::process::exit(1);
                }
            }
            if is_terminal {
                let done = self.done.load(Ordering::Relaxed);
                let rate = done as f64 / self.started.elapsed().as_secs_f64();
                print!("\r{done} {unit}, {rate:.0}/s ");
                let _ = std::io::stdout().flush();
            }
        }
        if is_terminal {
            println!();
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The seed of one of a sequence.
fn mix(seed: u64, index: u64) -> u64 {
    let mut value = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ index.wrapping_add(0x6a09_e667_f3bc_c909);
    value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value = (value ^ value >> 32).wrapping_mul(0xd6e8_feb8_6659_fd93);
    value ^ value >> 32
}

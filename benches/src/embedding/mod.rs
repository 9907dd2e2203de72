//! Engines as an embedder uses them: instances are made, called, call their host, are reset and dropped.

pub mod ours;
pub mod polkavm;
#[cfg(feature = "peers")]
pub mod wasmtime;

use crate::clock::Processes;
use crate::resident::Resident;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::time::Instant;

/// A program that calls its host `a0` times, in the assembly of the `polkavm` crate; our engine runs the same container.
pub const HOST_CALLS: &str = "
    %isa = revive_v1
    pub @kernel:
    @again:
        ecalli 0
        a0 = a0 + 0xffffffffffffffff
        jump @again if a0 != 0
        ret
";

/// The least of so many batches counts.
const BATCHES: usize = 20;
/// So many instances are in a batch.
const BATCH: usize = 32;
/// So many host calls are timed together.
const CALLS: u64 = 20_000;

/// An engine with a kernel.
pub trait Embedded {
    /// An instance.
    type Guest;

    /// Where guests run.
    fn processes(&self) -> Processes {
        Processes::Own
    }

    /// Makes an instance, ready to be called.
    ///
    /// # Errors
    ///
    /// If the engine fails.
    fn make(&self) -> Result<Self::Guest>;

    /// Calls `kernel(1)`.
    ///
    /// # Errors
    ///
    /// If the engine fails, or the guest does.
    fn run(&self, guest: &mut Self::Guest) -> Result<()>;

    /// Brings an instance that was called to where it can be called anew; `None` if only a new one can.
    ///
    /// # Errors
    ///
    /// If the engine fails.
    fn reset(&self, guest: &mut Self::Guest) -> Option<Result<()>>;

    /// What calls the host so many times, with one instance.
    ///
    /// # Errors
    ///
    /// If the engine fails.
    fn host_calls(&self) -> Result<Action>;

    /// What makes and drops an instance with the 16 MiB that another has written, or that it begins with.
    ///
    /// # Errors
    ///
    /// If the engine fails.
    fn fork(&self) -> Result<Option<Action>> {
        Ok(None)
    }
}

/// Something that is done so many times.
pub type Action = Box<dyn FnMut(u64) -> Result<()>>;

/// What an engine takes for an instance. Of several rounds each time is the least.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Figures {
    /// What made them.
    pub engine: String,
    /// The program.
    pub kernel: String,
    /// How many were there at once.
    pub instances: usize,
    /// For an instance beside all that were made before, the median.
    pub first_make_microseconds: f64,
    /// The same once as many have gone.
    pub make_microseconds: f64,
    /// For dropping one that has run.
    pub drop_microseconds: f64,
    /// For the first call of a new instance of a program that has been compiled.
    pub call_microseconds: f64,
    /// For a reset after that.
    pub reset_microseconds: Option<f64>,
    /// For making and dropping one with 16 MiB.
    pub fork_microseconds: Option<f64>,
    /// For a call of the host and back.
    pub host_call_nanoseconds: f64,
    /// Resident memory of an idle instance.
    pub idle_kib: f64,
    /// The host's page tables for it.
    pub idle_page_tables_kib: f64,
    /// Resident memory of one that has run.
    pub run_kib: f64,
    /// The host's page tables for it.
    pub run_page_tables_kib: f64,
}

impl Figures {
    /// Takes over what is less in another round; memory is that of the first.
    pub fn merge(&mut self, other: &Figures) {
        let least = |a: &mut f64, b: f64| *a = a.min(b);
        least(&mut self.first_make_microseconds, other.first_make_microseconds);
        least(&mut self.make_microseconds, other.make_microseconds);
        least(&mut self.drop_microseconds, other.drop_microseconds);
        least(&mut self.call_microseconds, other.call_microseconds);
        least(&mut self.host_call_nanoseconds, other.host_call_nanoseconds);
        for (a, b) in [
            (&mut self.reset_microseconds, other.reset_microseconds),
            (&mut self.fork_microseconds, other.fork_microseconds),
        ] {
            *a = a.zip(b).map(|(a, b)| a.min(b));
        }
    }
}

/// Measures an engine with `count` instances at once, and then with fewer, again and again.
///
/// # Errors
///
/// If the engine fails, or the host does not tell of memory.
pub fn measure<E: Embedded>(engine: &E, count: usize) -> Result<Figures> {
    // The first instance brings along what all share, such as compiled code.
    engine.run(&mut engine.make()?)?;
    let mut figures = observe(engine, count)?;
    let mut least = [f64::INFINITY; 4];
    for _ in 0..BATCHES {
        let (times, has_reset) = batch(engine, BATCH.min(count))?;
        for (least, time) in least.iter_mut().zip(times) {
            *least = least.min(time);
        }
        figures.reset_microseconds = has_reset.then_some(least[2]);
    }
    [figures.make_microseconds, figures.call_microseconds, _, figures.drop_microseconds] = least;
    let mut calls = engine.host_calls()?;
    figures.host_call_nanoseconds = least_time(BATCHES, CALLS, &mut calls)? * 1e9;
    if let Some(mut fork) = engine.fork()? {
        figures.fork_microseconds = Some(least_time(BATCHES, 10, &mut fork)? * 1e6);
    }
    Ok(figures)
}

/// The seconds that doing something takes, if it is done some times.
fn least_time(rounds: usize, times: u64, action: &mut Action) -> Result<f64> {
    let mut least = f64::INFINITY;
    for _ in 0..rounds {
        let start = Instant::now();
        action(times)?;
        least = least.min(start.elapsed().as_secs_f64() / times as f64);
    }
    Ok(least)
}

/// Makes, calls, resets and drops some instances: microseconds for each of these steps, and whether there is a reset.
fn batch<E: Embedded>(engine: &E, count: usize) -> Result<([f64; 4], bool)> {
    let mut guests = Vec::with_capacity(count);
    let mut has_reset = true;
    let per_guest = |start: Instant| start.elapsed().as_secs_f64() * 1e6 / count as f64;
    let start = Instant::now();
    for _ in 0..count {
        guests.push(engine.make()?);
    }
    let make = per_guest(start);
    let start = Instant::now();
    guests.iter_mut().try_for_each(|guest| engine.run(guest))?;
    let call = per_guest(start);
    let start = Instant::now();
    for guest in &mut guests {
        match engine.reset(guest) {
            Some(result) => result?,
            None => has_reset = false,
        }
    }
    let reset = per_guest(start);
    if has_reset {
        guests.iter_mut().try_for_each(|guest| engine.run(guest))?;
    }
    let start = Instant::now();
    drop(guests);
    Ok(([make, call, reset, per_guest(start)], has_reset))
}

/// Makes, runs and drops `count` instances.
fn observe<E: Embedded>(engine: &E, count: usize) -> Result<Figures> {
    let mut guests = Vec::with_capacity(count);
    let mut times = Vec::with_capacity(count);
    let before = Resident::now(engine.processes())?;
    for _ in 0..count {
        let start = Instant::now();
        guests.push(engine.make()?);
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let (idle_kib, idle_page_tables_kib) = Resident::now(engine.processes())?.per_thing(&before, count);
    guests.iter_mut().try_for_each(|guest| engine.run(guest))?;
    let (run_kib, run_page_tables_kib) = Resident::now(engine.processes())?.per_thing(&before, count);
    times.sort_by(f64::total_cmp);
    Ok(Figures {
        engine: String::new(),
        kernel: String::new(),
        instances: count,
        first_make_microseconds: times.get(count / 2).copied().unwrap_or_default(),
        make_microseconds: 0.0,
        drop_microseconds: 0.0,
        call_microseconds: 0.0,
        reset_microseconds: None,
        fork_microseconds: None,
        host_call_nanoseconds: 0.0,
        idle_kib,
        idle_page_tables_kib,
        run_kib,
        run_page_tables_kib,
    })
}

//! Processor time, of this process or of those that it has started.
//!
//! A busy machine makes wall-clock times meaningless much sooner than processor times.

use rustix::time::{ClockId, clock_gettime};
use std::collections::HashMap;
use std::time::Duration;

/// Where an engine runs its guests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Processes {
    /// In this process.
    Own,
    /// In descendants of this process. Only they count: this process waits for them, and may do so by polling.
    Descendants,
}

/// A stopwatch of processor time.
pub struct Stopwatch {
    processes: Processes,
    start: Duration,
}

impl Stopwatch {
    /// Starts it.
    pub fn start(processes: Processes) -> Stopwatch {
        Stopwatch { processes, start: used(processes) }
    }

    /// The processor time since the start.
    pub fn elapsed(&self) -> Duration {
        used(self.processes).saturating_sub(self.start)
    }
}

fn used(processes: Processes) -> Duration {
    match processes {
        Processes::Own => {
            let own = clock_gettime(ClockId::ProcessCPUTime);
            Duration::new(own.tv_sec as u64, own.tv_nsec as u32)
        }
        Processes::Descendants => descendants_time(),
    }
}

/// The processor time of all living descendants, from `/proc`; zero where there is no such thing.
fn descendants_time() -> Duration {
    descendants().into_iter().filter_map(time_of).sum()
}

/// All living descendants of this process, from `/proc`; none where there is no such thing.
pub fn descendants() -> Vec<u32> {
    let parents = parents();
    let own = std::process::id();
    let is_descendant = |mut pid: u32| {
        while let Some(&parent) = parents.get(&pid) {
            if parent == own {
                return true;
            }
            pid = parent;
        }
        false
    };
    parents.keys().copied().filter(|&pid| is_descendant(pid)).collect()
}

/// The parent of each process.
fn parents() -> HashMap<u32, u32> {
    let Ok(entries) = std::fs::read_dir("/proc") else { return HashMap::new() };
    let parent = |pid: u32| {
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The name, in parentheses, may contain anything; then come the state and the parent.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
    };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid| Some((pid, parent(pid)?)))
        .collect()
}

/// The processor time of the first thread of a process, from `/proc`, until somebody has waited for it.
pub fn time_of(pid: u32) -> Option<Duration> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
    Some(Duration::from_nanos(stat.split_whitespace().next()?.parse().ok()?))
}

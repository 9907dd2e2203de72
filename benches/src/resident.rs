//! How much memory processes take, from `/proc` (Linux only).

use crate::clock::{Processes, descendants};
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};

/// Memory at one moment, in kibibytes.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct Resident {
    /// Pages of memory; of those that several processes share, each has its part.
    pub pages: u64,
    /// The host's page tables.
    pub page_tables: u64,
}

impl Resident {
    /// What this process takes now; together with its descendants, if guests run there.
    ///
    /// # Errors
    ///
    /// If the host does not say.
    pub fn now(processes: Processes) -> Result<Resident> {
        let mut sum = Resident::of("self")?;
        if processes == Processes::Descendants {
            for pid in descendants() {
                let one = Resident::of(&pid.to_string())?;
                sum = Resident { pages: sum.pages + one.pages, page_tables: sum.page_tables + one.page_tables };
            }
        }
        Ok(sum)
    }

    fn of(process: &str) -> Result<Resident> {
        Ok(Resident {
            pages: field(process, "smaps_rollup", "Pss:")?,
            page_tables: field(process, "status", "VmPTE:")?,
        })
    }

    /// How much more this is than `before`, for each of `count` things.
    pub fn per_thing(&self, before: &Resident, count: usize) -> (f64, f64) {
        let share = |now: u64, before: u64| now.saturating_sub(before) as f64 / count as f64;
        (share(self.pages, before.pages), share(self.page_tables, before.page_tables))
    }
}

/// The most memory that this process ever took, in kibibytes.
///
/// # Errors
///
/// If the host does not say.
pub fn peak() -> Result<u64> {
    field("self", "status", "VmHWM:")
}

/// A number from a file with lines like `name: 123 kB`.
fn field(process: &str, file: &str, name: &str) -> Result<u64> {
    let path = format!("/proc/{process}/{file}");
    let text = std::fs::read_to_string(&path).with_context(|| path.clone())?;
    let line = text.lines().find_map(|line| line.strip_prefix(name)).with_context(|| format!("{path}: no {name}"))?;
    let number = line.split_whitespace().next().with_context(|| format!("{path}: {name} is empty"))?;
    Ok(number.parse()?)
}

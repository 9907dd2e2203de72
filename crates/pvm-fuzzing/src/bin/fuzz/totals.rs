//! The file that keeps what all runs together have done.

use crate::budget::Spent;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;

/// The totals of one target.
#[derive(Default, Serialize, Deserialize)]
#[serde(default)]
struct Total {
    /// How many.
    count: u64,
    /// How many of them were compared with the `polkavm` crate.
    #[serde(skip_serializing_if = "Option::is_none")]
    with_polkavm: Option<u64>,
    /// How many differed or failed.
    differences: u64,
    /// The time they took.
    seconds: u64,
    /// What was tested last.
    last_commit: String,
}

/// Adds a run to the totals in `file`.
pub fn add(file: &Path, target: &str, spent: &Spent, with_polkavm: Option<u64>, differences: u64) -> Result<()> {
    let mut totals: BTreeMap<String, Total> = match std::fs::read_to_string(file) {
        Ok(text) => serde_json::from_str(&text).with_context(|| format!("{} holds no totals", file.display()))?,
        Err(_) => BTreeMap::new(),
    };
    let total = totals.entry(target.to_owned()).or_default();
    total.count += spent.count;
    total.differences += differences;
    total.seconds += spent.time.as_secs();
    if let Some(count) = with_polkavm {
        *total.with_polkavm.get_or_insert(0) += count;
    }
    total.last_commit = commit();
    let text = serde_json::to_string_pretty(&totals)? + "\n";
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// The commit that is checked out, if there is one.
fn commit() -> String {
    let output = Command::new("git").args(["rev-parse", "--short=12", "HEAD"]).output();
    let commit = output.ok().filter(|output| output.status.success()).map(|output| output.stdout);
    commit.map_or_else(|| "unknown".to_owned(), |commit| String::from_utf8_lossy(&commit).trim().to_owned())
}

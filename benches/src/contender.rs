//! What is compared.

use anyhow::Result;
use std::time::Duration;

/// An engine with a program.
pub struct Contender {
    /// What the table calls it.
    pub name: String,
    /// Runs the program once from its start: how long it took, and its result.
    pub run: Box<dyn FnMut() -> Result<(Duration, Vec<u8>)>>,
}

/// More gas than any program here uses.
pub const GAS: i64 = 1 << 50;

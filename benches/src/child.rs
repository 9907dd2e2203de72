//! Measuring in processes of their own: what one engine leaves behind in memory must not count for the next.

use anyhow::{Context, Result, ensure};
use serde::de::DeserializeOwned;
use std::process::{Command, Stdio};

/// Runs this program again with these arguments, and reads what it prints as JSON.
///
/// # Errors
///
/// If it fails, or prints something else.
pub fn measure<T: DeserializeOwned>(arguments: &[String]) -> Result<T> {
    let program = std::env::current_exe().context("this program's path")?;
    let output = Command::new(program).args(arguments).stderr(Stdio::inherit()).output()?;
    ensure!(output.status.success(), "{}: {}", arguments.join(" "), output.status);
    Ok(serde_json::from_slice(&output.stdout)?)
}

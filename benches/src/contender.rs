//! What is compared: an engine, or the host itself, and a kernel prepared for it.

use crate::kernel::Kernel;
use anyhow::Result;
use std::time::Duration;

/// Which form of a kernel an engine takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Guest {
    /// C, compiled for the host.
    Source,
    /// The `.polkavm` container.
    Pvm,
    /// The `.wasm` module.
    Wasm,
    /// The RISC-V program.
    Riscv,
}

/// An engine with its settings.
pub struct Contender {
    /// What tables call it.
    pub name: &'static str,
    /// What it runs.
    pub guest: Guest,
    /// It does this fraction of the native work, so that slow engines take no longer than fast ones.
    pub share: u64,
    /// Loads a kernel, so that the first run can begin.
    pub prepare: Prepare,
}

/// Makes a kernel ready to be run.
pub type Prepare = Box<dyn Fn(&Kernel) -> Result<Runner>>;

/// Runs `kernel(n)` once, from a fresh state of the guest.
pub type Runner = Box<dyn FnMut(u64) -> Result<Sample>>;

/// One run.
pub struct Sample {
    /// Processor time from the call to the return, compiling on the way included.
    pub time: Duration,
    /// What the kernel returned.
    pub result: u64,
}

/// More gas than any run here uses.
pub const GAS: i64 = 1 << 60;

//! Host-call traces (JIP-7, earlier JIP-6): everything that a run got from its host and told it, as text.
//!
//! Any engine can repeat the run without the host ([`Trace::parse`]), and two traces of the same run are equal line by
//! line ([`TraceWriter`]).
//!
//! A trace is read in two steps. [`Record::find`] looks for a record in one line and is tolerant: what stands before and
//! after it is ignored, as log prefixes would be, and so is a line without one. [`Trace::parse`] puts the records together
//! and is strict: every record must be where the format has it. A line that is a record but for a number that is too
//! large, or bytes that do not have the stated length, is an error as well: ignoring it would replay another run.
//!
//! ```
//! use pvm_conformance::trace::{EndKind, Trace};
//!
//! let text = "\
//! program 0x000000
//! start pc=0 gas=100 r07=0x10
//! ecalli=100 pc=4 gas=98 r07=0x10
//! setreg r07 <- 0x0
//! setgas <- 88
//! HALT pc=6 gas=80
//! ";
//! let trace = Trace::parse(text)?;
//! assert_eq!(trace.calls[0].set_registers, [(7, 0)]);
//! assert_eq!(trace.end.as_ref().map(|end| &end.kind), Some(&EndKind::Halt));
//! let written: Vec<String> = trace.records().map(|record| record.to_string()).collect();
//! assert_eq!(written, text.lines().collect::<Vec<_>>());
//! # Ok::<(), pvm_conformance::trace::TraceError>(())
//! ```

mod error;
mod line;
mod parse;
mod record;
mod write;

pub use error::{Problem, TraceError};
pub use record::Record;
pub use write::TraceWriter;

use pvm_isa::REG_COUNT;

/// The machine's state where a record gives it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct State {
    /// Program counter.
    pub pc: u32,
    /// Gas that is left.
    pub gas: u64,
    /// The registers r0 to r12.
    pub registers: [u64; REG_COUNT],
}

/// A run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trace {
    /// The program as it is stored, metadata included.
    pub program: Vec<u8>,
    /// What is written to memory before the start: addresses and bytes.
    pub initial_memory: Vec<(u32, Vec<u8>)>,
    /// The state at the start.
    pub start: State,
    /// The host calls, in order.
    pub calls: Vec<HostCall>,
    /// How it ended; absent if the trace was cut off.
    pub end: Option<End>,
}

/// A host call.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostCall {
    /// Its number.
    pub id: u64,
    /// The state at the `ecalli`, before the host charges anything.
    pub state: State,
    /// What the host read from memory: addresses, and the bytes that were there.
    pub reads: Vec<(u32, Vec<u8>)>,
    /// What the host wrote to memory.
    pub writes: Vec<(u32, Vec<u8>)>,
    /// The registers that the host set.
    pub set_registers: Vec<(u8, u64)>,
    /// Gas after the call, if the host came to an end with it.
    pub gas_after: Option<u64>,
}

/// The end of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct End {
    /// How it ended.
    pub kind: EndKind,
    /// The state it ended in.
    pub state: State,
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndKind {
    /// It halted.
    Halt,
    /// It could not pay.
    OutOfGas,
    /// It panicked, which includes page faults.
    Panic {
        /// What the engine says about it, one word. The format leaves its meaning open.
        argument: String,
    },
}

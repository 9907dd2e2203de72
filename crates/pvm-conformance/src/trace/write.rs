//! Writing traces in the canonical form.

use super::{EndKind, Record, State, Trace};
use std::borrow::Cow;
use std::fmt::{self, Display, Formatter};
use std::io;

impl Display for Record<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let name = self.name();
        match self {
            Record::Program(program) => write!(f, "{name} {}", Hex(program)),
            Record::MemWrite { address, data } => {
                write!(f, "{name} {address:#010x} len={} <- {}", data.len(), Hex(data))
            }
            Record::MemRead { address, data } => {
                write!(f, "{name} {address:#010x} len={} -> {}", data.len(), Hex(data))
            }
            Record::Start(state) => write!(f, "{name} {state}"),
            Record::Ecalli { id, state } => write!(f, "{name}={id} {state}"),
            Record::SetReg { register, value } => write!(f, "{name} r{register:02} <- {value:#x}"),
            Record::SetGas(gas) => write!(f, "{name} <- {gas}"),
            Record::End(end) => match &end.kind {
                EndKind::Panic { argument } => write!(f, "{name}={argument} {}", end.state),
                EndKind::Halt | EndKind::OutOfGas => write!(f, "{name} {}", end.state),
            },
        }
    }
}

impl Display for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "pc={} gas={}", self.pc, self.gas)?;
        let registers = self.registers.iter().enumerate().filter(|(_, value)| **value != 0);
        for (register, value) in registers {
            write!(f, " r{register:02}={value:#x}")?;
        }
        Ok(())
    }
}

/// Bytes as one string of lower-case hexadecimal digits.
struct Hex<'a>(&'a [u8]);

impl Display for Hex<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
        let mut text = String::with_capacity(2 + 2 * self.0.len());
        text.push_str("0x");
        for byte in self.0 {
            text.push(DIGITS[usize::from(byte >> 4)]);
            text.push(DIGITS[usize::from(byte & 15)]);
        }
        f.write_str(&text)
    }
}

impl Trace {
    /// The records of the trace, in the order of the format; what the host did in a call is in the order that it has
    /// in [`HostCall`](super::HostCall).
    pub fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let prelude = std::iter::once(Record::Program(Cow::Borrowed(&self.program)))
            .chain(self.initial_memory.iter().map(memory_write))
            .chain(std::iter::once(Record::Start(self.start)));
        let calls = self.calls.iter().flat_map(|call| {
            std::iter::once(Record::Ecalli { id: call.id, state: call.state })
                .chain(call.reads.iter().map(memory_read))
                .chain(call.writes.iter().map(memory_write))
                .chain(call.set_registers.iter().map(|&(register, value)| Record::SetReg { register, value }))
                .chain(call.gas_after.map(Record::SetGas))
        });
        prelude.chain(calls).chain(self.end.iter().map(|end| Record::End(Cow::Borrowed(end))))
    }
}

fn memory_read((address, data): &(u32, Vec<u8>)) -> Record<'_> {
    Record::MemRead { address: *address, data: Cow::Borrowed(data) }
}

fn memory_write((address, data): &(u32, Vec<u8>)) -> Record<'_> {
    Record::MemWrite { address: *address, data: Cow::Borrowed(data) }
}

/// Writes a trace, record by record. It does not look at their order: that is up to whoever runs the program.
///
/// Each record is handed on in one piece, so that lines stay whole where others write to the same place; wrap `W` in a
/// buffer if that does not matter.
#[derive(Debug)]
pub struct TraceWriter<W> {
    out: W,
}

impl<W: io::Write> TraceWriter<W> {
    /// A writer to `out`.
    pub const fn new(out: W) -> TraceWriter<W> {
        TraceWriter { out }
    }

    /// Writes a record.
    ///
    /// # Errors
    ///
    /// Where `out` fails.
    pub fn record(&mut self, record: &Record<'_>) -> io::Result<()> {
        self.line(record.to_string())
    }

    /// Writes a comment, as many as `text` has lines.
    ///
    /// # Errors
    ///
    /// Where `out` fails.
    pub fn comment(&mut self, text: &str) -> io::Result<()> {
        text.lines().try_for_each(|line| self.line(format!("comment {line}")))
    }

    fn line(&mut self, mut line: String) -> io::Result<()> {
        line.push('\n');
        self.out.write_all(line.as_bytes())
    }

    /// Writes all of a trace.
    ///
    /// # Errors
    ///
    /// Where `out` fails.
    pub fn trace(&mut self, trace: &Trace) -> io::Result<()> {
        trace.records().try_for_each(|record| self.record(&record))
    }

    /// Writes what is still buffered.
    ///
    /// # Errors
    ///
    /// Where `out` fails.
    pub fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }

    /// What was written to.
    pub fn into_inner(self) -> W {
        self.out
    }
}

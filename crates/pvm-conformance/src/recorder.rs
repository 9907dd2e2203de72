//! Writing the trace of a run while it goes on.

use crate::trace::{End, EndKind, Record, State, TraceWriter};
use pvm_host::{Effects, Observer, Outcome};
use pvm_program::Segment;
use pvm_runtime::{Exit, Instance};
use std::borrow::Cow;
use std::io;

/// Writes the trace of a run that it observes. What it writes passes when it is replayed.
///
/// Writing may fail at any call; the first error is kept and comes out at [`Recorder::finish`].
#[derive(Debug)]
pub struct Recorder<W> {
    writer: TraceWriter<W>,
    result: io::Result<()>,
}

impl<W: io::Write> Recorder<W> {
    /// Begins the trace of a run of `instance`, which stands at its start: the program as it is stored, the arguments
    /// if it has any, and the state. `comment` goes before them.
    ///
    /// # Errors
    ///
    /// Where `out` fails.
    pub fn start(
        out: W,
        comment: &str,
        program: &[u8],
        arguments: Option<&Segment>,
        instance: &Instance,
    ) -> io::Result<Recorder<W>> {
        let mut writer = TraceWriter::new(out);
        writer.comment(comment)?;
        writer.record(&Record::Program(Cow::Borrowed(program)))?;
        if let Some(Segment { address, data, .. }) = arguments {
            writer.record(&Record::MemWrite { address: *address, data: Cow::Borrowed(data) })?;
        }
        writer.record(&Record::Start(state(instance)))?;
        Ok(Recorder { writer, result: Ok(()) })
    }

    fn write(&mut self, write: impl FnOnce(&mut TraceWriter<W>) -> io::Result<()>) {
        if self.result.is_ok() {
            self.result = write(&mut self.writer);
        }
    }

    /// Ends the trace, and returns what was written to. A page fault is a panic here, with the address as its
    /// argument. A run that stopped but could go on, at a host call or after a time, has no end in a trace.
    ///
    /// # Errors
    ///
    /// Where `out` has failed, now or before.
    pub fn finish(mut self, instance: &Instance, exit: Exit) -> io::Result<W> {
        let kind = match exit {
            Exit::Halt => Some(EndKind::Halt),
            Exit::OutOfGas => Some(EndKind::OutOfGas),
            Exit::Panic => Some(EndKind::Panic { argument: "0".to_owned() }),
            Exit::PageFault { address } => Some(EndKind::Panic { argument: format!("{address:#010x}") }),
            Exit::HostCall { .. } | Exit::Interrupted | Exit::Ecall | Exit::Trap { .. } => None,
        };
        self.write(|writer| match kind {
            Some(kind) => writer.record(&Record::End(Cow::Owned(End { kind, state: state(instance) }))),
            None => writer.comment("stopped before the end"),
        });
        self.write(TraceWriter::flush);
        self.result.map(|()| self.writer.into_inner())
    }
}

impl<W: io::Write> Observer for Recorder<W> {
    fn called(&mut self, instance: &Instance, id: u64) {
        self.write(|writer| writer.record(&Record::Ecalli { id, state: state(instance) }));
    }

    /// The format wants reads and writes by address, then by bytes, and registers by number.
    fn answered(&mut self, instance: &Instance, effects: Effects, outcome: Outcome) {
        let Effects { mut reads, mut writes, mut registers } = effects;
        reads.sort();
        writes.sort();
        // Of several values of a register the last one counts.
        registers.reverse();
        registers.sort_by_key(|(register, _)| *register);
        registers.dedup_by_key(|(register, _)| *register);
        self.write(|writer| {
            for (address, data) in reads {
                writer.record(&Record::MemRead { address, data: Cow::Owned(data) })?;
            }
            for (address, data) in writes {
                writer.record(&Record::MemWrite { address, data: Cow::Owned(data) })?;
            }
            for (register, value) in registers {
                writer.record(&Record::SetReg { register, value })?;
            }
            match outcome {
                Outcome::Resume => writer.record(&Record::SetGas(instance.gas())),
                // The host ended the run: there is no gas to go on with.
                Outcome::Stop(_) => Ok(()),
            }
        });
    }
}

fn state(instance: &Instance) -> State {
    State { pc: instance.pc(), gas: instance.gas(), registers: *instance.registers() }
}

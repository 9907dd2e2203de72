//! From records to a run.

use super::{End, HostCall, Problem, Record, State, Trace, TraceError};
use std::borrow::Cow;

impl Trace {
    /// Reads a trace.
    ///
    /// # Errors
    ///
    /// Where a record is not valid, missing, or in the wrong place.
    pub fn parse(text: &str) -> Result<Trace, TraceError> {
        let mut builder = Builder::default();
        let mut last = 1;
        for (at, line) in text.lines().enumerate() {
            last = at + 1;
            let step = Record::find(line).and_then(|record| record.map_or(Ok(()), |record| builder.add(record)));
            step.map_err(|problem| TraceError { line: last, problem })?;
        }
        builder.finish().map_err(|problem| TraceError { line: last, problem })
    }

    /// Reads a trace from the bytes of a file.
    ///
    /// # Errors
    ///
    /// As [`Trace::parse`], and where the bytes are no text.
    pub fn parse_bytes(bytes: &[u8]) -> Result<Trace, TraceError> {
        let text = str::from_utf8(bytes).map_err(|error| {
            let line = 1 + bytes[..error.valid_up_to()].iter().filter(|&&byte| byte == b'\n').count();
            TraceError { line, problem: Problem::NotUtf8 }
        })?;
        Trace::parse(text)
    }
}

/// How far into the format the records are. Within a host call, records come in the order of these.
#[derive(Clone, Copy, Default, PartialEq, PartialOrd)]
enum Phase {
    #[default]
    Nothing,
    Program,
    Started,
    Call,
    Reads,
    Writes,
    Registers,
    Gas,
    Ended,
}

impl Phase {
    /// The place behind the last record of this phase.
    const fn place(self) -> &'static str {
        match self {
            Phase::Nothing => "before `program`",
            Phase::Program => "before `start`",
            Phase::Started => "before the first `ecalli`",
            Phase::Call => "after `ecalli`",
            Phase::Reads => "after `memread`",
            Phase::Writes => "after `memwrite`",
            Phase::Registers => "after `setreg`",
            Phase::Gas => "after `setgas`",
            Phase::Ended => "after the end",
        }
    }
}

/// A trace in the making.
#[derive(Default)]
struct Builder {
    phase: Phase,
    program: Vec<u8>,
    initial_memory: Vec<(u32, Vec<u8>)>,
    start: State,
    calls: Vec<HostCall>,
    end: Option<End>,
}

impl Builder {
    fn add(&mut self, record: Record<'static>) -> Result<(), Problem> {
        let name = record.name();
        let misplaced = Problem::Misplaced { record: name, place: self.phase.place() };
        match (record, self.phase) {
            (Record::Program(program), Phase::Nothing) => {
                self.program = program.into_owned();
                self.phase = Phase::Program;
            }
            (Record::MemWrite { address, data }, Phase::Program) => {
                self.initial_memory.push((address, data.into_owned()));
            }
            (Record::Start(state), Phase::Program) => {
                self.start = state;
                self.phase = Phase::Started;
            }
            (Record::Ecalli { id, state }, phase) if phase >= Phase::Started && phase < Phase::Ended => {
                self.calls.push(HostCall { id, state, ..HostCall::default() });
                self.phase = Phase::Call;
            }
            (Record::End(end), phase) if phase >= Phase::Started && phase < Phase::Ended => {
                self.end = Some(Cow::into_owned(end));
                self.phase = Phase::Ended;
            }
            (action, phase) if phase >= Phase::Call => return self.add_action(action).ok_or(misplaced),
            _ => return Err(misplaced),
        }
        Ok(())
    }

    /// Adds what the host did to the last call; `None` if it is not its turn.
    fn add_action(&mut self, record: Record<'static>) -> Option<()> {
        let turn = match record {
            Record::MemRead { .. } => Phase::Reads,
            Record::MemWrite { .. } => Phase::Writes,
            Record::SetReg { .. } => Phase::Registers,
            Record::SetGas(_) if self.phase != Phase::Gas => Phase::Gas,
            _ => return None,
        };
        if self.phase > turn {
            return None;
        }
        let call = self.calls.last_mut()?;
        match record {
            Record::MemRead { address, data } => call.reads.push((address, data.into_owned())),
            Record::MemWrite { address, data } => call.writes.push((address, data.into_owned())),
            Record::SetReg { register, value } => call.set_registers.push((register, value)),
            Record::SetGas(gas) => call.gas_after = Some(gas),
            _ => return None,
        }
        self.phase = turn;
        Some(())
    }

    fn finish(self) -> Result<Trace, Problem> {
        match self.phase {
            Phase::Nothing => Err(Problem::Missing { record: "program" }),
            Phase::Program => Err(Problem::Missing { record: "start" }),
            _ => {
                let Builder { program, initial_memory, start, calls, end, .. } = self;
                Ok(Trace { program, initial_memory, start, calls, end })
            }
        }
    }
}

//! What came of a run: its JSON, its text, its exit code.

use crate::Io;
use crate::args::ReportArgs;
use crate::exit;
use crate::stats::{Report, Times};
use crate::units::to_hex;
use anyhow::Result;
use pvm_host::escape;
use pvm_program::Program;
use pvm_runtime::{Exit, Instance, REG_COUNT};
use serde::Serialize;

/// A guest after its run.
#[derive(Clone, Copy)]
pub struct Guest<'a> {
    /// The guest.
    pub instance: &'a Instance,
    /// The gas that it began with.
    pub gas: u64,
}

/// What came of a run, with the names that it has in JSON.
#[derive(Debug, Serialize)]
pub struct Outcome {
    status: &'static str,
    pc: u32,
    gas_used: u64,
    gas_left: u64,
    registers: [u64; REG_COUNT],
    output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault_address: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_call: Option<u64>,
    /// The name of the host call, where the program has one for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_call_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Report>,
    #[serde(skip)]
    exit: Exit,
}

impl Outcome {
    /// Takes down the state of a guest that has stopped.
    pub fn new(guest: Guest<'_>, exit: Exit, times: Option<Times>) -> Outcome {
        let instance = guest.instance;
        let module = instance.module();
        // Only standard programs return something (Gray Paper A.44); the registers of others mean what they like.
        let has_output = exit == Exit::Halt && module.program().is_some_and(Program::takes_arguments);
        let output = if has_output { to_hex(&instance.output()) } else { String::new() };
        let host_call = match exit {
            Exit::HostCall { id } => Some(id),
            _ => None,
        };
        let name = |id| module.program()?.imports.get(usize::try_from(id).ok()?).cloned();
        Outcome {
            status: status(exit),
            pc: instance.pc(),
            gas_used: guest.gas.saturating_sub(instance.gas()),
            gas_left: instance.gas(),
            registers: *instance.registers(),
            output,
            fault_address: match exit {
                Exit::PageFault { address } => Some(address),
                _ => None,
            },
            host_call,
            host_call_name: host_call.and_then(name),
            stats: times.map(|times| Report::new(instance.stats(), module.compile_stats(), times)),
            exit,
        }
    }

    /// What comes of a program that is not valid: it panics at once, and nothing is charged (Gray Paper A.1).
    pub fn invalid(registers: [u64; REG_COUNT], gas: u64) -> Outcome {
        Outcome {
            status: status(Exit::Panic),
            pc: 0,
            gas_used: 0,
            gas_left: gas,
            registers,
            output: String::new(),
            fault_address: None,
            host_call: None,
            host_call_name: None,
            stats: None,
            exit: Exit::Panic,
        }
    }

    /// A line about a run that did not halt.
    fn complaint(&self) -> Option<String> {
        let (pc, gas) = (self.pc, self.gas_used);
        let what = match self.exit {
            Exit::Halt => return None,
            Exit::Panic => "the program panicked".to_owned(),
            Exit::PageFault { address } => format!("page fault at {address:#010x}"),
            Exit::OutOfGas => "out of gas".to_owned(),
            Exit::HostCall { id } => match &self.host_call_name {
                Some(name) => format!("host call {id} ({}) is not served", escape(name.as_bytes())),
                None => format!("host call {id} is not served"),
            },
            Exit::Interrupted => "the time is up".to_owned(),
            Exit::Ecall => "unserved call of the environment".to_owned(),
            Exit::Trap { trap, value } => format!("{trap} ({value:#x}) at {:#010x}", self.pc),
        };
        Some(format!("pvmrun: {what} (pc {pc}, gas used {gas})"))
    }

    const fn exit_code(&self) -> u8 {
        match self.exit {
            Exit::Halt => exit::HALT,
            Exit::Panic => exit::PANIC,
            Exit::PageFault { .. } => exit::PAGE_FAULT,
            Exit::OutOfGas => exit::OUT_OF_GAS,
            Exit::HostCall { .. } => exit::HOST_CALL,
            Exit::Interrupted => exit::TIMEOUT,
            Exit::Ecall => exit::HOST_CALL,
            Exit::Trap { .. } => exit::PANIC,
        }
    }
}

const fn status(exit: Exit) -> &'static str {
    match exit {
        Exit::Halt => "halt",
        Exit::Panic => "panic",
        Exit::PageFault { .. } => "page-fault",
        Exit::OutOfGas => "out-of-gas",
        Exit::HostCall { .. } => "host-call",
        Exit::Interrupted => "timeout",
        Exit::Ecall => "host-call",
        Exit::Trap { .. } => "trap",
    }
}

/// Prints what came of a run, and returns the exit code.
pub fn print(outcome: &Outcome, args: &ReportArgs, io: &mut Io<'_>) -> Result<u8> {
    if args.json {
        io.print(serde_json::to_string(outcome)? + "\n")?;
        return Ok(outcome.exit_code());
    }
    if !outcome.output.is_empty() {
        io.print(format!("{}\n", outcome.output))?;
    }
    io.flush()?;
    if let Some(line) = outcome.complaint() {
        io.note(&line);
    }
    if let Some(stats) = &outcome.stats {
        stats.print(io);
    }
    Ok(outcome.exit_code())
}

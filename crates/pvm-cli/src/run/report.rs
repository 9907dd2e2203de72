//! What came of a run: its JSON, its text, its exit code.

use crate::Io;
use crate::args::ReportArgs;
use crate::exit;
use crate::stats::{Report, Times};
use crate::units::to_hex;
use anyhow::Result;
use pvm_host::{Ending, Stop, escape};
use pvm_ops::Trap;
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
    registers: Vec<u64>,
    output: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    fault_address: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host_call: Option<u64>,
    /// The name of the host call, where the program has one for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    host_call_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    exit_code: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trap: Option<TrapReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<Report>,
    #[serde(skip)]
    stop: Stop,
}

/// A trap of a RISC-V program.
#[derive(Debug, Serialize)]
struct TrapReport {
    /// The number that the architecture has for it.
    cause: u32,
    /// What it is called.
    name: String,
    /// An address, or the bits of the instruction.
    value: u32,
}

impl Outcome {
    /// Takes down the state of a guest that has stopped.
    pub fn new(guest: Guest<'_>, stop: Stop, times: Option<Times>) -> Outcome {
        let instance = guest.instance;
        let module = instance.module();
        let program = module.program();
        // Only standard programs return something (Gray Paper A.44); the registers of others mean what they like.
        let has_output = stop == Stop::Exit(Exit::Halt) && program.is_some_and(|program| program.takes_arguments());
        let output = if has_output { to_hex(&instance.output()) } else { String::new() };
        let host_call = match stop {
            Stop::Exit(Exit::HostCall { id }) => Some(id),
            _ => None,
        };
        let name = |id| program?.imports.get(usize::try_from(id).ok()?).cloned();
        let registers = match program {
            Some(_) => instance.registers().to_vec(),
            // Of 32 bits, whatever they look like inside.
            None => instance.all_registers().iter().map(|&register| u64::from(register as u32)).collect(),
        };
        let used = guest.gas.saturating_sub(instance.gas());
        Outcome {
            exit_code: process_code(stop),
            trap: trap(stop),
            registers,
            output,
            fault_address: fault_address(stop),
            host_call,
            host_call_name: host_call.and_then(name),
            stats: times.map(|times| Report::new(instance.stats(), instance.compile_stats(), times)),
            ..Outcome::bare(stop, instance.pc(), used, instance.gas())
        }
    }

    /// What comes of a program that is not valid: it panics at once, and nothing is charged (Gray Paper A.1).
    pub fn invalid(registers: [u64; REG_COUNT], gas: u64) -> Outcome {
        Outcome { registers: registers.to_vec(), ..Outcome::bare(Stop::Exit(Exit::Panic), 0, 0, gas) }
    }

    fn bare(stop: Stop, pc: u32, gas_used: u64, gas_left: u64) -> Outcome {
        Outcome {
            status: status(stop),
            pc,
            gas_used,
            gas_left,
            registers: Vec::new(),
            output: String::new(),
            fault_address: None,
            host_call: None,
            host_call_name: None,
            exit_code: None,
            trap: None,
            stats: None,
            stop,
        }
    }

    /// The same with what the program has written to standard output.
    pub fn with_output(self, bytes: &[u8]) -> Outcome {
        Outcome { output: to_hex(bytes), ..self }
    }

    /// A line about a run that did not end by itself.
    fn complaint(&self) -> Option<String> {
        let (pc, gas) = (self.pc, self.gas_used);
        let exit = match self.stop {
            Stop::Exit(exit) => exit,
            Stop::End(Ending::Signal(signal)) => {
                return Some(format!("pvmrun: the program sent itself signal {signal}"));
            }
            Stop::End(Ending::Exit(_)) | Stop::Result(_) => return None,
        };
        let what = match exit {
            Exit::Halt => return None,
            Exit::Panic => "the program panicked".to_owned(),
            Exit::PageFault { address } => format!("page fault at {address:#010x}"),
            Exit::OutOfGas => "out of gas".to_owned(),
            Exit::HostCall { id } => match &self.host_call_name {
                Some(name) => format!("host call {id} ({}) is not served", escape(name.as_bytes())),
                None => format!("host call {id} is not served"),
            },
            Exit::Interrupted => "the time is up".to_owned(),
            Exit::Trap { trap, value } => return Some(format!("pvmrun: {trap} at pc {pc:#010x}, value {value:#x}")),
            Exit::Ecall => "a system call that nobody serves".to_owned(),
        };
        Some(format!("pvmrun: {what} (pc {pc}, gas used {gas})"))
    }

    const fn exit_code(&self) -> u8 {
        let exit = match self.stop {
            Stop::Exit(exit) => exit,
            Stop::End(ending) => return ending.code(),
            Stop::Result(result) => return result_code(result),
        };
        match exit {
            Exit::Halt => exit::HALT,
            Exit::Panic | Exit::Trap { .. } => exit::PANIC,
            Exit::PageFault { .. } => exit::PAGE_FAULT,
            Exit::OutOfGas => exit::OUT_OF_GAS,
            Exit::HostCall { .. } | Exit::Ecall => exit::HOST_CALL,
            Exit::Interrupted => exit::TIMEOUT,
        }
    }
}

/// The code that stands for the result of a test for a bare machine: the number of what failed.
const fn result_code(result: u32) -> u8 {
    match result >> 1 {
        0 if result == 1 => 0,
        code @ 1..=255 => code as u8,
        _ => 255,
    }
}

const fn process_code(stop: Stop) -> Option<u8> {
    match stop {
        Stop::End(ending) => Some(ending.code()),
        Stop::Result(result) => Some(result_code(result)),
        Stop::Exit(_) => None,
    }
}

fn trap(stop: Stop) -> Option<TrapReport> {
    match stop {
        Stop::Exit(Exit::Trap { trap, value }) => {
            Some(TrapReport { cause: pvm_rv32::cause(trap), name: trap.to_string(), value })
        }
        _ => None,
    }
}

const fn fault_address(stop: Stop) -> Option<u32> {
    match stop {
        Stop::Exit(Exit::PageFault { address }) => Some(address),
        Stop::Exit(Exit::Trap { trap: Trap::LoadFault | Trap::StoreFault | Trap::FetchFault, value }) => Some(value),
        _ => None,
    }
}

const fn status(stop: Stop) -> &'static str {
    let Stop::Exit(exit) = stop else { return "exit" };
    match exit {
        Exit::Halt => "halt",
        Exit::Panic => "panic",
        Exit::PageFault { .. } => "page-fault",
        Exit::OutOfGas => "out-of-gas",
        Exit::HostCall { .. } | Exit::Ecall => "host-call",
        Exit::Trap { .. } => "trap",
        Exit::Interrupted => "timeout",
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

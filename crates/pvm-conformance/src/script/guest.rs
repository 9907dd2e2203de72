//! A program of a script that is being run: entered again and again, with the memory that it has by then.

use super::Failure;
use super::group::Program;
use crate::Suite;
use pvm_host::Watchdog;
use pvm_runtime::{Exit, Instance, Module};
use pvm_wasm::{GlobalPlace, Initial};

/// The host call that says that floating-point numbers would have to be computed with.
pub const FLOAT_CALL: u32 = 0x00f1_0a70;

/// Gas for one call: more than the slowest of the official suite needs by far.
const GAS: u64 = 1 << 40;

/// Bytes to a cell.
const CELL: usize = 8;

/// A guest.
pub struct Guest {
    instance: Instance,
    registers: [u64; pvm_runtime::REG_COUNT],
    suite: Suite,
}

/// How a call ended.
pub enum Stop {
    /// It returned, with these results.
    Halt(Vec<u64>),
    /// It trapped.
    Trap,
    /// It came to an instruction that computes with floating-point numbers.
    Float,
    /// Anything else, which should not be.
    Other(String),
}

impl Guest {
    /// A guest whose memory is prepared.
    pub fn new(suite: &Suite, program: &Program) -> Result<Guest, Failure> {
        let failed = |error: &dyn std::fmt::Display| Failure::Difference(error.to_string());
        let module = Module::from_program(&suite.engine, program.program.clone().into(), suite.options);
        let instance = Instance::new(&module, &[]).map_err(|error| failed(&error))?;
        let mut guest = Guest { registers: *instance.registers(), instance, suite: suite.clone() };
        match guest.enter(program.prepare) {
            Stop::Halt(_) => Ok(guest),
            _ => Err(Failure::Difference("memory could not be prepared".into())),
        }
    }

    /// Enters the program.
    pub fn enter(&mut self, pc: u32) -> Stop {
        *self.instance.registers_mut() = self.registers;
        self.instance.set_pc(pc);
        self.instance.set_gas(GAS);
        let handle = self.instance.interrupt_handle();
        let watchdog = self.suite.timeout.map(|after| Watchdog::start(handle, after)).transpose();
        if let Err(error) = watchdog {
            return Stop::Other(format!("no thread to watch the time: {error}"));
        }
        match self.instance.run() {
            Exit::Halt => Stop::Halt(Vec::new()),
            Exit::Panic => Stop::Trap,
            Exit::HostCall { id } if id == u64::from(FLOAT_CALL) => Stop::Float,
            exit => Stop::Other(format!("{exit:?} at pc {}", self.instance.pc())),
        }
    }

    /// Sets cells.
    pub fn set_cells(&mut self, address: u32, values: &[u64]) -> Result<(), Failure> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let written = self.instance.memory_mut().write(address, &bytes);
        written.map_err(|fault| Failure::Difference(format!("arguments at {:#x} cannot be written", fault.address)))
    }

    /// What is in cells.
    pub fn cells(&self, address: u32, count: usize) -> Result<Vec<u64>, Failure> {
        let mut bytes = vec![0; count * CELL];
        let read = self.instance.memory().read(address, &mut bytes);
        read.map_err(|fault| Failure::Difference(format!("results at {:#x} cannot be read", fault.address)))?;
        let (cells, _) = bytes.as_chunks();
        Ok(cells.iter().map(|&cell| u64::from_le_bytes(cell)).collect())
    }

    /// The value of a global.
    pub fn global(&self, place: GlobalPlace) -> Result<u64, Failure> {
        match place {
            GlobalPlace::Constant(Initial::Bits(bits)) => Ok(bits),
            GlobalPlace::Constant(Initial::Function { ty, .. }) => Ok(u64::from(ty) << 32),
            GlobalPlace::Cell(cell) => Ok(self.cells(cell, 1)?[0]),
        }
    }
}

//! A program of modules that is being run: entered again and again, with the memory that it has by then.

use crate::Suite;
use pvm_program::StandardProgram;
use pvm_runtime::{Exit, Instance, Module};
use pvm_wasm::{GlobalPlace, Initial};

/// The host call that says that floating-point numbers would have to be computed with.
pub const FLOAT_CALL: u32 = 0x00f1_0a70;

/// Gas for one call: more than the slowest of the official suite needs by far.
const GAS: u64 = 1 << 40;

/// Bytes to a cell.
const CELL: usize = 8;

/// A guest.
#[derive(Debug)]
pub struct Guest {
    instance: Instance,
    registers: [u64; pvm_runtime::REG_COUNT],
    suite: Suite,
}

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It returned.
    Halt,
    /// It trapped.
    Trap,
    /// It came to an instruction that computes with floating-point numbers.
    Float,
    /// Anything else, which should not be.
    Other(String),
}

impl Guest {
    /// A guest of a program, whose memory the entry `prepare` prepares.
    ///
    /// # Errors
    ///
    /// If memory cannot be had.
    pub fn new(suite: &Suite, program: StandardProgram, prepare: u32) -> Result<Guest, String> {
        let module = Module::from_program(&suite.engine, program.into(), suite.options);
        let instance = Instance::new(&module, &[]).map_err(|error| error.to_string())?;
        let mut guest = Guest { registers: *instance.registers(), instance, suite: suite.clone() };
        match guest.enter(prepare) {
            Stop::Halt => Ok(guest),
            _ => Err("memory could not be prepared".into()),
        }
    }

    /// Bytes of memory.
    ///
    /// # Errors
    ///
    /// If the guest may not read there.
    pub fn bytes(&self, address: u32, length: usize) -> Result<Vec<u8>, String> {
        let mut bytes = vec![0; length];
        let read = self.instance.memory().read(address, &mut bytes);
        read.map(|()| bytes).map_err(|fault| format!("{:#x} cannot be read", fault.address))
    }

    /// Enters the program.
    pub fn enter(&mut self, pc: u32) -> Stop {
        *self.instance.registers_mut() = self.registers;
        self.instance.set_pc(pc);
        self.instance.set_gas(GAS);
        let alarm = self.suite.timeout.map(|time| self.instance.interrupt_after(time)).transpose();
        if let Err(error) = alarm {
            return Stop::Other(format!("no thread to watch the time: {error}"));
        }
        match self.instance.run() {
            Exit::Halt => Stop::Halt,
            Exit::Panic => Stop::Trap,
            Exit::HostCall { id } if id == u64::from(FLOAT_CALL) => Stop::Float,
            exit => Stop::Other(format!("{exit:?} at pc {}", self.instance.pc())),
        }
    }

    /// Sets cells.
    ///
    /// # Errors
    ///
    /// If the guest may not write there.
    pub fn set_cells(&mut self, address: u32, values: &[u64]) -> Result<(), String> {
        let bytes: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        let written = self.instance.memory_mut().write(address, &bytes);
        written.map_err(|fault| format!("arguments at {:#x} cannot be written", fault.address))
    }

    /// What is in cells.
    ///
    /// # Errors
    ///
    /// If the guest may not read there.
    pub fn cells(&self, address: u32, count: usize) -> Result<Vec<u64>, String> {
        let bytes = self.bytes(address, count * CELL)?;
        let (cells, _) = bytes.as_chunks();
        Ok(cells.iter().map(|&cell| u64::from_le_bytes(cell)).collect())
    }

    /// The value of a global.
    ///
    /// # Errors
    ///
    /// If the guest may not read it.
    pub fn global(&self, place: GlobalPlace) -> Result<u64, String> {
        match place {
            GlobalPlace::Constant(Initial::Bits(bits)) => Ok(bits),
            GlobalPlace::Constant(Initial::Function { ty, .. }) => Ok(u64::from(ty) << 32),
            GlobalPlace::Cell(cell) => Ok(self.cells(cell, 1)?[0]),
        }
    }
}

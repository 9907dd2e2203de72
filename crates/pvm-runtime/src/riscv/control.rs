//! Control registers: the counters that programs may read, and as much of machine mode as test programs need.
//!
//! Sources: The RISC-V Instruction Set Manual, volume I, 8 (counters); volume II (privileged), 2.2 (numbers) and 3.1 (machine
//! mode). There are no interrupts, and no supervisor.

mod words;

pub(crate) use words::CONTROL_WORDS;

use pvm_ops::{ControlOp, Trap};

/// What counters say.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Counters {
    pub cycle: u64,
    pub time: u64,
    pub instret: u64,
}

/// What the guest may do at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    User,
    Machine,
}

/// Control registers of a hart.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    /// Whether there is a machine mode, for which traps have a handler in the guest.
    has_machine_mode: bool,
    mode: Mode,
    /// MIE, MPIE and MPP of `mstatus`.
    status: u32,
    enabled: u32,
    vector: u32,
    scratch: u32,
    epc: u32,
    cause: u32,
    value: u32,
}

/// The bits of `mstatus` that there are.
const MIE: u32 = 1 << 3;
const MPIE: u32 = 1 << 7;
const MPP: u32 = 3 << 11;
/// `misa`: 32 bits, with A, C, I, M and U.
const MISA: u32 = 1 << 30 | 1 << 20 | 1 << 12 | 1 << 8 | 1 << 2 | 1;
/// The causes of calls of the environment from user mode, and from machine mode.
const ECALL_FROM: [u32; 2] = [8, 11];

impl Default for Control {
    fn default() -> Control {
        let (status, enabled, vector, scratch, epc, cause, value) = (0, 0, 0, 0, 0, 0, 0);
        Control { has_machine_mode: false, mode: Mode::User, status, enabled, vector, scratch, epc, cause, value }
    }
}

impl Control {
    /// Has the guest start in machine mode, or in user mode without another.
    pub(crate) fn set_machine_mode(&mut self, has_machine_mode: bool) {
        let mode = if has_machine_mode { Mode::Machine } else { Mode::User };
        *self = Control { has_machine_mode, mode, ..Control::default() };
    }

    /// Enters the handler of traps, if the guest has one: the program counter to go on at.
    pub(crate) fn enter_handler(&mut self, pc: u32, cause: u32, value: u32) -> Option<u32> {
        if !self.has_machine_mode || self.vector == 0 {
            return None;
        }
        // Only a host can put a guest to an odd address, to which it could not return (volume II, 3.1.14).
        self.epc = pc & !1;
        self.cause = cause;
        self.value = value;
        let previous = if self.mode == Mode::Machine { MPP } else { 0 };
        let enabled = if self.status & MIE != 0 { MPIE } else { 0 };
        self.status = previous | enabled;
        self.mode = Mode::Machine;
        Some(self.vector)
    }

    /// The same for a trap.
    pub(crate) fn trap(&mut self, pc: u32, trap: Trap, value: u32) -> Option<u32> {
        self.enter_handler(pc, pvm_rv32::cause(trap), value)
    }

    /// The same for a call of the environment.
    pub(crate) fn call(&mut self, pc: u32) -> Option<u32> {
        self.enter_handler(pc, ECALL_FROM[usize::from(self.mode == Mode::Machine)], 0)
    }

    /// Returns from the handler: the program counter to go on at, unless the guest may not.
    pub(crate) fn leave_handler(&mut self) -> Option<u32> {
        if self.mode != Mode::Machine {
            return None;
        }
        self.mode = if self.status & MPP == MPP { Mode::Machine } else { Mode::User };
        let enabled = if self.status & MPIE != 0 { MIE } else { 0 };
        self.status = enabled | MPIE;
        Some(self.epc)
    }

    /// The value of a register, and what it is set to then; `None` if the guest may not do that. `change` says how it is
    /// changed, if it is.
    pub(crate) fn access(&mut self, number: u16, change: Option<(ControlOp, u32)>, counters: Counters) -> Option<u32> {
        // The number says who may access the register, and whether it is only to be read (volume II, 2.1).
        let (needs_machine_mode, is_read_only) = (number >> 8 & 3 != 0, number >> 10 & 3 == 3);
        if needs_machine_mode && self.mode != Mode::Machine || is_read_only && change.is_some() {
            return None;
        }
        let old = self.read(number, counters)?;
        if let Some((op, value)) = change {
            self.write(
                number,
                match op {
                    ControlOp::Write => value,
                    ControlOp::Set => old | value,
                    ControlOp::Clear => old & !value,
                },
            );
        }
        Some(old)
    }

    fn read(&self, number: u16, counters: Counters) -> Option<u32> {
        Some(match number {
            0xc00 | 0xb00 => counters.cycle as u32,
            0xc01 => counters.time as u32,
            0xc02 | 0xb02 => counters.instret as u32,
            0xc80 | 0xb80 => (counters.cycle >> 32) as u32,
            0xc81 => (counters.time >> 32) as u32,
            0xc82 | 0xb82 => (counters.instret >> 32) as u32,
            0x300 => self.status,
            0x301 => MISA,
            0x304 => self.enabled,
            0x305 => self.vector,
            0x340 => self.scratch,
            0x341 => self.epc,
            0x342 => self.cause,
            0x343 => self.value,
            // mip; mvendorid, marchid, mimpid, mhartid.
            0x344 | 0xf11..=0xf14 => 0,
            _ => return None,
        })
    }

    /// Writes what the register can hold. Counters of machine mode go on counting as they do.
    fn write(&mut self, number: u16, value: u32) {
        match number {
            0x300 => {
                let mode = if value & MPP == MPP { MPP } else { 0 };
                self.status = value & (MIE | MPIE) | mode;
            }
            0x304 => self.enabled = value,
            // There are no interrupts, for which alone the mode in the lowest bits matters.
            0x305 => self.vector = value & !3,
            0x340 => self.scratch = value,
            0x341 => self.epc = value & !1,
            0x342 => self.cause = value,
            0x343 => self.value = value,
            _ => {}
        }
    }
}

//! Running a RISC-V program with its system.

use super::{Ending, Process, Reply};
use pvm_runtime::{Exit, Instance};

/// Why a program stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// It has ended.
    End(Ending),
    /// It has written this to the place where tests for bare machines leave their result: 1 if all is well.
    Result(u32),
    /// Something else has stopped it.
    Exit(Exit),
}

/// How many instructions a program for a bare machine runs between two looks at its result.
const SLICE: u64 = 1 << 16;

/// Where system calls have their number, and their first argument and result.
const NUMBER: usize = 17;
const FIRST: usize = 10;

/// Runs a user program until it ends or something else stops it.
pub fn run_process(instance: &mut Instance, process: &mut Process<'_>) -> Stop {
    loop {
        match instance.run() {
            Exit::Ecall => {}
            exit => return Stop::Exit(exit),
        }
        if let Some(stop) = system_call(instance, process) {
            return stop;
        }
    }
}

/// Runs a program for a bare machine, in machine mode, until it leaves its result at the address `tohost`. Gas is counted by
/// instructions. A program that has no handler for traps may make system calls, too: so do user programs that are linked as
/// those for a bare machine are.
pub fn run_bare(instance: &mut Instance, process: &mut Process<'_>, tohost: u32) -> Stop {
    instance.set_machine_mode(true);
    let mut reserve = 0;
    let stop = loop {
        let left = instance.gas() + reserve;
        instance.set_gas(left.min(SLICE));
        reserve = left - instance.gas();
        let exit = instance.run();
        let mut result = [0; 4];
        if instance.memory().read(tohost, &mut result).is_ok() && result != [0; 4] {
            break Stop::Result(u32::from_le_bytes(result));
        }
        let stop = match exit {
            Exit::OutOfGas if reserve > 0 => None,
            Exit::Ecall => system_call(instance, process),
            exit => Some(Stop::Exit(exit)),
        };
        if let Some(stop) = stop {
            break stop;
        }
    };
    instance.set_gas(instance.gas() + reserve);
    stop
}

/// Does the system call at which the program has stopped, unless it ends the program.
fn system_call(instance: &mut Instance, process: &mut Process<'_>) -> Option<Stop> {
    let registers = instance.all_registers();
    let number = registers[NUMBER] as u32;
    let args = std::array::from_fn(|k| registers[FIRST + k] as u32);
    loop {
        let value = match process.call(instance.memory_mut(), number, args) {
            Reply::Return(value) => value,
            Reply::Flush(value) => {
                instance.fence_code();
                value
            }
            Reply::Again if instance.memory_mut().take_interrupt() => {
                // A run that is resumed makes the call again.
                instance.set_pc(instance.pc());
                return Some(Stop::Exit(Exit::Interrupted));
            }
            Reply::Again => continue,
            Reply::End(ending) => return Some(Stop::End(ending)),
        };
        instance.all_registers_mut()[FIRST] = value as i32 as u64;
        return None;
    }
}

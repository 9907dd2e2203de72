//! How functions of guests are called.
//!
//! PVM: return address, stack pointer and arguments are in registers 0, 1 and 7 to 12, as in programs that tool chains make
//! (Gray Paper A.37 for the start). RISC-V: psABI, chapter 2, "Integer Calling Convention".

use crate::{CallError, Instance};
use pvm_ops::{Access, HALT_ADDRESS, PAGE_SIZE};

/// The register of RISC-V that holds the number of an environment call: `a7`.
pub(crate) const ECALL_NUMBER: usize = 17;

/// Which registers mean what to functions.
#[derive(Debug)]
pub(crate) struct Abi {
    pub return_address: usize,
    pub stack: usize,
    pub first_argument: usize,
    /// How many arguments go into registers.
    pub arguments: usize,
    /// Where a function returns to that the host calls.
    pub returns_to: u32,
    pub is_narrow: bool,
}

const PVM: Abi =
    Abi { return_address: 0, stack: 1, first_argument: 7, arguments: 6, returns_to: HALT_ADDRESS, is_narrow: false };

/// The last page is not executable in any program, so that the run stops there.
const RISCV: Abi = Abi {
    return_address: 1,
    stack: 2,
    first_argument: 10,
    arguments: 8,
    returns_to: 0u32.wrapping_sub(PAGE_SIZE),
    is_narrow: true,
};

/// The register of RISC-V by which small data are found: `gp`.
const GLOBAL_POINTER: usize = 3;
/// Stacks are aligned to this (psABI).
const STACK_ALIGNMENT: u64 = 16;
/// The stack that a RISC-V guest gets that has none.
const STACK_SIZE: u64 = 1 << 20;
/// Where it ends, a page below the address that functions return to.
const STACK_END: u32 = RISCV.returns_to - PAGE_SIZE;

impl Abi {
    /// What is asked of the way in which an instance's functions are called. The question is written once for each way, so
    /// that nothing is left of it but a load or store.
    #[inline(always)]
    pub(crate) fn ask<R>(instance: &Instance, question: impl FnOnce(&'static Abi) -> R) -> R {
        if instance.is_riscv() { question(&RISCV) } else { question(&PVM) }
    }

    /// An argument of a function that has just been called, from 0.
    #[inline(always)]
    pub(crate) fn argument(&self, instance: &Instance, index: usize) -> u64 {
        let value = if index < self.arguments { instance.all_registers()[self.first_argument + index] } else { 0 };
        if self.is_narrow { u64::from(value as u32) } else { value }
    }

    /// Gives the guest what its functions rely on, once.
    pub(crate) fn prepare(&self, instance: &mut Instance) -> Result<(), CallError> {
        if self.is_narrow { prepare_riscv(instance) } else { Ok(()) }
    }

    /// Brings the guest to the start of a function.
    pub(crate) fn enter(&self, instance: &mut Instance, pc: u32, arguments: &[u64]) -> Result<(), CallError> {
        if arguments.len() > self.arguments {
            return Err(CallError::Arguments { count: arguments.len(), limit: self.arguments });
        }
        let is_too_wide = |value: u64| self.is_narrow && value > u64::from(u32::MAX) && value as i32 as u64 != value;
        if let Some((index, &value)) = arguments.iter().enumerate().find(|&(_, &value)| is_too_wide(value)) {
            return Err(CallError::TooWide { index, value });
        }
        let registers = instance.all_registers_mut();
        registers[self.stack] = registers[self.stack] / STACK_ALIGNMENT * STACK_ALIGNMENT;
        registers[self.return_address] = u64::from(self.returns_to);
        registers[self.first_argument..][..arguments.len()].copy_from_slice(arguments);
        instance.set_pc(pc);
        Ok(())
    }
}

/// What start-up code does for a program, as far as functions need it: a stack, and the pointer to small data.
fn prepare_riscv(instance: &mut Instance) -> Result<(), CallError> {
    if instance.memory().access(RISCV.returns_to).is_executable() {
        return Err(CallError::ReturnAddress { address: RISCV.returns_to });
    }
    if instance.all_registers()[RISCV.stack] == 0 {
        let start = u64::from(STACK_END) - STACK_SIZE;
        instance
            .memory_mut()
            .map_new(start as u32, STACK_SIZE, Access::ReadWrite)
            .map_err(|error| CallError::Stack { size: STACK_SIZE, end: STACK_END, error })?;
        instance.all_registers_mut()[RISCV.stack] = u64::from(STACK_END);
    }
    if instance.all_registers()[GLOBAL_POINTER] == 0
        && let Some(address) = instance.module().symbol("__global_pointer$")
    {
        instance.all_registers_mut()[GLOBAL_POINTER] = u64::from(address);
    }
    Ok(())
}

//! The calling convention.
//!
//! | register | use |
//! |---|---|
//! | r0 | return address at calls and returns; else free |
//! | r1 | stack pointer, sign-extended; a multiple of 8 |
//! | r7 to r12, r2 to r4 | arguments and results in this order, each sign-extended |
//! | r5, r6 | kept by the callee |
//!
//! What does not fit into registers is on the stack, eight bytes each: at the caller's stack pointer arguments first, then
//! results. Everything except r1, r5 and r6 is lost at a call. Host calls use r7 to r12 for arguments and r7, r8 for
//! results, as JAM has it, and keep the rest.
//!
//! A function that only entry points lead to ends the program where it returns: the return address is the halt address
//! (Gray Paper A.4), a constant. Else the return address is a value like any other for the register allocator: a function that calls nobody leaves it where
//! it is, others keep it in their frame or wherever there is room.

use pvm_ops::Reg;
use regalloc2::{MachineEnv, PReg, PRegSet, RegClass};

/// Holds the return address at calls and returns.
pub const LINK: Reg = Reg::R0;
/// The stack pointer.
pub const STACK: Reg = Reg::R1;
/// Arguments and results in registers.
pub const VALUES: [Reg; 9] = [Reg::R7, Reg::R8, Reg::R9, Reg::R10, Reg::R11, Reg::R12, Reg::R2, Reg::R3, Reg::R4];
/// Arguments of host calls.
pub const HOST_ARGUMENTS: [Reg; 6] = [Reg::R7, Reg::R8, Reg::R9, Reg::R10, Reg::R11, Reg::R12];
/// Results of host calls.
pub const HOST_RESULTS: [Reg; 2] = [Reg::R7, Reg::R8];
/// Registers that a function restores before it returns.
pub const KEPT: [Reg; 2] = [Reg::R5, Reg::R6];

/// Registers that a call loses, as a set of bits.
pub const LOST: u16 = 0x1fff & !(bit(STACK) | bit(KEPT[0]) | bit(KEPT[1]));

/// Below the lowest stack pointer that functions accept, so many bytes are left. A function that calls nobody and needs no
/// more takes them without moving the stack pointer and without a check.
pub const RESERVE: u32 = 256;

/// The bit of a register in a set.
pub const fn bit(reg: Reg) -> u16 {
    1 << reg.index()
}

/// The allocator's name of a register.
pub const fn preg(reg: Reg) -> PReg {
    PReg::new(reg.index(), RegClass::Int)
}

/// The register that the allocator means.
pub fn reg(preg: PReg) -> Reg {
    Reg::wrapping(preg.hw_enc() as u8)
}

/// The allocator's form of a set of registers.
pub fn preg_set(bits: u16) -> PRegSet {
    Reg::ALL.into_iter().filter(|reg| reg.index() < 13 && bits & bit(*reg) != 0).map(preg).collect()
}

/// What the allocator may use; `kept` says whether registers that are restored are among it.
pub fn machine_env(kept: bool) -> MachineEnv {
    let none = PRegSet::empty();
    let kept = if kept { KEPT.into_iter().map(preg).collect() } else { none };
    MachineEnv {
        preferred_regs_by_class: [preg_set(LOST), none, none],
        non_preferred_regs_by_class: [kept, none, none],
        scratch_by_class: [None; 3],
        fixed_stack_slots: Vec::new(),
    }
}

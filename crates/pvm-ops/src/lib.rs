//! The guest-neutral vocabulary of meanings.
//!
//! A guest instruction set decodes to bytes of its own, but what its instructions *mean* is common property: add two
//! registers, load a byte, branch if less. This crate names those meanings once, as plain data ([`Inst`]), and says what
//! each computes, as pure functions ([`BinaryOp::eval`], [`UnaryOp::eval`], [`Cond::eval`], [`LoadKind::extend`]).
//!
//! * An instruction set lowers to [`Inst`] (PVM in `pvm-isa`, RISC-V in `pvm-rv32`).
//! * The interpreter executes [`Inst`] through `eval`.
//! * The compiler emits Cranelift IR for [`Inst`] in `pvm-clif`, the twin of `eval`; an exhaustive test holds the two
//!   together.
//!
//! Registers hold 64 bits. A 32-bit operation reads the low halves and **sign-extends** its result, which is the rule of
//! PVM and of RISC-V alike, so a 32-bit guest is the same vocabulary over registers that stay sign-extended.
#![forbid(unsafe_code)]

mod alu;
mod code;
mod cond;
mod inst;
mod memory;
mod reg;
mod trap;

pub use alu::{AtomicOp, BinaryOp, UnaryOp, Width};
pub use code::{DynamicJumps, Fetched, GuestCode, HALT_ADDRESS, NO_ADDRESS, State};
pub use cond::Cond;
pub use inst::{Address, ControlOp, Inst, Link, Operand, RegUse, Target};
pub use memory::{Access, CodeMemory, LoadKind, Memory, MemoryFault, PAGE_SIZE, Size};
pub use reg::Reg;
pub use trap::Trap;

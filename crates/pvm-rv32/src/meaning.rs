//! The semantic column of the table.

use pvm_ops::{AtomicOp, BinaryOp, Cond, ControlOp, LoadKind, Size};

/// Where an operand comes from that is a register in some instructions, and part of the instruction in others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Source {
    /// A register.
    Register,
    /// A constant.
    Immediate,
}

/// What an instruction does with its operands; together they determine its lowering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// `rd = op(rs1, rs2 or imm)`.
    Binary(BinaryOp, Source),
    /// `rd = imm`.
    LoadUpper,
    /// `rd = pc + imm`.
    AddUpper,
    /// `rd` is the next instruction's address; go to `pc + imm`.
    Jump,
    /// `rd` is the next instruction's address; go to `rs1 + imm`.
    JumpRegister,
    /// Go to `pc + imm` if the condition holds for `rs1` and `rs2`.
    Branch(Cond),
    /// `rd` is what memory holds at `rs1 + imm`.
    Load(LoadKind),
    /// Memory holds `rs2` at `rs1 + imm` then.
    Store(Size),
    /// Order memory accesses: there is nothing to do with one hart.
    Fence,
    /// Make stores to code visible to fetches.
    CodeFence,
    /// Call the execution environment.
    EnvironmentCall,
    /// Call the debugger.
    Breakpoint,
    /// `rd` is the control register `imm`; change that by `rs1`, or by the number of that register.
    Control(ControlOp, Source),
    /// Return from a trap handler.
    TrapReturn,
    /// Wait for an interrupt, or not.
    Wait,
    /// `rd` is what memory holds at `rs1`; combine that with `rs2`.
    Atomic(AtomicOp),
    /// `rd` is what memory holds at `rs1`, which is reserved.
    LoadReserved,
    /// Store `rs2` at `rs1` if that is reserved; `rd` tells.
    StoreConditional,
}

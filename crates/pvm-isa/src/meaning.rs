//! The semantic column of the table.

use pvm_ops::{BinaryOp, Cond, LoadKind, Size, UnaryOp, Width};

/// What an instruction does; together with its [`Format`](crate::Format) this determines its lowering.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Meaning {
    /// Panic.
    Trap,
    /// Nothing, and the block ends.
    Fallthrough,
    /// Nothing.
    Nop,
    /// Call the host.
    HostCall,
    /// Grow the heap.
    Sbrk,
    /// Put a constant into a register.
    LoadImm,
    /// Read memory.
    Load(LoadKind),
    /// Write memory.
    Store(Size),
    /// Jump to a constant place, after loading a constant where the format has one.
    Jump,
    /// Jump to a computed place, after loading a constant where the format has one.
    JumpIndirect,
    /// Jump to a constant place if the condition holds.
    Branch(Cond),
    /// Compute from one register.
    Unary(UnaryOp, Width),
    /// Compute from two registers, or from a register and an immediate.
    Binary(BinaryOp, Width),
    /// Compute from an immediate as the left operand and a register as the right one.
    BinarySwapped(BinaryOp, Width),
    /// Move if a register is zero.
    MoveIfZero,
    /// Move if a register is not zero.
    MoveIfNotZero,
}

impl Meaning {
    /// Whether a basic block ends after the instruction (Gray Paper A.3: the set `T`).
    pub const fn ends_block(self) -> bool {
        matches!(
            self,
            Meaning::Trap | Meaning::Fallthrough | Meaning::Jump | Meaning::JumpIndirect | Meaning::Branch(_)
        )
    }

    /// Whether it reads or writes memory at an address among its operands.
    pub const fn accesses_memory(self) -> bool {
        matches!(self, Meaning::Load(_) | Meaning::Store(_))
    }
}

//! Instructions as data: one variant per kind of meaning, with its operands.

use crate::{AtomicOp, BinaryOp, Cond, LoadKind, Reg, Size, Trap, UnaryOp, Width};

/// A register or a constant. Constants are sign-extended to 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[allow(missing_docs)] // see above
pub enum Operand {
    Reg(Reg),
    Imm(i32),
}

impl Operand {
    /// The register, if it is one.
    pub const fn reg(self) -> Option<Reg> {
        match self {
            Operand::Reg(reg) => Some(reg),
            Operand::Imm(_) => None,
        }
    }
}

/// A guest address: `(base + offset) mod 2^32`, the base being zero where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The register that is added, if any.
    pub base: Option<Reg>,
    /// The constant that is added.
    pub offset: i32,
}

/// Where a direct jump or a taken branch goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The start of a basic block.
    Block(u32),
    /// Nowhere that may be jumped to: going there is a panic of the jump itself.
    Invalid,
}

/// A constant that a jump leaves in a register, usually the return address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Link {
    /// The register that is written.
    pub dst: Reg,
    /// What is written, sign-extended to 64 bits.
    pub value: i32,
}

/// How an access to a control register changes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ControlOp {
    /// It is set to the operand.
    Write,
    /// Bits of the operand are set in it.
    Set,
    /// Bits of the operand are cleared in it.
    Clear,
}

/// One guest instruction by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Inst {
    /// Stop with a panic. Ends a block.
    Trap,
    /// Do nothing.
    Nop,
    /// Do nothing and end a block: go on at the next instruction.
    Fallthrough,
    /// Stop and let the host act; the run goes on after it.
    HostCall {
        /// The number of the call.
        id: i32,
    },
    /// Stop with a trap of the guest's own. Ends a block.
    Raise {
        /// What is wrong.
        trap: Trap,
        /// More about it: an address, or the bits of the instruction.
        value: u32,
    },
    /// Read a control register, and change it.
    Control {
        /// How it is changed.
        op: ControlOp,
        /// Which one.
        number: u16,
        /// The register that receives its former value, if any.
        dst: Option<Reg>,
        /// What it is changed with.
        value: Operand,
        /// Whether it is changed at all.
        writes: bool,
    },
    /// Have instructions that are fetched from now on be those that memory holds now.
    CodeFence,
    /// Go on where a trap has interrupted. Ends a block.
    TrapReturn,
    /// Grow the heap by the bytes that `size` holds and put the former end into `dst`, or 0 if that cannot be done.
    Sbrk {
        /// Receives the former end of the heap.
        dst: Reg,
        /// Holds the number of bytes.
        size: Reg,
    },
    /// `dst = value`.
    LoadImm {
        /// The register that is written.
        dst: Reg,
        /// The constant.
        value: u64,
    },
    /// `dst = op(src)`.
    Unary {
        /// The operation.
        op: UnaryOp,
        /// Its width.
        width: Width,
        /// The register that is written.
        dst: Reg,
        /// The register that is read.
        src: Reg,
    },
    /// `dst = op(lhs, rhs)`.
    Binary {
        /// The operation.
        op: BinaryOp,
        /// Its width.
        width: Width,
        /// The register that is written.
        dst: Reg,
        /// The left operand.
        lhs: Operand,
        /// The right operand.
        rhs: Operand,
    },
    /// `if (test == 0) == if_zero { dst = value }`.
    CondMove {
        /// Whether the move happens when `test` is zero (else when it is not).
        if_zero: bool,
        /// The register that is written, or keeps its value.
        dst: Reg,
        /// The value that is moved.
        value: Operand,
        /// The register that decides.
        test: Reg,
    },
    /// `dst = memory[address]`.
    Load {
        /// Size and extension.
        kind: LoadKind,
        /// The register that is written.
        dst: Reg,
        /// The address of the first byte.
        address: Address,
    },
    /// Read memory, to fault if that cannot be done, and drop what was read.
    Probe {
        /// How many bytes are read.
        size: Size,
        /// The address of the first byte.
        address: Address,
    },
    /// `memory[address] = value`.
    Store {
        /// How many low bytes of the value are written.
        size: Size,
        /// The value.
        value: Operand,
        /// The address of the first byte.
        address: Address,
    },
    /// `dst = memory[address]; memory[address] = op(dst, value)`, of 32 bits, at once. An address that is no multiple of
    /// four is refused, as if the access was.
    Atomic {
        /// The operation.
        op: AtomicOp,
        /// The register that receives the former value, sign-extended, if any.
        dst: Option<Reg>,
        /// The right operand.
        value: Operand,
        /// The address.
        address: Address,
    },
    /// `dst = memory[address]`, of 32 bits, and reserve the address. It is aligned as that of [`Inst::Atomic`].
    LoadReserved {
        /// The register that receives the value, sign-extended, if any.
        dst: Option<Reg>,
        /// The address.
        address: Address,
    },
    /// `memory[address] = value; dst = 0` if the address is reserved, else `dst = 1`; no address is reserved then. It is
    /// aligned as that of [`Inst::Atomic`].
    StoreConditional {
        /// The register that tells the outcome, if any.
        dst: Option<Reg>,
        /// The value.
        value: Operand,
        /// The address.
        address: Address,
    },
    /// Go to a constant place. Ends a block.
    Jump {
        /// A register that is written first, also when the jump panics.
        link: Option<Link>,
        /// Where to.
        target: Target,
    },
    /// Go to where `(base + offset) mod 2^32` says, in the guest's own rule for dynamic jumps. Ends a block.
    JumpIndirect {
        /// A register that is written after the address was computed, also when the jump panics.
        link: Option<Link>,
        /// The register that is added.
        base: Reg,
        /// The constant that is added.
        offset: i32,
    },
    /// Go to a constant place if `cond(lhs, rhs)`, else to the next instruction. Ends a block.
    Branch {
        /// The condition.
        cond: Cond,
        /// The left operand.
        lhs: Reg,
        /// The right operand.
        rhs: Operand,
        /// Where a taken branch goes.
        target: Target,
    },
}

/// The registers that an instruction reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RegUse {
    /// Set of registers that are read, one bit each ([`Reg::bit`]).
    pub reads: u32,
    /// Set of registers that are written, or may be.
    pub writes: u32,
}

impl RegUse {
    fn read(mut self, reg: Reg) -> Self {
        self.reads |= reg.bit();
        self
    }

    fn read_operand(self, operand: Operand) -> Self {
        operand.reg().map_or(self, |reg| self.read(reg))
    }

    fn read_address(self, address: Address) -> Self {
        address.base.map_or(self, |reg| self.read(reg))
    }

    fn write(mut self, reg: Reg) -> Self {
        self.writes |= reg.bit();
        self
    }

    fn write_some(self, reg: Option<Reg>) -> Self {
        reg.map_or(self, |reg| self.write(reg))
    }

    fn link(self, link: Option<Link>) -> Self {
        self.write_some(link.map(|link| link.dst))
    }
}

impl Inst {
    /// Whether a basic block ends after this instruction.
    pub const fn ends_block(&self) -> bool {
        matches!(
            self,
            Inst::Trap
                | Inst::Raise { .. }
                | Inst::TrapReturn
                | Inst::Fallthrough
                | Inst::Jump { .. }
                | Inst::JumpIndirect { .. }
                | Inst::Branch { .. }
        )
    }

    /// Whether compiled code stops here, and goes on behind it once the run-time system has done what it says.
    pub const fn suspends(&self) -> bool {
        matches!(self, Inst::HostCall { .. } | Inst::Sbrk { .. } | Inst::Control { .. } | Inst::CodeFence)
    }

    /// The registers that it reads and writes. A conditional move reads its destination, too: it may keep it.
    pub fn registers(&self) -> RegUse {
        let none = RegUse::default();
        match *self {
            Inst::Trap | Inst::Nop | Inst::Fallthrough | Inst::HostCall { .. } => none,
            Inst::Raise { .. } | Inst::CodeFence | Inst::TrapReturn => none,
            Inst::Control { dst, value, .. } => none.read_operand(value).write_some(dst),
            Inst::Sbrk { dst, size } => none.read(size).write(dst),
            Inst::LoadImm { dst, .. } => none.write(dst),
            Inst::Unary { dst, src, .. } => none.read(src).write(dst),
            Inst::Binary { dst, lhs, rhs, .. } => none.read_operand(lhs).read_operand(rhs).write(dst),
            Inst::CondMove { dst, value, test, .. } => none.read(dst).read_operand(value).read(test).write(dst),
            Inst::Load { dst, address, .. } => none.read_address(address).write(dst),
            Inst::Probe { address, .. } => none.read_address(address),
            Inst::Store { value, address, .. } => none.read_operand(value).read_address(address),
            Inst::LoadReserved { dst, address } => none.read_address(address).write_some(dst),
            Inst::Atomic { dst, value, address, .. } | Inst::StoreConditional { dst, value, address } => {
                none.read_operand(value).read_address(address).write_some(dst)
            }
            Inst::Jump { link, .. } => none.link(link),
            Inst::JumpIndirect { link, base, .. } => none.read(base).link(link),
            Inst::Branch { lhs, rhs, .. } => none.read(lhs).read_operand(rhs),
        }
    }
}

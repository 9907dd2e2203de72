//! What single instructions do, without how they go on: the parts that handlers are made of. Those that are the same but
//! for an operation or a condition are in [`crate::cell`].

use crate::cell::Cell;
use crate::run::Stop;
use pvm_ops::{AtomicOp, BinaryOp, Memory, MemoryFault};

pub(crate) type Registers = [u64; 32];

/// An instruction that is followed by the next one.
pub(crate) trait Step {
    /// Does it and says so, or does nothing if it is a memory access out of the ordinary: one that crosses the end of a
    /// page, or is refused.
    fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> bool;

    /// Does what [`Step::fast`] did not do.
    fn slow<M: Memory>(_: &Cell, _: &mut Registers, _: &mut M) -> Result<(), MemoryFault> {
        unreachable!("only memory accesses are out of the ordinary")
    }
}

/// A condition of a branch.
pub(crate) trait Test {
    fn is_met(cell: &Cell, regs: &Registers) -> bool;
}

/// An instruction that is no branch, and that others follow only by way of a jump, or at a price of their own.
pub(crate) trait End {
    /// Whether it is an instruction of the guest.
    const COUNTS: bool = true;

    /// Does it, and says what is next.
    fn end(cell: &Cell, regs: &mut Registers) -> Way;
}

/// What is next at the end of a segment.
pub(crate) enum Way {
    /// The segment that follows.
    Next,
    /// The one that begins at the instruction of this index, [`crate::build::NONE`] for a panic.
    Cell(u32),
    /// The one that a dynamic jump to this address leads to.
    Address(u32),
    /// Nothing.
    Stop(Stop),
    /// What the guest has at this place; it has not been decoded.
    Unknown,
}

#[inline(always)]
fn address(cell: &Cell, regs: &Registers) -> u32 {
    (regs[cell.a.index()] as u32).wrapping_add(cell.x as u32)
}

macro_rules! loads {
    ($($name:ident $uint:ty, $value:ty;)*) => {$(
        pub(crate) struct $name;
        impl Step for $name {
            #[inline(always)]
            fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> bool {
                let bytes = memory.load_plain(address(cell, regs));
                if let Some(bytes) = bytes {
                    regs[cell.dst.index()] = <$uint>::from_le_bytes(bytes) as $value as u64;
                }
                bytes.is_some()
            }

            fn slow<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> Result<(), MemoryFault> {
                let bytes = memory.load(address(cell, regs))?;
                regs[cell.dst.index()] = <$uint>::from_le_bytes(bytes) as $value as u64;
                Ok(())
            }
        }
    )*};
}

loads! {
    LoadU8 u8, u8;
    LoadI8 u8, i8;
    LoadU16 u16, u16;
    LoadI16 u16, i16;
    LoadU32 u32, u32;
    LoadI32 u32, i32;
    LoadU64 u64, u64;
}

macro_rules! stores {
    ($($name:ident $imm:ident $uint:ty;)*) => {$(
        pub(crate) struct $name;
        impl Step for $name {
            #[inline(always)]
            fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> bool {
                memory.store_plain(address(cell, regs), (regs[cell.b.index()] as $uint).to_le_bytes())
            }

            fn slow<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> Result<(), MemoryFault> {
                memory.store(address(cell, regs), (regs[cell.b.index()] as $uint).to_le_bytes())
            }
        }

        pub(crate) struct $imm;
        impl Step for $imm {
            #[inline(always)]
            fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> bool {
                memory.store_plain(address(cell, regs), (cell.y as $uint).to_le_bytes())
            }

            fn slow<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> Result<(), MemoryFault> {
                memory.store(address(cell, regs), (cell.y as $uint).to_le_bytes())
            }
        }
    )*};
}

stores! {
    StoreU8 StoreImmU8 u8;
    StoreU16 StoreImmU16 u16;
    StoreU32 StoreImmU32 u32;
    StoreU64 StoreImmU64 u64;
}

macro_rules! probes {
    ($($name:ident $bytes:literal;)*) => {$(
        pub(crate) struct $name;
        impl Step for $name {
            #[inline(always)]
            fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> bool {
                memory.load_plain::<$bytes>(address(cell, regs)).is_some()
            }

            fn slow<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> Result<(), MemoryFault> {
                memory.load::<$bytes>(address(cell, regs)).map(|_| ())
            }
        }
    )*};
}

probes! {
    ProbeU8 1;
    ProbeU16 2;
    ProbeU32 4;
    ProbeU64 8;
}

/// Does what an atomic instruction does.
fn atomic<M: Memory>(op: AtomicOp, cell: &Cell, regs: &mut Registers, memory: &mut M) -> Result<(), MemoryFault> {
    let address = address(cell, regs);
    if !address.is_multiple_of(4) {
        return Err(MemoryFault { address });
    }
    let old = u32::from_le_bytes(memory.load(address)?);
    memory.store(address, op.eval(old, regs[cell.b.index()] as u32).to_le_bytes())?;
    if cell.y != 0 {
        regs[cell.dst.index()] = old as i32 as u64;
    }
    Ok(())
}

macro_rules! atomics {
    ($($name:ident $op:expr;)*) => {$(
        pub(crate) struct $name;
        impl Step for $name {
            #[inline(always)]
            fn fast<M: Memory>(_: &Cell, _: &mut Registers, _: &mut M) -> bool {
                false
            }

            fn slow<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> Result<(), MemoryFault> {
                atomic($op, cell, regs, memory)
            }
        }
    )*};
}

atomics! {
    AtomicSwap AtomicOp::Swap;
    AtomicAdd AtomicOp::Binary(BinaryOp::Add);
    AtomicAnd AtomicOp::Binary(BinaryOp::And);
    AtomicOr AtomicOp::Binary(BinaryOp::Or);
    AtomicXor AtomicOp::Binary(BinaryOp::Xor);
    AtomicMinS AtomicOp::Binary(BinaryOp::MinS);
    AtomicMinU AtomicOp::Binary(BinaryOp::MinU);
    AtomicMaxS AtomicOp::Binary(BinaryOp::MaxS);
    AtomicMaxU AtomicOp::Binary(BinaryOp::MaxU);
}

macro_rules! moves {
    ($($name:ident |$cell:ident, $regs:ident| $condition:expr => $value:expr;)*) => {$(
        pub(crate) struct $name;
        impl Step for $name {
            #[inline(always)]
            fn fast<M: Memory>($cell: &Cell, $regs: &mut Registers, _: &mut M) -> bool {
                if $condition {
                    $regs[$cell.dst.index()] = $value;
                }
                true
            }
        }
    )*};
}

moves! {
    LoadImm |cell, regs| true => u64::from(cell.x as u32) | u64::from(cell.y as u32) << 32;
    MoveIfZero |cell, regs| regs[cell.b.index()] == 0 => regs[cell.a.index()];
    MoveIfNotZero |cell, regs| regs[cell.b.index()] != 0 => regs[cell.a.index()];
    MoveImmIfZero |cell, regs| regs[cell.b.index()] == 0 => cell.x as u64;
    MoveImmIfNotZero |cell, regs| regs[cell.b.index()] != 0 => cell.x as u64;
}

pub(crate) struct Nop;
impl Step for Nop {
    #[inline(always)]
    fn fast<M: Memory>(_: &Cell, _: &mut Registers, _: &mut M) -> bool {
        true
    }
}

pub(crate) struct Sbrk;
impl Step for Sbrk {
    #[inline(always)]
    fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, memory: &mut M) -> bool {
        regs[cell.dst.index()] = memory.sbrk(regs[cell.a.index()]);
        true
    }
}

macro_rules! ends {
    ($($name:ident |$cell:pat_param, $regs:pat_param| $way:expr;)*) => {$(
        pub(crate) struct $name;
        impl End for $name {
            #[inline(always)]
            fn end($cell: &Cell, $regs: &mut Registers) -> Way {
                $way
            }
        }
    )*};
}

ends! {
    Trap |_, _| Way::Stop(Stop::Panic);
    HostCall |cell, _| Way::Stop(Stop::HostCall { id: cell.x });
    System |_, _| Way::Stop(Stop::System);
    Fallthrough |_, _| Way::Next;
    Jump |cell, _| Way::Cell(cell.y as u32);
    JumpLink |cell, regs| {
        regs[cell.dst.index()] = cell.x as u64;
        Way::Cell(cell.y as u32)
    };
    JumpIndirect |cell, regs| Way::Address(address(cell, regs));
    JumpIndirectLink |cell, regs| {
        let address = address(cell, regs);
        regs[cell.dst.index()] = cell.y as u64;
        Way::Address(address)
    };
}

/// Not an instruction: leads on to where the next one is.
pub(crate) struct Continue;
impl End for Continue {
    const COUNTS: bool = false;

    #[inline(always)]
    fn end(cell: &Cell, _: &mut Registers) -> Way {
        Way::Cell(cell.y as u32)
    }
}

/// Not an instruction: one that is still to be decoded.
pub(crate) struct Unknown;
impl End for Unknown {
    const COUNTS: bool = false;

    #[inline(always)]
    fn end(_: &Cell, _: &mut Registers) -> Way {
        Way::Unknown
    }
}

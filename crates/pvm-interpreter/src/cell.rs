//! The pre-decoded form of instructions.

use crate::handlers::{Handler, Handlers, handler};
use crate::step::{Registers, Step, Test};
use pvm_ops::{BinaryOp, Cond, Memory, Reg, UnaryOp, Width};

/// A place between two instructions, in twenty bytes: what the one before it works on, and what the one behind it does.
///
/// Split so, because going on from one instruction to the next then looks only at what is at hand already.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    /// An immediate of the instruction before, or the low half of a constant.
    pub x: i32,
    /// A second immediate, the high half of a constant, or the index of the cell that a jump goes to.
    pub y: i32,
    /// The gas from here to the end of the segment.
    pub gas: u32,
    /// Which handler goes on from here, by its place in the table of handlers.
    pub code: u16,
    pub dst: Reg,
    pub a: Reg,
    pub b: Reg,
}

impl Cell {
    /// No instruction before, and a trap behind.
    pub(crate) const TRAP: Cell =
        Cell { x: 0, y: 0, gas: 0, code: Op::Trap as u16, dst: Reg::R0, a: Reg::R0, b: Reg::R0 };
}

/// An instruction: what it does, and the operands in a cell whose other half is nobody's yet.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Decoded {
    pub op: Op,
    pub operands: Cell,
}

impl Op {
    /// Whether a basic block ends after the cell.
    pub(crate) fn ends_block(self) -> bool {
        use Op::*;
        matches!(self, Trap | Fallthrough | Jump | JumpLink | JumpIndirect | JumpIndirectLink) || self.is_branch()
    }
}

/// The forms of a binary operation's operands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    RegReg,
    RegImm,
    ImmReg,
}

/// Lists the operations that come in several forms, once, and writes what is the same for each: the enumeration, the way
/// from an operation to it, types for each in [`steps`] and [`parts`], and the table of what handles them.
macro_rules! operations {
    (
        binary { $($bin:ident $bwidth:ident $rr:ident $ri:ident $ir:ident;)* }
        unary { $($un:ident $uwidth:ident $uname:ident;)* }
        branch { $($cond:ident $crr:ident $cri:ident;)* }
        step { $($step:ident)* }
        end { $($other:ident)* }
    ) => {
        /// What is done next, operand forms included, so that the interpreter decides once per instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Op {
            $($rr, $ri, $ir,)* $($uname,)* $($crr, $cri,)* $($step,)* $($other,)*
        }

        impl Op {
            /// How many there are.
            pub(crate) const COUNT: usize = [
                $(Op::$rr, Op::$ri, Op::$ir,)* $(Op::$uname,)* $(Op::$crr, Op::$cri,)* $(Op::$step,)* $(Op::$other,)*
            ].len();

            pub(crate) fn binary(op: BinaryOp, width: Width, form: Form) -> Op {
                match (op, width, form) {
                    $((BinaryOp::$bin, Width::$bwidth, Form::RegReg) => Op::$rr,
                      (BinaryOp::$bin, Width::$bwidth, Form::RegImm) => Op::$ri,
                      (BinaryOp::$bin, Width::$bwidth, Form::ImmReg) => Op::$ir,)*
                }
            }

            pub(crate) fn unary(op: UnaryOp, width: Width) -> Op {
                match (op, width) {
                    $((UnaryOp::$un, Width::$uwidth) => Op::$uname,)*
                }
            }

            fn is_branch(self) -> bool {
                matches!(self, $(Op::$crr | Op::$cri)|*)
            }

            pub(crate) fn branch(cond: Cond, form: Form) -> Op {
                match (cond, form) {
                    $((Cond::$cond, Form::RegReg) => Op::$crr,
                      (Cond::$cond, _) => Op::$cri,)*
                }
            }
        }

        impl<M: Memory, const COUNTING: bool> Handlers<M, COUNTING> {
            /// What does each operation, in the order of [`Op`].
            pub(crate) const SINGLE: [Handler<M>; Op::COUNT] = [
                $(handler::<M, COUNTING, parts::$rr>, handler::<M, COUNTING, parts::$ri>,
                  handler::<M, COUNTING, parts::$ir>,)*
                $(handler::<M, COUNTING, parts::$uname>,)*
                $(handler::<M, COUNTING, parts::$crr>, handler::<M, COUNTING, parts::$cri>,)*
                $(handler::<M, COUNTING, parts::$step>,)*
                $(handler::<M, COUNTING, parts::$other>,)*
            ];
        }

        /// Each operation as a part of a handler that nothing follows.
        pub(crate) mod parts {
            use super::{steps, tests};
            use crate::handlers::{If, Last, Only};
            use crate::step;
            $(
                pub(crate) type $rr = Only<steps::$rr>;
                pub(crate) type $ri = Only<steps::$ri>;
                pub(crate) type $ir = Only<steps::$ir>;
            )*
            $(pub(crate) type $uname = Only<steps::$uname>;)*
            $(pub(crate) type $step = Only<steps::$step>;)*
            $(pub(crate) type $crr = If<tests::$crr>; pub(crate) type $cri = If<tests::$cri>;)*
            $(pub(crate) type $other = Last<step::$other>;)*
        }

        /// The steps that are the same but for the operation.
        pub(crate) mod steps {
            pub(crate) use crate::step::{$($step),*};
            use super::*;
            $(
                pub(crate) struct $rr;
                impl Step for $rr {
                    #[inline(always)]
                    fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, _: &mut M) -> bool {
                        let (a, b) = (regs[cell.a.index()], regs[cell.b.index()]);
                        regs[cell.dst.index()] = BinaryOp::$bin.eval(Width::$bwidth, a, b);
                        true
                    }
                }

                pub(crate) struct $ri;
                impl Step for $ri {
                    #[inline(always)]
                    fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, _: &mut M) -> bool {
                        let (a, b) = (regs[cell.a.index()], cell.x as u64);
                        regs[cell.dst.index()] = BinaryOp::$bin.eval(Width::$bwidth, a, b);
                        true
                    }
                }

                pub(crate) struct $ir;
                impl Step for $ir {
                    #[inline(always)]
                    fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, _: &mut M) -> bool {
                        let (a, b) = (cell.x as u64, regs[cell.b.index()]);
                        regs[cell.dst.index()] = BinaryOp::$bin.eval(Width::$bwidth, a, b);
                        true
                    }
                }
            )*
            $(
                pub(crate) struct $uname;
                impl Step for $uname {
                    #[inline(always)]
                    fn fast<M: Memory>(cell: &Cell, regs: &mut Registers, _: &mut M) -> bool {
                        regs[cell.dst.index()] = UnaryOp::$un.eval(Width::$uwidth, regs[cell.a.index()]);
                        true
                    }
                }
            )*
        }

        /// The conditions of branches.
        mod tests {
            use super::*;
            $(
                pub(crate) struct $crr;
                impl Test for $crr {
                    #[inline(always)]
                    fn is_met(cell: &Cell, regs: &Registers) -> bool {
                        Cond::$cond.eval(regs[cell.a.index()], regs[cell.b.index()])
                    }
                }

                pub(crate) struct $cri;
                impl Test for $cri {
                    #[inline(always)]
                    fn is_met(cell: &Cell, regs: &Registers) -> bool {
                        Cond::$cond.eval(regs[cell.a.index()], cell.x as u64)
                    }
                }
            )*
        }
    };
}

#[rustfmt::skip]
operations! {
    binary {
        Add W64 Add64 Add64Imm Add64Swapped;
        Sub W64 Sub64 Sub64Imm Sub64Swapped;
        Mul W64 Mul64 Mul64Imm Mul64Swapped;
        MulHighSS W64 MulHighSS64 MulHighSS64Imm MulHighSS64Swapped;
        MulHighUU W64 MulHighUU64 MulHighUU64Imm MulHighUU64Swapped;
        MulHighSU W64 MulHighSU64 MulHighSU64Imm MulHighSU64Swapped;
        DivU W64 DivU64 DivU64Imm DivU64Swapped;
        DivS W64 DivS64 DivS64Imm DivS64Swapped;
        RemU W64 RemU64 RemU64Imm RemU64Swapped;
        RemS W64 RemS64 RemS64Imm RemS64Swapped;
        And W64 And64 And64Imm And64Swapped;
        Or W64 Or64 Or64Imm Or64Swapped;
        Xor W64 Xor64 Xor64Imm Xor64Swapped;
        AndInv W64 AndInv64 AndInv64Imm AndInv64Swapped;
        OrInv W64 OrInv64 OrInv64Imm OrInv64Swapped;
        Xnor W64 Xnor64 Xnor64Imm Xnor64Swapped;
        Shl W64 Shl64 Shl64Imm Shl64Swapped;
        ShrU W64 ShrU64 ShrU64Imm ShrU64Swapped;
        ShrS W64 ShrS64 ShrS64Imm ShrS64Swapped;
        RotL W64 RotL64 RotL64Imm RotL64Swapped;
        RotR W64 RotR64 RotR64Imm RotR64Swapped;
        MinS W64 MinS64 MinS64Imm MinS64Swapped;
        MinU W64 MinU64 MinU64Imm MinU64Swapped;
        MaxS W64 MaxS64 MaxS64Imm MaxS64Swapped;
        MaxU W64 MaxU64 MaxU64Imm MaxU64Swapped;
        SetLtS W64 SetLtS64 SetLtS64Imm SetLtS64Swapped;
        SetLtU W64 SetLtU64 SetLtU64Imm SetLtU64Swapped;
        Add W32 Add32 Add32Imm Add32Swapped;
        Sub W32 Sub32 Sub32Imm Sub32Swapped;
        Mul W32 Mul32 Mul32Imm Mul32Swapped;
        MulHighSS W32 MulHighSS32 MulHighSS32Imm MulHighSS32Swapped;
        MulHighUU W32 MulHighUU32 MulHighUU32Imm MulHighUU32Swapped;
        MulHighSU W32 MulHighSU32 MulHighSU32Imm MulHighSU32Swapped;
        DivU W32 DivU32 DivU32Imm DivU32Swapped;
        DivS W32 DivS32 DivS32Imm DivS32Swapped;
        RemU W32 RemU32 RemU32Imm RemU32Swapped;
        RemS W32 RemS32 RemS32Imm RemS32Swapped;
        And W32 And32 And32Imm And32Swapped;
        Or W32 Or32 Or32Imm Or32Swapped;
        Xor W32 Xor32 Xor32Imm Xor32Swapped;
        AndInv W32 AndInv32 AndInv32Imm AndInv32Swapped;
        OrInv W32 OrInv32 OrInv32Imm OrInv32Swapped;
        Xnor W32 Xnor32 Xnor32Imm Xnor32Swapped;
        Shl W32 Shl32 Shl32Imm Shl32Swapped;
        ShrU W32 ShrU32 ShrU32Imm ShrU32Swapped;
        ShrS W32 ShrS32 ShrS32Imm ShrS32Swapped;
        RotL W32 RotL32 RotL32Imm RotL32Swapped;
        RotR W32 RotR32 RotR32Imm RotR32Swapped;
        MinS W32 MinS32 MinS32Imm MinS32Swapped;
        MinU W32 MinU32 MinU32Imm MinU32Swapped;
        MaxS W32 MaxS32 MaxS32Imm MaxS32Swapped;
        MaxU W32 MaxU32 MaxU32Imm MaxU32Swapped;
        SetLtS W32 SetLtS32 SetLtS32Imm SetLtS32Swapped;
        SetLtU W32 SetLtU32 SetLtU32Imm SetLtU32Swapped;
    }
    unary {
        Move W64 Move64;
        CountOnes W64 CountOnes64;
        LeadingZeros W64 LeadingZeros64;
        TrailingZeros W64 TrailingZeros64;
        SignExtend8 W64 SignExtend8As64;
        SignExtend16 W64 SignExtend16As64;
        ZeroExtend16 W64 ZeroExtend16As64;
        ReverseBytes W64 ReverseBytes64;
        Move W32 Move32;
        CountOnes W32 CountOnes32;
        LeadingZeros W32 LeadingZeros32;
        TrailingZeros W32 TrailingZeros32;
        SignExtend8 W32 SignExtend8As32;
        SignExtend16 W32 SignExtend16As32;
        ZeroExtend16 W32 ZeroExtend16As32;
        ReverseBytes W32 ReverseBytes32;
    }
    branch {
        Eq BranchEq BranchEqImm;
        Ne BranchNe BranchNeImm;
        LtU BranchLtU BranchLtUImm;
        LeU BranchLeU BranchLeUImm;
        GeU BranchGeU BranchGeUImm;
        GtU BranchGtU BranchGtUImm;
        LtS BranchLtS BranchLtSImm;
        LeS BranchLeS BranchLeSImm;
        GeS BranchGeS BranchGeSImm;
        GtS BranchGtS BranchGtSImm;
    }
    step {
        LoadU8 LoadI8 LoadU16 LoadI16 LoadU32 LoadI32 LoadU64
        StoreU8 StoreU16 StoreU32 StoreU64 StoreImmU8 StoreImmU16 StoreImmU32 StoreImmU64
        LoadImm MoveIfZero MoveIfNotZero MoveImmIfZero MoveImmIfNotZero Nop Sbrk
        ProbeU8 ProbeU16 ProbeU32 ProbeU64
        AtomicSwap AtomicAdd AtomicAnd AtomicOr AtomicXor AtomicMinS AtomicMinU AtomicMaxS AtomicMaxU
    }
    end { Trap Fallthrough HostCall System Jump JumpLink JumpIndirect JumpIndirectLink Continue Unknown }
}

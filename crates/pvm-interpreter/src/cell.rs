//! The pre-decoded form of an instruction.

use pvm_ops::{BinaryOp, Cond, Reg, UnaryOp, Width};

/// An instruction, decoded, in sixteen bytes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Cell {
    pub op: Op,
    pub dst: Reg,
    pub a: Reg,
    pub b: Reg,
    /// An immediate, or the low half of a constant.
    pub x: i32,
    /// A second immediate, the high half of a constant, or the index of the cell that a jump goes to.
    pub y: i32,
    /// The gas from this cell to the end of its segment, the cell included.
    pub gas: u32,
}

impl Cell {
    pub(crate) fn new(op: Op) -> Cell {
        Cell { op, dst: Reg::R0, a: Reg::R0, b: Reg::R0, x: 0, y: 0, gas: 0 }
    }
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

/// Lists the operations that come in several forms, once, and writes what is the same for each: the enumeration of
/// cells, the way from an operation to its cell, and the arms of the interpreter's `match`. (`$d` is a dollar sign, for
/// the macro that this macro defines.)
macro_rules! operations {
    (
        ($d:tt)
        binary { $($bin:ident $bwidth:ident $rr:ident $ri:ident $ir:ident;)* }
        unary { $($un:ident $uwidth:ident $uname:ident;)* }
        branch { $($cond:ident $crr:ident $cri:ident;)* }
        other { $($other:ident)* }
    ) => {
        /// What a cell does, its operand form included, so that the interpreter decides once per instruction.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[repr(u8)]
        pub(crate) enum Op { $($rr, $ri, $ir,)* $($uname,)* $($crr, $cri,)* $($other,)* }

        impl Op {
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

        /// `match` on a cell: the arms of all listed operations, then the others. `eval` folds to one operation in each
        /// arm, its selectors being constants.
        macro_rules! dispatch {
            ($d cell:ident, $d regs:ident, $d branch:ident, { $d($d other:tt)* }) => {
                match $d cell.op {
                    $(Op::$rr => $d regs[$d cell.dst.index()] = BinaryOp::$bin.eval(
                          Width::$bwidth, $d regs[$d cell.a.index()], $d regs[$d cell.b.index()]),
                      Op::$ri => $d regs[$d cell.dst.index()] = BinaryOp::$bin.eval(
                          Width::$bwidth, $d regs[$d cell.a.index()], $d cell.x as u64),
                      Op::$ir => $d regs[$d cell.dst.index()] = BinaryOp::$bin.eval(
                          Width::$bwidth, $d cell.x as u64, $d regs[$d cell.b.index()]),)*
                    $(Op::$uname => $d regs[$d cell.dst.index()] = UnaryOp::$un.eval(
                          Width::$uwidth, $d regs[$d cell.a.index()]),)*
                    $(Op::$crr => $d branch!($d cell, Cond::$cond.eval(
                          $d regs[$d cell.a.index()], $d regs[$d cell.b.index()])),
                      Op::$cri => $d branch!($d cell, Cond::$cond.eval($d regs[$d cell.a.index()], $d cell.x as u64)),)*
                    $d($d other)*
                }
            };
        }
        pub(crate) use dispatch;
    };
}

#[rustfmt::skip]
operations! {
    ($)
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
    other {
        LoadU8 LoadI8 LoadU16 LoadI16 LoadU32 LoadI32 LoadU64
        StoreU8 StoreU16 StoreU32 StoreU64 StoreImmU8 StoreImmU16 StoreImmU32 StoreImmU64
        LoadImm MoveIfZero MoveIfNotZero MoveImmIfZero MoveImmIfNotZero
        Trap Nop Fallthrough HostCall Sbrk Jump JumpLink JumpIndirect JumpIndirectLink Pause
    }
}

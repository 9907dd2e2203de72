//! One decoded instruction.

use crate::{Format, Opcode};
use pvm_ops::Reg;

/// An instruction with its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Instruction {
    /// Which instruction.
    pub opcode: Opcode,
    /// Its operands, in the variant of its format.
    pub operands: Operands,
}

/// Operands, one variant per [`Format`].
///
/// `a`, `b` and `d` are the registers that the Gray Paper calls r_A, r_B and r_D, `x` and `y` the immediates ν_X and
/// ν_Y (sign-extended in use). A `target` is the place an offset leads to: the program counter of the instruction plus
/// the offset, which may lie outside of the code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[rustfmt::skip]
#[allow(missing_docs)] // see above
pub enum Operands {
    None,
    Imm { x: i32 },
    RegImm64 { a: Reg, x: u64 },
    ImmImm { x: i32, y: i32 },
    Offset { target: i64 },
    RegImm { a: Reg, x: i32 },
    RegImmImm { a: Reg, x: i32, y: i32 },
    RegImmOffset { a: Reg, x: i32, target: i64 },
    RegReg { d: Reg, a: Reg },
    RegRegImm { a: Reg, b: Reg, x: i32 },
    RegRegOffset { a: Reg, b: Reg, target: i64 },
    RegRegImmImm { a: Reg, b: Reg, x: i32, y: i32 },
    RegRegReg { d: Reg, a: Reg, b: Reg },
}

impl Operands {
    /// The format that these operands belong to.
    pub const fn format(&self) -> Format {
        match self {
            Operands::None => Format::None,
            Operands::Imm { .. } => Format::Imm,
            Operands::RegImm64 { .. } => Format::RegImm64,
            Operands::ImmImm { .. } => Format::ImmImm,
            Operands::Offset { .. } => Format::Offset,
            Operands::RegImm { .. } => Format::RegImm,
            Operands::RegImmImm { .. } => Format::RegImmImm,
            Operands::RegImmOffset { .. } => Format::RegImmOffset,
            Operands::RegReg { .. } => Format::RegReg,
            Operands::RegRegImm { .. } => Format::RegRegImm,
            Operands::RegRegOffset { .. } => Format::RegRegOffset,
            Operands::RegRegImmImm { .. } => Format::RegRegImmImm,
            Operands::RegRegReg { .. } => Format::RegRegReg,
        }
    }

    /// Where the instruction jumps to, if its format has an offset.
    pub const fn target(&self) -> Option<i64> {
        match *self {
            Operands::Offset { target }
            | Operands::RegImmOffset { target, .. }
            | Operands::RegRegOffset { target, .. } => Some(target),
            _ => None,
        }
    }
}

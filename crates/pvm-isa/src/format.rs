//! Operand formats: how the bytes after the opcode are laid out (Gray Paper A.5.1 to A.5.13).

/// The layout of an instruction's operands.
///
/// Immediates are little-endian, at most four bytes, sign-extended; the names list the operands in encoding order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// No operands.
    None,
    /// One immediate, as long as the instruction.
    Imm,
    /// A register and eight bytes.
    RegImm64,
    /// Two immediates; a byte gives the length of the first.
    ImmImm,
    /// A jump offset.
    Offset,
    /// A register and an immediate.
    RegImm,
    /// A register and two immediates; the register's byte gives the length of the first.
    RegImmImm,
    /// A register, an immediate and a jump offset.
    RegImmOffset,
    /// Two registers, the destination in the low half of the byte.
    RegReg,
    /// Two registers and an immediate.
    RegRegImm,
    /// Two registers and a jump offset.
    RegRegOffset,
    /// Two registers and two immediates; a byte gives the length of the first.
    RegRegImmImm,
    /// Three registers, the destination in a byte of its own.
    RegRegReg,
}

impl Format {
    /// Every format.
    pub const ALL: [Format; 13] = {
        use Format::*;
        [
            None,
            Imm,
            RegImm64,
            ImmImm,
            Offset,
            RegImm,
            RegImmImm,
            RegImmOffset,
            RegReg,
            RegRegImm,
            RegRegOffset,
            RegRegImmImm,
            RegRegReg,
        ]
    };
}

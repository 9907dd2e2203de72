//! Guest registers.

/// The number of a guest register.
///
/// PVM uses 0 to 12, RISC-V 0 to 31. An enumeration instead of an integer: a register file of 32 entries can then be
/// indexed without a bounds check, because no other value exists.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u8)]
#[rustfmt::skip]
#[allow(missing_docs)] // thirty-two names that are their own numbers
pub enum Reg {
    R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14, R15,
    R16, R17, R18, R19, R20, R21, R22, R23, R24, R25, R26, R27, R28, R29, R30, R31,
}

impl Reg {
    /// Every register, in order.
    #[rustfmt::skip]
    pub const ALL: [Reg; 32] = {
        use Reg::*;
        [
            R0, R1, R2, R3, R4, R5, R6, R7, R8, R9, R10, R11, R12, R13, R14, R15,
            R16, R17, R18, R19, R20, R21, R22, R23, R24, R25, R26, R27, R28, R29, R30, R31,
        ]
    };

    /// The register of this number, taken modulo 32.
    #[inline]
    pub const fn wrapping(number: u8) -> Reg {
        Reg::ALL[(number & 31) as usize]
    }

    /// The register of this number; numbers above `last` mean `last` (Gray Paper A.5: register fields are `min(12, n)`).
    #[inline]
    pub const fn clamped(number: u8, last: Reg) -> Reg {
        if number < last as u8 { Reg::wrapping(number) } else { last }
    }

    /// The number, 0 to 31.
    #[inline]
    pub const fn index(self) -> usize {
        self as usize
    }

    /// The bit of this register in a set of registers.
    #[inline]
    pub const fn bit(self) -> u32 {
        1 << self as u32
    }
}

impl std::fmt::Debug for Reg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{}", self.index())
    }
}

impl std::fmt::Display for Reg {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "r{}", self.index())
    }
}

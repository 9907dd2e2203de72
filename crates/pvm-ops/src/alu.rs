//! Arithmetic and logic: the operations and what they compute.
//!
//! No operation traps. Division follows RISC-V (and Gray Paper A.5.13): by zero gives all ones, the remainder by zero
//! is the dividend, and the one signed overflow gives the dividend with remainder zero.

/// How many low bits of its operands an operation uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Width {
    /// The low 32 bits; the result is sign-extended to 64.
    W32,
    /// All 64 bits.
    W64,
}

impl Width {
    /// The width in bits, 32 or 64.
    pub const fn bits(self) -> u32 {
        match self {
            Width::W32 => 32,
            Width::W64 => 64,
        }
    }
}

/// An operation on two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum BinaryOp {
    /// Sum, wrapping.
    Add,
    /// Difference, wrapping.
    Sub,
    /// Low half of the product.
    Mul,
    /// High half of the signed product.
    MulHighSS,
    /// High half of the unsigned product.
    MulHighUU,
    /// High half of the product of a signed left and an unsigned right operand.
    MulHighSU,
    /// Unsigned quotient.
    DivU,
    /// Signed quotient, towards zero.
    DivS,
    /// Unsigned remainder.
    RemU,
    /// Signed remainder, with the sign of the dividend.
    RemS,
    /// Bitwise and.
    And,
    /// Bitwise or.
    Or,
    /// Bitwise exclusive or.
    Xor,
    /// `a & !b`.
    AndInv,
    /// `a | !b`.
    OrInv,
    /// `!(a ^ b)`.
    Xnor,
    /// Shift left; the amount is taken modulo the width, here and in all shifts and rotations.
    Shl,
    /// Shift right, filling with zeros.
    ShrU,
    /// Shift right, filling with the sign.
    ShrS,
    /// Rotate left.
    RotL,
    /// Rotate right.
    RotR,
    /// Signed minimum.
    MinS,
    /// Unsigned minimum.
    MinU,
    /// Signed maximum.
    MaxS,
    /// Unsigned maximum.
    MaxU,
    /// 1 if less, signed, else 0.
    SetLtS,
    /// 1 if less, unsigned, else 0.
    SetLtU,
}

impl BinaryOp {
    /// Every operation, in order.
    #[rustfmt::skip]
    pub const ALL: [BinaryOp; 27] = {
        use BinaryOp::*;
        [
            Add, Sub, Mul, MulHighSS, MulHighUU, MulHighSU, DivU, DivS, RemU, RemS, And, Or, Xor, AndInv, OrInv, Xnor,
            Shl, ShrU, ShrS, RotL, RotR, MinS, MinU, MaxS, MaxU, SetLtS, SetLtU,
        ]
    };

    /// The result of the operation on `a` and `b`.
    #[inline(always)]
    pub const fn eval(self, width: Width, a: u64, b: u64) -> u64 {
        match width {
            Width::W32 => self.eval32(a as u32, b as u32) as i32 as u64,
            Width::W64 => self.eval64(a, b),
        }
    }

    #[inline(always)]
    const fn eval64(self, a: u64, b: u64) -> u64 {
        let (sa, sb) = (a as i64, b as i64);
        match self {
            BinaryOp::Add => a.wrapping_add(b),
            BinaryOp::Sub => a.wrapping_sub(b),
            BinaryOp::Mul => a.wrapping_mul(b),
            BinaryOp::MulHighSS => ((sa as i128 * sb as i128) >> 64) as u64,
            BinaryOp::MulHighUU => ((a as u128 * b as u128) >> 64) as u64,
            BinaryOp::MulHighSU => ((sa as i128 * b as i128) >> 64) as u64,
            BinaryOp::DivU => match a.checked_div(b) {
                Some(quotient) => quotient,
                None => u64::MAX,
            },
            BinaryOp::DivS if b == 0 => u64::MAX,
            BinaryOp::DivS => sa.wrapping_div(sb) as u64,
            BinaryOp::RemU => match a.checked_rem(b) {
                Some(remainder) => remainder,
                None => a,
            },
            BinaryOp::RemS if b == 0 => a,
            BinaryOp::RemS => sa.wrapping_rem(sb) as u64,
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            BinaryOp::Xor => a ^ b,
            BinaryOp::AndInv => a & !b,
            BinaryOp::OrInv => a | !b,
            BinaryOp::Xnor => !(a ^ b),
            BinaryOp::Shl => a << (b & 63),
            BinaryOp::ShrU => a >> (b & 63),
            BinaryOp::ShrS => (sa >> (b & 63)) as u64,
            BinaryOp::RotL => a.rotate_left((b & 63) as u32),
            BinaryOp::RotR => a.rotate_right((b & 63) as u32),
            BinaryOp::MinS => {
                if sa < sb {
                    a
                } else {
                    b
                }
            }
            BinaryOp::MinU => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            BinaryOp::MaxS => {
                if sa > sb {
                    a
                } else {
                    b
                }
            }
            BinaryOp::MaxU => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            BinaryOp::SetLtS => (sa < sb) as u64,
            BinaryOp::SetLtU => (a < b) as u64,
        }
    }

    #[inline(always)]
    const fn eval32(self, a: u32, b: u32) -> u32 {
        let (sa, sb) = (a as i32, b as i32);
        match self {
            BinaryOp::Add => a.wrapping_add(b),
            BinaryOp::Sub => a.wrapping_sub(b),
            BinaryOp::Mul => a.wrapping_mul(b),
            BinaryOp::MulHighSS => ((sa as i64 * sb as i64) >> 32) as u32,
            BinaryOp::MulHighUU => ((a as u64 * b as u64) >> 32) as u32,
            BinaryOp::MulHighSU => ((sa as i64 * b as i64) >> 32) as u32,
            BinaryOp::DivU => match a.checked_div(b) {
                Some(quotient) => quotient,
                None => u32::MAX,
            },
            BinaryOp::DivS if b == 0 => u32::MAX,
            BinaryOp::DivS => sa.wrapping_div(sb) as u32,
            BinaryOp::RemU => match a.checked_rem(b) {
                Some(remainder) => remainder,
                None => a,
            },
            BinaryOp::RemS if b == 0 => a,
            BinaryOp::RemS => sa.wrapping_rem(sb) as u32,
            BinaryOp::And => a & b,
            BinaryOp::Or => a | b,
            BinaryOp::Xor => a ^ b,
            BinaryOp::AndInv => a & !b,
            BinaryOp::OrInv => a | !b,
            BinaryOp::Xnor => !(a ^ b),
            BinaryOp::Shl => a << (b & 31),
            BinaryOp::ShrU => a >> (b & 31),
            BinaryOp::ShrS => (sa >> (b & 31)) as u32,
            BinaryOp::RotL => a.rotate_left(b & 31),
            BinaryOp::RotR => a.rotate_right(b & 31),
            BinaryOp::MinS => {
                if sa < sb {
                    a
                } else {
                    b
                }
            }
            BinaryOp::MinU => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            BinaryOp::MaxS => {
                if sa > sb {
                    a
                } else {
                    b
                }
            }
            BinaryOp::MaxU => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            BinaryOp::SetLtS => (sa < sb) as u32,
            BinaryOp::SetLtU => (a < b) as u32,
        }
    }
}

/// What an atomic instruction makes of the value in memory and its operand, of 32 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AtomicOp {
    /// The operand alone.
    Swap,
    /// What the operation makes of both.
    Binary(BinaryOp),
}

impl AtomicOp {
    /// The new value in memory.
    #[inline]
    pub const fn eval(self, old: u32, operand: u32) -> u32 {
        match self {
            AtomicOp::Swap => operand,
            AtomicOp::Binary(op) => op.eval32(old, operand),
        }
    }
}

/// An operation on one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOp {
    /// The value itself.
    Move,
    /// Number of one bits.
    CountOnes,
    /// Number of zero bits above the highest one; the width if there is none.
    LeadingZeros,
    /// Number of zero bits below the lowest one; the width if there is none.
    TrailingZeros,
    /// The low 8 bits, sign-extended.
    SignExtend8,
    /// The low 16 bits, sign-extended.
    SignExtend16,
    /// The low 16 bits, zero-extended.
    ZeroExtend16,
    /// The bytes in reverse order.
    ReverseBytes,
}

impl UnaryOp {
    /// The result of the operation on `a`.
    #[inline(always)]
    pub const fn eval(self, width: Width, a: u64) -> u64 {
        match width {
            Width::W32 => self.eval32(a as u32) as i32 as u64,
            Width::W64 => self.eval64(a),
        }
    }

    #[inline(always)]
    const fn eval64(self, a: u64) -> u64 {
        match self {
            UnaryOp::Move => a,
            UnaryOp::CountOnes => a.count_ones() as u64,
            UnaryOp::LeadingZeros => a.leading_zeros() as u64,
            UnaryOp::TrailingZeros => a.trailing_zeros() as u64,
            UnaryOp::SignExtend8 => a as i8 as u64,
            UnaryOp::SignExtend16 => a as i16 as u64,
            UnaryOp::ZeroExtend16 => a as u16 as u64,
            UnaryOp::ReverseBytes => a.swap_bytes(),
        }
    }

    #[inline(always)]
    const fn eval32(self, a: u32) -> u32 {
        match self {
            UnaryOp::Move => a,
            UnaryOp::CountOnes => a.count_ones(),
            UnaryOp::LeadingZeros => a.leading_zeros(),
            UnaryOp::TrailingZeros => a.trailing_zeros(),
            UnaryOp::SignExtend8 => a as i8 as u32,
            UnaryOp::SignExtend16 => a as i16 as u32,
            UnaryOp::ZeroExtend16 => a as u16 as u32,
            UnaryOp::ReverseBytes => a.swap_bytes(),
        }
    }
}

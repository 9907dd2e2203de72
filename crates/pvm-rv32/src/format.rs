//! Where operands are in the bits of an instruction, as data: decoding gathers what encoding scatters.

use pvm_ops::Reg;

/// Where the number of a register is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// There is none: it is x0.
    Absent,
    /// It is not written, but always this one.
    Fixed(Reg),
    /// Five bits from this one on.
    Full(u8),
    /// Three bits from this one on, for x8 to x15.
    Short(u8),
}

impl Place {
    pub(crate) fn gather(self, bits: u32) -> Reg {
        match self {
            Place::Absent => Reg::R0,
            Place::Fixed(reg) => reg,
            Place::Full(at) => Reg::wrapping((bits >> at) as u8 & 31),
            Place::Short(at) => Reg::wrapping(8 + ((bits >> at) as u8 & 7)),
        }
    }

    /// The bits of a register. One that does not fit here comes out as another when it is gathered again.
    pub(crate) fn scatter(self, reg: Reg) -> u32 {
        match self {
            Place::Absent | Place::Fixed(_) => 0,
            Place::Full(at) => (reg.index() as u32) << at,
            Place::Short(at) => (reg.index() as u32 & 7) << at,
        }
    }

    /// Whether the instruction has bits for it.
    pub const fn is_register(self) -> bool {
        matches!(self, Place::Full(_) | Place::Short(_))
    }
}

/// Bits of an immediate that are next to each other in an instruction, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The lowest bit in the instruction.
    pub from: u8,
    /// How many bits.
    pub len: u8,
    /// The lowest bit in the immediate.
    pub to: u8,
}

/// Where the operands of an instruction are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Format {
    /// The register that is written.
    pub rd: Place,
    /// The first register that is read.
    pub rs1: Place,
    /// The second register that is read.
    pub rs2: Place,
    /// The immediate, from the highest bits to the lowest; what no piece has is zero.
    pub imm: &'static [Piece],
    /// Whether the highest bit of the immediate is its sign.
    pub is_signed: bool,
}

impl Format {
    /// The immediate of an instruction.
    pub(crate) fn gather(&self, bits: u32) -> i32 {
        let piece = |piece: &Piece| (bits >> piece.from & mask(piece.len)) << piece.to;
        let value = self.imm.iter().map(piece).fold(0, |all, one| all | one);
        match self.imm.first().filter(|_| self.is_signed) {
            Some(highest) => {
                let above = 32 - u32::from(highest.to) - u32::from(highest.len);
                (value << above) as i32 >> above
            }
            None => value as i32,
        }
    }

    /// The bits of an immediate. One that does not fit comes out as another when it is gathered again.
    pub(crate) fn scatter(&self, imm: i32) -> u32 {
        let piece = |piece: &Piece| (imm as u32 >> piece.to & mask(piece.len)) << piece.from;
        self.imm.iter().map(piece).fold(0, |all, one| all | one)
    }
}

const fn mask(len: u8) -> u32 {
    u32::MAX >> (32 - len)
}

/// A piece of the immediate: bits `from` on go to bits `to` on.
const fn p(from: u8, len: u8, to: u8) -> Piece {
    Piece { from, len, to }
}

const fn format(rd: Place, rs1: Place, rs2: Place, is_signed: bool, imm: &'static [Piece]) -> Format {
    Format { rd, rs1, rs2, imm, is_signed }
}

use Place::{Absent, Fixed, Full, Short};
const RD: Place = Full(7);
const RS1: Place = Full(15);
const RS2: Place = Full(20);
const ZERO: Place = Fixed(Reg::R0);
const RA: Place = Fixed(Reg::R1);
const SP: Place = Fixed(Reg::R2);

// Formats of 32 bits (volume I, 2.2 and 2.3).
pub(crate) const NONE: Format = format(Absent, Absent, Absent, false, &[]);
pub(crate) const R: Format = format(RD, RS1, RS2, false, &[]);
pub(crate) const I: Format = format(RD, RS1, Absent, true, &[p(20, 12, 0)]);
pub(crate) const SHIFT: Format = format(RD, RS1, Absent, false, &[p(20, 5, 0)]);
pub(crate) const S: Format = format(Absent, RS1, RS2, true, &[p(25, 7, 5), p(7, 5, 0)]);
pub(crate) const B: Format = format(Absent, RS1, RS2, true, &[p(31, 1, 12), p(7, 1, 11), p(25, 6, 5), p(8, 4, 1)]);
pub(crate) const U: Format = format(RD, Absent, Absent, true, &[p(12, 20, 12)]);
pub(crate) const J: Format =
    format(RD, Absent, Absent, true, &[p(31, 1, 20), p(12, 8, 12), p(20, 1, 11), p(21, 10, 1)]);
/// The immediate is what a fence orders; the registers are reserved.
pub(crate) const FENCE: Format = format(RD, RS1, Absent, false, &[p(20, 12, 0)]);
/// The immediate is the number of the control register. In the forms without a register, `rs1` is a number.
pub(crate) const CSR: Format = format(RD, RS1, Absent, false, &[p(20, 12, 0)]);
/// The immediate is what the access orders.
pub(crate) const AMO: Format = format(RD, RS1, RS2, false, &[p(25, 2, 0)]);
pub(crate) const LR: Format = format(RD, RS1, Absent, false, &[p(25, 2, 0)]);

// Formats of 16 bits (volume I, 26.2 to 26.5).
pub(crate) const CIW: Format = format(Short(2), SP, Absent, false, &[p(7, 4, 6), p(11, 2, 4), p(5, 1, 3), p(6, 1, 2)]);
pub(crate) const CL: Format = format(Short(2), Short(7), Absent, false, &[p(5, 1, 6), p(10, 3, 3), p(6, 1, 2)]);
pub(crate) const CS: Format = format(Absent, Short(7), Short(2), false, &[p(5, 1, 6), p(10, 3, 3), p(6, 1, 2)]);
pub(crate) const CI: Format = format(RD, RD, Absent, true, &[p(12, 1, 5), p(2, 5, 0)]);
pub(crate) const CI_LOAD_IMM: Format = format(RD, ZERO, Absent, true, &[p(12, 1, 5), p(2, 5, 0)]);
pub(crate) const CI_SHIFT: Format = format(RD, RD, Absent, false, &[p(2, 5, 0)]);
pub(crate) const CI_UPPER: Format = format(RD, Absent, Absent, true, &[p(12, 1, 17), p(2, 5, 12)]);
pub(crate) const CI_SP: Format =
    format(SP, SP, Absent, true, &[p(12, 1, 9), p(3, 2, 7), p(5, 1, 6), p(2, 1, 5), p(6, 1, 4)]);
pub(crate) const CI_LOAD: Format = format(RD, SP, Absent, false, &[p(2, 2, 6), p(12, 1, 5), p(4, 3, 2)]);
pub(crate) const CSS: Format = format(Absent, SP, Full(2), false, &[p(7, 2, 6), p(9, 4, 2)]);
const CJ_IMM: &[Piece] =
    &[p(12, 1, 11), p(8, 1, 10), p(9, 2, 8), p(6, 1, 7), p(7, 1, 6), p(2, 1, 5), p(11, 1, 4), p(3, 3, 1)];
pub(crate) const CJ: Format = format(ZERO, Absent, Absent, true, CJ_IMM);
pub(crate) const CJ_LINK: Format = format(RA, Absent, Absent, true, CJ_IMM);
pub(crate) const CB: Format =
    format(Absent, Short(7), ZERO, true, &[p(12, 1, 8), p(5, 2, 6), p(2, 1, 5), p(10, 2, 3), p(3, 2, 1)]);
pub(crate) const CB_SHIFT: Format = format(Short(7), Short(7), Absent, false, &[p(2, 5, 0)]);
pub(crate) const CB_IMM: Format = format(Short(7), Short(7), Absent, true, &[p(12, 1, 5), p(2, 5, 0)]);
pub(crate) const CA: Format = format(Short(7), Short(7), Short(2), false, &[]);
pub(crate) const CR: Format = format(RD, RD, Full(2), false, &[]);
pub(crate) const CR_MOVE: Format = format(RD, ZERO, Full(2), false, &[]);
pub(crate) const CR_JUMP: Format = format(ZERO, RD, Absent, false, &[]);
pub(crate) const CR_JUMP_LINK: Format = format(RA, RD, Absent, false, &[]);

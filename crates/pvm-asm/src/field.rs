//! Fields that numbers are put into, and their ranges.

use crate::AsmError;
use crate::error::{AsmProblem, Place};

/// A field: its name in messages and what fits.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field {
    name: &'static str,
    low: i128,
    high: i128,
}

/// An immediate, which is sign-extended to 64 bits in use.
pub(crate) const IMMEDIATE: Field =
    Field { name: "an immediate of 32 bits, sign-extended", low: i32::MIN as i128, high: i32::MAX as i128 };
/// An address or what is added to one; addresses have 32 bits, so that both spellings of the upper half are meant.
pub(crate) const ADDRESS: Field =
    Field { name: "an address of 32 bits", low: i32::MIN as i128, high: u32::MAX as i128 };
/// Where a jump leads to.
pub(crate) const TARGET: Field = Field { name: "a program counter", low: i64::MIN as i128, high: i64::MAX as i128 };
/// An immediate of 64 bits.
pub(crate) const WIDE: Field = Field { name: "64 bits", low: i64::MIN as i128, high: u64::MAX as i128 };
/// Fields of sizes and counts.
pub(crate) const U16: Field = unsigned("16 bits", u16::MAX as u64);
pub(crate) const U32: Field = unsigned("32 bits", u32::MAX as u64);
pub(crate) const U64: Field = unsigned("64 bits", u64::MAX);
pub(crate) const BYTE: Field = unsigned("a byte", u8::MAX as u64);

/// A field for numbers from zero up.
pub(crate) const fn unsigned(name: &'static str, high: u64) -> Field {
    Field { name, low: 0, high: high as i128 }
}

/// A field of so many bytes of data, with or without sign.
pub(crate) fn data(bytes: u32) -> Field {
    let bits = 8 * bytes.clamp(1, 8);
    Field { name: "the data", low: -(1 << (bits - 1)), high: (1 << bits) - 1 }
}

impl Field {
    /// The value, if it fits.
    pub(crate) fn check(self, value: i128, place: Place) -> Result<i128, AsmError> {
        let Field { name, low, high } = self;
        if (low..=high).contains(&value) {
            return Ok(value);
        }
        Err(place.error(AsmProblem::Range { value, field: name, low, high }))
    }

    /// The 32-bit pattern of the value, if it fits. The 64-bit spelling of a negative number is as good as the number.
    pub(crate) fn pattern(self, value: i128, place: Place) -> Result<i32, AsmError> {
        let signed = value.saturating_sub(1 << 64);
        let value = if (i128::from(i32::MIN)..0).contains(&signed) { signed } else { value };
        Ok(self.check(value, place)? as i32)
    }
}

//! What values can be, between two bounds.

use pvm_ops::{BinaryOp, LoadKind, Width};

/// All numbers from the first to the last, which are within 64 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    first: i128,
    last: i128,
}

impl Range {
    /// Anything.
    pub const WHOLE: Range = Range::all(64);

    /// All numbers of so many bits, with signs.
    pub const fn all(bits: u32) -> Range {
        let most = 1 << (bits - 1);
        Range { first: -most, last: most - 1 }
    }

    pub fn constant(value: i64) -> Range {
        Range { first: value.into(), last: value.into() }
    }

    /// What a load makes.
    pub fn of_load(kind: LoadKind) -> Range {
        let bits = 8 * kind.size.bytes();
        if kind.signed || bits == 64 { Range::all(bits) } else { Range { first: 0, last: (1 << bits) - 1 } }
    }

    /// Whether all of them are numbers of so many bits, with signs.
    pub fn fits(self, bits: u32) -> bool {
        self.is_within(Range::all(bits))
    }

    /// All between what is in the one or in the other.
    pub fn or(self, other: Range) -> Range {
        Range { first: self.first.min(other.first), last: self.last.max(other.last) }
    }

    /// Sums of so many of them.
    pub fn times(self, count: usize) -> Range {
        let count = count as i128;
        Range { first: self.first * count, last: self.last * count }
    }

    /// Whether none of them is negative.
    pub fn is_natural(self) -> bool {
        self.first >= 0
    }

    /// Whether all of them are numbers of so many bits, without signs.
    pub fn is_natural_in(self, bits: u32) -> bool {
        self.is_within(Range { first: 0, last: (1 << bits) - 1 })
    }

    /// The greatest of them, if all are natural numbers of 16 bits.
    pub fn most_of_16_bits(self) -> Option<u16> {
        u16::try_from(self.last).ok().filter(|_| self.is_natural())
    }

    /// What natural numbers make, times a constant, without so many of the lowest bits.
    pub fn scaled(self, factor: u16, by: u32) -> Range {
        Range { first: 0, last: (self.last * i128::from(factor)) >> by }
    }

    fn is_within(self, other: Range) -> bool {
        other.first <= self.first && self.last <= other.last
    }

    /// The least that has these.
    fn around(values: &[i128]) -> Option<Range> {
        Some(Range { first: *values.iter().min()?, last: *values.iter().max()? })
    }

    /// The least number of bits that takes all of them, with signs.
    fn bits(self) -> u32 {
        let of = |value: i128| 129 - (value ^ (value >> 127)).leading_zeros();
        of(self.first).max(of(self.last))
    }

    /// What an operation makes of these; `None` of operations that are not for vectors.
    pub fn of(op: BinaryOp, width: Width, a: Range, b: Range) -> Option<Range> {
        use BinaryOp::{
            Add, And, AndInv, MaxS, MaxU, MinS, MinU, Mul, Or, OrInv, RotL, RotR, SetLtS, SetLtU, Shl, ShrS, ShrU, Sub,
            Xnor, Xor,
        };
        let most = Range::all(width.bits());
        // Operations of 32 bits take the low halves.
        let [a, b] = [a, b].map(|range| if range.is_within(most) { range } else { most });
        let by = (b.first == b.last).then_some(b.first as u32 % width.bits());
        let of_bits = Range::all(a.bits().max(b.bits()));
        let are_natural = a.is_natural() && b.is_natural();
        let made = match op {
            Add => Range { first: a.first + b.first, last: a.last + b.last },
            Sub => Range { first: a.first - b.last, last: a.last - b.first },
            Mul => Range::around(&[a.first * b.first, a.first * b.last, a.last * b.first, a.last * b.last])?,
            And if a.is_natural() || b.is_natural() => {
                let naturals = [a, b].into_iter().filter(|range| range.is_natural());
                Range { first: 0, last: naturals.map(|range| range.last).min()? }
            }
            Or | Xor if are_natural => Range { first: 0, last: of_bits.last },
            And | AndInv | Or | OrInv | Xor | Xnor => of_bits,
            Shl => Range { first: a.first << by?, last: a.last << by? },
            ShrS => Range { first: a.first >> by?, last: a.last >> by? },
            ShrU if a.is_natural() => Range { first: a.first >> by?, last: a.last >> by? },
            ShrU if by? > 0 => Range { first: 0, last: (1 << (width.bits() - by?)) - 1 },
            ShrU => most,
            MinS => Range { first: a.first.min(b.first), last: a.last.min(b.last) },
            MaxS => Range { first: a.first.max(b.first), last: a.last.max(b.last) },
            MinU | MaxU => Range { first: a.first.min(b.first), last: a.last.max(b.last) },
            SetLtS | SetLtU => Range { first: 0, last: 1 },
            RotL | RotR => most,
            _ => return None,
        };
        // What does not fit goes around.
        Some(if made.is_within(most) { made } else { most })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm_ops::Size;

    #[test]
    fn what_operations_make_lies_in_their_range() {
        let values: Vec<i64> = vec![i64::MIN, i64::from(i32::MIN), -300, -1, 0, 1, 5, 255, 65_536, 1 << 31, i64::MAX];
        let ops = BinaryOp::ALL.into_iter();
        for (op, width) in ops.flat_map(|op| [(op, Width::W32), (op, Width::W64)]) {
            for (&first, &last) in values.iter().flat_map(|a| values.iter().map(move |b| (a, b))) {
                if first > last {
                    continue;
                }
                for &b in &values {
                    let a = Range { first: first.into(), last: last.into() };
                    let Some(made) = Range::of(op, width, a, Range::constant(b)) else { continue };
                    for &value in values.iter().filter(|value| (first..=last).contains(value)) {
                        let result = op.eval(width, value as u64, b as u64) as i64;
                        assert!(
                            (made.first..=made.last).contains(&result.into()),
                            "{op:?} {width:?} of {value} and {b}: {result} is not in {made:?}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_loaded_is_no_larger_than_it_was() {
        let of = |size, signed| Range::of_load(LoadKind { size, signed });
        assert!(of(Size::B1, true).fits(8) && !of(Size::B1, false).fits(8) && of(Size::B1, false).fits(16));
        assert!(of(Size::B4, true).fits(32) && !of(Size::B4, false).fits(32));
    }
}

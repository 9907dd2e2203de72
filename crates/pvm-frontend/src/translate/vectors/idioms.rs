//! What guests write by several operations, and vectors do more easily, or with fewer bits, by others.

use super::range::Range;
use super::round::{Lane, Round};
use pvm_ops::{BinaryOp, LoadKind, Width};

impl Round<'_> {
    /// What an operation computes, as what vectors do more easily or with fewer bits, if there is such.
    pub fn simplified(&mut self, op: BinaryOp, width: Width, lhs: usize, rhs: usize) -> Option<Lane> {
        let step = match (self.lanes[lhs], self.lanes[rhs], op, width) {
            (Lane::Stepped(reg, plus), Lane::Constant(imm), BinaryOp::Add, Width::W64) => {
                Some(Lane::Stepped(reg, plus.wrapping_add(imm)))
            }
            _ => None,
        };
        step.or_else(|| self.field(op, width, lhs, rhs))
            .or_else(|| self.average(op, lhs, rhs))
            .or_else(|| self.scaled(op, width, lhs, rhs))
            .or_else(|| self.high(op, width, lhs, rhs))
            .or_else(|| self.distance(op, lhs, rhs))
    }

    /// What takes some of the bits of a value by two shifts, the first to the left.
    fn field(&mut self, op: BinaryOp, width: Width, lhs: usize, rhs: usize) -> Option<Lane> {
        let (Lane::Binary(BinaryOp::Shl, its, of, left), Lane::Constant(right)) = (self.lanes[lhs], self.lanes[rhs])
        else {
            return None;
        };
        let Lane::Constant(left) = self.lanes[left] else { return None };
        let bits = i64::from(width.bits());
        if its != width || !(1..bits).contains(&left) || !(1..bits).contains(&right) {
            return None;
        }
        match op {
            BinaryOp::ShrU if width == Width::W64 && right >= left => {
                let mask = self.lane(Lane::Constant((u64::MAX >> left) as i64));
                if left == right {
                    return Some(Lane::Binary(BinaryOp::And, Width::W64, of, mask));
                }
                let masked = self.lane(Lane::Binary(BinaryOp::And, Width::W64, of, mask));
                let by = self.lane(Lane::Constant(right - left));
                Some(Lane::Binary(BinaryOp::ShrU, Width::W64, masked, by))
            }
            BinaryOp::ShrS if right == bits - 1 => Some(Lane::Bit(of, (right - left) as u32)),
            BinaryOp::ShrS if right >= left => {
                let extended = Lane::Extended(of, (bits - left) as u32);
                if left == right {
                    return Some(extended);
                }
                let [extended, by] = [extended, Lane::Constant(right - left)].map(|lane| self.lane(lane));
                Some(Lane::Binary(BinaryOp::ShrS, Width::W64, extended, by))
            }
            _ => None,
        }
    }

    /// Half of the sum of two small elements and one.
    fn average(&mut self, op: BinaryOp, lhs: usize, rhs: usize) -> Option<Lane> {
        let is_one = |this: &Self, value: usize| this.lanes[value] == Lane::Constant(1);
        let Lane::Binary(BinaryOp::Add, _, sum, one) = self.lanes[lhs] else { return None };
        let Lane::Binary(BinaryOp::Add, _, a, b) = self.lanes[sum] else { return None };
        let is_average = matches!(op, BinaryOp::ShrU | BinaryOp::ShrS) && is_one(self, rhs) && is_one(self, one);
        let is_small = |value: usize| match self.lanes[value] {
            Lane::Load(load) => self.loads[load].kind.size.bytes() <= 2 && !self.loads[load].kind.signed,
            _ => false,
        };
        (is_average && is_small(a) && is_small(b)).then_some(Lane::Average(a, b))
    }

    /// The constant that a value is, or is expected to be.
    fn constant(&self, value: usize) -> Option<u64> {
        match self.lanes[value] {
            Lane::Constant(value) => Some(value as u64),
            Lane::Register(reg) => (self.expected)(reg),
            _ => None,
        }
    }

    /// Has a value be what is expected.
    pub(super) fn require(&mut self, value: usize, constant: u64) {
        match self.lanes[value] {
            Lane::Register(reg) if !self.required.contains(&(reg, constant)) => self.required.push((reg, constant)),
            _ => {}
        }
    }

    /// A small number times a constant, without the lowest bits: how compilers divide by constants. A smaller constant does, if the number
    /// is small.
    fn scaled(&mut self, op: BinaryOp, width: Width, lhs: usize, rhs: usize) -> Option<Lane> {
        let (Lane::Binary(BinaryOp::Mul | BinaryOp::MulHighUU, Width::W64, a, b), Lane::Constant(by @ 1..64)) =
            (self.lanes[lhs], self.lanes[rhs])
        else {
            return None;
        };
        if op != BinaryOp::ShrU || width != Width::W64 {
            return None;
        }
        // The number may have been shifted to where its product has its upper half above.
        let (of, left) = match self.lanes[a] {
            Lane::Binary(BinaryOp::Shl, Width::W64, of, left) => match self.lanes[left] {
                Lane::Constant(left @ 0..64) => (of, left as u32),
                _ => return None,
            },
            _ => (a, 0),
        };
        let most = u128::from(self.ranges[of].most_of_16_bits()?);
        let is_high = matches!(self.lanes[lhs], Lane::Binary(BinaryOp::MulHighUU, ..));
        let by = by as u32 + if is_high { u64::BITS } else { 0 };
        let constant = self.constant(b)?;
        let factor = u128::from(constant);
        let is_whole = (most << left) >> u64::BITS == 0 && (is_high || ((most << left) * factor) >> u64::BITS == 0);
        // Lanes of 16 bits can do that by themselves.
        let is_small = most * factor <= u16::MAX.into();
        let by = by.checked_sub(left)?;
        if !is_whole || is_small || by == 0 {
            return None;
        }
        // The more bits the smaller constant has, the more exact it is.
        let smaller = |less: u32| if less < by { (factor >> (by - less)) + 1 } else { factor << (less - by) };
        let (less, smaller) = (16..32).rev().find_map(|less| Some((less, u16::try_from(smaller(less)).ok()?)))?;
        let is_same = |value: u128| (value * u128::from(smaller)) >> less == (value * factor) >> by;
        if !(0..=most).all(is_same) {
            return None;
        }
        self.require(b, constant);
        Some(Lane::Scaled(of, smaller, less))
    }

    /// The high half of a product of 32 bits by 32 bits, or the upper bits of that.
    fn high(&mut self, op: BinaryOp, width: Width, lhs: usize, rhs: usize) -> Option<Lane> {
        let (Lane::Binary(BinaryOp::Mul, Width::W64, a, b), Lane::Constant(by @ 32..64), Width::W64) =
            (self.lanes[lhs], self.lanes[rhs], width)
        else {
            return None;
        };
        // A factor that is the same in all rounds is a constant, mostly.
        let factors = [a, b];
        let constants = factors.map(|value| self.constant(value));
        let [a, b] = [0, 1].map(|side| match constants[side] {
            Some(constant) => self.lane(Lane::Constant(constant as i64)),
            None => factors[side],
        });
        let are = |is: fn(Range) -> bool| is(self.ranges[a]) && is(self.ranges[b]);
        let (are_signed, are_natural) = (are(|range| range.fits(32)), are(|range| range.is_natural_in(32)));
        if !are_signed && !are_natural || !matches!(op, BinaryOp::ShrU | BinaryOp::ShrS) {
            return None;
        }
        for (value, constant) in factors.into_iter().zip(constants) {
            constant.into_iter().for_each(|constant| self.require(value, constant));
        }
        let half = Lane::High(a, b, are_signed);
        let more = Lane::Constant(by - 32);
        match op {
            BinaryOp::ShrS if by == 32 => Some(half),
            BinaryOp::ShrU if by == 32 => {
                let [half, low] = [half, Lane::Constant(u32::MAX.into())].map(|lane| self.lane(lane));
                Some(Lane::Binary(BinaryOp::And, Width::W64, half, low))
            }
            _ => {
                let [half, more] = [half, more].map(|lane| self.lane(lane));
                Some(Lane::Binary(op, Width::W32, half, more))
            }
        }
    }

    /// How far two small elements are from each other, which is the greater of the difference and its opposite, by what takes no more bits
    /// than they have.
    fn distance(&mut self, op: BinaryOp, lhs: usize, rhs: usize) -> Option<Lane> {
        let is_opposite = |lanes: &[Lane], one: usize, other: usize| matches!(lanes[other], Lane::Binary(BinaryOp::Sub, _, zero, of) if of == one && lanes[zero] == Lane::Constant(0));
        let of = match op {
            BinaryOp::MaxS if is_opposite(&self.lanes, lhs, rhs) => lhs,
            BinaryOp::MaxS if is_opposite(&self.lanes, rhs, lhs) => rhs,
            _ => return None,
        };
        let Lane::Binary(BinaryOp::Sub, _, a, b) = self.lanes[of] else { return None };
        let mut are_natural = true;
        for side in [a, b] {
            let Lane::Load(load) = self.lanes[side] else { return None };
            let LoadKind { size, signed } = self.loads[load].kind;
            if size.bytes() > 2 {
                return None;
            }
            are_natural &= !signed;
        }
        let [most, least] =
            if are_natural { [BinaryOp::MaxU, BinaryOp::MinU] } else { [BinaryOp::MaxS, BinaryOp::MinS] };
        let [most, least] = [most, least].map(|op| self.lane(Lane::Binary(op, Width::W64, a, b)));
        Some(Lane::Binary(BinaryOp::Sub, Width::W64, most, least))
    }
}

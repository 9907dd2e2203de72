//! What is wanted of the values of a round, and how wide lanes have to be for that.

use super::plan::WHOLE;
use super::range::Range;
use super::round::{Lane, Round};
use pvm_ops::{BinaryOp, Reg, Size, Width};

/// What is wanted of the values of a round.
pub(super) struct Wanted {
    /// Which of them are wanted at all.
    pub is_wanted: Vec<bool>,
    /// Whether that takes registers that are no larger than a lane.
    pub are_small: bool,
    /// What the values can be then.
    pub ranges: Vec<Range>,
}

impl Round<'_> {
    /// What the values can be, if registers that the loop does not write are no larger than lanes of so many bits.
    fn ranges(&self, bits: u32) -> Vec<Range> {
        let mut ranges: Vec<Range> = Vec::new();
        for &lane in &self.lanes {
            ranges.push(self.range(lane, &ranges, bits));
        }
        ranges
    }

    /// The same for one of them, from those of the ones before.
    pub fn range(&self, lane: Lane, ranges: &[Range], bits: u32) -> Range {
        match lane {
            Lane::Load(load) => Range::of_load(self.loads[load].kind),
            Lane::Constant(value) => Range::constant(value),
            Lane::Register(_) => Range::all(bits),
            Lane::Kept(slot) if self.slots[slot].bytes() * 8 > bits => Range::all(bits),
            Lane::Kept(slot) => Range::of_load(self.slots[slot].kind),
            Lane::Stepped(..) | Lane::Growing(..) | Lane::Before(..) => Range::WHOLE,
            Lane::Binary(op, width, lhs, rhs) => Range::of(op, width, ranges[lhs], ranges[rhs]).unwrap_or(Range::WHOLE),
            Lane::Choice(_, zero, not_zero) => ranges[zero].or(ranges[not_zero]),
            Lane::Average(a, b) => ranges[a].or(ranges[b]),
            Lane::Extended(of, from) if ranges[of].fits(from) => ranges[of],
            Lane::Extended(_, from) => Range::all(from),
            Lane::Bit(..) => Range::all(1),
            Lane::High(..) => Range::all(32),
            Lane::Scaled(of, factor, by) => ranges[of].scaled(factor, by),
        }
    }

    /// What is wanted of the values; `None` if lanes of so many bits are not enough for that.
    pub fn wanted(&self, bits: u32) -> Option<Wanted> {
        let ranges = self.ranges(bits);
        let (mut wanted, mut are_small) = (vec![0; self.lanes.len()], false);
        for store in &self.stores {
            let stored = Some(8 * store.size.bytes()).filter(|&stored| stored <= bits)?;
            for member in &store.members {
                wanted[member.value] = stored.max(wanted[member.value]);
            }
        }
        for total in &self.totals {
            // The host has no such instructions for lanes of 64 bits.
            let is_half = total.width == Width::W32 || matches!(total.op, BinaryOp::MinS | BinaryOp::MaxS);
            if bits == 64 && is_half {
                return None;
            }
            for &value in &total.values {
                let mut of_total = if total.width == Width::W32 { 32 } else { WHOLE };
                if of_total > bits && total.op == BinaryOp::Add && ranges[value].is_natural_in(bits) {
                    // Without a sign, its bits are the value.
                    are_small = true;
                    of_total = bits;
                }
                wanted[value] = of_total.max(wanted[value]);
            }
        }
        for at in (0..self.lanes.len()).rev() {
            if wanted[at] == 0 {
                continue;
            }
            // If the value is no larger than a lane, what is computed modulo that is the value.
            if wanted[at] > bits {
                are_small = true;
                if !ranges[at].fits(bits) {
                    return None;
                }
            }
            let these = wanted[at].min(bits);
            let mut want = |value: usize, more: u32| wanted[value] = more.max(wanted[value]);
            match self.lanes[at] {
                Lane::Load(load) if 8 * self.loads[load].kind.size.bytes() > bits => return None,
                Lane::Load(_) | Lane::Constant(_) | Lane::Register(_) | Lane::Kept(_) | Lane::Stepped(..) => {}
                // There are no products of bytes, which say how far it has come.
                Lane::Growing(reg, _) if bits == 8 || self.growing_bits(reg) < bits => return None,
                Lane::Growing(..) => {}
                Lane::Before(of, _) => want(of, these),
                Lane::Binary(BinaryOp::SetLtU | BinaryOp::MinU | BinaryOp::MaxU, Width::W64, lhs, rhs)
                    if bits < 64 && [lhs, rhs].iter().all(|&value| ranges[value].is_natural_in(bits)) =>
                {
                    // Without signs, their bits are the values.
                    are_small = true;
                    want(lhs, bits);
                    want(rhs, bits);
                }
                // No more is wanted than a mask leaves.
                Lane::Binary(BinaryOp::And, _, value, mask) | Lane::Binary(BinaryOp::And, _, mask, value)
                    if matches!(self.lanes[mask], Lane::Constant(1..)) =>
                {
                    let Lane::Constant(ones) = self.lanes[mask] else { unreachable!("it is a constant") };
                    want(value, these.min(i64::BITS - ones.leading_zeros()));
                    want(mask, these);
                }
                Lane::Binary(op, width, lhs, rhs) => {
                    let of_operands = self.of_operands(bits, op, width, [lhs, rhs], these, ranges[lhs])?;
                    want(lhs, of_operands);
                    // Vectors are shifted by constants only.
                    use BinaryOp::{RotL, RotR, Shl, ShrS, ShrU};
                    if !matches!(op, Shl | ShrU | ShrS | RotL | RotR) {
                        want(rhs, of_operands);
                    }
                }
                Lane::Choice(test, zero, not_zero) => {
                    let is_natural = ranges[test].is_natural_in(bits);
                    are_small |= is_natural;
                    want(test, if is_natural { bits } else { WHOLE });
                    want(zero, these);
                    want(not_zero, these);
                }
                Lane::Extended(of, from) => want(of, these.min(from)),
                Lane::High(a, b, are_signed) => {
                    if bits != 32 {
                        return None;
                    }
                    let whole = if are_signed { WHOLE } else { bits };
                    want(a, whole);
                    want(b, whole);
                }
                Lane::Scaled(..) if !matches!(bits, 16 | 32) => return None,
                Lane::Scaled(of, ..) => want(of, bits),
                Lane::Bit(_, bit) if bit >= bits => return None,
                Lane::Bit(of, bit) => want(of, bit + 1),
                Lane::Average(a, b) => {
                    if bits == 64 || ![a, b].iter().all(|&value| ranges[value].is_natural_in(bits)) {
                        return None;
                    }
                    want(a, bits);
                    want(b, bits);
                }
            }
        }
        Some(Wanted { is_wanted: wanted.into_iter().map(|bits| bits > 0).collect(), are_small, ranges })
    }

    fn growing_bits(&self, reg: Reg) -> u32 {
        let growing = self.growing.iter().find(|growing| growing.reg == reg);
        growing.map_or(0, |growing| growing.width.bits())
    }

    /// How many bits of its operands an operation takes in lanes of so many bits, if that many of its result are wanted; `range` is
    /// that of the first.
    fn of_operands(
        &self,
        bits: u32,
        op: BinaryOp,
        width: Width,
        operands @ [_, rhs]: [usize; 2],
        wanted: u32,
        range: Range,
    ) -> Option<u32> {
        use BinaryOp::{
            Add, And, AndInv, MaxS, MaxU, MinS, MinU, Mul, Or, OrInv, RotL, RotR, SetLtS, SetLtU, Shl, ShrS, ShrU, Sub,
            Xnor, Xor,
        };
        // Nothing extends signs from the middle of a lane.
        if width.bits() < bits {
            return None;
        }
        match op {
            Add | Sub | And | AndInv | Or | OrInv | Xor | Xnor => Some(wanted),
            Mul if bits == 64 => self.are_halves(operands).then_some(wanted),
            Mul => matches!(bits, 16 | 32).then_some(wanted),
            MinS | MaxS | MinU | MaxU => (width == Width::W64 && bits < 64).then_some(WHOLE),
            SetLtS | SetLtU => (width == Width::W64).then_some(WHOLE),
            RotL | RotR => {
                let is_moved =
                    matches!(self.lanes[rhs], Lane::Constant(by) if !(by as u32).is_multiple_of(width.bits()));
                (width.bits() == bits && is_moved).then_some(bits)
            }
            Shl | ShrU | ShrS => {
                let Lane::Constant(by) = self.lanes[rhs] else { return None };
                let by = by as u32 % width.bits();
                if by >= bits {
                    return None;
                }
                match op {
                    Shl => Some(wanted),
                    _ if wanted + by <= bits => Some(wanted + by),
                    // What comes in from above is right, too.
                    _ if width.bits() == bits => (op == ShrU || bits < 64).then_some(bits),
                    ShrS => Some(WHOLE),
                    // What comes in from above is the sign, up to there.
                    _ => (range.is_natural() || wanted + by <= width.bits()).then_some(WHOLE),
                }
            }
            _ => None,
        }
    }

    /// Whether both are loaded, as 32 bits or less, with signs or without: such halves have products of 64 bits.
    fn are_halves(&self, operands: [usize; 2]) -> bool {
        let kinds = operands.map(|value| match self.lanes[value] {
            Lane::Load(load) => Some(self.loads[load].kind).filter(|kind| kind.size != Size::B8),
            _ => None,
        });
        matches!(kinds, [Some(one), Some(other)] if one.signed == other.signed)
    }
}

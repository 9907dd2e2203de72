//! Execution units (Gray Paper 0.8, A.9): 4 ALU, 4 load ports, 4 store ports, 1 multiplier, 1 divider.
//!
//! A set of units is one word, so that taking, giving back and asking for several kinds at once are one operation
//! each. Every kind has four bits: three count, and the highest stays free to catch the borrow of a subtraction.

use pvm_isa::Unit;

const ALU: u32 = 1;
const LOAD: u32 = 1 << 4;
const STORE: u32 = 1 << 8;
const MUL: u32 = 1 << 12;
const DIV: u32 = 1 << 16;
const BORROW: u32 = 0x8_8888;

/// A number of units of each kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Units(u32);

impl Units {
    /// None.
    pub const NONE: Units = Units(0);

    /// What the processor has.
    pub const ALL: Units = Units(4 * ALU + 4 * LOAD + 4 * STORE + MUL + DIV);

    /// What the cost column of the table means.
    pub const fn of(unit: Unit) -> Units {
        Units(match unit {
            Unit::None => 0,
            Unit::Alu => ALU,
            Unit::TwoAlu => 2 * ALU,
            Unit::Load => ALU + LOAD,
            Unit::Store => ALU + STORE,
            Unit::Mul => ALU + MUL,
            Unit::Div => ALU + DIV,
        })
    }

    /// Takes `need` out of the set, if all of it is there.
    pub const fn take(&mut self, need: Units) -> bool {
        let enough = (self.0 | BORROW).wrapping_sub(need.0) & BORROW == BORROW;
        if enough {
            self.0 -= need.0;
        }
        enough
    }

    /// Puts `units`, taken earlier, back.
    pub const fn give_back(&mut self, units: Units) {
        self.0 += units.0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_units_as_the_paper_has() {
        let all =
            [(Unit::Alu, 4), (Unit::TwoAlu, 2), (Unit::Load, 4), (Unit::Store, 4), (Unit::Mul, 1), (Unit::Div, 1)];
        for (unit, count) in all {
            let mut free = Units::ALL;
            let mut taken = 0;
            while free.take(Units::of(unit)) {
                taken += 1;
            }
            assert_eq!(taken, count, "{unit:?}");
            (0..count).for_each(|_| free.give_back(Units::of(unit)));
            assert_eq!(free, Units::ALL);
            assert!(free.take(Units::of(Unit::None)));
        }
    }

    #[test]
    fn a_refused_request_takes_nothing() {
        let mut free = Units::ALL;
        assert!(free.take(Units::of(Unit::Mul)));
        let before = free;
        assert!(!free.take(Units::of(Unit::Mul)));
        assert_eq!(free, before);
        assert!(free.take(Units::of(Unit::Div)));
    }
}

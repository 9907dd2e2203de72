//! Conditions of branches and comparisons.

/// A comparison of two 64-bit values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cond {
    /// Equal.
    Eq,
    /// Not equal.
    Ne,
    /// Less, unsigned.
    LtU,
    /// Less or equal, unsigned.
    LeU,
    /// Greater or equal, unsigned.
    GeU,
    /// Greater, unsigned.
    GtU,
    /// Less, signed.
    LtS,
    /// Less or equal, signed.
    LeS,
    /// Greater or equal, signed.
    GeS,
    /// Greater, signed.
    GtS,
}

impl Cond {
    /// Every condition, in order.
    pub const ALL: [Cond; 10] = {
        use Cond::*;
        [Eq, Ne, LtU, LeU, GeU, GtU, LtS, LeS, GeS, GtS]
    };

    /// The condition that holds where this one does not.
    pub const fn negated(self) -> Cond {
        match self {
            Cond::Eq => Cond::Ne,
            Cond::Ne => Cond::Eq,
            Cond::LtU => Cond::GeU,
            Cond::LeU => Cond::GtU,
            Cond::GeU => Cond::LtU,
            Cond::GtU => Cond::LeU,
            Cond::LtS => Cond::GeS,
            Cond::LeS => Cond::GtS,
            Cond::GeS => Cond::LtS,
            Cond::GtS => Cond::LeS,
        }
    }

    /// The condition that `b` and `a` meet where `a` and `b` meet this one.
    pub const fn mirrored(self) -> Cond {
        match self {
            Cond::Eq | Cond::Ne => self,
            Cond::LtU => Cond::GtU,
            Cond::LeU => Cond::GeU,
            Cond::GeU => Cond::LeU,
            Cond::GtU => Cond::LtU,
            Cond::LtS => Cond::GtS,
            Cond::LeS => Cond::GeS,
            Cond::GeS => Cond::LeS,
            Cond::GtS => Cond::LtS,
        }
    }

    /// Whether `a` stands in this relation to `b`.
    #[inline(always)]
    pub const fn eval(self, a: u64, b: u64) -> bool {
        match self {
            Cond::Eq => a == b,
            Cond::Ne => a != b,
            Cond::LtU => a < b,
            Cond::LeU => a <= b,
            Cond::GeU => a >= b,
            Cond::GtU => a > b,
            Cond::LtS => (a as i64) < b as i64,
            Cond::LeS => a as i64 <= b as i64,
            Cond::GeS => a as i64 >= b as i64,
            Cond::GtS => a as i64 > b as i64,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_are_negated_and_mirrored() {
        let values = [0, 1, u64::MAX, 1 << 63, (1 << 63) - 1];
        for (a, b) in values.into_iter().flat_map(|a| values.map(|b| (a, b))) {
            for cond in Cond::ALL {
                assert_eq!(cond.negated().eval(a, b), !cond.eval(a, b), "{cond:?} of {a:#x} and {b:#x}");
                assert_eq!(cond.mirrored().eval(b, a), cond.eval(a, b), "{cond:?} of {a:#x} and {b:#x}");
            }
        }
    }
}

//! The cost columns of the table, for the pipeline gas model of the 0.8 line (Gray Paper 0.8, A.9 and A.10).
//!
//! Under the other models every instruction costs one.

/// How long an instruction takes from its start until its result can be used, in cycles.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Latency {
    /// Always this many.
    Cycles(u8),
    /// As long as memory takes, a parameter of the model.
    Memory,
    /// Short where a way out of the branch leads straight to `trap` or `unlikely`, else long.
    Branch,
}

/// The execution units that an instruction occupies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Unit {
    /// None.
    None,
    /// One arithmetic unit.
    Alu,
    /// Two arithmetic units.
    TwoAlu,
    /// An arithmetic unit and a load port.
    Load,
    /// An arithmetic unit and a store port.
    Store,
    /// An arithmetic unit and the multiplier.
    Mul,
    /// An arithmetic unit and the divider.
    Div,
}

/// When the last decode slot of the cost is not needed: where the destination is also a source, because the copy that a
/// two-operand host would need falls away.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Discount {
    /// Always needed, nothing is added.
    Flat,
    /// One slot more unless the destination is the one source register.
    DstIsSrc,
    /// One slot more unless the destination is one of the two source registers.
    DstIsEither,
    /// One slot more unless the destination is the value that is shifted.
    DstIsShifted,
}

/// What an instruction costs in the pipeline model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Cost {
    /// Cycles to the result.
    pub latency: Latency,
    /// Decode slots.
    pub decode: u8,
    /// Whether a further decode slot is needed.
    pub extra: Discount,
    /// Units occupied while executing.
    pub unit: Unit,
    /// Whether the instruction is resolved while decoding and never enters the pipeline (`move_reg`).
    pub eliminated: bool,
}

const fn cost(latency: Latency, decode: u8, unit: Unit) -> Cost {
    Cost { latency, decode, extra: Discount::Flat, unit, eliminated: false }
}

pub(crate) const fn op(latency: u8, decode: u8) -> Cost {
    cost(Latency::Cycles(latency), decode, Unit::None)
}

pub(crate) const fn alu(latency: u8, decode: u8) -> Cost {
    cost(Latency::Cycles(latency), decode, Unit::Alu)
}

pub(crate) const fn alu2(latency: u8, decode: u8) -> Cost {
    cost(Latency::Cycles(latency), decode, Unit::TwoAlu)
}

pub(crate) const fn mul(latency: u8, decode: u8) -> Cost {
    cost(Latency::Cycles(latency), decode, Unit::Mul)
}

pub(crate) const fn div(latency: u8, decode: u8) -> Cost {
    cost(Latency::Cycles(latency), decode, Unit::Div)
}

pub(crate) const LOAD: Cost = cost(Latency::Memory, 1, Unit::Load);
pub(crate) const STORE: Cost = cost(Latency::Cycles(25), 1, Unit::Store);
pub(crate) const BRANCH: Cost = cost(Latency::Branch, 1, Unit::Alu);
pub(crate) const MOVE: Cost = Cost { eliminated: true, ..op(0, 1) };

impl Cost {
    /// The same with one decode slot more unless `discount` applies.
    pub(crate) const fn unless(self, discount: Discount) -> Cost {
        Cost { extra: discount, ..self }
    }
}

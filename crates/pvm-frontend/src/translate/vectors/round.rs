//! What a round of a loop does, as far as vectors can do that.

use super::super::rounds::{Foreseen, Linear, Steps};
use super::accesses::{Access, Accesses, Slot};
use super::plan::WHOLE;
use super::range::Range;
use pvm_ops::{BinaryOp, Cond, Inst, LoadKind, Operand, Reg, Size, Target, UnaryOp, Width};

/// Of no more rounds before is it of interest what they have loaded.
pub(super) const MOST_BEFORE: u32 = 3;
/// A round stores no more.
const MOST_STORES: usize = 3;

/// What a value is, of which each round has its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// What the load of this number loads.
    Load(usize),
    /// The same in all rounds.
    Constant(i64),
    /// A register that each round leaves as it was.
    Register(Reg),
    /// What the slot of this number has, which no round stores.
    Kept(usize),
    /// A register that steps, and how far it has come in the round.
    Stepped(Reg, i64),
    /// A register that grows, and whether the round has added to it.
    Growing(Reg, bool),
    /// What the value of this number was in the round before, which a register has from there.
    Before(usize, Reg),
    /// Made of two others, by their numbers.
    Binary(BinaryOp, Width, usize, usize),
    /// Where the first is zero, the second, else the third.
    Choice(usize, usize, usize),
    /// Half of the sum of two natural numbers and one.
    Average(usize, usize),
    /// The sign extension of so many of the lowest bits of a value.
    Extended(usize, u32),
    /// All ones where this bit of a value is set, else zero.
    Bit(usize, u32),
    /// The sign extension of bits 32 to 63 of a product of two numbers of 32 bits, with signs or without.
    High(usize, usize, bool),
    /// A natural number of 16 bits, times a constant of 16 bits, without so many of the lowest bits.
    Scaled(usize, u16, u32),
}

impl Lane {
    /// Whether rounds have different values by themselves.
    pub fn differs(&self) -> bool {
        matches!(self, Lane::Load(_) | Lane::Stepped(..) | Lane::Growing(..))
    }
}

/// A load that each round makes one element further on, or further back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Load {
    /// Which instruction of the round makes it.
    pub index: usize,
    /// Where the first round makes it.
    pub place: Linear,
    pub kind: LoadKind,
    /// The number of the store behind it that goes to the same place, if one does.
    pub in_place_of: Option<usize>,
}

/// A store that each round makes one element further on, or further back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Store {
    /// Which instruction of the round makes it.
    pub index: usize,
    /// Where the first round makes it.
    pub place: Linear,
    pub size: Size,
    /// The number of the value.
    pub value: usize,
}

/// A register to which each round adds something, or puts it together with that otherwise.
#[derive(Clone, Debug)]
pub(super) struct Total {
    pub reg: Reg,
    pub op: BinaryOp,
    pub width: Width,
    /// Whether the width is that of its last operations only, behind others of 64 bits.
    pub is_mixed: bool,
    /// The numbers of the values.
    pub values: Vec<usize>,
}

/// An instruction that puts something together with a total.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    /// Which instruction of the round it is.
    pub index: usize,
    /// The number of the total.
    pub total: usize,
    /// What is put together with it.
    pub value: Operand,
    /// Whether that is taken away from it.
    pub is_taken: bool,
}

/// A register that has what a total is without the last of the round's values.
#[derive(Clone, Copy, Debug)]
pub(super) struct Former {
    pub reg: Reg,
    /// The number of the total.
    pub total: usize,
    /// With how many of its values.
    pub values: usize,
}

/// A register to which each round adds the same once: what another one has, or a constant in 32 bits. (Constants in 64 bits are steps.)
#[derive(Clone, Copy, Debug)]
pub(super) struct Growing {
    pub reg: Reg,
    pub by: Operand,
    pub width: Width,
}

/// What a loop goes on up to, if that is not what it compares with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Bound {
    /// The slot that it is loaded from, by its number.
    pub slot: Option<usize>,
    /// How far what moves is from what is compared, at the end of a round.
    pub past: i64,
}

/// What a register or a slot has, as far as the round has been followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Content {
    /// What it had at first.
    Untouched,
    /// The value of this number.
    Value(usize),
    /// What the total of this number is with so many of its values.
    Partial(usize, usize),
}

/// What instructions of a round do.
pub(super) struct Round<'a> {
    /// All of them but the branch.
    body: &'a [(u32, Inst)],
    /// What registers may have before the loop.
    expected: &'a dyn Fn(Reg) -> Option<u64>,
    /// What of that the round is made for.
    pub required: Vec<(Reg, u64)>,
    pub steps: Steps,
    written: u32,
    pub loads: Vec<Load>,
    pub stores: Vec<Store>,
    pub slots: Vec<Slot>,
    /// What each instruction accesses that does so.
    pub accesses: Vec<(usize, Access)>,
    registers: [Content; 32],
    /// What slots have that the round has stored, by their numbers.
    kept: Vec<Option<Content>>,
    pub lanes: Vec<Lane>,
    /// What values can be, whatever registers have.
    ranges: Vec<Range>,
    pub totals: Vec<Total>,
    pub parts: Vec<Part>,
    pub formers: Vec<Former>,
    pub growing: Vec<Growing>,
}

impl<'a> Round<'a> {
    /// Follows the instructions of a round, up to the branch. `None` if there is something in them that vectors cannot do.
    /// `expected` is what registers may have before the loop.
    pub fn follow(body: &'a [(u32, Inst)], expected: &'a dyn Fn(Reg) -> Option<u64>) -> Option<Round<'a>> {
        let written = body.iter().fold(0, |all, (_, inst)| all | inst.registers().writes);
        let Accesses { steps, each: accesses, slots } = Accesses::find(body)?;
        let (mut loads, mut stores) = (Vec::new(), Vec::new());
        for &(index, access) in &accesses {
            match access {
                Access::Load(place, kind) => loads.push(Load { index, place, kind, in_place_of: None }),
                Access::Store(place, size) => stores.push(Store { index, place, size, value: 0 }),
                Access::Slot(_) => {}
            }
        }
        if stores.len() > MOST_STORES {
            return None;
        }
        let mut round = Round {
            body,
            expected,
            required: Vec::new(),
            steps,
            written,
            lanes: Vec::new(),
            ranges: Vec::new(),
            loads,
            stores,
            registers: [Content::Untouched; 32],
            kept: vec![None; slots.len()],
            slots,
            totals: Vec::new(),
            parts: Vec::new(),
            formers: Vec::new(),
            growing: Vec::new(),
            accesses: Vec::new(),
        };
        // The numbers of what is loaded are those of the loads.
        for load in 0..round.loads.len() {
            round.lane(Lane::Load(load));
        }
        round.growing = body.iter().filter_map(|&(_, inst)| round.growing_by(inst)).collect();
        let mut each = accesses.iter().peekable();
        for (index, &(_, inst)) in body.iter().enumerate() {
            let access = each.next_if(|(at, _)| *at == index).map(|&(_, access)| access);
            round.instruction(index, inst, access)?;
        }
        round.accesses = accesses;
        round.formers = round.find_formers()?;
        Some(round)
    }

    fn instruction(&mut self, index: usize, inst: Inst, access: Option<Access>) -> Option<()> {
        let (dst, content) = match inst {
            Inst::LoadImm { dst, value } => (dst, Content::Value(self.lane(Lane::Constant(value as i64)))),
            Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst, src } => (dst, self.touched(src)?),
            Inst::Unary { op, width: Width::W64, dst, src } => {
                let value = self.operand(Operand::Reg(src))?;
                (dst, Content::Value(self.extension(op, value)?))
            }
            Inst::Binary { dst, .. } if self.is_growing(dst) => {
                (dst, Content::Value(self.lane(Lane::Growing(dst, true))))
            }
            Inst::Binary { op, width, dst, lhs, rhs } => match self.partial(index, op, width, lhs, rhs) {
                Some(partial) => (dst, partial),
                None => {
                    let (lhs, rhs) = (self.operand(lhs)?, self.operand(rhs)?);
                    let lane = self.simplified(op, width, lhs, rhs).unwrap_or(Lane::Binary(op, width, lhs, rhs));
                    (dst, Content::Value(self.lane(lane)))
                }
            },
            Inst::CondMove { if_zero, dst, value, test } => {
                let [test, value, old] =
                    [Operand::Reg(test), value, Operand::Reg(dst)].map(|operand| self.operand(operand));
                let (test, value, old) = (test?, value?, old?);
                let (zero, not_zero) = if if_zero { (value, old) } else { (old, value) };
                (dst, Content::Value(self.lane(Lane::Choice(test, zero, not_zero))))
            }
            Inst::Load { dst, .. } => match access? {
                Access::Slot(slot) if self.slots[slot].is_stored => (dst, self.kept[slot]?),
                Access::Slot(slot) => (dst, Content::Value(self.lane(Lane::Kept(slot)))),
                _ => (dst, Content::Value(self.loads.iter().position(|load| load.index == index)?)),
            },
            Inst::Store { value, .. } => {
                match (access?, value) {
                    (Access::Slot(slot), Operand::Reg(reg)) => self.kept[slot] = Some(self.touched(reg)?),
                    (Access::Slot(slot), value) => self.kept[slot] = Some(Content::Value(self.operand(value)?)),
                    (_, value) => {
                        let store = self.stores.iter().position(|store| store.index == index)?;
                        self.stores[store].value = self.operand(value)?;
                    }
                }
                return Some(());
            }
            Inst::Nop => return Some(()),
            _ => return None,
        };
        self.registers[dst.index()] = content;
        Some(())
    }

    /// What a register has. One that nobody has touched has a value, unless that is what the round before has computed.
    fn content(&mut self, reg: Reg) -> Content {
        match self.registers[reg.index()] {
            Content::Untouched => self.at_first(reg).map_or(Content::Untouched, Content::Value),
            content => content,
        }
    }

    /// The same, if it is known or a part of a total.
    fn touched(&mut self, reg: Reg) -> Option<Content> {
        Some(self.content(reg)).filter(|&content| content != Content::Untouched)
    }

    /// What an operation puts together with what the round before has left in a register, or what this one has put together with
    /// that; `None` if it does something else.
    fn partial(&mut self, index: usize, op: BinaryOp, width: Width, lhs: Operand, rhs: Operand) -> Option<Content> {
        use BinaryOp::{Add, And, MaxS, MinS, Or, Sub, Xor};
        let is_partial = |this: &mut Self, operand| match operand {
            Operand::Reg(reg) => matches!(this.content(reg), Content::Untouched | Content::Partial(..)),
            Operand::Imm(_) => false,
        };
        let (reg, other) = match (lhs, rhs) {
            (Operand::Reg(reg), other) if is_partial(self, lhs) => (reg, other),
            (other, Operand::Reg(reg)) if op != Sub && is_partial(self, rhs) => (reg, other),
            _ => return None,
        };
        let mut value = self.operand(other)?;
        let is_taken = op == Sub;
        let op = match (op, width) {
            (Add, _) | (And | Or | Xor | MinS | MaxS, Width::W64) => op,
            (Sub, _) => {
                let zero = self.lane(Lane::Constant(0));
                value = self.lane(Lane::Binary(Sub, width, zero, value));
                Add
            }
            _ => return None,
        };
        let (number, so_far) = match self.content(reg) {
            Content::Partial(number, so_far) => (number, so_far),
            _ => {
                self.totals.push(Total { reg, op, width, is_mixed: false, values: Vec::new() });
                (self.totals.len() - 1, 0)
            }
        };
        let total = &mut self.totals[number];
        if total.width == Width::W64 && width == Width::W32 {
            // Nothing is left of the upper halves.
            (total.width, total.is_mixed) = (width, true);
        }
        if (total.op, total.width, total.values.len()) != (op, width, so_far) {
            return None;
        }
        total.values.push(value);
        self.parts.push(Part { index, total: number, value: other, is_taken });
        Some(Content::Partial(number, so_far + 1))
    }

    /// The registers that have what totals were in the midst of the round. `None` if that is not known of the last round; or if a total
    /// is not in its register at the end, or kept in a slot.
    fn find_formers(&self) -> Option<Vec<Former>> {
        let mut formers = Vec::new();
        for reg in Reg::ALL {
            let Content::Partial(total, values) = self.registers[reg.index()] else { continue };
            let Total { reg: its, op, is_mixed, values: ref all, .. } = self.totals[total];
            match values == all.len() {
                true if its == reg => {}
                _ if its == reg || is_mixed || !matches!(op, BinaryOp::Add | BinaryOp::Xor) => return None,
                _ => formers.push(Former { reg, total, values }),
            }
        }
        let is_in_place = |(number, total): (usize, &Total)| {
            self.registers[total.reg.index()] == Content::Partial(number, total.values.len())
        };
        let is_kept = self.kept.iter().flatten().any(|content| matches!(content, Content::Partial(..)));
        (!is_kept && self.totals.iter().enumerate().all(is_in_place)).then_some(formers)
    }

    /// When the loop goes on for certain, and up to what. The branch is the last instruction of the block at `start`.
    pub fn foreseen(&mut self, branch: Inst, start: u32) -> Option<(Foreseen, Bound)> {
        let Inst::Branch { cond, lhs, rhs, target } = branch else { return None };
        let mut bound = None;
        let mut linear = |this: &mut Self, reg: Reg| {
            let value = this.operand(Operand::Reg(reg))?;
            match this.lanes[value] {
                Lane::Stepped(of, plus) => Some(Linear::register(of).plus(plus)),
                Lane::Register(of) => Some(Linear::register(of)),
                Lane::Kept(slot) if bound.is_none() => {
                    bound = Some((reg, slot));
                    Some(Linear::register(reg))
                }
                _ => None,
            }
        };
        let lhs = linear(self, lhs)?;
        let rhs = match rhs {
            Operand::Reg(reg) => Ok(linear(self, reg)?),
            Operand::Imm(imm) => Err(imm),
        };
        let steps = Steps::new(|reg| match bound {
            Some((bound, _)) if bound == reg => Some(0),
            _ => self.steps.of(Linear::register(reg)),
        });
        // What is compared may be what moves as it was before the last of its steps, of which the bound is as far away.
        let behind = |side: Linear| Some((side, steps.of(side).filter(|&step| step != 0)?));
        let (moves, step) = behind(lhs).or_else(|| behind(rhs.ok()?))?;
        let past = step.wrapping_sub(moves.plus);
        let goes_on = if target == Target::Block(start) { cond } else { cond.negated() };
        if past != 0 && goes_on != Cond::Ne {
            return None;
        }
        let moved = |side: Linear| if side == moves { side.plus(past) } else { side };
        let foreseen = Foreseen::new(goes_on, moved(lhs), rhs.map(moved), &steps)?;
        let is_bound = bound.is_none_or(|(reg, _)| foreseen.is_bound_by(reg));
        is_bound.then_some((foreseen, Bound { slot: bound.map(|(_, slot)| slot), past }))
    }

    /// The register that grows by an instruction, if one does.
    fn growing_by(&self, inst: Inst) -> Option<Growing> {
        let Inst::Binary { op: BinaryOp::Add, width, dst, lhs, rhs } = inst else { return None };
        let by = match (lhs, rhs) {
            (Operand::Reg(reg), by) | (by, Operand::Reg(reg)) if reg == dst => by,
            _ => return None,
        };
        let is_same = match by {
            Operand::Reg(by) => self.written & by.bit() == 0,
            Operand::Imm(_) => width == Width::W32,
        };
        let writes = self.body.iter().filter(|(_, inst)| inst.registers().writes & dst.bit() != 0).count();
        (is_same && writes == 1).then_some(Growing { reg: dst, by, width })
    }

    fn is_growing(&self, reg: Reg) -> bool {
        self.growing.iter().any(|growing| growing.reg == reg)
    }

    /// An extension of a value.
    fn extension(&mut self, op: UnaryOp, value: usize) -> Option<usize> {
        let lane = match op {
            UnaryOp::ZeroExtend16 => {
                let mask = self.lane(Lane::Constant(0xffff));
                Lane::Binary(BinaryOp::And, Width::W64, value, mask)
            }
            UnaryOp::SignExtend8 => Lane::Extended(value, 8),
            UnaryOp::SignExtend16 => Lane::Extended(value, 16),
            _ => return None,
        };
        Some(self.lane(lane))
    }

    /// What an operation computes, as what vectors do more easily or with fewer bits, if there is such.
    fn simplified(&mut self, op: BinaryOp, width: Width, lhs: usize, rhs: usize) -> Option<Lane> {
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
    fn require(&mut self, value: usize, constant: u64) {
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

    /// The number of a value.
    fn lane(&mut self, lane: Lane) -> usize {
        self.lanes.iter().position(|&one| one == lane).unwrap_or_else(|| {
            self.ranges.push(self.range(lane, &self.ranges, WHOLE));
            self.lanes.push(lane);
            self.lanes.len() - 1
        })
    }

    /// The value of an operand, unless that is what the round before has computed.
    fn operand(&mut self, operand: Operand) -> Option<usize> {
        match operand {
            Operand::Imm(imm) => Some(self.lane(Lane::Constant(i64::from(imm)))),
            Operand::Reg(reg) => match self.content(reg) {
                Content::Value(value) => Some(value),
                _ => None,
            },
        }
    }

    /// What a register has where the round begins, unless that is what the round before has computed.
    fn at_first(&mut self, reg: Reg) -> Option<usize> {
        match self.steps.of(Linear::register(reg)) {
            Some(0) => Some(self.lane(Lane::Register(reg))),
            Some(_) => Some(self.lane(Lane::Stepped(reg, 0))),
            None if self.is_growing(reg) => Some(self.lane(Lane::Growing(reg, false))),
            None => self.before(reg, MOST_BEFORE),
        }
    }

    /// What a register has from the round before, if that is what a round has loaded, not so many rounds ago.
    fn before(&mut self, reg: Reg, rounds: u32) -> Option<usize> {
        let value = self.left_by(self.body, reg, rounds.checked_sub(1)?)?;
        Some(self.lane(Lane::Before(value, reg)))
    }

    /// What a register has at the end of these instructions, if it was only loaded, and moved.
    fn left_by(&mut self, body: &[(u32, Inst)], reg: Reg, rounds: u32) -> Option<usize> {
        let last = body.iter().rposition(|(_, inst)| inst.registers().writes & reg.bit() != 0);
        match (last, last.map(|last| body[last].1)) {
            (Some(last), Some(Inst::Unary { op: UnaryOp::Move, width: Width::W64, src, .. })) => {
                self.left_by(&body[..last], src, rounds)
            }
            (Some(last), _) => self.loads.iter().position(|load| load.index == last),
            (None, _) if self.written & reg.bit() == 0 => None,
            (None, _) => self.before(reg, rounds),
        }
    }
}

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
    /// The number of the strand that it is of, and which of its elements it loads.
    pub strand: usize,
    pub element: u32,
    /// The number of the store behind it that goes to the same place, if one does.
    pub in_place_of: Option<usize>,
}

/// Elements that each round loads, so many further on, or further back, than the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Strand {
    /// Where the first round finds the first of them.
    pub place: Linear,
    pub size: Size,
    /// How far a round moves on, in elements.
    pub stride: u32,
    /// How many elements there are from the first to the last one.
    pub count: u32,
}

impl Strand {
    /// Those of a round, and its loads.
    fn all(accesses: &[(usize, Access)]) -> (Vec<Strand>, Vec<Load>) {
        let each = accesses.iter().filter_map(|&(index, access)| match access {
            Access::Load(place, kind, stride) => {
                Some((index, Strand { place, size: kind.size, stride, count: 1 }, kind))
            }
            _ => None,
        });
        let each: Vec<_> = each.collect();
        let mut parts: Vec<Strand> = each.iter().map(|&(_, part, _)| part).collect();
        parts.sort_by_key(|part| part.place.plus);
        let mut strands: Vec<Strand> = Vec::new();
        for part in parts {
            match strands.iter_mut().find_map(|strand| Some((strand.element(part)?, strand))) {
                Some((element, strand)) => strand.count = element + 1,
                None => strands.push(part),
            }
        }
        let load = |(index, part, kind): (usize, Strand, LoadKind)| {
            let found = strands.iter().enumerate().find_map(|(number, strand)| Some((number, strand.element(part)?)));
            let (strand, element) = found.expect("each is part of one");
            Load { index, place: part.place, kind, strand, element, in_place_of: None }
        };
        let loads = each.into_iter().map(load).collect();
        (strands, loads)
    }

    /// Which of the elements of a round another one begins with, if they lie side by side.
    fn element(&self, part: Strand) -> Option<u32> {
        let (distance, bytes) = (part.place.plus - self.place.plus, i64::from(self.size.bytes()));
        let is_alike = (self.place.of, self.size, self.stride) == (part.place.of, part.size, part.stride);
        let is_within = (0..i64::from(self.stride) * bytes).contains(&distance);
        (is_alike && is_within && distance % bytes == 0).then_some((distance / bytes) as u32)
    }

    /// How many bytes so many rounds find.
    pub fn bytes(&self, rounds: u32) -> u32 {
        ((rounds - 1) * self.stride + self.count) * self.size.bytes()
    }
}

/// Stores to elements side by side, which each round makes behind those of the one before, or in front of them; mostly one.
#[derive(Clone, Debug)]
pub(super) struct Store {
    /// Where the first round makes the first of them.
    pub place: Linear,
    pub size: Size,
    /// In the order of the elements.
    pub members: Vec<Member>,
}

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct Member {
    /// Which instruction of the round makes it.
    pub index: usize,
    /// The number of the value.
    pub value: usize,
}

impl Store {
    /// The elements that it stores to.
    pub fn strand(&self) -> Strand {
        let count = self.members.len() as u32;
        Strand { place: self.place, size: self.size, stride: count, count }
    }

    /// Where the first round makes each of them.
    pub fn places(&self) -> impl Iterator<Item = (Linear, Member)> {
        let bytes = i64::from(self.size.bytes());
        self.members.iter().enumerate().map(move |(at, &member)| (self.place.plus(at as i64 * bytes), member))
    }

    /// Those of a round. `None` if some elements in between are not stored.
    fn all(accesses: &[(usize, Access)]) -> Option<Vec<Store>> {
        let mut each: Vec<(Linear, Size, u32, usize)> = Vec::new();
        for &(index, access) in accesses {
            if let Access::Store(place, size, stride) = access {
                each.push((place, size, stride, index));
            }
        }
        let mut all: Vec<Store> = Vec::new();
        while let Some(&(first, size, stride, _)) = each.iter().min_by_key(|(place, ..)| place.plus) {
            let mut members = Vec::new();
            for at in 0..i64::from(stride) {
                let place = first.plus(at * i64::from(size.bytes()));
                let found = each.iter().position(|&(its, of, apart, _)| (its, of, apart) == (place, size, stride))?;
                let (.., index) = each.remove(found);
                members.push(Member { index, value: 0 });
            }
            all.push(Store { place: first, size, members });
        }
        // In the order in which the round makes them.
        all.sort_by_key(|store| store.members.iter().map(|member| member.index).min());
        Some(all)
    }
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
pub(super) struct Contribution {
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
    pub expected: &'a dyn Fn(Reg) -> Option<u64>,
    /// Whether the round is made for all of that.
    is_for_expected: bool,
    /// What of that the round is made for.
    pub required: Vec<(Reg, u64)>,
    pub steps: Steps,
    written: u32,
    pub strands: Vec<Strand>,
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
    pub ranges: Vec<Range>,
    pub totals: Vec<Total>,
    pub contributions: Vec<Contribution>,
    pub formers: Vec<Former>,
    pub growing: Vec<Growing>,
}

impl<'a> Round<'a> {
    /// Follows the instructions of a round, up to the branch. `None` if there is something in them that vectors cannot do.
    /// `expected` is what registers may have before the loop; it may be made for all of that.
    pub fn follow(
        body: &'a [(u32, Inst)],
        expected: &'a dyn Fn(Reg) -> Option<u64>,
        is_for_expected: bool,
    ) -> Option<Round<'a>> {
        let written = body.iter().fold(0, |all, (_, inst)| all | inst.registers().writes);
        let Accesses { steps, each: accesses, slots } = Accesses::find(body)?;
        let stores = Store::all(&accesses)?;
        let (strands, loads) = Strand::all(&accesses);
        if stores.len() > MOST_STORES {
            return None;
        }
        let mut round = Round {
            body,
            expected,
            is_for_expected,
            required: Vec::new(),
            steps,
            written,
            lanes: Vec::new(),
            ranges: Vec::new(),
            strands,
            loads,
            stores,
            registers: [Content::Untouched; 32],
            kept: vec![None; slots.len()],
            slots,
            totals: Vec::new(),
            contributions: Vec::new(),
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
                        let value = self.operand(value)?;
                        let mut members = self.stores.iter_mut().flat_map(|store| &mut store.members);
                        members.find(|member| member.index == index)?.value = value;
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
        self.contributions.push(Contribution { index, total: number, value: other, is_taken });
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
            if this.steps.of(Linear::register(reg)) == Some(0) {
                return Some(Linear::register(reg));
            }
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

    /// The number of a value.
    pub fn lane(&mut self, lane: Lane) -> usize {
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
            Some(0) => {
                let value = self.lane(Lane::Register(reg));
                let Some(constant) = (self.expected)(reg).filter(|_| self.is_for_expected) else { return Some(value) };
                self.require(value, constant);
                Some(self.lane(Lane::Constant(constant as i64)))
            }
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

//! What a round of a loop does, as far as vectors can do that.

use super::super::rounds::{Linear, Steps};
use pvm_ops::{Address, BinaryOp, Inst, LoadKind, Operand, Reg, Size, UnaryOp, Width};

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
    /// A register that the loop does not write.
    Register(Reg),
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
}

impl Lane {
    /// Whether rounds have different values by themselves.
    pub fn differs(&self) -> bool {
        matches!(self, Lane::Load(_) | Lane::Stepped(..) | Lane::Growing(..))
    }
}

/// A load that each round makes one element further on.
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

/// A store that each round makes one element further on.
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
#[derive(Clone, Copy, Debug)]
pub(super) struct Total {
    pub reg: Reg,
    pub op: BinaryOp,
    pub width: Width,
    /// The number of the value.
    pub value: usize,
}

/// A register to which each round adds the same once: what another one has, or a constant in 32 bits. (Constants in 64 bits are steps.)
#[derive(Clone, Copy, Debug)]
pub(super) struct Growing {
    pub reg: Reg,
    pub by: Operand,
    pub width: Width,
}

/// A register that is kept at a fixed address while the round uses it for something else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Spill {
    pub reg: Reg,
    pub address: u32,
    /// Which instruction stores it.
    stored: usize,
    /// Which instruction loads it again.
    pub loaded: usize,
}

/// The bound, if each round loads it anew.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bound {
    pub reg: Reg,
    pub place: Linear,
    pub kind: LoadKind,
}

/// What instructions of a round do.
pub(super) struct Round<'a> {
    /// All of them but the branch.
    body: &'a [(u32, Inst)],
    pub steps: Steps,
    written: u32,
    pub loads: Vec<Load>,
    pub stores: Vec<Store>,
    pub spills: Vec<Spill>,
    pub bound: Option<Bound>,
    /// The numbers of the values that registers hold.
    values: [Option<usize>; 32],
    pub lanes: Vec<Lane>,
    pub totals: Vec<Total>,
    pub growing: Vec<Growing>,
    /// Those of the growing registers to which something has been added, as a set.
    grown: u32,
    /// How far the registers that step have come.
    stepped: [i64; 32],
}

impl<'a> Round<'a> {
    /// Follows the instructions of a round, up to the branch. `None` if there is something in them that vectors cannot do.
    pub fn follow(body: &'a [(u32, Inst)]) -> Option<Round<'a>> {
        let written = body.iter().fold(0, |all, (_, inst)| all | inst.registers().writes);
        let mut round = Round {
            body,
            steps: Steps::of_additions(body, Width::W64),
            written,
            loads: Vec::new(),
            stores: Vec::new(),
            spills: Vec::new(),
            bound: None,
            values: [None; 32],
            lanes: Vec::new(),
            totals: Vec::new(),
            growing: Vec::new(),
            grown: 0,
            stepped: [0; 32],
        };
        round.growing = body.iter().filter_map(|&(_, inst)| round.growing_by(inst)).collect();
        round.find_spills()?;
        round.find_accesses()?;
        // The numbers of what is loaded are those of the loads.
        round.lanes = (0..round.loads.len()).map(Lane::Load).collect();
        for spill in 0..round.spills.len() {
            round.fill(spill);
        }
        for (index, &(_, inst)) in body.iter().enumerate() {
            match inst {
                Inst::Binary { op: BinaryOp::Add, dst, rhs: Operand::Imm(imm), .. } if round.is_stepped(dst) => {
                    round.stepped[dst.index()] += i64::from(imm);
                }
                Inst::LoadImm { dst, value } => {
                    round.values[dst.index()] = Some(round.lane(Lane::Constant(value as i64)));
                }
                Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst, src } => {
                    round.values[dst.index()] = Some(round.operand(Operand::Reg(src))?);
                }
                Inst::Unary { op, width: Width::W64, dst, src } => {
                    let value = round.operand(Operand::Reg(src))?;
                    round.values[dst.index()] = Some(round.extension(op, value)?);
                }
                Inst::Binary { dst, .. } if round.is_growing(dst) => round.grown |= dst.bit(),
                Inst::Binary { op, width, dst, lhs, rhs } => match round.total(index, inst) {
                    Some(total) => round.totals.push(total),
                    None => {
                        let (lhs, rhs) = (round.operand(lhs)?, round.operand(rhs)?);
                        let lane = round.zero_extension(op, width, lhs, rhs).or_else(|| round.distance(op, lhs, rhs));
                        let lane = lane.unwrap_or(Lane::Binary(op, width, lhs, rhs));
                        round.values[dst.index()] = Some(round.lane(lane));
                    }
                },
                Inst::CondMove { if_zero, dst, value, test } => {
                    let [test, value, old] =
                        [Operand::Reg(test), value, Operand::Reg(dst)].map(|operand| round.operand(operand));
                    let (test, value, old) = (test?, value?, old?);
                    let (zero, not_zero) = if if_zero { (value, old) } else { (old, value) };
                    round.values[dst.index()] = Some(round.lane(Lane::Choice(test, zero, not_zero)));
                }
                Inst::Load { dst, .. } => match round.spills.iter().position(|spill| spill.loaded == index) {
                    Some(spill) => round.fill(spill),
                    // Nobody but the branch reads the bound.
                    None => round.values[dst.index()] = round.loads.iter().position(|load| load.index == index),
                },
                Inst::Store { value, .. } => {
                    if let Some(store) = round.stores.iter().position(|store| store.index == index) {
                        round.stores[store].value = round.operand(value)?;
                    }
                }
                Inst::Nop => {}
                _ => return None,
            }
        }
        Some(round)
    }

    /// A spilled register has what it had at first.
    fn fill(&mut self, spill: usize) {
        let reg = self.spills[spill].reg;
        self.values[reg.index()] = Some(self.lane(Lane::Register(reg)));
    }

    /// Finds the registers that are spilled. `None` if something else is done at a fixed address.
    fn find_spills(&mut self) -> Option<()> {
        let is_fixed = |inst: &Inst| matches!(inst, Inst::Load { address, .. } | Inst::Store { address, .. } if address.base.is_none());
        for (stored, &(_, inst)) in self.body.iter().enumerate().filter(|(_, (_, inst))| is_fixed(inst)) {
            let Inst::Store { size: Size::B8, value: Operand::Reg(reg), address } = inst else { continue };
            let is_same = |(_, inst): &(u32, Inst)| match inst {
                Inst::Load { address: its, .. } | Inst::Store { address: its, .. } => *its == address,
                _ => false,
            };
            let loaded = stored + 1 + self.body[stored + 1..].iter().position(is_same)?;
            // It must have what it had at first.
            if self.spills.iter().any(|spill| spill.reg == reg && spill.loaded > stored) {
                return None;
            }
            match self.body[loaded].1 {
                Inst::Load { kind, dst, .. } if dst == reg && kind.size == Size::B8 => {
                    self.spills.push(Spill { reg, address: address.offset as u32, stored, loaded });
                }
                _ => return None,
            }
        }
        let fixed = self.body.iter().filter(|(_, inst)| is_fixed(inst)).count();
        let is_within = |at: usize, reg: Reg| {
            self.spills.iter().any(|spill| spill.reg == reg && (spill.stored..=spill.loaded).contains(&at))
        };
        let are_kept = self.spills.iter().all(|&Spill { reg, .. }| {
            let mut writes =
                self.body.iter().enumerate().filter(|(_, (_, inst))| inst.registers().writes & reg.bit() != 0);
            writes.all(|(at, _)| is_within(at, reg))
        });
        (fixed == 2 * self.spills.len() && are_kept).then_some(())
    }

    /// Finds the other loads and stores, and where they are made. `None` if there are others.
    fn find_accesses(&mut self) -> Option<()> {
        // By how much the registers that step have done so.
        let mut stepped = [0; 32];
        for (index, &(_, inst)) in self.body.iter().enumerate() {
            let (Address { base, offset }, size) = match inst {
                Inst::Load { kind, address, .. } => (address, kind.size),
                Inst::Store { size, address, .. } => (address, size),
                Inst::Binary { op: BinaryOp::Add, dst, rhs: Operand::Imm(imm), .. } if self.is_stepped(dst) => {
                    stepped[dst.index()] += i64::from(imm);
                    continue;
                }
                _ => continue,
            };
            // All others are spills.
            let Some(base) = base else { continue };
            let place = Linear::register(base);
            let step = self.steps.of(place)?;
            let place = place.plus(i64::from(offset) + stepped[base.index()]);
            let is_next = step == i64::from(size.bytes());
            match inst {
                Inst::Load { kind, .. } if is_next => {
                    self.loads.push(Load { index, place, kind, in_place_of: None });
                }
                Inst::Load { kind, dst, .. } if step == 0 && size == Size::B8 && self.bound.is_none() => {
                    let touches =
                        |(_, inst): &(u32, Inst)| (inst.registers().reads | inst.registers().writes) & dst.bit() != 0;
                    if self.body[index + 1..].iter().any(touches) {
                        return None;
                    }
                    self.bound = Some(Bound { reg: dst, place, kind });
                }
                Inst::Store { .. } if is_next && self.stores.len() < MOST_STORES => {
                    self.stores.push(Store { index, place, size, value: 0 });
                }
                _ => return None,
            }
        }
        Some(())
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

    fn is_stepped(&self, reg: Reg) -> bool {
        self.steps.of(Linear::register(reg)).is_some_and(|step| step != 0)
    }

    /// An extension of a value, as operations that vectors can do.
    fn extension(&mut self, op: UnaryOp, value: usize) -> Option<usize> {
        let by = match op {
            UnaryOp::ZeroExtend16 => {
                let mask = self.lane(Lane::Constant(0xffff));
                return Some(self.lane(Lane::Binary(BinaryOp::And, Width::W64, value, mask)));
            }
            UnaryOp::SignExtend8 => 24,
            UnaryOp::SignExtend16 => 16,
            _ => return None,
        };
        let by = self.lane(Lane::Constant(by));
        let left = self.lane(Lane::Binary(BinaryOp::Shl, Width::W32, value, by));
        Some(self.lane(Lane::Binary(BinaryOp::ShrS, Width::W32, left, by)))
    }

    /// What clears the upper bits of a value by two shifts, as an operation that vectors can do with no more than the lower ones.
    fn zero_extension(&mut self, op: BinaryOp, width: Width, lhs: usize, rhs: usize) -> Option<Lane> {
        let Lane::Binary(BinaryOp::Shl, Width::W64, of, left) = self.lanes[lhs] else { return None };
        match self.lanes[rhs] {
            Lane::Constant(by @ 1..64) if (op, width) == (BinaryOp::ShrU, Width::W64) && left == rhs => {
                let mask = self.lane(Lane::Constant((u64::MAX >> by) as i64));
                Some(Lane::Binary(BinaryOp::And, Width::W64, of, mask))
            }
            _ => None,
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
            self.lanes.push(lane);
            self.lanes.len() - 1
        })
    }

    /// The value of an operand, unless that is what the round before has computed.
    fn operand(&mut self, operand: Operand) -> Option<usize> {
        match operand {
            Operand::Imm(imm) => Some(self.lane(Lane::Constant(i64::from(imm)))),
            Operand::Reg(reg) if self.written & reg.bit() == 0 => Some(self.lane(Lane::Register(reg))),
            Operand::Reg(reg) if self.is_stepped(reg) => Some(self.lane(Lane::Stepped(reg, self.stepped[reg.index()]))),
            Operand::Reg(reg) if self.is_growing(reg) => {
                Some(self.lane(Lane::Growing(reg, self.grown & reg.bit() != 0)))
            }
            Operand::Reg(reg) => self.values[reg.index()].or_else(|| self.before(reg, MOST_BEFORE)),
        }
    }

    /// What a register has from the round before, if that is what a round has loaded, not so many rounds ago.
    fn before(&mut self, reg: Reg, rounds: u32) -> Option<usize> {
        let value = self.kept(self.body, reg, rounds.checked_sub(1)?)?;
        Some(self.lane(Lane::Before(value, reg)))
    }

    /// What a register has at the end of these instructions, if it was only loaded, and moved.
    fn kept(&mut self, body: &[(u32, Inst)], reg: Reg, rounds: u32) -> Option<usize> {
        let last = body.iter().rposition(|(_, inst)| inst.registers().writes & reg.bit() != 0);
        match (last, last.map(|last| body[last].1)) {
            (Some(last), Some(Inst::Unary { op: UnaryOp::Move, width: Width::W64, src, .. })) => {
                self.kept(&body[..last], src, rounds)
            }
            (Some(last), _) => self.loads.iter().position(|load| load.index == last),
            (None, _) if self.written & reg.bit() == 0 => None,
            (None, _) => self.before(reg, rounds),
        }
    }

    /// What an instruction puts together with what the round before has left, if nobody else looks at that.
    fn total(&mut self, index: usize, inst: Inst) -> Option<Total> {
        use BinaryOp::{Add, And, MaxS, MinS, Or, Xor};
        let Inst::Binary { op, width, dst, lhs, rhs } = inst else { return None };
        let other = match (lhs, rhs) {
            (Operand::Reg(lhs), other) | (other, Operand::Reg(lhs)) if lhs == dst => other,
            _ => return None,
        };
        let touches = |inst: &Inst| (inst.registers().reads | inst.registers().writes) & dst.bit() != 0;
        let is_alone = self.body.iter().enumerate().all(|(at, (_, inst))| at == index || !touches(inst));
        let can_be = matches!((op, width), (Add, _) | (And | Or | Xor | MinS | MaxS, Width::W64));
        if !is_alone || !can_be || other == Operand::Reg(dst) {
            return None;
        }
        Some(Total { reg: dst, op, width, value: self.operand(other)? })
    }

    /// By how much registers change in a round, for what the branch compares: there the bound is the same in all rounds.
    pub fn steps_to_bound(&self) -> Steps {
        Steps::new(|reg| match self.bound {
            Some(bound) if bound.reg == reg => Some(0),
            _ => self.steps.of(Linear::register(reg)),
        })
    }
}

//! Which loops can be made in vectors, and how: what is decided before anything is written.

use super::super::rounds::{Foreseen, Linear, Steps};
use super::accesses::{Access, Slot};
use super::apart::{Apart, Kept, Start, Stretch};
use super::lanes::vectors;
use super::range::Range;
use super::round::{Bound, Contribution, Former, Growing, Lane, Load, MOST_BEFORE, Round, Store, Strand, Total};
use super::wanted::Wanted;
use pvm_ops::{BinaryOp, Inst, Reg};
use std::iter;

/// A vector, in bytes.
pub(super) const VECTOR: u32 = 16;
/// No loop is longer, in guest instructions.
const MOST_INSTS: usize = 128;
/// Values take up to four vectors each, if all of them take no more than that.
const MOST_VECTORS: u32 = 64;
/// No group has fewer rounds: the last one finds all in the group that it wants of those before.
const LEAST_ROUNDS: u32 = MOST_BEFORE + 1;
/// What is left behind the last group is made at once if it is as much: less takes as long as looking whether it is there.
const LEAST_LEFT: u32 = 8;
/// A group that stores nothing has no more, unless its values are bytes.
const MOST_ROUNDS: u32 = 16;
/// How many bits lanes may have.
const WIDTHS: [u32; 4] = [8, 16, 32, 64];
/// As many bits are wanted of a value that must be what it is in the guest.
pub(super) const WHOLE: u32 = 64;

/// How a loop is made in vectors.
#[derive(Clone, Debug)]
pub(in super::super) struct Plan {
    pub(super) lanes: Vec<Lane>,
    /// What somebody wants of them: nothing of what is written over in the same round.
    pub(super) is_wanted: Vec<bool>,
    /// What they can be.
    pub(super) ranges: Vec<Range>,
    pub(super) strands: Vec<Strand>,
    pub(super) loads: Vec<Load>,
    pub(super) stores: Vec<Store>,
    pub(super) slots: Vec<Slot>,
    /// What each instruction accesses that does so.
    pub(super) accesses: Vec<(usize, Access)>,
    /// What registers must have before the loop.
    pub(super) required: Vec<(Reg, u64)>,
    pub(super) totals: Vec<Total>,
    pub(super) contributions: Vec<Contribution>,
    pub(super) formers: Vec<Former>,
    pub(super) growing: Vec<Growing>,
    pub(super) bound: Bound,
    /// Where slots are.
    pub(super) kept: Vec<Kept>,
    pub(super) apart: Vec<Apart>,
    pub(super) steps: Steps,
    pub(super) foreseen: Foreseen,
    /// The bits of a lane: of all values, these are right.
    pub(super) bits: u32,
    /// Whether registers that the loop does not write must be no larger than that.
    pub(super) are_small: bool,
    /// How many rounds are made at once.
    pub(super) rounds: u32,
}

impl Plan {
    /// How the block with these instructions, which leads to itself, is made in vectors, if it can be. It begins at `start`. `expected` is
    /// what registers may have there that the loop does not write.
    pub(in super::super) fn new(
        insts: &[(u32, Inst)],
        start: u32,
        expected: &dyn Fn(Reg) -> Option<u64>,
    ) -> Option<Plan> {
        let plan = |is_for_expected| Plan::made_for(insts, start, expected, is_for_expected);
        plan(false).or_else(|| plan(true))
    }

    /// The same, for all that is expected or for what shortens something.
    fn made_for(
        insts: &[(u32, Inst)],
        start: u32,
        expected: &dyn Fn(Reg) -> Option<u64>,
        is_for_expected: bool,
    ) -> Option<Plan> {
        let (&(_, last), body) = insts.split_last()?;
        if insts.len() > MOST_INSTS || !matches!(last, Inst::Branch { .. }) {
            return None;
        }
        let mut round = Round::follow(body, expected, is_for_expected)?;
        let (foreseen, bound) = round.foreseen(last, start)?;
        let kept = Kept::of(&round.slots)?;
        let (bits, Wanted { is_wanted, are_small, ranges }) =
            WIDTHS.into_iter().find_map(|bits| Some((bits, round.wanted(bits)?)))?;
        let most = round.at_once(bits, is_wanted.iter().filter(|&&is_wanted| is_wanted).count() as u32);
        // Fewer rounds may store nothing that they load. Vectors are full.
        let least = LEAST_ROUNDS.max(8 * VECTOR / bits);
        let mut halves = iter::successors(Some(most), |rounds| Some(rounds / 2)).take_while(|&rounds| rounds >= least);
        let (rounds, apart) = halves.find_map(|rounds| {
            if round.are_whole(rounds) { Some((rounds, round.apart(rounds, &kept)?)) } else { None }
        })?;
        let is_worth_it =
            round.lanes.iter().any(Lane::differs) && (!round.stores.is_empty() || !round.totals.is_empty());
        let Round {
            steps,
            lanes,
            strands,
            loads,
            stores,
            slots,
            accesses,
            required,
            totals,
            contributions,
            formers,
            growing,
            ..
        } = round;
        is_worth_it.then_some(Plan {
            lanes,
            is_wanted,
            ranges,
            strands,
            loads,
            stores,
            slots,
            accesses,
            required,
            totals,
            contributions,
            formers,
            growing,
            bound,
            kept,
            apart,
            steps,
            foreseen,
            bits,
            are_small,
            rounds,
        })
    }

    /// The same for half as many rounds, for what is left behind the last group, if these take whole vectors, or nobody wants the rest of
    /// one.
    pub(super) fn half(&self) -> Option<Plan> {
        let rounds = self.rounds / 2;
        let is_whole = |load: &Load| load.in_place_of.is_none() || rounds * load.kind.size.bytes() >= VECTOR;
        let are_whole = are_whole(&self.strands, &self.stores, &self.steps, rounds) && self.loads.iter().all(is_whole);
        // What lies behind the last round in a vector must be for nobody.
        let is_passed_on = |lane: &Lane| matches!(lane, Lane::Before(..));
        let are_full =
            rounds * self.bits >= 8 * VECTOR || self.totals.is_empty() && !self.lanes.iter().any(is_passed_on);
        (rounds >= LEAST_LEFT && are_full && are_whole).then(|| Plan { rounds, ..self.clone() })
    }

    /// The load from which a register is read before it is written, and how many rounds before.
    pub(super) fn loaded_before(&self, reg: Reg) -> Option<(Load, i64)> {
        let mut found = self.lanes.iter().position(|lane| matches!(lane, Lane::Before(_, its) if *its == reg))?;
        let mut rounds = 0;
        loop {
            match self.lanes[found] {
                Lane::Before(of, _) => (found, rounds) = (of, rounds + 1),
                Lane::Load(load) => return Some((self.loads[load], rounds)),
                _ => return None,
            }
        }
    }

    /// The bits of the lanes of a total: those of what is put together, unless sums get larger.
    pub(super) fn bits_of(&self, total: &Total) -> u32 {
        if total.op == BinaryOp::Add { total.width.bits() } else { self.bits }
    }

    pub(super) fn growing(&self, reg: Reg) -> Option<Growing> {
        self.growing.iter().copied().find(|growing| growing.reg == reg)
    }

    /// By how much a register changes in a round.
    pub(super) fn step_of(&self, reg: Reg) -> i64 {
        self.steps.of(Linear::register(reg)).unwrap_or(0)
    }

    /// Of two stretches, the one that moves on as the loop does and the one that stays where it is, if they are so.
    pub(super) fn moving_alone(&self, apart: &Apart) -> Option<[Stretch; 2]> {
        let [one, other] = apart.sides;
        let steps = apart.sides.map(|side| match side.start {
            Start::Off(place) => self.step(place),
            Start::At(_) => 0,
        });
        match steps {
            [step, 0] if step == self.foreseen.step() => Some([one, other]),
            [0, step] if step == self.foreseen.step() => Some([other, one]),
            _ => None,
        }
    }

    /// Where in memory the elements of a group begin that the first round finds there.
    pub(super) fn start(&self, place: Linear) -> Linear {
        place.plus(self.step(place).min(0) * i64::from(self.rounds - 1))
    }

    /// By how much a place moves on in a round.
    pub(super) fn step(&self, place: Linear) -> i64 {
        self.steps.of(place).expect("places move by constants")
    }
}

impl Round<'_> {
    /// How many rounds are made at once in lanes of so many bits, if as many values are wanted: what is stored is two vectors, and values
    /// are up to four, as there are sixteen registers, but no fewer than take whole vectors.
    fn at_once(&self, bits: u32, values: u32) -> u32 {
        let two_vectors = |bytes| 2 * VECTOR / bytes;
        let of_stores = self.stores.iter().map(|store| two_vectors(store.size.bytes())).min();
        let mut rounds = of_stores.unwrap_or(MOST_ROUNDS.max(two_vectors(bits / 8)));
        let are_many = |rounds| vectors(rounds, bits) > 4 || values * vectors(rounds, bits) as u32 > MOST_VECTORS;
        while rounds > LEAST_ROUNDS && vectors(rounds, bits) > 1 && are_many(rounds) && self.are_whole(rounds / 2) {
            rounds /= 2;
        }
        rounds
    }

    fn are_whole(&self, rounds: u32) -> bool {
        are_whole(&self.strands, &self.stores, &self.steps, rounds)
    }
}

/// Whether elements that go back, or do not lie side by side, are whole vectors in so many rounds, if there are such.
fn are_whole(strands: &[Strand], stores: &[Store], steps: &Steps, rounds: u32) -> bool {
    let mut strands = strands.iter().copied().chain(stores.iter().map(Store::strand));
    strands.all(|Strand { place, size, .. }| {
        rounds * size.bytes() >= VECTOR || steps.of(place) == Some(size.bytes().into())
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::rounds::tests::{START, add};
    use super::*;
    use pvm_ops::{Address, Cond, LoadKind, Operand, Size, Target, UnaryOp, Width};

    /// All registers, by their numbers.
    const REGS: [Reg; 32] = Reg::ALL;

    fn load(dst: usize, base: usize, offset: i32, size: Size, signed: bool) -> Inst {
        let address = Address { base: Some(REGS[base]), offset };
        Inst::Load { kind: LoadKind { size, signed }, dst: REGS[dst], address }
    }

    fn store(value: usize, base: usize, offset: i32, size: Size) -> Inst {
        let address = Address { base: Some(REGS[base]), offset };
        Inst::Store { size, value: Operand::Reg(REGS[value]), address }
    }

    fn op(op: BinaryOp, width: Width, dst: usize, lhs: usize, rhs: usize) -> Inst {
        let [lhs, rhs] = [lhs, rhs].map(|reg| Operand::Reg(REGS[reg]));
        Inst::Binary { op, width, dst: REGS[dst], lhs, rhs }
    }

    /// What an operation of 64 bits makes of r5 and a constant, in its place.
    fn by(op: BinaryOp, imm: i32) -> Inst {
        Inst::Binary { op, width: Width::W64, dst: REGS[5], lhs: Operand::Reg(REGS[5]), rhs: Operand::Imm(imm) }
    }

    /// The plan of a loop that steps r1 and r2 by so much, up to r3.
    fn plan(body: &[Inst], steps: [i32; 2]) -> Option<Plan> {
        let steps = [(1, steps[0]), (2, steps[1])].map(|(reg, step)| add(REGS[reg], REGS[reg], step));
        plan_to(body, &steps, 3)
    }

    fn plan_to(body: &[Inst], steps: &[Inst], end: usize) -> Option<Plan> {
        let rhs = Operand::Reg(REGS[end]);
        let branch = Inst::Branch { cond: Cond::LtU, lhs: REGS[1], rhs, target: Target::Block(START) };
        let insts: Vec<_> = (START..).zip(body.iter().chain(steps).copied().chain([branch])).collect();
        Plan::new(&insts, START, &|_| None)
    }

    /// The bits of lanes, and the rounds of a group.
    fn shape(body: &[Inst], step: i32) -> Option<(u32, u32)> {
        plan(body, [step; 2]).map(|plan| (plan.bits, plan.rounds))
    }

    #[test]
    fn lanes_are_as_wide_as_what_is_wanted_takes() {
        use BinaryOp::{Add, Mul, SetLtS, SetLtU, ShrU, Xor};
        let bytes = [load(5, 1, 0, Size::B1, false), load(6, 2, 0, Size::B1, false)];
        let with = |more: &[Inst]| shape(&[&bytes[..], more].concat(), 1);
        let stored = store(5, 2, 0, Size::B1);
        assert_eq!(with(&[op(Xor, Width::W64, 5, 5, 6), stored]), Some((8, 32)));
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 4), stored]), Some((16, 32)), "there are no products of bytes");
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 4), by(ShrU, 8), stored]), Some((16, 32)));
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 4), by(ShrU, 9), stored]), Some((32, 16)), "the ninth bit on");
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 4), by(ShrU, 25), stored]), None, "bits above 32");
        assert_eq!(
            with(&[op(Mul, Width::W64, 5, 5, 6), by(ShrU, 15), stored]),
            Some((32, 16)),
            "there is nothing above"
        );
        assert_eq!(with(&[op(SetLtU, Width::W64, 5, 5, 6), stored]), Some((8, 32)), "both are bytes");
        assert_eq!(with(&[op(SetLtS, Width::W64, 5, 5, 6), stored]), Some((16, 32)), "255 is no byte with a sign");
        let words = [load(5, 1, 0, Size::B4, true), load(6, 2, 0, Size::B4, true)];
        let with = |more: &[Inst]| shape(&[&words[..], more].concat(), 4);
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 6), op(Add, Width::W32, 7, 7, 5)]), Some((32, 16)));
        let product = op(Mul, Width::W64, 5, 5, 6);
        assert_eq!(with(&[product, op(Add, Width::W64, 7, 7, 5)]), Some((64, 8)), "products of halves");
        assert_eq!(with(&[product, product, op(Add, Width::W64, 7, 7, 5)]), None, "others of 64 bits");
        assert_eq!(with(&[op(Add, Width::W64, 5, 5, 6), op(Add, Width::W64, 7, 7, 5)]), Some((64, 8)), "33 bits");
        assert_eq!(with(&[op(Add, Width::W64, 7, 7, 5)]), Some((32, 16)), "sums are wider");
        assert_eq!(with(&[op(Xor, Width::W64, 5, 5, 6), store(5, 2, 0, Size::B4)]), Some((32, 8)));
        let long = [load(5, 1, 0, Size::B8, false), load(6, 2, 0, Size::B8, false)];
        let with = |more: &[Inst]| shape(&[&long[..], more].concat(), 8);
        assert_eq!(with(&[op(Xor, Width::W64, 5, 5, 6), store(5, 2, 0, Size::B8)]), Some((64, 4)));
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 6), store(5, 2, 0, Size::B8)]), None, "those are no halves");
    }

    #[test]
    fn extensions_and_distances_take_no_wider_lanes() {
        use BinaryOp::{Add, MaxS, Shl, ShrU, Sub};
        let extended = |op| Inst::Unary { op, width: Width::W64, dst: REGS[5], src: REGS[5] };
        let word = load(5, 1, 0, Size::B4, true);
        let total = op(Add, Width::W64, 7, 7, 5);
        assert_eq!(shape(&[word, by(Shl, 32), by(ShrU, 32), total], 4), Some((32, 16)));
        assert_eq!(shape(&[word, by(Shl, 32), by(ShrU, 31), total], 4), Some((64, 8)), "that is no extension");
        let half = load(5, 1, 0, Size::B2, true);
        assert_eq!(shape(&[half, extended(UnaryOp::ZeroExtend16), total], 2), Some((16, 16)));
        assert_eq!(shape(&[half, extended(UnaryOp::SignExtend8), total], 2), Some((16, 16)));
        assert_eq!(shape(&[half, extended(UnaryOp::CountOnes), total], 2), None);
        let opposite =
            Inst::Binary { op: Sub, width: Width::W64, dst: REGS[6], lhs: Operand::Imm(0), rhs: Operand::Reg(REGS[5]) };
        let distance =
            [op(Sub, Width::W64, 5, 5, 6), opposite, op(MaxS, Width::W64, 5, 6, 5), store(5, 2, 0, Size::B2)];
        let bits = |size, signed, step: i32| {
            let elements = [load(5, 1, 0, size, signed), load(6, 1, 400, size, signed)];
            plan(&[&elements[..], &distance].concat(), [step, 2]).map(|plan| plan.bits)
        };
        assert_eq!([true, false].map(|signed| bits(Size::B2, signed, 2)), [Some(16); 2]);
        assert_eq!(bits(Size::B4, true, 4), None, "the difference of words has 33 bits");
    }

    #[test]
    fn sums_may_be_wider_than_lanes() {
        use BinaryOp::{Add, MaxS, SetLtU, Xor};
        let (byte, signed) = (load(5, 1, 0, Size::B1, false), load(5, 1, 0, Size::B1, true));
        let total = |width| op(Add, width, 7, 7, 5);
        assert_eq!(shape(&[byte, total(Width::W64)], 1), Some((8, 32)), "without signs");
        assert_eq!(shape(&[signed, total(Width::W32)], 1), Some((8, 32)), "with signs");
        assert_eq!(shape(&[byte, op(Add, Width::W64, 5, 5, 5), total(Width::W32)], 1), Some((16, 16)));
        let is_less = op(SetLtU, Width::W64, 5, 5, 6);
        assert_eq!(shape(&[byte, load(6, 2, 0, Size::B1, false), is_less, total(Width::W64)], 1), Some((8, 32)));
        assert_eq!(shape(&[signed, op(MaxS, Width::W64, 7, 7, 5)], 1), Some((8, 32)));
        assert_eq!(shape(&[byte, op(Xor, Width::W64, 5, 5, 4), total(Width::W64)], 1), Some((16, 16)));
    }

    #[test]
    fn registers_grow_by_what_is_the_same_in_all_rounds() {
        use BinaryOp::Add;
        let stored = store(5, 2, 0, Size::B4);
        let plan = |body: &[Inst]| plan(body, [4; 2]).map(|plan| plan.growing.len());
        assert_eq!(plan(&[stored, op(Add, Width::W64, 5, 5, 4)]), Some(1));
        assert_eq!(plan(&[op(Add, Width::W32, 5, 4, 5), stored]), Some(1));
        assert_eq!(plan(&[stored, op(Add, Width::W64, 5, 5, 5)]), None);
        assert_eq!(plan(&[stored, op(Add, Width::W64, 5, 5, 4), op(Add, Width::W64, 5, 5, 4)]), None);
        assert_eq!(plan(&[stored, op(Add, Width::W64, 5, 5, 1)]), None, "by what steps itself");
        let half =
            Inst::Binary { op: Add, width: Width::W32, dst: REGS[5], lhs: Operand::Reg(REGS[5]), rhs: Operand::Imm(3) };
        assert_eq!(plan(&[stored, half]), Some(1));
    }

    #[test]
    fn registers_are_looked_at_where_all_of_them_matters() {
        let of = |op_: BinaryOp| {
            let body = [load(5, 1, 0, Size::B4, true), op(op_, Width::W64, 5, 5, 4), store(5, 2, 0, Size::B4)];
            plan(&body, [4; 2]).map(|plan| plan.are_small)
        };
        assert_eq!(of(BinaryOp::Add), Some(false));
        assert_eq!(of(BinaryOp::MinS), Some(true));
        assert_eq!(of(BinaryOp::SetLtS), Some(true));
    }

    #[test]
    fn divisions_by_constants_take_no_wider_lanes() {
        use BinaryOp::{Add, Mul, MulHighUU, Shl, ShrS, ShrU};
        let steps = [1, 2].map(|reg| add(REGS[reg], REGS[reg], 4));
        let of = |body: &[Inst], factor: u64| {
            let rhs = Operand::Reg(REGS[3]);
            let branch = Inst::Branch { cond: Cond::LtU, lhs: REGS[1], rhs, target: Target::Block(START) };
            let insts: Vec<_> = (START..).zip(body.iter().chain(&steps).copied().chain([branch])).collect();
            let plan = Plan::new(&insts, START, &|reg| (reg == REGS[4]).then_some(factor))?;
            Some((plan.bits, plan.required))
        };
        let required = |factor: u64| vec![(REGS[4], factor)];
        let (word, signed) = (load(5, 1, 0, Size::B4, false), load(5, 1, 0, Size::B4, true));
        let (product, high) = (op(Mul, Width::W64, 5, 5, 4), op(MulHighUU, Width::W64, 5, 5, 4));
        let stored = store(5, 2, 0, Size::B4);
        let tenth = 0xcccc_cccd;
        assert_eq!(of(&[word, product, by(ShrU, 35), stored], tenth), Some((32, required(tenth))));
        assert_eq!(of(&[signed, product, by(ShrS, 34), stored], 0x6666_6667), Some((32, required(0x6666_6667))));
        assert_eq!(of(&[signed, product, by(ShrU, 35), stored], tenth), None, "one with a sign, one without");
        assert_eq!(of(&[word, product, by(ShrU, 31), stored], tenth), None, "bits of the low half");
        // A sum of three bytes by three.
        let bytes = [load(5, 1, 0, Size::B4, false), by(BinaryOp::And, 0x3ff), by(Shl, 48), high, by(ShrU, 48), stored];
        let third = u64::MAX / 3 + 1;
        assert_eq!(of(&bytes, third), Some((32, required(third))), "words are loaded");
        let many = [word, by(BinaryOp::And, 0x1ffff), by(Shl, 47), high, by(ShrU, 47), stored];
        assert_eq!(of(&many, third), None, "more than 16 bits");
        let of_bytes = |more: &[Inst]| {
            let bytes = [load(5, 1, 0, Size::B1, false), load(6, 2, 0, Size::B1, false), op(Add, Width::W64, 5, 5, 6)];
            shape(&[&bytes[..], more, &[store(5, 2, 0, Size::B1)]].concat(), 1)
        };
        assert_eq!(of_bytes(&[by(Mul, 0x5555_5556), by(ShrU, 32)]), Some((16, 32)));
        assert_eq!(of_bytes(&[by(Mul, 100), by(ShrU, 8)]), Some((16, 32)), "17 bits");
    }

    #[test]
    fn what_is_stored_is_not_loaded_by_a_later_round() {
        let of = |offset, size: Size| {
            let len = size.bytes() as i32;
            let body = [load(5, 2, offset, size, false), store(5, 2, 0, size)];
            plan(&body, [len; 2]).map(|plan| (plan.loads[0].in_place_of.is_some(), plan.apart.len(), plan.rounds))
        };
        assert_eq!(of(0, Size::B4), Some((true, 0, 8)), "in place");
        assert_eq!(of(32, Size::B4), Some((false, 0, 8)), "behind the group");
        assert_eq!(of(28, Size::B4), Some((false, 0, 4)), "behind a smaller one");
        assert_eq!(of(4, Size::B4), Some((false, 0, 4)), "what a later round stores over");
        assert_eq!(of(3, Size::B4), None, "by a byte");
        assert_eq!(of(-4, Size::B4), None);
        assert_eq!(of(-13, Size::B4), None, "by a byte");
        assert_eq!(of(-16, Size::B4), Some((false, 0, 4)));
        assert_eq!(of(-32, Size::B4), Some((false, 0, 8)));
        assert_eq!(of(8, Size::B8), None, "of two vectors the first may be stored, and not the second");
        let late = [store(6, 2, 0, Size::B4), load(5, 2, 0, Size::B4, true)];
        assert!(plan(&late, [4; 2]).is_none(), "what the round itself has stored");
        let apart =
            plan(&[load(5, 1, 8, Size::B4, true), load(6, 1, -8, Size::B4, true), store(5, 2, 0, Size::B4)], [4; 2]);
        let apart = apart.unwrap().apart;
        let [loaded, stored] = apart[0].sides;
        assert_eq!((apart.len(), apart[0].is_steady, loaded.len, stored.len), (1, true, 48, 32));
        assert_eq!(loaded.start, Start::Off(Linear::register(REGS[1]).plus(-8)));
        assert_eq!(apart[0].nearness(), [47, 79]);
        let around = [load(5, 2, i32::MIN, Size::B1, false), store(5, 2, i32::MAX - 2, Size::B1)];
        assert!(plan(&around, [1; 2]).is_none(), "addresses go around");
    }

    #[test]
    fn several_places_may_be_stored_to() {
        let both = [load(5, 1, 0, Size::B4, true), load(6, 2, 0, Size::B4, true)];
        let stores = [store(6, 1, 0, Size::B4), store(5, 2, 0, Size::B4)];
        let plan = |body: &[Inst]| plan(body, [4; 2]).map(|plan| (plan.stores.len(), plan.apart.len()));
        // Each load with the other store, and the stores.
        assert_eq!(plan(&[both, stores].concat()), Some((2, 3)));
        assert_eq!(plan(&[both[0], stores[1], store(5, 2, 32, Size::B4)]), Some((2, 2)));
        assert_eq!(plan(&[both[0], stores[1], store(5, 2, 4, Size::B4)]), None, "the one after the other");
        assert_eq!(plan(&[both[0], stores[1], load(6, 2, 8, Size::B4, true), stores[0]]), None, "ahead of one of them");
    }

    #[test]
    fn registers_may_be_kept_at_a_fixed_address() {
        let fixed = Address { base: None, offset: 0x20000 };
        let kind = LoadKind { size: Size::B8, signed: false };
        let (spill, fill) = (
            Inst::Store { size: Size::B8, value: Operand::Reg(REGS[8]), address: fixed },
            Inst::Load { kind, dst: REGS[8], address: fixed },
        );
        let (next, other) = (load(5, 1, 0, Size::B4, true), op(BinaryOp::Xor, Width::W64, 8, 5, 9));
        let total = op(BinaryOp::Add, Width::W32, 7, 7, 8);
        let plan = |body: &[Inst]| plan(body, [4; 2]).map(|plan| (plan.slots.len(), plan.apart.len()));
        assert_eq!(plan(&[next, spill, other, total, fill]), Some((1, 1)));
        assert_eq!(plan(&[next, spill, other, total, fill, spill, other, fill]), Some((1, 1)));
        assert_eq!(plan(&[next, other, spill, total, fill]), Some((1, 1)), "it is made anew in each round");
        assert_eq!(plan(&[next, spill, other, total]), None, "it stays changed");
        assert_eq!(plan(&[fill, next, other, total, spill]), None, "it is what the round before has stored");
        let apart = plan_to(&[next, spill, other, total, fill], &[add(REGS[1], REGS[1], 4)], 3).unwrap();
        let alone = apart.moving_alone(&apart.apart[0]).map(|sides| sides.map(|side| side.start));
        assert_eq!(alone, Some([Start::Off(Linear::register(REGS[1])), Start::At(0x20000)]));
        let stored = store(8, 2, 0, Size::B4);
        assert_eq!(plan(&[next, spill, other, stored, fill]), Some((1, 3)));
        assert_eq!(plan(&[next, stored, spill, other, fill]), Some((1, 3)));
        let beside = |inst| match inst {
            Inst::Store { size, value, address } => {
                Inst::Store { size, value, address: Address { offset: address.offset + 4, ..address } }
            }
            Inst::Load { kind, dst, address } => {
                Inst::Load { kind, dst, address: Address { offset: address.offset + 4, ..address } }
            }
            inst => inst,
        };
        assert_eq!(plan(&[next, spill, other, total, fill, beside(spill), other, beside(fill)]), None);
        let further = |inst| beside(beside(inst));
        let both = [next, spill, other, total, fill, further(spill), other, further(fill)];
        assert_eq!(plan(&both), Some((2, 2)));
        let within = [next, spill, other, further(spill), other, further(fill), total, fill];
        assert_eq!(plan(&within), Some((2, 2)), "it is changed when it is stored again");
    }

    #[test]
    fn values_may_be_kept_on_the_stack() {
        let (next, stored) = (load(5, 1, 0, Size::B4, true), store(5, 2, 0, Size::B4));
        let [kept, back] = [store(5, 4, 8, Size::B8), load(6, 4, 8, Size::B8, false)];
        let plan = |body: &[Inst]| plan(body, [4; 2]);
        let slots =
            |body: &[Inst]| plan(body).map(|plan| plan.slots.iter().map(|slot| slot.is_stored).collect::<Vec<_>>());
        let used = op(BinaryOp::Xor, Width::W64, 5, 5, 6);
        assert_eq!(slots(&[next, kept, back, used, stored]), Some(vec![true]));
        assert_eq!(slots(&[next, back, used, stored]), Some(vec![false]), "no round stores it");
        assert_eq!(slots(&[back, next, kept, used, stored]), None, "it is what the round before has stored");
        let near = load(6, 4, 4, Size::B8, false);
        assert_eq!(slots(&[next, kept, near, used, stored]), None, "half of it");
        let far = load(6, 4, 4104, Size::B8, false);
        assert_eq!(slots(&[next, kept, far, used, stored]), None, "there may be anything in between");
        let half = store(5, 4, 8, Size::B4);
        assert_eq!(slots(&[next, half, stored]), None);
        let both = plan(&[next, kept, load(7, 4, 16, Size::B8, false), back, used, stored]).unwrap();
        assert_eq!((both.kept.len(), both.kept[0].stretch.len, both.kept[0].is_stored), (1, 16, true));
    }

    #[test]
    fn registers_may_step_by_way_of_others() {
        let (next, stored) = (load(1, 1, 0, Size::B4, true), store(1, 2, 0, Size::B4));
        let moved = |dst: usize, src: usize| Inst::Unary {
            op: UnaryOp::Move,
            width: Width::W64,
            dst: REGS[dst],
            src: REGS[src],
        };
        let steps = |last: Inst| [last, add(REGS[2], REGS[2], 4)];
        let of = |body: &[Inst], last: Inst| plan_to(body, &steps(last), 3);
        let plan = of(&[moved(6, 1), next, stored], add(REGS[1], REGS[6], 4)).unwrap();
        assert_eq!([1, 2, 6].map(|reg| plan.step_of(REGS[reg])), [4, 4, 0]);
        let by_stack = [store(1, 4, 0, Size::B8), next, stored, load(1, 4, 0, Size::B8, false)];
        let plan = of(&by_stack, add(REGS[1], REGS[1], 4)).unwrap();
        assert_eq!(plan.step_of(REGS[1]), 4);
        assert!(of(&[moved(6, 2), next, stored], add(REGS[1], REGS[6], 4)).is_none(), "it has another one's place");
        // The branch compares what r1 was before the round.
        let rhs = Operand::Reg(REGS[3]);
        let body = [moved(6, 1), next, stored, add(REGS[1], REGS[6], 4), add(REGS[2], REGS[2], 4)];
        let past = |cond: Cond| {
            let branch = Inst::Branch { cond, lhs: REGS[6], rhs, target: Target::Block(START) };
            let insts: Vec<_> = (START..).zip(body.into_iter().chain([branch])).collect();
            Plan::new(&insts, START, &|_| None).map(|plan| plan.bound.past)
        };
        assert_eq!([Cond::Ne, Cond::LtU].map(past), [Some(4), None]);
    }

    #[test]
    fn elements_may_go_back() {
        let body = [load(5, 1, 0, Size::B4, true), store(5, 2, 0, Size::B4)];
        let of = |steps| plan(&body, steps).map(|plan| (plan.apart[0].is_steady, plan.start(plan.loads[0].place).plus));
        // The loop goes on while r1 is less.
        assert_eq!(of([4, -4]), Some((false, 0)));
        let steps = [add(REGS[1], REGS[1], -4), add(REGS[2], REGS[2], 4)];
        let insts: Vec<_> = body.into_iter().chain(steps).collect();
        let branch =
            Inst::Branch { cond: Cond::Ne, lhs: REGS[1], rhs: Operand::Reg(REGS[3]), target: Target::Block(START) };
        let back: Vec<_> = (START..).zip(insts.into_iter().chain([branch])).collect();
        let back = Plan::new(&back, START, &|_| None).unwrap();
        assert_eq!((back.rounds, back.start(back.loads[0].place).plus), (8, -28));
        let [loaded, stored] = back.apart[0].sides;
        assert_eq!(loaded.start, Start::Off(Linear::register(REGS[1]).plus(-28)));
        assert_eq!((stored.start, stored.len), (Start::Off(Linear::register(REGS[2])), 32));
    }

    #[test]
    fn elements_may_lie_several_apart() {
        let of = |body: &[Inst], steps| {
            let plan = plan(body, steps)?;
            let strands: Vec<_> = plan.strands.iter().map(|strand| (strand.stride, strand.count)).collect();
            let elements: Vec<_> = plan.loads.iter().map(|load| (load.strand, load.element)).collect();
            Some((strands, elements, plan.stores.iter().map(|store| store.members.len()).collect::<Vec<_>>()))
        };
        let [first, second] = [(5, 0), (6, 4)].map(|(dst, offset)| load(dst, 1, offset, Size::B4, true));
        let stored = store(5, 2, 0, Size::B4);
        assert_eq!(of(&[first, stored], [8, 4]), Some((vec![(2, 1)], vec![(0, 0)], vec![1])));
        assert_eq!(of(&[second, first, stored], [8, 4]), Some((vec![(2, 2)], vec![(0, 1), (0, 0)], vec![1])));
        let ahead = load(6, 1, 8, Size::B4, true);
        assert_eq!(of(&[first, ahead, stored], [8, 4]).unwrap().0, [(2, 1), (2, 1)], "of the next round");
        assert_eq!(of(&[first, stored], [20, 4]), None, "five elements");
        assert_eq!(of(&[first, stored], [6, 4]), None, "one and a half");
        assert_eq!(of(&[first, stored], [-8, 4]), None, "backwards");
        assert_eq!(of(&[first, stored], [4, 8]), None, "every other one is stored");
        let both = [store(6, 2, 4, Size::B4), stored];
        assert_eq!(of(&[&[first, second][..], &both].concat(), [8, 8]).map(|all| all.2), Some(vec![2]));
        let near = [store(6, 2, 2, Size::B4), stored];
        assert_eq!(of(&[&[first][..], &near].concat(), [4, 8]), None, "they have bytes in common");
        // In place, and what has been stored already.
        let [here, there] = [(5, 0), (6, 4)].map(|(dst, offset)| load(dst, 2, offset, Size::B4, true));
        assert_eq!(of(&[there, both[0], both[1]], [4, 8]).map(|all| all.0), Some(vec![(2, 1)]));
        assert_eq!(of(&[both[0], there, here, both[1]], [4, 8]), None);
        let bytes = [load(5, 1, 0, Size::B1, false), load(6, 1, 1, Size::B1, false)];
        let product = op(BinaryOp::Mul, Width::W64, 5, 5, 6);
        let halves = [product, store(5, 2, 0, Size::B2)];
        assert_eq!(shape(&[&bytes[..], &halves].concat(), 2), Some((16, 16)));
    }

    #[test]
    fn what_is_left_may_be_half_a_group() {
        let half = |body: &[Inst], steps| plan(body, steps).map(|plan| plan.half().map(|half| half.rounds));
        let [bytes, words] = [Size::B1, Size::B4].map(|size| [load(5, 1, 0, size, false), store(5, 2, 0, size)]);
        assert_eq!(half(&bytes, [1; 2]), Some(Some(16)));
        assert_eq!(half(&words, [4; 2]), Some(None), "four words");
        let product = op(BinaryOp::Mul, Width::W64, 5, 5, 4);
        let back = [load(5, 1, 0, Size::B1, false), product, by(BinaryOp::ShrU, 9), bytes[1]];
        assert_eq!(shape(&back, 1), Some((32, 16)));
        assert_eq!(half(&back, [1; 2]), Some(Some(8)));
        assert_eq!(half(&back, [1, -1]), Some(None), "half a vector the other way round");
        // Sixteen rounds, as there are many values.
        let many: Vec<_> = (0..40).map(|value| by(BinaryOp::Xor, value + 1)).collect();
        let many = [&bytes[..1], &many].concat();
        assert_eq!(half(&[&many[..], &bytes[1..]].concat(), [1; 2]), Some(Some(8)), "half a vector");
        let total = op(BinaryOp::Add, Width::W64, 7, 7, 5);
        assert_eq!(half(&[&many[..], &[bytes[1], total]].concat(), [1; 2]), Some(None), "nobody knows the rest of it");
        let in_place = [load(5, 2, 0, Size::B1, false), back[1], back[2], back[3]];
        assert_eq!(half(&in_place, [1; 2]), Some(None), "half a vector that was loaded before");
    }

    #[test]
    fn what_is_expected_may_make_lanes_narrower() {
        let steps = [1, 2].map(|reg| add(REGS[reg], REGS[reg], 1));
        let (byte, product) = (load(5, 1, 0, Size::B1, false), op(BinaryOp::Mul, Width::W64, 5, 5, 4));
        let body = [byte, product, op(BinaryOp::MinS, Width::W64, 5, 5, 6), store(5, 2, 0, Size::B1)];
        let branch =
            Inst::Branch { cond: Cond::LtU, lhs: REGS[1], rhs: Operand::Reg(REGS[3]), target: Target::Block(START) };
        let insts: Vec<_> = (START..).zip(body.into_iter().chain(steps).chain([branch])).collect();
        let of = |factor| {
            let plan = Plan::new(&insts, START, &|reg| (reg == REGS[4]).then_some(factor));
            plan.map(|plan| (plan.bits, plan.required))
        };
        assert_eq!(of(298), Some((32, vec![(REGS[4], 298)])));
        assert_eq!(of(1 << 40), None);
        assert!(Plan::new(&insts, START, &|_| None).is_none(), "the product may have any size");
    }

    #[test]
    fn bits_and_averages_take_no_wider_lanes() {
        use BinaryOp::{Add, And, Mul, SetLtS, Shl, ShrS, ShrU};
        let bytes = [load(5, 1, 0, Size::B1, false), load(6, 2, 0, Size::B1, false)];
        let stored = store(5, 2, 0, Size::B1);
        let with = |more: &[Inst]| shape(&[&bytes[..], more].concat(), 1);
        let sum = op(Add, Width::W64, 5, 5, 6);
        assert_eq!(with(&[sum, by(Add, 1), by(ShrU, 1), stored]), Some((8, 32)));
        assert_eq!(with(&[sum, by(Add, 2), by(ShrU, 1), stored]), Some((16, 32)), "no average");
        let bit = [by(Shl, 58), by(ShrS, 63), op(And, Width::W64, 5, 5, 6)];
        assert_eq!(with(&[&bit[..], &[stored]].concat()), Some((8, 32)));
        assert_eq!(with(&[by(Shl, 50), by(ShrS, 63), stored]), Some((16, 32)), "bit 13");
        assert_eq!(with(&[by(ShrU, 3), by(And, 7), stored]), Some((8, 32)));
        assert_eq!(with(&[op(Mul, Width::W64, 5, 5, 6), by(ShrU, 9), by(And, 7), stored]), Some((16, 32)));
        let words = [load(5, 1, 0, Size::B4, true), load(6, 2, 0, Size::B4, true)];
        let compared = [op(Add, Width::W64, 5, 5, 6), op(SetLtS, Width::W64, 5, 5, 4), store(5, 2, 0, Size::B4)];
        assert_eq!(shape(&[&words[..], &compared].concat(), 4), Some((64, 8)), "33 bits");
    }

    #[test]
    fn what_the_round_before_has_loaded_is_known() {
        let kept = Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst: REGS[6], src: REGS[5] };
        let sum = op(BinaryOp::Add, Width::W64, 7, 5, 6);
        let (next, stored) = (load(5, 1, 0, Size::B4, true), store(7, 2, 0, Size::B4));
        let plan = plan(&[sum, kept, next, stored], [4; 2]).unwrap();
        let before = |reg: usize| plan.loaded_before(REGS[reg]).map(|(load, rounds)| (load.index, rounds));
        assert_eq!([5, 6, 7].map(before), [Some((2, 1)), Some((2, 2)), None]);
        let computed = op(BinaryOp::Add, Width::W64, 5, 5, 4);
        assert!(super::tests::plan(&[sum, kept, next, computed, stored], [4; 2]).is_none(), "that is computed");
    }

    #[test]
    fn the_bound_may_be_loaded() {
        let steps = [add(REGS[1], REGS[1], 4), add(REGS[2], REGS[2], 4)];
        let (next, stored) = (load(5, 1, 0, Size::B4, true), store(5, 2, 0, Size::B4));
        let bound = load(5, 4, 8, Size::B8, false);
        let plan =
            |body: &[Inst], end| plan_to(body, &steps, end).map(|plan| (plan.bound.slot.is_some(), plan.apart.len()));
        assert_eq!(plan(&[next, stored, bound], 5), Some((true, 2)));
        assert_eq!(plan(&[next, stored, bound], 3), Some((false, 2)), "it is not the bound");
        assert_eq!(plan(&[bound, next, stored], 5), None, "it is written over");
        assert_eq!(plan(&[next, stored], 3), Some((false, 1)));
    }

    #[test]
    fn totals_are_for_nobody_else() {
        let (next, total) = (load(5, 1, 0, Size::B4, true), op(BinaryOp::Add, Width::W32, 7, 7, 5));
        assert!(plan(&[next, total], [4; 2]).is_some_and(|plan| plan.totals.len() == 1));
        let values = |body: &[Inst]| plan(body, [4; 2]).map(|plan| plan.totals[0].values.len());
        assert_eq!(values(&[next, total, total]), Some(2));
        assert_eq!(values(&[next, op(BinaryOp::Sub, Width::W32, 7, 7, 5)]), Some(1));
        assert_eq!(values(&[next, op(BinaryOp::Sub, Width::W32, 7, 5, 7)]), None, "it is another one in each round");
        let wide = op(BinaryOp::Add, Width::W64, 7, 7, 5);
        assert_eq!(values(&[next, total, wide]), None, "of a half");
        assert_eq!(values(&[next, wide, total]), Some(2), "half of it");
        let elsewhere = op(BinaryOp::Add, Width::W64, 8, 7, 5);
        let back = op(BinaryOp::Add, Width::W32, 7, 8, 5);
        assert_eq!(values(&[next, elsewhere, back]), None, "nobody knows the other half");
        assert!(plan(&[next, total, store(7, 2, 0, Size::B4)], [4; 2]).is_none());
        let [first, second] =
            [(8, 7, 5), (7, 8, 6)].map(|(dst, lhs, rhs)| op(BinaryOp::Xor, Width::W64, dst, lhs, rhs));
        let more = load(6, 1, 64, Size::B4, true);
        let by_another = plan(&[next, more, first, second], [4; 2]).unwrap();
        let formers: Vec<_> = by_another.formers.iter().map(|former| (former.reg, former.values)).collect();
        assert_eq!(formers, [(REGS[8], 1)], "r8 is left with the total but for one value");
        assert!(plan(&[next, more, first], [4; 2]).is_none(), "r8 has it, not r7");
        let [least, then] = [(8, 7, 5), (7, 8, 6)].map(|(dst, lhs, rhs)| op(BinaryOp::MinS, Width::W64, dst, lhs, rhs));
        assert!(plan(&[next, more, least, then], [4; 2]).is_none(), "nobody knows what it was before");
        assert!(plan(&[next, op(BinaryOp::MaxS, Width::W64, 7, 5, 7)], [4; 2]).is_some());
        assert!(plan(&[next], [4; 2]).is_none(), "nothing comes of it");
        assert!(plan(&[total], [4; 2]).is_none(), "a register that nothing writes is the same in all rounds");
    }
}

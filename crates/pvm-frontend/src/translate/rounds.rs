//! Loops of one block that are written several times, round after round.
//!
//! Registers that change by a constant per round are *stepped*: within the rounds they are what they were before the first, plus
//! a constant, which accesses add themselves. Only the last round computes them, and exits do.
//!
//! Of many such loops it is certain at the beginning of a round that they go on for some more ([`Foreseen`]): these rounds have
//! no branches between them.

use super::parts::Part;
use super::{Current, Next, Translator};
use crate::Mark;
use crate::blocks::{Block, BlockId};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use pvm_clif::{alu, constant};
use pvm_gas::GasModel;
use pvm_ops::{BinaryOp, Cond, GuestCode, Inst, Operand, Reg, Target, Width};
use std::iter;

/// Loops are written several times up to this length in all, in guest instructions.
const UNROLLED_LEN: u32 = 32;
/// The same for guests of 32 bits, which have many registers: what has to be stored once per round is stored once for all.
const UNROLLED_LEN_NARROW: u32 = 80;
/// No loop is written more often than this.
const MOST_COPIES: u32 = 8;
/// The same for loops that search something.
const MOST_SEARCHING: u32 = 2;
/// The same for loops that can be foreseen. They are smaller, and what is left of them is done round by round.
const FORESEEN_LEN: u32 = 64;
const MOST_FORESEEN: u32 = 4;
/// No register changes by more in a round, or is compared with more added to it.
const MOST_STEP: i64 = 1 << 16;

/// One or two registers as they were where a round begins, plus a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Linear {
    pub of: Reg,
    pub and: Option<Reg>,
    pub plus: i64,
}

impl Linear {
    /// A register as it was.
    pub fn register(of: Reg) -> Linear {
        Linear { of, and: None, plus: 0 }
    }

    pub fn plus(self, plus: i64) -> Linear {
        Linear { plus: self.plus.wrapping_add(plus), ..self }
    }

    pub fn registers(self) -> impl Iterator<Item = Reg> {
        iter::once(self.of).chain(self.and)
    }
}

/// By how much each register changes in a round, if it does so by a constant.
#[derive(Clone, Copy, Debug)]
pub(super) struct Steps([Option<i64>; 32]);

impl Steps {
    /// What it is for each register.
    pub fn new(of: impl Fn(Reg) -> Option<i64>) -> Steps {
        let mut steps = [None; 32];
        Reg::ALL.into_iter().for_each(|reg| steps[reg.index()] = of(reg).filter(|step| step.abs() <= MOST_STEP));
        Steps(steps)
    }

    /// Of a round with these instructions: what one addition does to a register.
    pub fn of_additions(insts: &[(u32, Inst)], width: Width) -> Steps {
        let mut steps = [Some(0); 32];
        for (_, inst) in insts {
            let written = inst.registers().writes;
            for reg in Reg::ALL.into_iter().filter(|reg| written & reg.bit() != 0) {
                let step = &mut steps[reg.index()];
                *step = match *inst {
                    Inst::Binary { op: BinaryOp::Add, width: its, lhs, rhs: Operand::Imm(imm), .. }
                        if its == width && lhs == Operand::Reg(reg) && *step == Some(0) =>
                    {
                        Some(i64::from(imm))
                    }
                    _ => None,
                };
            }
        }
        Steps::new(|reg| steps[reg.index()])
    }

    pub fn of(&self, linear: Linear) -> Option<i64> {
        linear.registers().map(|reg| self.0[reg.index()]).sum()
    }

    /// The registers that do change.
    fn stepped(&self) -> u32 {
        let is_stepped = |reg: &Reg| self.0[reg.index()].is_some_and(|step| step != 0);
        Reg::ALL.into_iter().filter(is_stepped).fold(0, |all, reg| all | reg.bit())
    }
}

/// What makes many rounds of a loop at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum AtOnce {
    Nothing,
    /// A function of the host, which moves memory.
    Function,
    Vectors,
}

/// When a loop goes on for more rounds for certain.
#[derive(Clone, Copy, Debug)]
pub(super) struct Foreseen {
    /// The loop goes on while this holds of what moves and the bound.
    cond: Cond,
    moves: Linear,
    step: i64,
    bound: Result<Linear, i32>,
}

impl Foreseen {
    /// Of a loop that goes on while `cond` holds of these, as they are at the end of a round.
    pub fn new(cond: Cond, lhs: Linear, rhs: Result<Linear, i32>, steps: &Steps) -> Option<Foreseen> {
        let (cond, moves, bound, step) = match (steps.of(lhs)?, rhs.map(|rhs| steps.of(rhs))) {
            (step, Err(_) | Ok(Some(0))) => (cond, lhs, rhs, step),
            (0, Ok(Some(step))) => (cond.mirrored(), rhs.ok()?, Ok(lhs), step),
            _ => return None,
        };
        let can_be_foreseen = match cond {
            Cond::Ne => step != 0,
            Cond::LtU | Cond::LtS | Cond::LeU | Cond::LeS => step > 0,
            Cond::GtU | Cond::GtS | Cond::GeU | Cond::GeS => step < 0,
            Cond::Eq => false,
        };
        // Only registers are compared before the rounds. What is compared in them is on from there, so that it does not go around
        // before it is at the bound; and the bound does not at all.
        let is_on = (0..=MOST_STEP).contains(&(moves.plus * step.signum()));
        let is_register = bound.ok().is_none_or(|bound| bound.plus == 0);
        (can_be_foreseen && is_on && is_register).then_some(Foreseen { cond, moves, step, bound })
    }

    /// A register by which the loop goes on.
    pub fn moves(&self) -> Reg {
        self.moves.of
    }

    /// By how much it changes in a round.
    pub fn step(&self) -> i64 {
        self.step
    }

    /// Whether it is this register that says where the loop ends.
    pub fn is_bound_by(&self, reg: Reg) -> bool {
        self.bound.is_ok_and(|bound| bound.of == reg)
    }

    /// How far what the first round compares is from what is there before it, towards the bound.
    fn ahead(&self) -> i64 {
        self.step.signum() * self.moves.plus
    }

    /// How far the bound must be from what moves, or further if a comparison is strict, for a loop to go on for so many rounds: the last of
    /// them compares what so many steps before it have made. A distance below what is to be added would wrap; it does not suffice either.
    pub(super) fn required(&self, rounds: i64) -> i64 {
        self.ahead() + (rounds - 1) * self.step.abs()
    }

    pub(super) fn is_strict(&self) -> bool {
        !matches!(self.cond, Cond::LeU | Cond::LeS | Cond::GeU | Cond::GeS)
    }

    /// Of a loop of one block at `start`.
    pub fn of_block(insts: &[(u32, Inst)], start: u32, steps: &Steps) -> Option<Foreseen> {
        let (_, Inst::Branch { cond, lhs, rhs, target }) = *insts.last()? else { return None };
        let behind = |reg| -> Option<Linear> {
            let linear = Linear::register(reg);
            Some(linear.plus(steps.of(linear)?))
        };
        let rhs = match rhs {
            Operand::Reg(reg) => Ok(behind(reg)?),
            Operand::Imm(imm) => Err(imm),
        };
        let goes_on = if target == Target::Block(start) { cond } else { cond.negated() };
        Foreseen::new(goes_on, behind(lhs)?, rhs, steps)
    }
}

/// Whether a loop divides, as what turns numbers into digits: that takes longer than all that rounds could share.
fn divides(insts: &[(u32, Inst)]) -> bool {
    use BinaryOp::{DivS, DivU, RemS, RemU};
    insts.iter().any(|(_, inst)| matches!(inst, Inst::Binary { op: DivS | DivU | RemS | RemU, .. }))
}

/// Whether a loop goes on by what it loads, from where it steps along: it looks for something, and finds it soon as a rule. The host
/// foresees where by what the branch has done before, of which each copy knows a part only.
fn searches(insts: &[(u32, Inst)], steps: &Steps) -> bool {
    let written = insts.iter().fold(0, |all, (_, inst)| all | inst.registers().writes);
    let (mut past, mut loaded) = (written & !steps.stepped(), 0);
    for (_, inst) in insts {
        let sets = inst.registers();
        if let Inst::Branch { .. } = inst {
            return sets.reads & past == 0 && sets.reads & loaded != 0;
        }
        let depends = |set: u32| sets.reads & set != 0;
        let is_loaded = matches!(inst, Inst::Load { .. }) || depends(loaded);
        past = if depends(past) { past | sets.writes } else { past & !sets.writes };
        loaded = if is_loaded { loaded | sets.writes } else { loaded & !sets.writes };
    }
    false
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Writes a loop of one block, from the present IR block on, which costs so much a round. `before` says what makes many of its rounds
    /// at once.
    pub(super) fn rounds(&mut self, id: BlockId, insts: &[(u32, Inst)], cost: u32, before: AtOnce) {
        let block = *self.blocks.get(id);
        let copies = |len: u32, most: u32| match insts.last() {
            Some((_, Inst::Branch { .. })) => (len / block.len).clamp(1, most),
            _ => 1,
        };
        let steps = Steps::of_additions(insts, self.code.width());
        // Guests of 32 bits do not gain by it.
        let stepped = if self.is_narrow { 0 } else { steps.stepped() & !self.parked };
        let is_foreseen = before == AtOnce::Nothing && !self.is_narrow && copies(FORESEEN_LEN, MOST_FORESEEN) > 1;
        let Some(foreseen) = Foreseen::of_block(insts, block.start, &steps).filter(|_| is_foreseen) else {
            let copies = match self.is_narrow {
                true => copies(UNROLLED_LEN_NARROW, MOST_COPIES),
                // What is left is a few rounds.
                false if before == AtOnce::Vectors || divides(insts) => 1,
                false => copies(UNROLLED_LEN, if searches(insts, &steps) { MOST_SEARCHING } else { MOST_COPIES }),
            };
            self.begin_round(&block, u64::from(copies - 1) * u64::from(cost));
            self.stepped = stepped;
            for copy in 1..=copies {
                let next = if copy < copies { Next::Copy(self.builder.create_block()) } else { Next::Anywhere };
                self.round_of(id, insts, cost, next);
            }
            self.stepped = 0;
            return;
        };

        let copies = copies(FORESEEN_LEN, MOST_FORESEEN);
        let single = self.builder.create_block();
        let may_end = self.may_end(&foreseen, i64::from(copies) - 1);
        self.turn_off_if_any(&may_end, single);
        let more = u64::from(copies - 1) * u64::from(cost);
        let checkpoint = self.checkpoints[self.position];
        if self.metering.model == GasModel::None {
            self.begin_round(&block, more);
        } else {
            self.turn_off_without_gas((checkpoint.pending + checkpoint.bound + more) as i64, single);
        }
        self.stepped = stepped;
        for copy in 1..=copies {
            let next = if copy < copies { Next::Certain } else { Next::Anywhere };
            self.round_of(id, insts, cost, next);
        }
        self.stepped = 0;

        self.round = single;
        self.builder.switch_to_block(single);
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        self.known = Default::default();
        self.proven = self.places[self.position].clone();
        self.pending = checkpoint.pending as i64;
        self.begin_round(&block, 0);
        self.round_of(id, insts, cost, Next::Anywhere);
    }

    /// What comes first: a comparison of the gas, with so much more than is needed for one round.
    fn begin_round(&mut self, block: &Block, more: u64) {
        let checkpoint = self.checkpoints[self.position];
        if checkpoint.compares {
            self.checkpoint(block, checkpoint.pending + checkpoint.bound + more);
        }
    }

    fn round_of(&mut self, id: BlockId, insts: &[(u32, Inst)], cost: u32, next: Next) {
        self.pending += i64::from(cost);
        self.instructions(id, insts, next);
        if let Next::Copy(next) = next {
            self.builder.seal_block(next);
            self.builder.switch_to_block(next);
        }
    }

    /// Conditions of which one holds unless it is certain that a loop goes on for so many rounds.
    pub(super) fn may_end(&mut self, foreseen: &Foreseen, rounds: i64) -> Vec<Value> {
        let sides = self.moves_and_bound(foreseen, None);
        self.may_end_between(foreseen, sides, rounds)
    }

    /// The same of what moves and a bound, as they are at the beginning of a round.
    pub(super) fn may_end_between(
        &mut self,
        foreseen: &Foreseen,
        [moves, bound]: [Value; 2],
        rounds: i64,
    ) -> Vec<Value> {
        let distance = self.distance(foreseen, [moves, bound]);
        let required = foreseen.required(rounds);
        let is_near = if foreseen.is_strict() { IntCC::UnsignedLessThanOrEqual } else { IntCC::UnsignedLessThan };
        let mut conditions = vec![self.builder.ins().icmp_imm_u(is_near, distance, required)];
        if foreseen.cond != Cond::Ne {
            conditions.push(alu::condition(self.builder, foreseen.cond.negated(), moves, bound));
        }
        conditions
    }

    /// For how many rounds a loop goes on for certain, up to so many, if it is certain for one. Where steps are no power of two, it may
    /// go on for more.
    pub(super) fn rounds_ahead(&mut self, foreseen: &Foreseen, most: i64) -> Value {
        let sides = self.moves_and_bound(foreseen, None);
        let distance = self.distance(foreseen, sides);
        let distance = if self.is_narrow { self.builder.ins().uextend(I64, distance) } else { distance };
        // What is left when the first of them compares.
        let left = self.builder.ins().iadd_imm_s(distance, -foreseen.ahead() - i64::from(foreseen.is_strict()));
        let more = self.at_most(left, foreseen.step.unsigned_abs(), most - 1);
        self.builder.ins().iadd_imm_s(more, 1)
    }

    /// How often a number goes into another one, up to so often. Where it is no power of two, it may be said to go less often, but not
    /// less than half as often.
    pub(super) fn at_most(&mut self, value: Value, divisor: u64, most: i64) -> Value {
        let enough = self.builder.ins().iconst(I64, most * divisor as i64);
        let value = self.builder.ins().umin(value, enough);
        if divisor.is_power_of_two() {
            return self.per(value, divisor as i64);
        }
        // A division takes longer.
        let product = self.builder.ins().imul_imm_s(value, (1 << 32) / divisor as i64);
        self.builder.ins().ushr_imm_u(product, 32)
    }

    /// So many times a constant.
    pub(super) fn times(&mut self, value: Value, factor: i64) -> Value {
        match factor {
            1 => value,
            _ if factor.count_ones() == 1 => self.builder.ins().ishl_imm_u(value, i64::from(factor.trailing_zeros())),
            _ => self.builder.ins().imul_imm_s(value, factor),
        }
    }

    /// That many by a power of two.
    pub(super) fn per(&mut self, value: Value, divisor: i64) -> Value {
        if divisor == 1 { value } else { self.builder.ins().ushr_imm_u(value, i64::from(divisor.ilog2())) }
    }

    /// What a loop compares with its bound, where a round begins, and the bound, unless it is known.
    pub(super) fn moves_and_bound(&mut self, foreseen: &Foreseen, bound: Option<Value>) -> [Value; 2] {
        let moves = self.linear(Linear { plus: 0, ..foreseen.moves });
        if let Some(bound) = bound {
            return [moves, bound];
        }
        let bound = match foreseen.bound {
            Ok(bound) => self.linear(bound),
            Err(imm) if self.is_narrow => self.builder.ins().iconst(I32, i64::from(imm as u32)),
            Err(imm) => self.builder.ins().iconst(I64, i64::from(imm)),
        };
        [moves, bound]
    }

    /// How far the one is from the other.
    pub(super) fn distance(&mut self, foreseen: &Foreseen, [moves, bound]: [Value; 2]) -> Value {
        let (high, low) = if foreseen.step > 0 { (bound, moves) } else { (moves, bound) };
        match constant(self.builder, low) {
            Some(0) => high,
            _ => self.builder.ins().isub(high, low),
        }
    }

    /// Goes elsewhere if any of these holds, else on. As in `leave_if`, what comes first is laid out last.
    pub(super) fn turn_off_if_any(&mut self, conditions: &[Value], elsewhere: ir::Block) {
        for &condition in conditions {
            let go_on = self.builder.create_block();
            self.builder.ins().brif(condition, elsewhere, &[], go_on, &[]);
            self.builder.seal_block(go_on);
            self.builder.switch_to_block(go_on);
        }
    }

    /// Goes elsewhere if there is less gas than that, else on.
    pub(super) fn turn_off_without_gas(&mut self, needed: i64, elsewhere: ir::Block) {
        let gas = self.builder.use_var(self.gas);
        let is_short = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, gas, needed);
        self.turn_off_if_any(&[is_short], elsewhere);
    }

    /// Registers plus a constant, as wide as registers are.
    pub(super) fn linear(&mut self, linear: Linear) -> Value {
        if self.is_narrow {
            return self.linear_half(linear);
        }
        let value = self.sum_of(linear);
        self.plus(value, linear.plus)
    }

    /// The low half of that.
    pub(super) fn linear_half(&mut self, linear: Linear) -> Value {
        let value = match linear.and {
            None => self.read_half(linear.of),
            Some(and) => {
                let [of, and] = [linear.of, and].map(|reg| self.read_half(reg));
                self.builder.ins().iadd(of, and)
            }
        };
        self.plus(value, i64::from(linear.plus as i32))
    }

    /// The sum of the registers. Addresses are that modulo 2^32.
    pub(super) fn sum_of(&mut self, linear: Linear) -> Value {
        let of = self.read(linear.of);
        match linear.and {
            None => of,
            Some(and) => {
                let and = self.read(and);
                self.builder.ins().iadd(of, and)
            }
        }
    }

    fn plus(&mut self, value: Value, plus: i64) -> Value {
        if plus == 0 { value } else { self.builder.ins().iadd_imm_s(value, plus) }
    }

    /// Adds a constant to a register that is stepped; `false` if it is not.
    pub(super) fn step(&mut self, current: &Current, reg: Reg, step: i32) -> bool {
        if self.stepped & reg.bit() == 0 {
            return false;
        }
        let (from, by) = match self.known(reg).part {
            Some(Part::Stepped { from, by }) => (from, by + i64::from(step)),
            _ => (self.read(reg), i64::from(step)),
        };
        if current.next == Next::Anywhere {
            // In place, as everywhere.
            let by = self.builder.ins().iconst(I64, -by);
            let value = self.builder.ins().isub(from, by);
            self.write(reg, value);
        } else {
            let value = self.builder.ins().iadd_imm_s(from, by);
            self.write(reg, value);
            self.is_part(reg, Some(Part::Stepped { from, by }));
        }
        true
    }

    /// Whether there are registers that have not been computed in the present round.
    pub(super) fn is_stepping(&self) -> bool {
        Reg::ALL.into_iter().any(|reg| matches!(self.known(reg).part, Some(Part::Stepped { .. })))
    }

    /// Computes them, on a way out of the loop.
    pub(super) fn make_stepped(&mut self) {
        for reg in Reg::ALL {
            if let Some(part @ Part::Stepped { .. }) = self.known(reg).part
                && let Some(made) = self.make(part)
            {
                self.builder.def_var(self.variable(reg), made);
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use pvm_ops::{Address, LoadKind, Size};

    /// Where the loops of tests begin.
    pub const START: u32 = 100;

    /// An addition of a constant to a register of 64 bits.
    pub fn add(dst: Reg, of: Reg, plus: i32) -> Inst {
        let (lhs, rhs) = (Operand::Reg(of), Operand::Imm(plus));
        Inst::Binary { op: BinaryOp::Add, width: Width::W64, dst, lhs, rhs }
    }

    /// What is foreseen of a loop with these additions that goes on while this holds of a register and another one, or zero.
    fn foreseen(additions: &[Inst], cond: Cond, lhs: Reg, rhs: Option<Reg>) -> Option<Foreseen> {
        let rhs = rhs.map_or(Operand::Imm(0), Operand::Reg);
        let branch = Inst::Branch { cond, lhs, rhs, target: Target::Block(START) };
        let insts: Vec<_> = (START..).zip(additions.iter().copied().chain([branch])).collect();
        Foreseen::of_block(&insts, START, &Steps::of_additions(&insts, Width::W64))
    }

    #[test]
    fn what_steps_towards_a_bound_is_foreseen() {
        let [r1, r2, r3] = [1, 2, 3].map(|index| Reg::ALL[index]);
        let walks = [add(r1, r1, 8), add(r2, r2, -1)];
        assert!(foreseen(&walks, Cond::LtU, r1, Some(r3)).is_some_and(|foreseen| foreseen.moves.plus == 8));
        assert!(foreseen(&walks, Cond::GtU, r3, Some(r1)).is_some_and(|foreseen| foreseen.cond == Cond::LtU));
        assert!(foreseen(&walks, Cond::Ne, r2, None).is_some());
        assert!(foreseen(&walks, Cond::GtS, r2, None).is_some());
        assert!(foreseen(&walks, Cond::LtS, r2, None).is_none(), "it ends at once, or goes around");
        assert!(foreseen(&walks, Cond::Ne, r3, None).is_none(), "it stays where it is");
        assert!(foreseen(&walks, Cond::Ne, r1, Some(r2)).is_none(), "both move");
        assert!(foreseen(&[add(r1, r1, 8), add(r1, r1, 8)], Cond::Ne, r1, Some(r3)).is_none(), "two steps");
        assert!(foreseen(&[add(r1, r2, 8)], Cond::Ne, r1, Some(r3)).is_none(), "that is no step");
        assert!(foreseen(&[add(r1, r1, 1 << 17)], Cond::Ne, r1, Some(r3)).is_none(), "too far");
    }

    #[test]
    fn what_steps_along_and_compares_what_it_loads_searches() {
        let [at, found, wanted, next] = [1, 2, 3, 4].map(|index| Reg::ALL[index]);
        let load = |dst, base| {
            let kind = LoadKind { size: Size::B4, signed: true };
            Inst::Load { kind, dst, address: Address { base: Some(base), offset: 0 } }
        };
        let is_search = |body: &[Inst], lhs: Reg| {
            let branch = Inst::Branch { cond: Cond::LtU, lhs, rhs: Operand::Reg(wanted), target: Target::Block(START) };
            let insts: Vec<_> = (START..).zip(body.iter().copied().chain([branch])).collect();
            searches(&insts, &Steps::of_additions(&insts, Width::W64))
        };
        assert!(is_search(&[load(found, at), add(at, at, 4)], found));
        assert!(is_search(&[load(found, at), add(found, found, 1), add(at, at, 4)], found), "by way of a sum");
        assert!(!is_search(&[load(found, at), add(at, at, 4)], at), "it counts");
        assert!(!is_search(&[load(next, next), load(found, next)], found), "it follows a list");
    }
}

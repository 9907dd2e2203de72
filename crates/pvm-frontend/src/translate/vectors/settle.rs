//! What a group of rounds leaves in registers, as its last round has made it.

use super::super::Translator;
use super::super::rounds::Linear;
use super::Vectors;
use super::accesses::Access;
use super::lanes::{self, lane_type};
use super::plan::{Plan, VECTOR};
use super::round::{Contribution, Growing, Total};
use crate::Mark;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::{Place, alu, extend};
use pvm_ops::{BinaryOp, GuestCode, Inst, LoadKind, Operand, Reg, Size, Width};

/// What the last round has made.
struct LastRound {
    /// By register.
    made: [Option<Value>; 32],
    /// What it has stored in slots, by their numbers.
    kept: Vec<Option<Value>>,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Gives registers and slots what the last round of the last group has left in them, which steps have gone past: what the round has
    /// made anew, and totals.
    pub(super) fn settle_rounds(&mut self, vectors: &Vectors<'_>) {
        let plan = vectors.plan;
        let mut last = LastRound { made: [None; 32], kept: vectors.kept.clone() };
        let mut given = vec![Vec::new(); plan.totals.len()];
        let mut contributions = plan.contributions.iter().peekable();
        let mut accesses = plan.accesses.iter().peekable();
        for (index, &(_, inst)) in vectors.insts.iter().enumerate() {
            let slot = match accesses.next_if(|(at, _)| *at == index) {
                Some(&(_, Access::Slot(slot))) => Some(slot),
                _ => None,
            };
            let (dst, value) = match inst {
                Inst::LoadImm { dst, value } => (dst, self.constant(value as i64)),
                Inst::Unary { op, dst, src, .. } => {
                    let src = self.made(plan, &last, Operand::Reg(src));
                    (dst, alu::unary(self.builder, op, src))
                }
                // As it is now.
                Inst::Binary { dst, .. } if plan.growing(dst).is_some() => (dst, self.read(dst)),
                Inst::Binary { .. } if contributions.peek().is_some_and(|contribution| contribution.index == index) => {
                    let Some(&Contribution { total, value, is_taken, .. }) = contributions.next() else { continue };
                    given[total].push((self.made(plan, &last, value), is_taken));
                    continue;
                }
                Inst::Binary { op, width, dst, lhs, rhs } => {
                    let [lhs, rhs] = [lhs, rhs].map(|operand| self.made(plan, &last, operand));
                    (dst, self.binary_of(op, width, lhs, rhs))
                }
                Inst::CondMove { if_zero, dst, value, test } => {
                    let [test, value, old] =
                        [Operand::Reg(test), value, Operand::Reg(dst)].map(|operand| self.made(plan, &last, operand));
                    let (zero, not_zero) = if if_zero { (value, old) } else { (old, value) };
                    (dst, alu::choose(self.builder, test, not_zero, zero))
                }
                Inst::Load { dst, kind, .. } => {
                    match plan.loads.iter().enumerate().find(|(_, load)| load.index == index) {
                        Some((number, load)) if load.in_place_of.is_some() => {
                            (dst, self.last_in_place(vectors, number, kind))
                        }
                        Some((_, load)) => (dst, self.load_again(load.place.plus(-plan.step(load.place)), kind)),
                        None => {
                            (dst, slot.and_then(|slot| last.kept[slot]).expect("the round has stored it, or none does"))
                        }
                    }
                }
                Inst::Store { value, .. } => {
                    if let Some(slot) = slot {
                        last.kept[slot] = Some(self.made(plan, &last, value));
                    }
                    continue;
                }
                _ => continue,
            };
            last.made[dst.index()] = Some(value);
        }
        for (total, &variable) in plan.totals.iter().zip(&vectors.totals) {
            let sum = self.builder.use_var(variable);
            let sum = lanes::reduced(self.builder, total.op, sum);
            let before = self.read(total.reg);
            last.made[total.reg.index()] = Some(self.binary_of(total.op, total.width, before, sum));
        }
        for former in &plan.formers {
            let Total { reg, op, width, .. } = plan.totals[former.total];
            let mut value = last.made[reg.index()].expect("it is a total");
            for &(given, is_taken) in given[former.total][former.values..].iter().rev() {
                let op = if op == BinaryOp::Add && !is_taken { BinaryOp::Sub } else { op };
                value = self.binary_of(op, width, value, given);
            }
            last.made[former.reg.index()] = Some(value);
        }
        for (slot, value) in plan.slots.iter().zip(&last.kept).filter(|(slot, _)| slot.is_stored) {
            let (base, offset) = self.base_and_offset(slot.start);
            self.builder.set_srcloc(Mark::Proven.to_source_loc());
            self.memory.store(self.builder, Size::B8, value.expect("it was stored"), Place::Watched(base, offset));
            self.builder.set_srcloc(Mark::Other.to_source_loc());
        }
        self.parking_now = u32::MAX;
        // What steps or grows has gone on.
        let is_settled = |reg: Reg| plan.steps.of(Linear::register(reg)).is_some() || plan.growing(reg).is_some();
        for reg in Reg::ALL.into_iter().filter(|&reg| !is_settled(reg)) {
            if let Some(value) = last.made[reg.index()] {
                self.write(reg, value);
            }
        }
    }

    /// The value of an operand in the last round.
    fn made(&mut self, plan: &Plan, last: &LastRound, operand: Operand) -> Value {
        let Operand::Reg(reg) = operand else { return self.operand(operand) };
        match (last.made[reg.index()], plan.growing(reg), plan.loaded_before(reg)) {
            (Some(value), ..) => value,
            (None, Some(Growing { by, width, .. }), _) => {
                let (now, by) = (self.read(reg), self.operand(by));
                self.binary_of(BinaryOp::Sub, width, now, by)
            }
            (None, None, Some((load, rounds))) => {
                self.load_again(load.place.plus(-(rounds + 1) * plan.step(load.place)), load.kind)
            }
            // What it had before the last round.
            (None, None, None) => self.linear(Linear::register(reg).plus(-plan.step_of(reg))),
        }
    }

    /// What an operation makes of whole registers.
    pub(super) fn binary_of(&mut self, op: BinaryOp, width: Width, lhs: Value, rhs: Value) -> Value {
        match width {
            Width::W64 => alu::binary(self.builder, op, lhs, rhs),
            Width::W32 => {
                let [lhs, rhs] = [lhs, rhs].map(|value| self.builder.ins().ireduce(I32, value));
                let half = alu::binary(self.builder, op, lhs, rhs);
                extend::sign_extend(self.builder, half)
            }
        }
    }

    /// What was loaded from a place before, and has not been written since.
    fn load_again(&mut self, place: Linear, kind: LoadKind) -> Value {
        let base = self.read(place.of);
        self.builder.set_srcloc(Mark::Proven.to_source_loc());
        let value = self.memory.load(self.builder, kind, Place::Watched(base, place.plus as i32));
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        value
    }

    /// What the last round has loaded from where it has stored then.
    fn last_in_place(&mut self, vectors: &Vectors<'_>, load: usize, kind: LoadKind) -> Value {
        let last = self.builder.use_var(vectors.in_place[load].expect("it was declared"));
        let bits = 8 * kind.size.bytes();
        let last = lanes::as_vector(self.builder, bits, last);
        let lanes = 8 * VECTOR / bits;
        let lane = self.builder.ins().extractlane(last, ((vectors.plan.rounds - 1) % lanes) as u8);
        debug_assert_eq!(self.builder.func.dfg.value_type(lane), lane_type(bits));
        match kind.signed {
            _ if bits == 64 => lane,
            true => self.builder.ins().sextend(I64, lane),
            false => self.builder.ins().uextend(I64, lane),
        }
    }
}

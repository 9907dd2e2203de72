//! What a group of rounds leaves in registers, as its last round has made it.

use super::super::Translator;
use super::super::rounds::Linear;
use super::Vectors;
use super::lanes::{self, lane_type};
use super::plan::{Plan, VECTOR};
use super::round::{Growing, Load};
use crate::Mark;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::{Place, alu, extend};
use pvm_ops::{BinaryOp, GuestCode, Inst, LoadKind, Operand, Reg, Size, Width};

/// What the last round has made.
struct LastRound {
    /// By register, what it has computed.
    made: [Option<Value>; 32],
    /// By register, how far it has come.
    stepped: [i64; 32],
    /// The growing registers to which something has been added, as a set.
    grown: u32,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Gives registers what the last round of the last group has left in them, which steps have gone past: what the round has made anew,
    /// and totals.
    pub(super) fn settle_rounds(&mut self, vectors: &Vectors<'_>) {
        let plan = vectors.plan;
        let mut last = LastRound { made: [None; 32], stepped: [0; 32], grown: 0 };
        let is_total = |reg: Reg| plan.totals.iter().any(|total| total.reg == reg);
        for (index, &(_, inst)) in vectors.insts.iter().enumerate() {
            let (dst, value) = match inst {
                Inst::LoadImm { dst, value } => (dst, self.constant(value as i64)),
                Inst::Unary { op, dst, src, .. } => {
                    let src = self.made(plan, &last, Operand::Reg(src));
                    (dst, alu::unary(self.builder, op, src))
                }
                Inst::Binary { dst, rhs: Operand::Imm(imm), .. } if plan.step_of(dst) != 0 => {
                    last.stepped[dst.index()] += i64::from(imm);
                    continue;
                }
                Inst::Binary { dst, .. } if plan.growing(dst).is_some() => {
                    last.grown |= dst.bit();
                    continue;
                }
                Inst::Binary { dst, .. } if is_total(dst) => continue,
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
                Inst::Load { dst, .. } if plan.spills.iter().any(|spill| spill.loaded == index) => {
                    // As before the loop.
                    last.made[dst.index()] = None;
                    continue;
                }
                Inst::Load { dst, kind, .. } => match plan.loads.iter().find(|load| load.index == index) {
                    Some(Load { in_place_of: Some(store), .. }) => (dst, self.last_in_place(vectors, *store, kind)),
                    Some(load) => (dst, self.load_again(load.place.plus(-plan.step(load.place)), kind)),
                    None => {
                        let bound = plan.bound.expect("nothing else is loaded");
                        (dst, self.load_again(bound.place, kind))
                    }
                },
                _ => continue,
            };
            last.made[dst.index()] = Some(value);
        }
        for (total, &variable) in plan.totals.iter().zip(&vectors.totals) {
            let given = self.builder.use_var(variable);
            let sum = lanes::reduced(self.builder, total.op, given);
            let before = self.read(total.reg);
            last.made[total.reg.index()] = Some(self.binary_of(total.op, total.width, before, sum));
        }
        self.parking_now = u32::MAX;
        for reg in Reg::ALL {
            if let Some(value) = last.made[reg.index()] {
                self.write(reg, value);
            }
        }
        // Where several are kept at the same address, the last one stays there.
        for spill in &plan.spills {
            let (value, base) = (self.read(spill.reg), self.builder.ins().iconst(I64, 0));
            self.builder.set_srcloc(Mark::Proven.to_source_loc());
            self.memory.store(self.builder, Size::B8, value, Place::Watched(base, spill.address as i32));
            self.builder.set_srcloc(Mark::Other.to_source_loc());
        }
    }

    /// The value of an operand in the last round.
    fn made(&mut self, plan: &Plan, last: &LastRound, operand: Operand) -> Value {
        let Operand::Reg(reg) = operand else { return self.operand(operand) };
        if plan.step_of(reg) != 0 {
            return self.linear(Linear::register(reg).plus(last.stepped[reg.index()] - plan.step_of(reg)));
        }
        if let Some(Growing { by, width, .. }) = plan.growing(reg).filter(|_| last.grown & reg.bit() == 0) {
            let (now, by) = (self.read(reg), self.operand(by));
            return self.binary_of(BinaryOp::Sub, width, now, by);
        }
        match (last.made[reg.index()], plan.loaded_before(reg)) {
            (Some(value), _) => value,
            (None, Some((load, rounds))) => {
                self.load_again(load.place.plus(-(rounds + 1) * plan.step(load.place)), load.kind)
            }
            (None, None) => self.read(reg),
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
    fn last_in_place(&mut self, vectors: &Vectors<'_>, store: usize, kind: LoadKind) -> Value {
        let last = self.builder.use_var(vectors.in_place[store].expect("it was declared"));
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

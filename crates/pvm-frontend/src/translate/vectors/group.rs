//! A group of rounds: its accesses, and what is computed in between.

use super::super::Translator;
use super::super::rounds::Linear;
use super::Vectors;
use super::lanes;
use super::plan::{Plan, VECTOR};
use super::round::{Lane, Load};
use crate::Mark;
use cranelift_codegen::ir::types::{I8X16, I64};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use pvm_clif::{NEAR_TRIPWIRE, Place, Rights};
use pvm_gas::GasModel;
use pvm_ops::{BinaryOp, GuestCode, LoadKind, Size};
use pvm_vm::{READABLE, WRITABLE};
use std::iter;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Writes a group of rounds, but for what steps.
    pub(super) fn group(&mut self, vectors: &Vectors<'_>) {
        let &Vectors { plan, undo, .. } = vectors;
        if self.metering.model == GasModel::None {
            self.look_for_interruption(undo);
        }
        let loaded: Vec<_> = plan.loads.iter().map(|&load| self.load_vectors(plan, load, undo)).collect();
        let mut values: Vec<Vec<Value>> = Vec::new();
        for (at, &lane) in plan.lanes.iter().enumerate() {
            let value =
                if plan.is_wanted[at] { self.value_of(vectors, at, lane, &values, &loaded) } else { Vec::new() };
            values.push(value);
        }
        if let Some(store) = plan.store {
            let stored = self.narrowed(plan, &values[store.value], 8 * store.size.bytes());
            let len = plan.rounds * store.size.bytes();
            self.guarded(undo, store.place, len, WRITABLE, |this, place| match len {
                VECTOR => this.memory.store_vector(this.builder, stored, place),
                _ => {
                    let (size, bits) = if len == 8 { (Size::B8, 64) } else { (Size::B4, 32) };
                    let stored = lanes::as_vector(this.builder, bits, stored);
                    let stored = this.builder.ins().extractlane(stored, 0);
                    this.memory.store(this.builder, size, stored, place);
                }
            });
            self.builder.set_srcloc(Mark::Other.to_source_loc());
        }
        for (total, variables) in plan.totals.iter().zip(&vectors.totals) {
            let given = match plan.bits_of(total) > plan.bits {
                true => lanes::widened(self.builder, &values[total.value], true),
                false => values[total.value].clone(),
            };
            for (&variable, &value) in variables.iter().zip(&given) {
                let sum = self.builder.use_var(variable);
                let sum = lanes::binary(self.builder, total.op, sum, value);
                self.builder.def_var(variable, sum);
            }
        }
        if let Some((load, loaded)) = plan.loads.iter().zip(&loaded).find(|(load, _)| load.is_in_place) {
            // No more than is stored: a vector.
            let bits = 8 * load.kind.size.bytes();
            let loaded = lanes::of_bytes(self.builder, loaded, (bits, false), (plan.rounds, bits));
            let loaded = lanes::as_vector(self.builder, 8, loaded[0]);
            self.builder.def_var(vectors.in_place, loaded);
        }
    }

    /// A value of all rounds of a group, from those before it and what was loaded.
    fn value_of(
        &mut self,
        vectors: &Vectors<'_>,
        at: usize,
        lane: Lane,
        values: &[Vec<Value>],
        loaded: &[Vec<Value>],
    ) -> Vec<Value> {
        let plan = vectors.plan;
        match lane {
            Lane::Load(load) => {
                let kind = plan.loads[load].kind;
                let bytes = (8 * kind.size.bytes(), kind.signed);
                lanes::of_bytes(self.builder, &loaded[load], bytes, (plan.rounds, plan.bits))
            }
            Lane::Constant(_) | Lane::Register(_) => {
                let value = vectors.same[at].expect("what is the same was made before");
                vec![value; lanes::vectors(plan.rounds, plan.bits)]
            }
            Lane::Stepped(reg, plus) => {
                let now = self.read(reg);
                let now = lanes::splat(self.builder, plan.bits, now);
                let steps = (0..plan.rounds).map(|round| plus + i64::from(round) * plan.step_of(reg));
                let steps = lanes::constants(self.builder, plan.bits, steps);
                steps.into_iter().map(|steps| self.builder.ins().iadd(now, steps)).collect()
            }
            Lane::Before(of, _) => {
                let these = &values[of];
                let variable = vectors.before[at].expect("it was declared");
                let before = self.builder.use_var(variable);
                self.builder.def_var(variable, these[these.len() - 1]);
                let each = iter::once(&before).chain(these).zip(these);
                each.map(|(&before, &these)| lanes::shifted_in(self.builder, before, these)).collect()
            }
            Lane::Binary(op @ (BinaryOp::Shl | BinaryOp::ShrU | BinaryOp::ShrS), width, lhs, rhs) => {
                let Lane::Constant(by) = plan.lanes[rhs] else { unreachable!("vectors are shifted by constants") };
                let by = by as u32 % width.bits();
                values[lhs].iter().map(|&value| lanes::shift(self.builder, op, value, by)).collect()
            }
            Lane::Binary(BinaryOp::SetLtU, _, lhs, rhs) if plan.lanes[rhs] == Lane::Constant(1) => {
                values[lhs].iter().map(|&value| lanes::is_zero(self.builder, value)).collect()
            }
            Lane::Binary(op, _, lhs, rhs) => {
                let pairs = values[lhs].iter().zip(&values[rhs]);
                pairs.map(|(&a, &b)| lanes::binary(self.builder, op, a, b)).collect()
            }
            Lane::Choice(test, zero, not_zero) => {
                let each = values[test].iter().zip(&values[zero]).zip(&values[not_zero]);
                each.map(|((&test, &zero), &not_zero)| lanes::choice(self.builder, test, zero, not_zero)).collect()
            }
        }
    }

    /// Loads what all rounds of a group load by this, as it lies in memory.
    fn load_vectors(&mut self, plan: &Plan, load: Load, undo: ir::Block) -> Vec<Value> {
        let bytes = plan.rounds * load.kind.size.bytes();
        let kind = |size| LoadKind { size, signed: false };
        let loaded = match bytes {
            4 | 8 => {
                let size = if bytes == 4 { Size::B4 } else { Size::B8 };
                let value = self.guarded(undo, load.place, bytes, READABLE, |this, place| {
                    this.memory.load(this.builder, kind(size), place)
                });
                vec![value]
            }
            _ => (0..bytes / VECTOR)
                .map(|at| {
                    let place = load.place.plus(i64::from(at * VECTOR));
                    self.guarded(undo, place, VECTOR, READABLE, |this, place| {
                        this.memory.load_vector(this.builder, I8X16, place)
                    })
                })
                .collect(),
        };
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        loaded
    }

    /// Values in lanes of so many bits, which is one vector.
    fn narrowed(&mut self, plan: &Plan, values: &[Value], bits: u32) -> Value {
        let mut values = values.to_vec();
        let mut wide = plan.bits;
        while wide > bits {
            wide /= 2;
            let low = lanes::splat_constant(self.builder, 2 * wide, (1 << wide) - 1);
            values = lanes::narrowed(self.builder, &values, low);
        }
        values[0]
    }

    /// Makes an access of that many bytes, which leads to a block if it is refused. That one finds all registers as they are here.
    fn guarded<T>(
        &mut self,
        refused: ir::Block,
        place: Linear,
        len: u32,
        right: u8,
        access: impl FnOnce(&mut Self, Place) -> T,
    ) -> T {
        let number = self.next_access();
        let base = self.read(place.of);
        if self.faults.checked.contains(&number) {
            let at = self.memory.address(self.builder, Some(base), place.plus as i32);
            let is_refused = self.memory.check(self.builder, at, len, Rights(right));
            self.turn_off_if_any(&[is_refused], refused);
            return access(self, Place::Checked(at, 0));
        }
        self.land(number, base, refused);
        access(self, Place::Watched(base, place.plus as i32))
    }

    /// A branch to a landing that other accesses have, too.
    fn land(&mut self, number: u32, at: Value, landing: ir::Block) {
        let bit = self.landing_bit(number, at);
        self.turn_off_if_any(&[bit], landing);
        self.builder.set_srcloc(Mark::Access(number).to_source_loc());
    }

    fn look_for_interruption(&mut self, undo: ir::Block) {
        let number = self.next_access();
        if self.faults.checked.contains(&number) {
            let is_interrupted = self.memory.is_interrupted(self.builder);
            self.turn_off_if_any(&[is_interrupted], undo);
            return;
        }
        let at = self.builder.ins().iconst(I64, NEAR_TRIPWIRE);
        self.land(number, at, undo);
        self.memory.touch_tripwire(self.builder, at);
        self.builder.set_srcloc(Mark::Other.to_source_loc());
    }
}

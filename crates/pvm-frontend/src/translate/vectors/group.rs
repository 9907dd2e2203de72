//! A group of rounds: its accesses, and what is computed in between.

use super::super::Translator;
use super::super::rounds::Linear;
use super::Vectors;
use super::lanes;
use super::mask::Mask;
use super::plan::{Plan, VECTOR};
use super::round::{Lane, Load, Member, Store, Strand};
use crate::Mark;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32X4, I64, I64X2};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use pvm_clif::{NEAR_TRIPWIRE, Place, Rights};
use pvm_ops::{BinaryOp, GuestCode, LoadKind, Size};
use pvm_vm::{READABLE, WRITABLE};
use std::iter;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Writes a group of rounds, but for what steps.
    pub(super) fn group(&mut self, vectors: &Vectors<'_>) {
        let &Vectors { plan, undo, .. } = vectors;
        let strands: Vec<_> = plan.strands.iter().map(|&strand| self.vectors_of(plan, strand, undo)).collect();
        let loaded: Vec<_> = plan.loads.iter().map(|load| self.elements(plan, load, &strands[load.strand])).collect();
        let mut values: Vec<Vec<Value>> = Vec::new();
        for (at, &lane) in plan.lanes.iter().enumerate() {
            let value =
                if plan.is_wanted[at] { self.value_of(vectors, at, lane, &values, &loaded) } else { Vec::new() };
            values.push(value);
        }
        self.store_all(vectors, &values, &strands);
        // Only now: where a store is refused, it is what the group before has loaded.
        for ((load, loaded), variable) in plan.loads.iter().zip(&loaded).zip(&vectors.in_place) {
            let Some(variable) = *variable else { continue };
            let bits = 8 * load.kind.size.bytes();
            let loaded = lanes::of_bytes(self.builder, loaded, (bits, false), (plan.rounds, bits));
            let last = lanes::as_vector(self.builder, 8, loaded[loaded.len() - 1]);
            self.builder.def_var(variable, last);
        }
        for (total, &variable) in plan.totals.iter().zip(&vectors.totals) {
            let mut now = self.builder.use_var(variable);
            for &value in &total.values {
                let (given, range) = (&values[value], plan.ranges[value]);
                let given = lanes::put_together(self.builder, total.op, given, range, plan.bits_of(total));
                now = lanes::binary(self.builder, total.op, now, given);
            }
            self.builder.def_var(variable, now);
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
            Lane::Constant(_) | Lane::Register(_) | Lane::Kept(_) => {
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
            Lane::Growing(reg, _) => {
                let now = self.read(reg);
                let now = lanes::splat(self.builder, plan.bits, now);
                let growth = vectors.growth[at].iter().take(lanes::vectors(plan.rounds, plan.bits));
                growth.map(|&growth| self.builder.ins().iadd(now, growth)).collect()
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
                // What comes in from above the lane.
                let is_sign = op == BinaryOp::ShrU && width.bits() > plan.bits && !plan.ranges[lhs].is_natural();
                let op = if is_sign && plan.ranges[lhs].fits(plan.bits) { BinaryOp::ShrS } else { op };
                match plan.lanes[lhs] {
                    // One shift more, not two.
                    Lane::Extended(of, from) if op == BinaryOp::ShrS && from < plan.bits => {
                        let left = plan.bits - from;
                        let shifted = |&value| lanes::shifted_up_and_down(self.builder, value, left, left + by);
                        values[of].iter().map(shifted).collect()
                    }
                    _ => values[lhs].iter().map(|&value| lanes::shift(self.builder, op, value, by)).collect(),
                }
            }
            Lane::Binary(op @ (BinaryOp::RotL | BinaryOp::RotR), width, lhs, rhs) => {
                let Lane::Constant(by) = plan.lanes[rhs] else { unreachable!("vectors are rotated by constants") };
                let by = by as u32 % width.bits();
                values[lhs].iter().map(|&value| lanes::rotated(self.builder, op, value, by)).collect()
            }
            Lane::Binary(op @ (BinaryOp::SetLtS | BinaryOp::SetLtU), _, lhs, rhs) => {
                Mask::of_comparison(self.builder, plan, op, [lhs, rhs], values).as_number(self.builder, plan)
            }
            // Nothing is cleared in lanes that have no more bits.
            Lane::Binary(BinaryOp::And, _, lhs, rhs) if matches!(plan.lanes[rhs], Lane::Constant(mask) if mask.trailing_ones() >= plan.bits) => {
                values[lhs].clone()
            }
            Lane::Binary(op, _, lhs, rhs) => {
                let pairs = values[lhs].iter().zip(&values[rhs]);
                pairs.map(|(&a, &b)| lanes::binary(self.builder, op, a, b)).collect()
            }
            Lane::Choice(test, zero, not_zero) => {
                Mask::of(self.builder, plan, test, values).choose(self.builder, plan, [zero, not_zero], values)
            }
            Lane::Extended(of, from) => {
                let by = plan.bits.saturating_sub(from);
                values[of].iter().map(|&value| lanes::shifted_up_and_down(self.builder, value, by, by)).collect()
            }
            Lane::High(a, b, are_signed) => {
                let pairs = values[a].iter().zip(&values[b]);
                pairs.map(|(&a, &b)| lanes::high_halves(self.builder, a, b, are_signed)).collect()
            }
            Lane::Scaled(of, factor, by) => {
                let factor = lanes::constant(self.builder, plan.bits, factor.into());
                values[of].iter().map(|&value| lanes::scaled(self.builder, value, factor, by)).collect()
            }
            Lane::Bit(of, bit) if plan.bits == 8 => {
                let bit = lanes::constant(self.builder, plan.bits, 1 << bit);
                let is_set = |&value| {
                    let only = self.builder.ins().band(value, bit);
                    self.builder.ins().icmp(IntCC::Equal, only, bit)
                };
                values[of].iter().map(is_set).collect()
            }
            Lane::Bit(of, bit) => {
                let most = plan.bits - 1;
                let only = |&value| lanes::shifted_up_and_down(self.builder, value, most - bit, most);
                values[of].iter().map(only).collect()
            }
            Lane::Average(a, b) => {
                let pairs = values[a].iter().zip(&values[b]);
                pairs.map(|(&a, &b)| lanes::average(self.builder, a, b)).collect()
            }
        }
    }

    /// Vectors as they lie in memory, round after round, or the other way.
    fn in_order(&mut self, plan: &Plan, place: Linear, size: Size, vectors: &[Value]) -> Vec<Value> {
        match plan.step(place) < 0 {
            true => {
                vectors.iter().rev().map(|&vector| lanes::reversed(self.builder, 8 * size.bytes(), vector)).collect()
            }
            false => vectors.to_vec(),
        }
    }

    /// What a load has found, round after round, in the vectors of its strand.
    fn elements(&mut self, plan: &Plan, load: &Load, vectors: &[Value]) -> Vec<Value> {
        let strand = &plan.strands[load.strand];
        match strand.stride {
            1 => self.in_order(plan, load.place, load.kind.size, vectors),
            _ => {
                let lane = strand.size.bytes();
                let from = |byte| load.element * lane + byte;
                lanes::gathered(self.builder, vectors, strand, plan.rounds, lane, from)
            }
        }
    }

    /// What a store stores, if that is what one strand has, in another order.
    fn moved(&mut self, plan: &Plan, store: &Store, strands: &[Vec<Value>]) -> Option<Vec<Value>> {
        let load = |member: &Member| match plan.lanes[member.value] {
            Lane::Load(load) => Some(plan.loads[load]),
            _ => None,
        };
        let loads: Vec<Load> = store.members.iter().map(load).collect::<Option<_>>()?;
        let number = loads[0].strand;
        let (strand, lane) = (&plan.strands[number], store.size.bytes());
        let is_one = loads.iter().all(|load| load.strand == number) && strand.size == store.size;
        let is_whole = strand.bytes(plan.rounds) >= VECTOR && plan.step(strand.place) > 0;
        if loads.len() == 1 || !is_one || !is_whole {
            return None;
        }
        let from = |byte: u32| loads[(byte / lane) as usize].element * lane + byte % lane;
        let bytes = loads.len() as u32 * lane;
        Some(lanes::gathered(self.builder, &strands[number], strand, plan.rounds, bytes, from))
    }

    /// Loads what all rounds of a group load or store, as it lies in memory.
    fn vectors_of(&mut self, plan: &Plan, strand: Strand, undo: ir::Block) -> Vec<Value> {
        let (place, bytes) = (plan.start(strand.place), strand.bytes(plan.rounds));
        // Neither lanes nor bytes: so no instruction takes the load into itself, of which no branch to a landing would be known to be in
        // front.
        let ty = if strand.size == Size::B8 { I32X4 } else { I64X2 };
        let loaded = match bytes {
            4 | 8 => {
                let kind = LoadKind { size: size_of(bytes), signed: false };
                let value = self
                    .guarded(undo, place, bytes, READABLE, |this, place| this.memory.load(this.builder, kind, place));
                vec![value]
            }
            _ => lanes::starts(bytes)
                .map(|start| {
                    let place = place.plus(start.into());
                    self.guarded(undo, place, VECTOR, READABLE, |this, place| {
                        this.memory.load_vector(this.builder, ty, place)
                    })
                })
                .collect(),
        };
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        loaded
    }

    /// Stores what all rounds of a group store. If a vector is refused, those before it are undone: the group then begins anew, round by
    /// round.
    fn store_all(&mut self, vectors: &Vectors<'_>, values: &[Vec<Value>], strands: &[Vec<Value>]) {
        let plan = vectors.plan;
        let (mut refused, mut restoring) = (vectors.undo, Vec::new());
        for (number, store) in plan.stores.iter().enumerate() {
            let (size, strand) = (store.size, store.strand());
            let stored = self.moved(plan, store, strands).unwrap_or_else(|| {
                let members = store.members.iter();
                let members = members.map(|member| self.narrowed(plan, &values[member.value], 8 * size.bytes()));
                let members: Vec<_> = members.collect();
                match &members[..] {
                    [alone] => self.in_order(plan, store.place, size, alone),
                    _ => lanes::scattered(self.builder, &members, size.bytes()),
                }
            });
            let start = plan.start(store.place);
            let len = strand.bytes(plan.rounds).min(VECTOR);
            let is_in_place = plan.loads.iter().any(|load| load.in_place_of == Some(number));
            let is_in_order = store.members.is_sorted_by_key(|member| member.index);
            let former = match plan.strands.iter().position(|&loaded| loaded == strand) {
                Some(loaded) => Some(strands[loaded].clone()),
                // What comes before a vector that is refused is of earlier stores, which store the same once more.
                None if plan.stores.len() == 1 && !is_in_place && is_in_order => None,
                None => Some(self.vectors_of(plan, strand, refused)),
            };
            // In the order of the rounds.
            let mut order: Vec<_> = stored.into_iter().enumerate().collect();
            if plan.step(store.place) < 0 {
                order.reverse();
            }
            let last = order[order.len() - 1].0;
            for (at, vector) in order {
                let place = start.plus(at as i64 * i64::from(VECTOR));
                self.guarded(refused, place, len, WRITABLE, |this, place| match len {
                    VECTOR => this.memory.store_vector(this.builder, vector, place),
                    _ => {
                        let number = this.as_number(vector, len);
                        this.memory.store(this.builder, size_of(len), number, place);
                    }
                });
                self.builder.set_srcloc(Mark::Other.to_source_loc());
                let is_last = number + 1 == plan.stores.len() && at == last;
                if let Some(former) = former.as_ref().filter(|_| !is_last) {
                    refused = self.restore(place, len, former[at], refused);
                    restoring.push(refused);
                }
            }
        }
        restoring.into_iter().for_each(|block| self.builder.seal_block(block));
    }

    /// The first four or eight bytes of a vector.
    fn as_number(&mut self, vector: Value, len: u32) -> Value {
        let vector = lanes::as_vector(self.builder, 8 * len, vector);
        self.builder.ins().extractlane(vector, 0)
    }

    /// A block that stores what was there before this was stored, and goes to another one.
    fn restore(&mut self, place: Linear, len: u32, former: Value, then: ir::Block) -> ir::Block {
        let base = self.read(place.of);
        let [restore, go_on] = [(); 2].map(|()| self.builder.create_block());
        self.builder.set_cold_block(restore);
        self.builder.ins().jump(go_on, &[]);
        self.builder.seal_block(go_on);
        self.builder.switch_to_block(restore);
        self.builder.set_srcloc(Mark::Proven.to_source_loc());
        let place = Place::Watched(base, place.plus as i32);
        match len {
            VECTOR => self.memory.store_vector(self.builder, former, place),
            // It was loaded as a number.
            _ => self.memory.store(self.builder, size_of(len), former, place),
        }
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        self.builder.ins().jump(then, &[]);
        self.builder.switch_to_block(go_on);
        restore
    }

    /// Values in lanes of so many bits.
    fn narrowed(&mut self, plan: &Plan, values: &[Value], bits: u32) -> Vec<Value> {
        let mut values = values.to_vec();
        let mut wide = plan.bits;
        if wide == 64 && bits < 64 {
            wide = 32;
            values =
                values.chunks(2).map(|pair| lanes::low_halves(self.builder, pair[0], pair[pair.len() - 1])).collect();
        }
        while wide > bits {
            wide /= 2;
            let low = lanes::constant(self.builder, 2 * wide, (1 << wide) - 1);
            values = lanes::narrowed(self.builder, &values, low);
        }
        values
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

    pub(super) fn look_for_interruption(&mut self, undo: ir::Block) {
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

/// The size of an access of so many bytes.
fn size_of(len: u32) -> Size {
    if len == 4 { Size::B4 } else { Size::B8 }
}

//! Loops of one block that do the same to one element of an array after the other, made in vectors: several rounds at once.
//!
//! ```text
//! for i { sum += a[i] * b[i] }     for i { to[i] = (a[i] * x + b[i] * y) >> 8 }
//! ```
//!
//! Each round loads what lies one element further on (or back, or up to four on), computes, stores as many elements further on, or adds to
//! a total what it has computed. What it keeps on the stack in the meantime is a value like any other. [`Plan`] finds such loops, and how
//! wide the lanes have to be. Where it is certain that the loop comes to the last of a whole group of rounds, and there is gas for it, that
//! is one pass through the vectors; what is left is done round by round, but for half a group.
//!
//! The state between groups is that of the guest, but for registers that each round writes anew, and totals. They are made on the way
//! out ([`Translator::settle_rounds`]): as the last round has made them, from what it has loaded. All loads of a group come before its
//! stores, each of which stores nothing if it is refused. So when the host refuses an access, nothing of the group has happened, or it
//! is undone, or happens once more; the interpreter begins at its first round. That takes that no round loads what an earlier one of the
//! group has stored, which is found out before.

mod accesses;
mod apart;
mod group;
mod idioms;
mod lanes;
mod mask;
mod plan;
mod range;
mod round;
mod settle;
mod wanted;

use super::{Current, Next, Translator, context_flags};
use crate::blocks::{Block, BlockId, instructions};
use crate::{Exit, Mark};
use accesses::Slot;
use apart::{Start, Stretch};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I8X16, I32, I64};
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, Value};
use cranelift_frontend::Variable;
use lanes::{lane_type, vector_type};
use pvm_clif::{Place, Rights};
use pvm_gas::GasModel;
use pvm_ops::{BinaryOp, GuestCode, Inst, Reg};
use pvm_vm::{Context, FaultDetection, READABLE, WRITABLE};
use round::{Growing, Lane};

pub(super) use plan::Plan;

/// No loop moves on further than that, in bytes.
const LONG_WAY: i64 = 1 << 31;

/// No more groups are made before interruptions are looked for again.
const MOST_GROUPS: i64 = 1 << 10;

/// A loop while it is written.
#[derive(Clone)]
struct Vectors<'a> {
    plan: &'a Plan,
    insts: &'a [(u32, Inst)],
    /// What is the same in all rounds, by its number as a value.
    same: Vec<Option<Value>>,
    /// What slots have that no round stores, by their numbers.
    kept: Vec<Option<Value>>,
    /// How far what grows has come in each round of a group, by its number as a value.
    growth: Vec<Vec<Value>>,
    /// What the totals have been given, in a vector each.
    totals: Vec<Variable>,
    /// The last vector of what the group before has loaded, of what a round takes from the one before, by its number as a value.
    before: Vec<Option<Variable>>,
    /// What was loaded last in the last group from where a store goes, by the number of the load.
    in_place: Vec<Option<Variable>>,
    /// Where a group is given up.
    undo: ir::Block,
}

/// Whether the host has what vectors take: instructions for all that is done with them, and stores that are refused as a whole, as is
/// known of x86-64.
fn host_suits() -> bool {
    #[cfg(target_arch = "x86_64")]
    return std::arch::is_x86_feature_detected!("sse4.2");
    #[cfg(not(target_arch = "x86_64"))]
    return false;
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// How a block that leads to itself is made in vectors, if it is.
    pub(super) fn plan_vectors(&self, block: &Block, insts: &[(u32, Inst)]) -> Option<Plan> {
        let is_possible = host_suits() && !self.is_narrow && self.faults.detection == FaultDetection::Signals;
        if is_possible { Plan::new(insts, block.start, &|reg| self.expected(reg, block.start)) } else { None }
    }

    /// What a register may have at a place, as an instruction of the region before it loads that.
    fn expected(&self, reg: Reg, before: u32) -> Option<u64> {
        let mut found = None;
        for &id in &self.graph.blocks {
            let block = self.blocks.get(id);
            let loads = instructions(self.code, block).filter(|&(at, _)| at < before);
            found = loads.fold(found, |found, (at, inst)| match inst {
                Inst::LoadImm { dst, value } if dst == reg && found.is_none_or(|(last, _)| last < at) => {
                    Some((at, value))
                }
                _ => found,
            });
        }
        found.map(|(_, value)| value)
    }

    /// Writes the groups of rounds of the loop that the block at the present position is, which costs so much a round. Returns where
    /// single rounds are to be written.
    pub(super) fn in_vectors(&mut self, id: BlockId, cost: u32, insts: &[(u32, Inst)], plan: &Plan) -> ir::Block {
        let block = self.blocks.get(id);
        let [single, some, group, done, undo] = [(); 5].map(|()| self.builder.create_block());
        self.builder.set_cold_block(undo);
        self.builder.switch_to_block(self.bodies[self.position]);
        let kept = self.kept(block, plan);
        let bound = self.bound(plan, &kept);
        // What is left behind the last group is one of half as many rounds, if there are as many.
        let half = plan.half().map(|half| (half, self.builder.create_block()));
        let least = half.as_ref().map_or(plan, |(half, _)| half);
        self.turn_off_if_near(least, bound, single);
        self.turn_off_if_overlapping(plan, |_| true, single);
        self.turn_off_if_coming_across(plan, bound, single);
        self.turn_off_if_unwritable(plan, single);
        self.turn_off_if_large(plan, &kept, single);
        self.turn_off_without_gas_for(plan, cost, single);
        self.turn_off_if_other(plan, single);
        let moves = plan.foreseen.moves();
        let first = self.read(moves);
        let vectors = self.begin_vectors(insts, plan, kept, undo);
        if let Some((_, rest)) = half {
            self.turn_off_if_near(plan, bound, rest);
        }
        self.builder.ins().jump(some, &[]);

        // Groups between which little need be compared.
        self.builder.switch_to_block(some);
        self.known = Default::default();
        if self.metering.model == GasModel::None {
            self.look_for_interruption(undo);
        }
        let is_steady = plan.apart.iter().all(|apart| apart.is_steady || plan.moving_alone(apart).is_some());
        let step = i64::from(plan.rounds) * plan.foreseen.step().abs();
        let end = if is_steady && step.count_ones() == 1 { Some(self.end_of_groups(plan, bound, cost)) } else { None };
        self.builder.ins().jump(group, &[]);

        self.builder.switch_to_block(group);
        self.known = Default::default();
        self.group(&vectors);
        self.step_by_group(plan, cost, block.len);
        if let Some(end) = end {
            let moved = self.read(moves);
            let all = self.builder.create_block();
            let goes_on = self.builder.ins().icmp(IntCC::NotEqual, moved, end);
            self.builder.ins().brif(goes_on, group, &[], all, &[]);
            self.builder.seal_block(all);
            self.builder.switch_to_block(all);
        }
        self.builder.seal_block(group);
        self.turn_off_if_near(least, bound, done);
        self.turn_off_if_overlapping(plan, |is_steady| !is_steady, done);
        if let Some((_, rest)) = half {
            self.turn_off_if_near(plan, bound, rest);
        }
        self.turn_off_without_gas_for(plan, cost, half.as_ref().map_or(done, |(_, rest)| *rest));
        self.builder.ins().jump(some, &[]);
        self.builder.seal_block(some);
        if let Some((half, rest)) = &half {
            self.builder.seal_block(*rest);
            self.builder.switch_to_block(*rest);
            self.known = Default::default();
            self.turn_off_without_gas_for(half, cost, done);
            self.group(&Vectors { plan: half, ..vectors.clone() });
            self.step_by_group(half, cost, block.len);
            self.builder.ins().jump(done, &[]);
        }
        self.builder.seal_block(undo);
        self.builder.seal_block(done);

        let [settle, leave] = [(); 2].map(|()| self.builder.create_block());
        self.builder.set_cold_block(leave);
        let is_refused = self.builder.append_block_param(settle, I8);
        // Nothing is to be settled in front of the first group.
        self.builder.switch_to_block(undo);
        self.known = Default::default();
        let moved = self.read(moves);
        let is_first = self.builder.ins().icmp(IntCC::Equal, moved, first);
        let refused = self.builder.ins().iconst(I8, 1);
        self.builder.ins().brif(is_first, leave, &[], settle, &[BlockArg::Value(refused)]);
        self.builder.switch_to_block(done);
        let refused = self.builder.ins().iconst(I8, 0);
        self.builder.ins().jump(settle, &[BlockArg::Value(refused)]);
        self.builder.seal_block(settle);

        self.builder.switch_to_block(settle);
        self.known = Default::default();
        self.settle_rounds(&vectors);
        self.turn_off_if_any(&[is_refused], leave);
        self.builder.seal_block(leave);
        // The last round of a group may be the last one of the loop.
        self.round = single;
        let mut current = Current::new(id, insts.to_vec(), Next::Anywhere, None);
        self.instruction(&mut current, insts.len() - 1);
        self.pending = self.checkpoints[self.position].pending as i64;

        self.builder.switch_to_block(leave);
        self.known = Default::default();
        self.exit(self.exit_in_front(block), block.start);
        self.known = Default::default();
        single
    }

    /// Changes what a group of rounds, which cost so much each and have so many instructions, leaves behind beside what it computes.
    fn step_by_group(&mut self, plan: &Plan, cost: u32, len: u32) {
        self.parking_now = u32::MAX;
        let rounds = i64::from(plan.rounds);
        for reg in Reg::ALL {
            if plan.step_of(reg) != 0 {
                let (value, back) = (self.read(reg), self.builder.ins().iconst(I64, -rounds * plan.step_of(reg)));
                let value = self.builder.ins().isub(value, back);
                self.write(reg, value);
            }
        }
        for &Growing { reg, by, width } in &plan.growing {
            let (value, by) = (self.read(reg), self.operand(by));
            let by = self.times(by, rounds);
            let value = self.binary_of(BinaryOp::Add, width, value, by);
            self.write(reg, value);
        }
        if self.metering.model != GasModel::None {
            self.add(self.gas, -rounds * i64::from(cost));
        }
        if self.metering.count_instructions {
            self.add(self.instructions, rounds * i64::from(len));
        }
    }

    /// Where the loop has counted to when groups have been made for as long as it is certain to go on, and as there is gas for: one at least.
    /// It counts by a power of two in a group.
    fn end_of_groups(&mut self, plan: &Plan, bound: Option<Value>, cost: u32) -> Value {
        let foreseen = &plan.foreseen;
        let step = i64::from(plan.rounds) * foreseen.step().abs();
        let [moves, bound] = self.moves_and_bound(foreseen, bound);
        let distance = self.distance(foreseen, [moves, bound]);
        let of_one = foreseen.required(i64::from(plan.rounds) - 1) + i64::from(foreseen.is_strict());
        let foreseen_way = self.builder.ins().iadd_imm_s(distance, -of_one);
        let most = match self.metering.model == GasModel::None || cost == 0 {
            true => self.builder.ins().iconst(I64, MOST_GROUPS),
            false => {
                let (gas, of_one) = (self.builder.use_var(self.gas), self.gas_for_group(plan, cost));
                let spare = self.builder.ins().iadd_imm_s(gas, -of_one);
                self.at_most(spare, u64::from(plan.rounds) * u64::from(cost), MOST_GROUPS)
            }
        };
        let paid_way = self.times(most, step);
        let way = self.builder.ins().umin(foreseen_way, paid_way);
        // There the last group begins, at the latest.
        let whole = self.builder.ins().band_imm_s(way, -step);
        let way = self.builder.ins().iadd_imm_s(whole, step);
        match foreseen.step() > 0 {
            true => self.builder.ins().iadd(moves, way),
            false => self.builder.ins().isub(moves, way),
        }
    }

    /// What the loop goes on up to, if that is not what it compares with.
    fn bound(&mut self, plan: &Plan, kept: &[Option<Value>]) -> Option<Value> {
        let bound = plan.bound.slot.and_then(|slot| kept[slot]);
        if plan.bound.past == 0 {
            return bound;
        }
        let [_, bound] = self.moves_and_bound(&plan.foreseen, bound);
        Some(self.builder.ins().iadd_imm_s(bound, plan.bound.past))
    }

    /// What slots have that no round stores, by their numbers.
    fn kept(&mut self, block: &Block, plan: &Plan) -> Vec<Option<Value>> {
        let kept = plan.slots.iter().map(|slot| if slot.is_stored { None } else { Some(self.load_kept(block, *slot)) });
        kept.collect()
    }

    fn load_kept(&mut self, block: &Block, slot: Slot) -> Value {
        let number = self.next_access();
        let (base, offset) = self.base_and_offset(slot.start);
        let refuse = |this: &mut Self| this.exit(this.exit_in_front(block), block.start);
        let place = match self.faults.checked.contains(&number) {
            true => {
                let at = self.memory.address(self.builder, Some(base), offset);
                let is_refused = self.memory.check(self.builder, at, slot.bytes(), Rights(READABLE));
                self.leave_if(is_refused, refuse);
                Place::Checked(at, 0)
            }
            false => {
                self.landing(number, base, refuse);
                Place::Watched(base, offset)
            }
        };
        let value = self.memory.load(self.builder, slot.kind, place);
        self.builder.set_srcloc(Mark::Other.to_source_loc());
        value
    }

    /// Where something begins, as accesses have it.
    fn base_and_offset(&mut self, start: Start) -> (Value, i32) {
        match start {
            Start::Off(place) => (self.read(place.of), place.plus as i32),
            Start::At(address) => (self.builder.ins().iconst(I64, 0), address as i32),
        }
    }

    /// How the interpreter goes on in front of a block.
    fn exit_in_front(&self, block: &Block) -> Exit {
        match self.exit_when_short(block) {
            Exit::Interrupt => Exit::Interpret,
            exit => exit,
        }
    }

    /// Goes elsewhere unless all rounds of the next group are made.
    fn turn_off_if_near(&mut self, plan: &Plan, bound: Option<Value>, elsewhere: ir::Block) {
        let [moves, of_registers] = self.moves_and_bound(&plan.foreseen, bound);
        let conditions = self.may_end_between(&plan.foreseen, [moves, of_registers], i64::from(plan.rounds) - 1);
        self.turn_off_if_any(&conditions, elsewhere);
    }

    /// Goes elsewhere if the next group would load what it stores. Only looks at what is steady, or not.
    fn turn_off_if_overlapping(&mut self, plan: &Plan, is_looked_at: impl Fn(bool) -> bool, elsewhere: ir::Block) {
        let all = plan.apart.iter().filter(|apart| plan.moving_alone(apart).is_none());
        for apart in all.filter(|apart| is_looked_at(apart.is_steady)) {
            let [one, other] = apart.sides.map(|side| self.start_of(side));
            let [plus, near] = apart.nearness();
            let distance = self.distance_below(one, other, plus);
            let overlaps = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, distance, near);
            self.turn_off_if_any(&[overlaps], elsewhere);
        }
    }

    /// Goes elsewhere if what moves along would come across what stays where it is before the loop ends.
    fn turn_off_if_coming_across(&mut self, plan: &Plan, bound: Option<Value>, elsewhere: ir::Block) {
        for apart in &plan.apart {
            let Some([moving, staying]) = plan.moving_alone(apart) else { continue };
            let sides = self.moves_and_bound(&plan.foreseen, bound);
            let way = self.distance(&plan.foreseen, sides);
            let is_long = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThan, way, LONG_WAY);
            // The last round may go on by a step more than up to the bound, and be compared with another one added.
            let way = self.builder.ins().iadd_imm_s(way, 2 * plan.foreseen.step().abs());
            let near = self.builder.ins().iadd_imm_s(way, moving.len + staying.len - 1);
            let [mut from, at] = [moving, staying].map(|side| self.start_of(side));
            if plan.foreseen.step() < 0 {
                from = self.builder.ins().isub(from, way);
            }
            let distance = self.distance_below(at, from, staying.len - 1);
            let distance = self.builder.ins().uextend(I64, distance);
            let overlaps = self.builder.ins().icmp(IntCC::UnsignedLessThan, distance, near);
            self.turn_off_if_any(&[is_long, overlaps], elsewhere);
        }
    }

    fn start_of(&mut self, side: Stretch) -> Value {
        match side.start {
            Start::Off(place) => self.linear(place),
            Start::At(address) => self.builder.ins().iconst(I64, i64::from(address)),
        }
    }

    /// How far the one address is from the other, plus a constant, modulo 2^32.
    fn distance_below(&mut self, one: Value, other: Value, plus: i64) -> Value {
        let distance = self.builder.ins().isub(one, other);
        let distance = self.builder.ins().iadd_imm_s(distance, plus);
        self.builder.ins().ireduce(I32, distance)
    }

    /// Goes elsewhere unless registers may be kept where rounds keep them.
    fn turn_off_if_unwritable(&mut self, plan: &Plan, elsewhere: ir::Block) {
        for stretch in plan.kept.iter().filter(|kept| kept.is_stored).map(|kept| kept.stretch) {
            let context = self.context_here();
            let table = self.builder.ins().load(I64, context_flags(), context, Context::RIGHTS);
            let (base, offset) = self.base_and_offset(stretch.start);
            let at = self.memory.address(self.builder, Some(base), offset);
            let is_refused = self.memory.check_by(self.builder, table, at, stretch.len as u32, Rights(WRITABLE));
            self.turn_off_if_any(&[is_refused], elsewhere);
        }
    }

    /// Goes elsewhere unless registers have what the plan is made for.
    fn turn_off_if_other(&mut self, plan: &Plan, elsewhere: ir::Block) {
        for &(reg, value) in &plan.required {
            let (found, value) = (self.read(reg), self.constant(value as i64));
            let is_other = self.builder.ins().icmp(IntCC::NotEqual, found, value);
            self.turn_off_if_any(&[is_other], elsewhere);
        }
    }

    /// Goes elsewhere if what is the same in all rounds is larger than a lane, where that matters.
    fn turn_off_if_large(&mut self, plan: &Plan, kept: &[Option<Value>], elsewhere: ir::Block) {
        let lanes = plan.lanes.iter().zip(&plan.is_wanted).filter(|(_, is_wanted)| plan.are_small && **is_wanted);
        for (&lane, _) in lanes {
            let value = match lane {
                Lane::Register(reg) => self.read(reg),
                Lane::Kept(slot) if 8 * plan.slots[slot].bytes() > plan.bits => kept[slot].expect("no round stores it"),
                _ => continue,
            };
            // All of them fit.
            if plan.bits == 64 {
                continue;
            }
            let low = self.builder.ins().ireduce(lane_type(plan.bits), value);
            let small = self.builder.ins().sextend(I64, low);
            let is_large = self.builder.ins().icmp(IntCC::NotEqual, value, small);
            self.turn_off_if_any(&[is_large], elsewhere);
        }
    }

    /// Goes elsewhere without the gas for a group, and for what comes behind the last one up to where gas is compared again.
    fn turn_off_without_gas_for(&mut self, plan: &Plan, cost: u32, elsewhere: ir::Block) {
        if self.metering.model != GasModel::None {
            let needed = self.gas_for_group(plan, cost);
            self.turn_off_without_gas(needed, elsewhere);
        }
    }

    fn gas_for_group(&self, plan: &Plan, cost: u32) -> i64 {
        let checkpoint = self.checkpoints[self.position];
        (checkpoint.pending + checkpoint.bound + u64::from(plan.rounds - 1) * u64::from(cost)) as i64
    }

    /// Writes what comes before the first group.
    fn begin_vectors<'p>(
        &mut self,
        insts: &'p [(u32, Inst)],
        plan: &'p Plan,
        kept: Vec<Option<Value>>,
        undo: ir::Block,
    ) -> Vectors<'p> {
        let (mut same, mut before) = (vec![None; plan.lanes.len()], vec![None; plan.lanes.len()]);
        let mut growth = vec![Vec::new(); plan.lanes.len()];
        for (at, &lane) in plan.lanes.iter().enumerate().filter(|&(at, _)| plan.is_wanted[at]) {
            match lane {
                Lane::Constant(value) => same[at] = Some(lanes::splat_constant(self.builder, plan.bits, value)),
                Lane::Register(reg) => same[at] = Some(self.splat(plan, reg)),
                Lane::Kept(slot) => {
                    let value = kept[slot].expect("no round stores it");
                    same[at] = Some(lanes::splat(self.builder, plan.bits, value));
                }
                Lane::Before(_, reg) => {
                    let value = self.splat(plan, reg);
                    before[at] = Some(self.declare_vector(vector_type(plan.bits), value));
                }
                Lane::Growing(reg, is_grown) => {
                    let by = plan.growing(reg).expect("it grows").by;
                    let by = self.operand(by);
                    let by = lanes::splat(self.builder, plan.bits, by);
                    let times = (0..plan.rounds).map(|round| i64::from(round) + i64::from(is_grown));
                    let times = lanes::constants(self.builder, plan.bits, times);
                    growth[at] = times.into_iter().map(|times| self.builder.ins().imul(by, times)).collect();
                }
                Lane::Load(_) | Lane::Stepped(..) | Lane::Binary(..) | Lane::Choice(..) => {}
                Lane::Average(..) | Lane::Extended(..) | Lane::Bit(..) | Lane::High(..) | Lane::Scaled(..) => {}
            }
        }
        let mut totals = Vec::new();
        for total in &plan.totals {
            let bits = plan.bits_of(total);
            let nothing = lanes::splat_constant(self.builder, bits, lanes::neutral(total.op, bits));
            totals.push(self.declare_vector(vector_type(bits), nothing));
        }
        let in_place = plan.loads.iter().map(|load| {
            load.in_place_of.map(|_| {
                let nothing = lanes::splat_constant(self.builder, 8, 0);
                self.declare_vector(I8X16, nothing)
            })
        });
        let in_place = in_place.collect();
        Vectors { plan, insts, same, kept, before, growth, totals, in_place, undo }
    }

    /// A register in all lanes of a vector.
    fn splat(&mut self, plan: &Plan, reg: Reg) -> Value {
        let value = self.read(reg);
        lanes::splat(self.builder, plan.bits, value)
    }

    fn declare_vector(&mut self, ty: ir::Type, value: Value) -> Variable {
        let variable = self.builder.declare_var(ty);
        self.builder.def_var(variable, value);
        variable
    }
}

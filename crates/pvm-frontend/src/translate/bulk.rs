//! Loops that copy or fill memory, many bytes at a time.
//!
//! Guests have no instruction for that; their `memcpy` and `memset` are loops of one block that move a byte or a word per round.
//! Where it is certain that such a loop goes on for some rounds, as many as that are made at once, by a function of the host
//! ([`Context::COPY`], [`Context::FILL`]). It stops at what the guest may not access, so that single rounds find it. One round at
//! least is left to the loop itself, which ends it.

use super::rounds::{Foreseen, Linear, Steps};
use super::{Translator, context_flags};
use crate::blocks::Block;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, AbiParam, InstBuilder, Signature, Value};
use cranelift_frontend::Variable;
use pvm_gas::GasModel;
use pvm_ops::{Address, BinaryOp, GuestCode, Inst, LoadKind, Operand, Reg, Size, Target, UnaryOp, Width};
use pvm_vm::Context;

/// Fewer bytes are left to single rounds.
const LEAST_BYTES: i64 = 32;
/// A round moves no more bytes.
const WORD: Size = Size::B8;
/// A round moves no more pieces.
const MOST_PIECES: usize = 4;

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Linear(Linear),
    /// What the load of this number has loaded in the round.
    Loaded(usize),
}

/// What a round stores.
#[derive(Debug)]
enum Stored {
    /// What it has loaded from there, in as many pieces; the registers that receive them, and how.
    Copy { from: Linear, pieces: Vec<(Reg, LoadKind)> },
    /// Always the same, piece by piece.
    Fill(Vec<Operand>),
}

/// A loop that moves memory.
#[derive(Debug)]
pub(super) struct Bulk {
    /// The size of a piece, and how many a round has, one behind the other.
    size: Size,
    count: usize,
    stored: Stored,
    to: Linear,
    /// What registers hold behind a round that are written in it.
    behind: Vec<(Reg, Linear)>,
    steps: Steps,
    foreseen: Foreseen,
}

impl Bulk {
    /// How many bytes a round moves.
    fn bytes(&self) -> i64 {
        i64::from(self.size.bytes()) * self.count as i64
    }

    /// How many rounds are made at once, at least and at most.
    fn rounds(&self) -> [i64; 2] {
        [LEAST_BYTES, i64::from(Context::MOST_MOVED)].map(|bytes| bytes / self.bytes())
    }
}

/// What a round does with memory and registers.
struct Round {
    forms: [Form; 32],
    written: u32,
    loads: Vec<(Linear, Reg, LoadKind)>,
    stores: Vec<(Linear, Size, Result<Form, i32>)>,
}

impl Round {
    /// Follows the instructions of a round, up to the branch. `None` if there are any that moving memory does not take.
    fn follow(body: &[(u32, Inst)], width: Width) -> Option<Round> {
        let own = |index| Form::Linear(Linear::register(Reg::ALL[index]));
        let mut round = Round { forms: std::array::from_fn(own), written: 0, loads: Vec::new(), stores: Vec::new() };
        for &(_, inst) in body {
            match inst {
                Inst::Nop => {}
                Inst::Binary { op: BinaryOp::Add, width: its, dst, lhs: Operand::Reg(lhs), rhs } if its == width => {
                    let sum = match rhs {
                        Operand::Imm(plus) => round.linear(lhs)?.plus(i64::from(plus)),
                        Operand::Reg(rhs) => round.sum(lhs, rhs, width)?,
                    };
                    round.forms[dst.index()] = Form::Linear(sum);
                }
                Inst::Unary { op: UnaryOp::Move, width: its, dst, src } if its == width => {
                    round.forms[dst.index()] = Form::Linear(round.linear(src)?);
                }
                Inst::Load { kind, dst, address: Address { base: Some(base), offset } } => {
                    round.loads.push((round.linear(base)?.plus(i64::from(offset)), dst, kind));
                    round.forms[dst.index()] = Form::Loaded(round.loads.len() - 1);
                }
                Inst::Store { size, value, address: Address { base: Some(base), offset } } => {
                    let value = match value {
                        Operand::Reg(reg) => Ok(round.forms[reg.index()]),
                        Operand::Imm(imm) => Err(imm),
                    };
                    round.stores.push((round.linear(base)?.plus(i64::from(offset)), size, value));
                }
                _ => return None,
            }
            round.written |= inst.registers().writes;
        }
        Some(round)
    }

    fn linear(&self, reg: Reg) -> Option<Linear> {
        match self.forms[reg.index()] {
            Form::Linear(linear) => Some(linear),
            Form::Loaded(_) => None,
        }
    }

    /// The sum of two registers: an index and what it is added to. Compilers for the PVM make a pointer of both.
    fn sum(&self, lhs: Reg, rhs: Reg, width: Width) -> Option<Linear> {
        let [lhs, rhs] = [self.linear(lhs)?, self.linear(rhs)?];
        let is_sum = width == Width::W32 && lhs.and.is_none() && rhs.and.is_none();
        is_sum.then(|| Linear { and: Some(rhs.of), ..lhs.plus(rhs.plus) })
    }

    fn is_written(&self, reg: Reg) -> bool {
        self.written & reg.bit() != 0
    }

    /// Where pieces of this size are accessed in this order, one behind the other; the place of the first.
    fn first(places: impl IntoIterator<Item = Linear>, size: Size) -> Option<Linear> {
        let mut places = places.into_iter();
        let first = places.next()?;
        let follows = |(at, place): (i64, Linear)| place == first.plus(at * i64::from(size.bytes()));
        (1..).zip(places).all(follows).then_some(first)
    }

    /// The size of the pieces, where they are stored, and what.
    fn stored(&self, width: Width) -> Option<(Size, Linear, Stored)> {
        let &(_, size, _) = self.stores.first()?;
        // Of guests that have words of eight bytes, compilers use these.
        let most = if width == Width::W32 { MOST_PIECES } else { 1 };
        let bytes = size.bytes() as usize * self.stores.len();
        if self.stores.len() > most || bytes > WORD.bytes() as usize || !bytes.is_power_of_two() {
            return None;
        }
        if self.stores.iter().any(|&(_, its, _)| its != size) {
            return None;
        }
        let to = Round::first(self.stores.iter().map(|&(place, ..)| place), size)?;
        if self.loads.is_empty() {
            let pieces = self.stores.iter().map(|&(_, _, value)| match value {
                Ok(Form::Linear(Linear { of, and: None, plus: 0 })) if !self.is_written(of) => Some(Operand::Reg(of)),
                Err(imm) => Some(Operand::Imm(imm)),
                Ok(_) => None,
            });
            return Some((size, to, Stored::Fill(pieces.collect::<Option<_>>()?)));
        }
        let from = Round::first(self.loads.iter().map(|&(place, ..)| place), size)?;
        let is_stored = |(at, &(_, dst, kind)): (usize, &(Linear, Reg, LoadKind))| {
            let is_kept = self.forms[dst.index()] == Form::Loaded(at);
            kind.size == size && is_kept && self.stores[at].2 == Ok(Form::Loaded(at))
        };
        let are_stored = self.loads.len() == self.stores.len() && self.loads.iter().enumerate().all(is_stored);
        let pieces = self.loads.iter().map(|&(_, dst, kind)| (dst, kind)).collect();
        are_stored.then_some((size, to, Stored::Copy { from, pieces }))
    }
}

/// What a block does that leads to itself, where it begins at `start`, if that is to move memory.
pub(super) fn find(insts: &[(u32, Inst)], start: u32, width: Width) -> Option<Bulk> {
    let (&(_, last), body) = insts.split_last()?;
    let Inst::Branch { cond, lhs, rhs, target } = last else { return None };
    let round = Round::follow(body, width)?;
    let (size, to, stored) = round.stored(width)?;
    let behind: Vec<_> = Reg::ALL
        .into_iter()
        .filter(|&reg| round.is_written(reg))
        .filter_map(|reg| Some((reg, round.linear(reg)?)))
        .collect();
    let steps = Steps::new(|reg| match round.forms[reg.index()] {
        Form::Linear(Linear { of, and: None, plus }) if of == reg => Some(plus),
        _ => None,
    });
    if behind.iter().any(|&(_, linear)| steps.of(linear).is_none()) {
        return None;
    }

    let goes_on = if target == Target::Block(start) { cond } else { cond.negated() };
    let lhs = round.linear(lhs)?;
    let bound = match rhs {
        Operand::Reg(reg) => Ok(round.linear(reg)?),
        Operand::Imm(imm) => Err(imm),
    };
    let foreseen = Foreseen::new(goes_on, lhs, bound, &steps)?;
    let count = round.stores.len();
    let walks = |linear: Linear| steps.of(linear) == Some(i64::from(size.bytes()) * count as i64);
    let is_bulk = walks(to)
        && match stored {
            Stored::Copy { from, .. } => walks(from),
            Stored::Fill(_) => true,
        };
    is_bulk.then_some(Bulk { size, count, stored, to, behind, steps, foreseen })
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Writes what makes many rounds at once of the loop that the block at the present position is, which costs so much a round.
    /// Returns where single rounds are to be written.
    pub(super) fn move_in_bulk(&mut self, block: &Block, cost: u32, bulk: &Bulk) -> ir::Block {
        let single = self.builder.create_block();
        let first = self.bodies[self.position];
        self.builder.switch_to_block(first);
        let [least, most] = bulk.rounds();
        let conditions = self.may_end(&bulk.foreseen, least);
        self.turn_off_if_any(&conditions, single);
        let is_metered = self.metering.model != GasModel::None;
        match is_metered {
            true => self.turn_off_without_gas(self.pending + least * i64::from(cost), single),
            false => self.checkpoint(block, 0),
        }
        let mut rounds = self.rounds_ahead(&bulk.foreseen, most);
        if is_metered {
            let gas = self.builder.use_var(self.gas);
            let gas = self.builder.ins().iadd_imm_s(gas, -self.pending);
            let affordable = self.at_most(gas, cost.into(), most);
            rounds = self.builder.ins().umin(rounds, affordable);
        }
        let rounds = self.around_call(|this| this.call_mover(bulk, rounds));
        let is_refused = self.builder.ins().icmp_imm_u(IntCC::Equal, rounds, 0);
        self.turn_off_if_any(&[is_refused], single);

        if is_metered {
            self.add_times(self.gas, rounds, -i64::from(cost));
        }
        if self.metering.count_instructions {
            self.add_times(self.instructions, rounds, block.len.into());
        }
        self.pass_rounds(bulk, rounds);
        self.builder.ins().jump(first, &[]);
        self.known = Default::default();
        single
    }

    /// Calls something; meanwhile all that variables hold is in the context. If it were alive across the call, the register allocator
    /// would keep most of it on the stack, wherever in the region.
    fn around_call(&mut self, call: impl FnOnce(&mut Self) -> Value) -> Value {
        let kept = !self.parked;
        let result = self.with_context(|this| {
            this.store_registers(this.written & kept, 0);
            this.store_counters();
            call(this)
        });
        self.with_context(|this| {
            for reg in Reg::ALL.into_iter().filter(|reg| kept & reg.bit() != 0) {
                if let Some(variable) = this.registers[reg.index()] {
                    let value = this.register_in_context(reg);
                    this.builder.def_var(variable, value);
                }
            }
            this.load_counters();
        });
        self.known = Default::default();
        result
    }

    /// Has the host make so many rounds at most, but one at least; returns how many it has made.
    fn call_mover(&mut self, bulk: &Bulk, rounds: Value) -> Value {
        let to = self.address_of(bulk.to);
        let (function, what) = match bulk.stored {
            Stored::Copy { from, .. } => (Context::COPY, self.address_of(from)),
            Stored::Fill(ref pieces) => (Context::FILL, self.pattern(bulk, pieces)),
        };
        let mut signature = Signature::new(self.builder.func.signature.call_conv);
        signature.params.extend([AbiParam::new(I64); 5]);
        signature.returns.push(AbiParam::new(I64));
        let signature = self.builder.import_signature(signature);
        let function = self.builder.ins().load(I64, context_flags(), self.context, function);
        let len = self.times(rounds, bulk.bytes());
        let bytes = self.builder.ins().iconst(I64, bulk.bytes());
        let call = self.builder.ins().call_indirect(signature, function, &[self.context, to, what, len, bytes]);
        let moved = self.builder.inst_results(call)[0];
        self.per(moved, bulk.bytes())
    }

    /// An address, of which the low half counts.
    fn address_of(&mut self, linear: Linear) -> Value {
        let sum = self.sum_of(linear);
        self.builder.ins().iadd_imm_s(sum, linear.plus)
    }

    /// Adds so many times a constant to what is counted.
    fn add_times(&mut self, variable: Variable, times: Value, amount: i64) {
        let value = self.builder.use_var(variable);
        let product = self.times(times, amount);
        let value = self.builder.ins().iadd(value, product);
        self.builder.def_var(variable, value);
    }

    /// What a loop that fills stores, eight bytes of it.
    fn pattern(&mut self, bulk: &Bulk, pieces: &[Operand]) -> Value {
        let bits = 8 * i64::from(bulk.size.bytes());
        let mut pattern = None;
        for (at, &piece) in (0..).zip(pieces) {
            let value = match piece {
                Operand::Reg(reg) => self.read(reg),
                Operand::Imm(imm) => self.builder.ins().iconst(I64, i64::from(imm)),
            };
            if bits == 64 {
                return value;
            }
            let low = self.builder.ins().band_imm_u(value, (1 << bits) - 1);
            pattern = Some(match pattern {
                None => low,
                Some(pattern) => {
                    let high = self.builder.ins().ishl_imm_u(low, at * bits);
                    self.builder.ins().bor(pattern, high)
                }
            });
        }
        let pattern = pattern.expect("a round stores something");
        let bits = 8 * bulk.bytes();
        if bits == 64 {
            return pattern;
        }
        let repeated = u64::MAX / ((1 << bits) - 1);
        let factor = self.builder.ins().iconst(I64, repeated as i64);
        self.builder.ins().imul(pattern, factor)
    }

    /// Gives registers the values that they have behind so many rounds.
    fn pass_rounds(&mut self, bulk: &Bulk, rounds: Value) {
        let before = self.builder.ins().iadd_imm_s(rounds, -1);
        let mut values = Vec::new();
        for &(reg, linear) in &bulk.behind {
            // As the last of the rounds makes it.
            let step = bulk.steps.of(linear).expect("what changes otherwise was sorted out");
            let first = self.linear(linear);
            let way = self.times(before, step);
            let way = if self.is_narrow { self.builder.ins().ireduce(I32, way) } else { way };
            values.push((reg, self.builder.ins().iadd(first, way)));
        }
        if let Stored::Copy { pieces, .. } = &bulk.stored {
            let context = self.context_here();
            let word = self.builder.ins().load(I64, context_flags(), context, Context::MOVED);
            let bits = 8 * i64::from(bulk.size.bytes());
            for (behind, &(dst, kind)) in (0..).zip(pieces.iter().rev()) {
                let high = if behind == 0 { word } else { self.builder.ins().ishl_imm_u(word, behind * bits) };
                let value = match kind.signed {
                    true => self.builder.ins().sshr_imm_u(high, 64 - bits),
                    false => self.builder.ins().ushr_imm_u(high, 64 - bits),
                };
                values.push((dst, if self.is_narrow { self.builder.ins().ireduce(I32, value) } else { value }));
            }
        }
        self.parking_now = u32::MAX;
        for (reg, value) in values {
            match self.is_narrow {
                true => self.write_half(reg, value),
                false => self.write(reg, value),
            }
        }
        self.known = Default::default();
    }
}

#[cfg(test)]
mod tests {
    use super::super::rounds::tests::{START, add};
    use super::*;
    use pvm_ops::Cond;

    /// A loop that copies bytes from r1 to r2, of which the last instruction before the branch is given.
    fn copy(last: Inst, cond: Cond) -> Vec<Inst> {
        let at = |base| Address { base: Some(base), offset: 4 };
        let kind = LoadKind { size: Size::B1, signed: false };
        let [r1, r2, r3, r7] = [1, 2, 3, 7].map(|index| Reg::ALL[index]);
        vec![
            Inst::Load { kind, dst: r7, address: at(r1) },
            Inst::Store { size: Size::B1, value: Operand::Reg(r7), address: at(r2) },
            add(r1, r1, 1),
            last,
            Inst::Branch { cond, lhs: r2, rhs: Operand::Reg(r3), target: Target::Block(START) },
        ]
    }

    fn found(insts: Vec<Inst>, width: Width) -> Option<Bulk> {
        let insts: Vec<_> = (START..).zip(insts).collect();
        find(&insts, START, width)
    }

    fn is_found(insts: Vec<Inst>) -> bool {
        found(insts, Width::W64).is_some()
    }

    #[test]
    fn loops_are_found_that_walk_and_end_where_it_can_be_foreseen() {
        let [r1, r2, r3, r7] = [1, 2, 3, 7].map(|index| Reg::ALL[index]);
        assert!(is_found(copy(add(r2, r2, 1), Cond::Ne)));
        assert!(is_found(copy(add(r2, r2, 1), Cond::LtU)));
        assert!(!is_found(copy(add(r2, r2, 1), Cond::GtU)), "it ends at once, or goes around");
        assert!(!is_found(copy(add(r2, r2, 1), Cond::Eq)));
        assert!(!is_found(copy(add(r2, r2, 2), Cond::Ne)), "there are gaps");
        assert!(!is_found(copy(add(r2, r1, 1), Cond::Ne)), "that is no step");
        assert!(!is_found(copy(add(r3, r3, 1), Cond::Ne)), "it stays where it is");
        assert!(!is_found(copy(add(r2, r7, 1), Cond::Ne)), "what is loaded says where to go on");

        let mut fill = copy(add(r2, r2, 1), Cond::Ne);
        fill.remove(0);
        assert!(is_found(fill.clone()), "always the same is stored");
        fill.insert(0, add(r7, r7, 1));
        assert!(!is_found(fill), "something else is stored in each round");
    }

    #[test]
    fn guests_of_32_bits_add_an_index_and_move_several_pieces() {
        let [r1, r2, r3, r4, r5, r6] = [1, 2, 3, 4, 5, 6].map(|index| Reg::ALL[index]);
        let add =
            |dst, lhs, rhs| Inst::Binary { op: BinaryOp::Add, width: Width::W32, dst, lhs: Operand::Reg(lhs), rhs };
        let at = |base, offset| Address { base: Some(base), offset };
        let kind = LoadKind { size: Size::B4, signed: true };
        let store = |value, address| Inst::Store { size: Size::B4, value: Operand::Reg(value), address };
        let ends = |lhs, rhs| {
            let (cond, rhs, target) = (Cond::LtS, Operand::Reg(rhs), Target::Block(START));
            Inst::Branch { cond, lhs, rhs, target }
        };
        let indexed = vec![
            add(r5, r1, Operand::Reg(r3)),
            Inst::Load { kind, dst: r6, address: at(r5, 0) },
            add(r5, r2, Operand::Reg(r3)),
            store(r6, at(r5, 8)),
            add(r3, r3, Operand::Imm(4)),
            ends(r3, r4),
        ];
        assert!(found(indexed.clone(), Width::W32).is_some_and(|bulk| bulk.bytes() == 4));
        let mut apart = indexed;
        apart[2] = add(r5, r2, Operand::Reg(r2));
        assert!(found(apart, Width::W32).is_none(), "it does not walk");

        let pairs = |second| {
            let loads = [(r5, 0), (r6, 4)].map(|(dst, offset)| Inst::Load { kind, dst, address: at(r1, offset) });
            let stores = [store(r5, at(r2, 0)), store(r6, at(r2, second))];
            let steps = [add(r1, r1, Operand::Imm(8)), add(r2, r2, Operand::Imm(8)), ends(r2, r4)];
            loads.into_iter().chain(stores).chain(steps).collect::<Vec<_>>()
        };
        assert!(found(pairs(4), Width::W32).is_some_and(|bulk| bulk.bytes() == 8));
        assert!(found(pairs(8), Width::W32).is_none(), "there is a gap");
        assert!(found(pairs(0), Width::W32).is_none());
    }
}

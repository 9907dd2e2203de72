//! Loops that copy or fill memory, many bytes at a time.
//!
//! Guests have no instruction for that; their `memcpy` and `memset` are loops of one block that move a byte or a word per round.
//! Where it is certain that such a loop goes on for so many rounds, and that what it copies does not overlap within so many bytes,
//! these rounds are made at once, with words of eight bytes ([`BYTES`] in all). If an access is refused, the guest is where the
//! first of the rounds begins, and the interpreter makes them one by one: what has been stored by then it stores again.

use super::Translator;
use crate::Exit;
use crate::blocks::Block;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use pvm_clif::{Place, Rights, alu};
use pvm_gas::GasModel;
use pvm_ops::{Address, BinaryOp, Cond, GuestCode, Inst, LoadKind, Operand, Reg, Size, Target, UnaryOp, Width};
use pvm_vm::{FaultDetection, READABLE, WRITABLE};

/// So many bytes are moved at once. (With a second loop for eight it took as long, with 64 bytes 0.96 of the time.)
const BYTES: i64 = 32;
/// With accesses of so many.
const WORD: Size = Size::B8;
/// No register changes by more in a round.
const MOST_STEP: i64 = 1 << 16;

/// A register as it was where a round begins, plus a constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Linear {
    of: Reg,
    plus: i64,
}

/// What a register holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Linear(Linear),
    /// What the round has loaded.
    Loaded,
}

/// What a round stores.
#[derive(Clone, Copy, Debug)]
enum Stored {
    /// What it has loaded from there; the register that receives that, and how.
    Copy { from: Linear, dst: Reg, kind: LoadKind },
    /// Always the same.
    Fill(Operand),
}

/// A loop that moves memory.
pub(super) struct Bulk {
    size: Size,
    stored: Stored,
    to: Linear,
    /// What registers hold behind a round that are written in it.
    behind: Vec<(Reg, Linear)>,
    /// The loop goes on while this holds of what moves and the bound.
    cond: Cond,
    moves: Linear,
    bound: Result<Linear, i32>,
}

impl Bulk {
    /// How many rounds are made at once.
    fn rounds(&self) -> i64 {
        BYTES / i64::from(self.size.bytes())
    }

    /// By how much a register changes in a round.
    fn step(&self, reg: Reg) -> i64 {
        step(&self.behind, reg).expect("registers that change otherwise were sorted out")
    }
}

/// By how much a register changes in a round, if it does so by a constant.
fn step(behind: &[(Reg, Linear)], reg: Reg) -> Option<i64> {
    match behind.iter().find(|&&(written, _)| written == reg) {
        Some(&(_, Linear { of, plus })) => (of == reg && plus.abs() <= MOST_STEP).then_some(plus),
        None => Some(0),
    }
}

/// What a block does that leads to itself, where it begins at `start`, if that is to move memory.
pub(super) fn find(insts: &[(u32, Inst)], start: u32, width: Width) -> Option<Bulk> {
    let (&(_, last), body) = insts.split_last()?;
    let Inst::Branch { cond, lhs, rhs, target } = last else { return None };
    let mut forms: [Form; 32] = std::array::from_fn(|index| Form::Linear(Linear { of: Reg::ALL[index], plus: 0 }));
    let mut written = 0;
    let linear = |forms: &[Form; 32], reg: Reg, plus: i64| match forms[reg.index()] {
        Form::Linear(linear) => Some(Linear { plus: linear.plus.wrapping_add(plus), ..linear }),
        Form::Loaded => None,
    };
    let (mut loaded, mut stored) = (None, None);
    for &(_, inst) in body {
        match inst {
            Inst::Nop => {}
            Inst::Binary { op: BinaryOp::Add, width: its, dst, lhs: Operand::Reg(of), rhs: Operand::Imm(plus) }
                if its == width =>
            {
                forms[dst.index()] = Form::Linear(linear(&forms, of, i64::from(plus))?);
            }
            Inst::Unary { op: UnaryOp::Move, width: its, dst, src } if its == width => {
                forms[dst.index()] = Form::Linear(linear(&forms, src, 0)?);
            }
            Inst::Load { kind, dst, address: Address { base: Some(base), offset } } if loaded.is_none() => {
                loaded = Some((linear(&forms, base, i64::from(offset))?, dst, kind));
                forms[dst.index()] = Form::Loaded;
            }
            Inst::Store { size, value, address: Address { base: Some(base), offset } } if stored.is_none() => {
                let value = match value {
                    Operand::Reg(reg) => Ok(forms[reg.index()]),
                    Operand::Imm(imm) => Err(imm),
                };
                stored = Some((size, value, linear(&forms, base, i64::from(offset))?));
            }
            _ => return None,
        }
        written |= inst.registers().writes;
    }

    let (size, value, to) = stored?;
    let is_written = |reg: Reg| written & reg.bit() != 0;
    let stored = match (value, loaded) {
        (Ok(Form::Loaded), Some((from, dst, kind))) if kind.size == size && forms[dst.index()] == Form::Loaded => {
            Stored::Copy { from, dst, kind }
        }
        (Ok(Form::Linear(Linear { of, plus: 0 })), None) if !is_written(of) => Stored::Fill(Operand::Reg(of)),
        (Err(imm), None) => Stored::Fill(Operand::Imm(imm)),
        _ => return None,
    };
    let behind: Vec<_> = Reg::ALL
        .into_iter()
        .filter(|&reg| is_written(reg))
        .filter_map(|reg| match forms[reg.index()] {
            Form::Linear(linear) => Some((reg, linear)),
            Form::Loaded => None,
        })
        .collect();
    // Where the loaded value is kept there is nothing else.
    let is_loaded = |reg: Reg| matches!(stored, Stored::Copy { dst, .. } if dst == reg);
    let is_known = |linear: Linear| !is_loaded(linear.of) && step(&behind, linear.of).is_some();
    if !behind.iter().all(|&(_, linear)| is_known(linear)) {
        return None;
    }

    let goes_on = if target == Target::Block(start) { cond } else { cond.negated() };
    let bound = match rhs {
        Operand::Reg(reg) => Ok(linear(&forms, reg, 0)?),
        Operand::Imm(imm) => Err(imm),
    };
    let lhs = linear(&forms, lhs, 0)?;
    let moved = |linear: Linear| is_known(linear).then(|| step(&behind, linear.of)).flatten();
    let (cond, moves, bound, by) = match (moved(lhs)?, bound.map(moved)) {
        (by, Err(_) | Ok(Some(0))) => (goes_on, lhs, bound, by),
        (0, Ok(Some(by))) => (swapped(goes_on), bound.ok()?, Ok(lhs), by),
        _ => return None,
    };
    let can_be_foreseen = match cond {
        Cond::Ne => by != 0,
        Cond::LtU | Cond::LtS | Cond::LeU | Cond::LeS => by > 0,
        Cond::GtU | Cond::GtS | Cond::GeU | Cond::GeS => by < 0,
        Cond::Eq => false,
    };
    let walks = |linear: Linear| is_known(linear) && step(&behind, linear.of) == Some(i64::from(size.bytes()));
    let is_bulk = can_be_foreseen
        && walks(to)
        && match stored {
            Stored::Copy { from, .. } => walks(from),
            Stored::Fill(_) => true,
        };
    is_bulk.then_some(Bulk { size, stored, to, behind, cond, moves, bound })
}

/// The condition of exchanged operands.
fn swapped(cond: Cond) -> Cond {
    match cond {
        Cond::Eq | Cond::Ne => cond,
        Cond::LtU => Cond::GtU,
        Cond::LeU => Cond::GeU,
        Cond::GeU => Cond::LeU,
        Cond::GtU => Cond::LtU,
        Cond::LtS => Cond::GtS,
        Cond::LeS => Cond::GeS,
        Cond::GeS => Cond::LeS,
        Cond::GtS => Cond::LtS,
    }
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Writes what makes many rounds at once of the loop that the block at the present position is, which costs so much a round.
    /// Returns where single rounds are to be written.
    pub(super) fn move_in_bulk(&mut self, block: &Block, cost: u32, bulk: &Bulk) -> ir::Block {
        let [first, many, single] =
            [self.bodies[self.position], self.builder.create_block(), self.builder.create_block()];
        self.builder.switch_to_block(first);
        let mut fits = self.goes_on(bulk, 0);
        if let Stored::Copy { from, .. } = bulk.stored {
            let [from, to] = [from, bulk.to].map(|linear| self.linear_half(linear));
            let apart = self.builder.ins().isub(to, from);
            let apart = self.builder.ins().iadd_imm_s(apart, -BYTES);
            let apart = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, apart, (1 << 32) - 2 * BYTES);
            fits = self.builder.ins().band(fits, apart);
        }
        let pattern = self.pattern(bulk);
        self.builder.ins().brif(fits, many, &[], single, &[]);

        self.builder.switch_to_block(many);
        self.known = Default::default();
        let gas = bulk.rounds() * i64::from(cost);
        if self.metering.model == GasModel::None {
            self.checkpoint(block, 0);
        } else {
            let value = self.builder.use_var(self.gas);
            let is_short = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, value, self.pending + gas);
            let enough = self.builder.create_block();
            self.builder.ins().brif(is_short, single, &[], enough, &[]);
            self.builder.switch_to_block(enough);
        }
        let last = self.make_rounds(block, bulk, pattern);
        self.add(self.gas, -gas);
        if self.metering.count_instructions {
            self.add(self.instructions, bulk.rounds() * i64::from(block.len));
        }
        let fits = self.goes_on(bulk, bulk.rounds());
        self.pass_rounds(bulk, last);
        self.builder.ins().brif(fits, many, &[], single, &[]);
        self.known = Default::default();
        single
    }

    /// Whether the loop goes on for so many rounds as are made at once, some rounds ahead.
    fn goes_on(&mut self, bulk: &Bulk, ahead: i64) -> Value {
        let step = bulk.step(bulk.moves.of);
        let moves = self.linear(Linear { plus: bulk.moves.plus.wrapping_add(ahead * step), ..bulk.moves });
        let bound = match bulk.bound {
            Ok(linear) => self.linear(linear),
            Err(imm) if self.is_narrow => self.builder.ins().iconst(I32, i64::from(imm as u32)),
            Err(imm) => self.builder.ins().iconst(I64, i64::from(imm)),
        };
        let (high, low) = if step > 0 { (bound, moves) } else { (moves, bound) };
        let distance = self.builder.ins().isub(high, low);
        // The last of the rounds compares what so many steps before it have made.
        let most = (bulk.rounds() - 1) * step.abs();
        let is_strict = !matches!(bulk.cond, Cond::LeU | Cond::LeS | Cond::GeU | Cond::GeS);
        let cc = if is_strict { IntCC::UnsignedGreaterThan } else { IntCC::UnsignedGreaterThanOrEqual };
        let is_far = self.builder.ins().icmp_imm_u(cc, distance, most);
        if bulk.cond == Cond::Ne {
            return is_far;
        }
        let holds = alu::condition(self.builder, bulk.cond, moves, bound);
        self.builder.ins().band(is_far, holds)
    }

    /// A register plus a constant, as wide as registers are.
    fn linear(&mut self, linear: Linear) -> Value {
        if self.is_narrow {
            return self.linear_half(linear);
        }
        let value = self.read(linear.of);
        self.plus(value, linear.plus)
    }

    /// The low half of that.
    fn linear_half(&mut self, linear: Linear) -> Value {
        let value = self.read_half(linear.of);
        self.plus(value, i64::from(linear.plus as i32))
    }

    fn plus(&mut self, value: Value, plus: i64) -> Value {
        if plus == 0 { value } else { self.builder.ins().iadd_imm_s(value, plus) }
    }

    /// What a loop that fills stores, eight bytes of it.
    fn pattern(&mut self, bulk: &Bulk) -> Option<Value> {
        let Stored::Fill(value) = bulk.stored else { return None };
        let value = match value {
            Operand::Reg(reg) => self.read(reg),
            Operand::Imm(imm) => self.builder.ins().iconst(I64, i64::from(imm)),
        };
        let bits = 8 * bulk.size.bytes();
        if bits == 64 {
            return Some(value);
        }
        let low = self.builder.ins().band_imm_u(value, (1 << bits) - 1);
        let repeated = u64::MAX / ((1 << bits) - 1);
        let factor = self.builder.ins().iconst(I64, repeated as i64);
        Some(self.builder.ins().imul(low, factor))
    }

    /// Moves memory; returns the last word that was loaded, if any is.
    fn make_rounds(&mut self, block: &Block, bulk: &Bulk, pattern: Option<Value>) -> Option<Value> {
        let mut last = None;
        for at in (0..BYTES).step_by(WORD.bytes() as usize) {
            let value = match bulk.stored {
                Stored::Copy { from, .. } => {
                    let place = self.word(block, Linear { plus: from.plus + at, ..from }, READABLE);
                    let value = self.memory.load(self.builder, LoadKind { size: WORD, signed: false }, place);
                    last = Some(value);
                    value
                }
                Stored::Fill(_) => pattern.expect("it was made for that"),
            };
            let place = self.word(block, Linear { plus: bulk.to.plus + at, ..bulk.to }, WRITABLE);
            self.memory.store(self.builder, WORD, value, place);
        }
        last
    }

    /// Where an access to a word is made, with a way out to where the rounds begin.
    fn word(&mut self, block: &Block, Linear { of, plus }: Linear, right: u8) -> Place {
        let leave = |this: &mut Self| this.exit(Exit::Interpret, block.start);
        let (base, offset) = (self.read(of), plus as i32);
        let number = (self.faults.detection == FaultDetection::Signals).then(|| self.next_access());
        match number.filter(|number| !self.faults.checked.contains(number)) {
            Some(number) => {
                self.landing(number, base, leave);
                Place::Watched(base, offset)
            }
            None => {
                let at = self.memory.address(self.builder, Some(base), offset);
                let refused = self.memory.check(self.builder, at, WORD.bytes(), Rights(right));
                self.leave_if(refused, leave);
                Place::Checked(at, 0)
            }
        }
    }

    /// Gives registers the values that they have behind the rounds.
    fn pass_rounds(&mut self, bulk: &Bulk, last: Option<Value>) {
        let before = bulk.rounds() - 1;
        let mut values = Vec::new();
        for &(reg, Linear { of, plus }) in &bulk.behind {
            // As the last of the rounds makes it.
            let plus = plus.wrapping_add(before * bulk.step(of));
            values.push((reg, self.linear(Linear { of, plus })));
        }
        if let (Stored::Copy { dst, kind, .. }, Some(word)) = (bulk.stored, last) {
            let above = i64::from(64 - 8 * kind.size.bytes());
            let value = match kind.signed {
                true => self.builder.ins().sshr_imm_u(word, above),
                false => self.builder.ins().ushr_imm_u(word, above),
            };
            values.push((dst, if self.is_narrow { self.builder.ins().ireduce(I32, value) } else { value }));
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
    use super::*;

    const START: u32 = 100;

    fn add(dst: Reg, of: Reg, plus: i32) -> Inst {
        let (lhs, rhs) = (Operand::Reg(of), Operand::Imm(plus));
        Inst::Binary { op: BinaryOp::Add, width: Width::W64, dst, lhs, rhs }
    }

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

    fn is_found(insts: Vec<Inst>) -> bool {
        let insts: Vec<_> = (START..).zip(insts).collect();
        find(&insts, START, Width::W64).is_some()
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
}

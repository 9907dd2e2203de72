//! The IR of one instruction.

use super::parts::Part;
use super::products::Low;
use super::registers::Known;
use super::{Current, Next, Translator};
use crate::groups::{self, Group};
use crate::{Exit, Mark, counters, returns};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::{Place, Rights, alu, constant, extend, idioms, magnitude};
use pvm_ops::{Address, BinaryOp, Cond, GuestCode, Inst, LoadKind, Operand, Reg, Size, Target, UnaryOp, Width};
use pvm_vm::FaultDetection;

/// What the branch to a landing tests of an address: a bit that is rarely known.
pub(super) const LANDING_BIT: i64 = 1 << 30;

impl<C: GuestCode> Translator<'_, '_, C> {
    pub(super) fn instruction(&mut self, current: &mut Current, index: usize) {
        let (pc, inst) = current.insts[index];
        if inst.ends_block() && !matches!(inst, Inst::Branch { .. }) {
            self.extend_variables();
        }
        self.look_ahead(current, index);
        match inst {
            Inst::Nop => {}
            Inst::Binary { op: BinaryOp::Add, dst, lhs, rhs: Operand::Imm(imm), .. }
                if lhs == Operand::Reg(dst) && self.step(current, dst, imm) => {}
            Inst::LoadImm { dst, value } => {
                let value = self.constant(value as i64);
                self.write(dst, value);
            }
            Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst, src } if self.is_owed(src) => {
                let half = self.read_half(src);
                self.write_half(dst, half);
            }
            Inst::Unary { op, width: Width::W32, dst, src } => {
                let src = self.read_half(src);
                let half = alu::unary(self.builder, op, src);
                self.write_half(dst, half);
            }
            Inst::Unary { op, width: Width::W64, dst, src } => {
                let src = self.read(src);
                let value = alu::unary(self.builder, op, src);
                self.write(dst, value);
            }
            // A difference is computed in place. Sums become addresses, and the second of two constants is then added
            // together with the first, to a value that is kept for it.
            Inst::Binary { op: BinaryOp::Add, width: Width::W64, dst, lhs, rhs: Operand::Imm(imm) }
                if lhs == Operand::Reg(dst) =>
            {
                let (value, negated) = (self.read(dst), self.builder.ins().iconst(I64, -i64::from(imm)));
                let value = alu::binary(self.builder, BinaryOp::Sub, value, negated);
                self.write(dst, value);
            }
            Inst::Binary { op, width: Width::W32, dst, lhs, rhs } if self.is_narrow => {
                self.narrow(current, index, op, dst, lhs, rhs);
            }
            Inst::Binary { op, width, dst, lhs, rhs } => self.binary(current, index, (op, width), dst, [lhs, rhs]),
            Inst::CondMove { if_zero, dst, value, test } => {
                let is_foreseen = matches!(value, Operand::Imm(_))
                    && self.blocks.is_loop(current.id)
                    && counters::is_counted(&current.insts, index, test);
                let choose = if is_foreseen { alu::choose_by_branch } else { alu::choose };
                let half = self.half(test).filter(|_| self.is_owed(test));
                let test = half.unwrap_or_else(|| self.read(test));
                let (value, old) = (self.operand(value), self.read(dst));
                let (zero, not_zero) = if if_zero { (value, old) } else { (old, value) };
                let value = choose(self.builder, test, not_zero, zero);
                self.write(dst, value);
            }
            Inst::Load { kind, dst, address } => self.load(current, index, kind, dst, address),
            Inst::Store { size, value, address } => self.store(current, index, size, value, address),
            Inst::Probe { size, address } => {
                let kind = LoadKind { size, signed: false };
                self.access(current, index, address, |this, place| this.memory.load(this.builder, kind, place));
            }
            Inst::Atomic { op, dst, value, address } => self.atomic(current, index, op, dst, value, address),
            Inst::LoadReserved { dst, address } => self.load_reserved(current, index, dst, address),
            Inst::StoreConditional { dst, value, address } => {
                self.store_conditional(current, index, dst, value, address);
            }
            Inst::HostCall { id } => self.host_call(pc, id),
            Inst::Sbrk { .. } => self.exit(Exit::Sbrk, pc),
            Inst::Raise { .. } | Inst::TrapReturn | Inst::Control { .. } | Inst::CodeFence => {
                self.exit(Exit::System, pc)
            }
            Inst::Trap => self.exit(Exit::Panic, pc),
            Inst::Fallthrough => {
                self.settle(current);
                self.go_to(self.code.fetch(pc).next, Exit::Enter);
            }
            Inst::Jump { link, target } => {
                self.link(link);
                self.settle(current);
                match target {
                    Target::Block(target) => self.go_to(target, Exit::Enter),
                    Target::Invalid => self.exit(Exit::Panic, pc),
                }
            }
            Inst::Branch { cond, lhs, rhs, target } => {
                self.settle(current);
                let (lhs, rhs) = self.compared(lhs, rhs);
                let next = self.code.fetch(pc).next;
                if let Target::Block(target) = target
                    && let Some(hammock) = self.hammock(current, next, target)
                {
                    return self.branch_around(cond, lhs, rhs, hammock);
                }
                if let Target::Block(target) = target
                    && let Some(second) = self.second_branch(current, next, target)
                {
                    return self.branch_folded(current, cond, lhs, rhs, second);
                }
                if let (Target::Block(target), Next::Anywhere, true) = (target, current.next, self.parking.is_crowded())
                {
                    self.pass_before([next, target]);
                }
                // What a function is given and keeps for after it has called itself is in two registers on both ways.
                if !self.is_narrow && self.calls.recursive.contains(&current.id) {
                    self.tell_apart();
                }
                let not_taken = self.way_to(current, next);
                let taken = match target {
                    Target::Block(target) => self.way_to(current, target),
                    Target::Invalid => self.way_out(Exit::Panic, pc),
                };
                // What leaves comes first: see `leave_if`.
                let loops_back = current.next == Next::Copy(taken);
                if self.member(next).is_none() || loops_back {
                    let condition = alu::condition(self.builder, cond.negated(), lhs, rhs);
                    self.builder.ins().brif(condition, not_taken, &[], taken, &[]);
                } else {
                    let condition = alu::condition(self.builder, cond, lhs, rhs);
                    self.builder.ins().brif(condition, taken, &[], not_taken, &[]);
                }
                self.finish_ways();
            }
            // A table whose entries take no bytes is not listed; the interpreter knows it.
            Inst::JumpIndirect { .. } if self.has_unlisted_jumps() => self.interpret(current, index),
            Inst::JumpIndirect { link, base, offset } => {
                let base = self.half(base).unwrap_or_else(|| self.read(base));
                let address = self.memory.low_address(self.builder, base, offset);
                self.link(link);
                self.settle(current);
                self.pass(self.parking.passage_by_jump(self.position));
                self.parked = self.parking.behind_jumps();
                self.known = [Known::default(); 32];
                if !self.is_narrow && returns::is_jump_by_address(&inst) {
                    self.tell_apart();
                }
                self.jump_indirect(address, current.id, pc);
            }
        }
    }

    /// The operands of a branch: halves, if only these are at hand. Sign extension keeps the order, of signed and unsigned values.
    pub(super) fn compared(&mut self, lhs: Reg, rhs: Operand) -> (Value, Value) {
        let is_owed = self.is_owed(lhs) || rhs.reg().is_some_and(|reg| self.is_owed(reg));
        let halves = match is_owed {
            _ if self.is_narrow => Some((self.read_half(lhs), self.operand_half(rhs))),
            true => self.half(lhs).zip(self.known_half(rhs)),
            false => None,
        };
        self.extend_variables();
        halves.unwrap_or_else(|| (self.read(lhs), self.operand(rhs)))
    }

    fn load(&mut self, current: &mut Current, index: usize, kind: LoadKind, dst: Reg, address: Address) {
        if self.load_of_word(current, index, dst, address) {
            return;
        }
        let at = self.place(address).filter(|_| kind.size == Size::B4);
        if let Some(value) = at.and_then(|at| current.words.get(at)) {
            self.write(dst, value);
            return;
        }
        let kind = LoadKind { signed: kind.signed && at.is_none(), ..kind };
        let value = self.access(current, index, address, |this, place| this.memory.load(this.builder, kind, place));
        if kind.signed && self.is_narrow {
            let half = self.builder.ins().ireduce(I32, value);
            self.write_half(dst, half);
        } else {
            self.write(dst, value);
            if kind.size.bytes() < 4 || kind == (LoadKind { size: Size::B4, signed: true }) {
                let half = self.builder.ins().ireduce(I32, value);
                self.know_half(dst, half);
            }
        }
        if let Some(at) = at {
            current.words.know(at, value);
        }
    }

    fn store(&mut self, current: &mut Current, index: usize, size: Size, value: Operand, address: Address) {
        let at = self.place(address);
        let stored = match value {
            Operand::Reg(reg) if size != Size::B8 && self.is_owed(reg) => self.read_half(reg),
            value => self.operand(value),
        };
        self.access(current, index, address, |this, place| this.memory.store(this.builder, size, stored, place));
        if let Some(at) = at {
            current.words.forget(Some((at, size)));
            if size == Size::B4 {
                let value = self.operand(value);
                current.words.know(at, value);
            }
        }
    }

    /// An operation of a guest that has 64 bits.
    fn binary(
        &mut self,
        current: &mut Current,
        index: usize,
        (op, width): (BinaryOp, Width),
        dst: Reg,
        operands: [Operand; 2],
    ) {
        let [lhs, rhs] = operands;
        if let Some(value) = self.small_result(op, width, lhs, rhs) {
            let half = self.builder.ins().ireduce(I32, value);
            self.write(dst, value);
            self.know_half(dst, half);
            return;
        }
        if let Some(value) = self.set_by_halves(op, lhs, rhs) {
            let part = self.flag_part(current, index, value);
            self.write(dst, value);
            return self.is_part(dst, part);
        }
        match self.halves(op, width, lhs, rhs) {
            // How guests extend a sign.
            Some((half, _)) if op == BinaryOp::Add && rhs == Operand::Imm(0) => self.write_half(dst, half),
            Some((lhs, rhs)) => {
                let half = self
                    .bytes_of_word(current, op, lhs, rhs)
                    .or_else(|| idioms::joined(self.builder, op, lhs, rhs))
                    .unwrap_or_else(|| alu::binary(self.builder, op, lhs, rhs));
                self.write_half(dst, half);
            }
            None => {
                let part = self.address_part(current, index);
                let is_in_place = lhs == Operand::Reg(dst) && part.is_none();
                let special = self.product_half(current, index).or_else(|| self.carried(current, index));
                let value = special.unwrap_or_else(|| {
                    let (lhs, rhs) = (self.operand(lhs), self.operand(rhs));
                    self.bytes_of_word(current, op, lhs, rhs)
                        .or_else(|| idioms::joined(self.builder, op, lhs, rhs))
                        .or_else(|| idioms::extension(self.builder, op, lhs, rhs))
                        .or_else(|| idioms::corrected(self.builder, op, lhs, rhs))
                        .or_else(|| is_in_place.then(|| idioms::in_place(self.builder, op, lhs, rhs)).flatten())
                        .unwrap_or_else(|| alu::binary(self.builder, op, lhs, rhs))
                });
                let part = part
                    .or_else(|| self.scaled_part(current, index, value))
                    .or_else(|| self.flag_part(current, index, value))
                    .or_else(|| self.bytes_part(current, value));
                self.write(dst, value);
                self.is_part(dst, part);
            }
        }
    }

    /// An operation of 32 bits of a guest that has no more.
    fn narrow(&mut self, current: &mut Current, index: usize, op: BinaryOp, dst: Reg, lhs: Operand, rhs: Operand) {
        let whole = self.carry(current, op, lhs, rhs).or_else(|| self.product_half(current, index));
        if let Some(whole) = whole {
            self.write(dst, whole);
            return;
        }
        if let Some(half) = self.divided(current, index, op, [lhs, rhs]) {
            self.write_half(dst, half);
            return;
        }
        let (addends, factors) = (self.addends(op, lhs, rhs), self.factors(op, lhs, rhs));
        let half = match (op, rhs) {
            // As above: in place.
            (BinaryOp::Add, Operand::Imm(imm)) if lhs == Operand::Reg(dst) => {
                let (half, negated) = (self.read_half(dst), self.operand_half(Operand::Imm(imm.wrapping_neg())));
                alu::binary(self.builder, BinaryOp::Sub, half, negated)
            }
            _ => {
                let (lhs, rhs) = (self.operand_half(lhs), self.operand_half(rhs));
                let short = idioms::joined(self.builder, op, lhs, rhs)
                    .or_else(|| idioms::extension(self.builder, op, lhs, rhs));
                short.unwrap_or_else(|| alu::binary(self.builder, op, lhs, rhs))
            }
        };
        current.lows.extend(factors.map(|factors| Low::new(factors, half)));
        let part = self.rotation_part(current, index, op).or_else(|| self.address_part(current, index));
        self.write_half(dst, half);
        self.is_sum(current, dst, addends);
        self.is_part(dst, part);
    }

    /// What an operation of 32 bits makes, if that is what the same one of 64 bits makes, as its operands are small enough: then no sign
    /// need be extended.
    fn small_result(&mut self, op: BinaryOp, width: Width, lhs: Operand, rhs: Operand) -> Option<Value> {
        use BinaryOp::{Add, Mul, Shl, ShrS, Sub};
        let is_owed = |operand: Operand| operand.reg().is_some_and(|reg| self.is_owed(reg));
        if width == Width::W64 || !matches!(op, Add | Sub | Mul | Shl | ShrS) || is_owed(lhs) || is_owed(rhs) {
            return None;
        }
        let (a, b) = (self.operand(lhs), self.operand(rhs));
        let (first, second) = (magnitude(self.builder, a), magnitude(self.builder, b));
        let bits = match (op, rhs) {
            (Add, Operand::Imm(0)) => return (first < 32).then_some(a),
            (Add | Sub, _) => first.max(second) + 1,
            (Mul, _) => first + second + 1,
            (Shl, Operand::Imm(by @ 0..32)) => first + by as u32,
            (ShrS, Operand::Imm(0..32)) => first,
            _ => return None,
        };
        (bits < 32).then(|| alu::binary(self.builder, op, a, b))
    }

    /// What a comparison says, of the halves if both operands are sign extensions, which keep the order, and one has not been extended.
    fn set_by_halves(&mut self, op: BinaryOp, lhs: Operand, rhs: Operand) -> Option<Value> {
        let is_owed = |operand: Operand| operand.reg().is_some_and(|reg| self.is_owed(reg));
        if !matches!(op, BinaryOp::SetLtS | BinaryOp::SetLtU) || !(is_owed(lhs) || is_owed(rhs)) {
            return None;
        }
        let (lhs, rhs) = self.known_half(lhs).zip(self.known_half(rhs))?;
        let cond = if op == BinaryOp::SetLtS { Cond::LtS } else { Cond::LtU };
        let flag = alu::condition(self.builder, cond, lhs, rhs);
        Some(self.builder.ins().uextend(I64, flag))
    }

    /// The halves of operands, if an operation can do with them: its result is the sign extension of what it makes of
    /// them. So it is for operations of 32 bits, and for those on single bits and the lesser or greater of two if the operands are
    /// such extensions.
    fn halves(&mut self, op: BinaryOp, width: Width, lhs: Operand, rhs: Operand) -> Option<(Value, Value)> {
        if width == Width::W32 {
            return Some((self.operand_half(lhs), self.operand_half(rhs)));
        }
        use BinaryOp::{And, AndInv, MaxS, MaxU, MinS, MinU, Or, OrInv, Xnor, Xor};
        let is_owed = |operand: Operand| operand.reg().is_some_and(|reg| self.is_owed(reg));
        let extends = matches!(op, And | Or | Xor | AndInv | OrInv | Xnor | MinS | MinU | MaxS | MaxU);
        // What has been extended already may as well be used.
        if !extends || !(is_owed(lhs) || is_owed(rhs)) {
            return None;
        }
        self.known_half(lhs).zip(self.known_half(rhs))
    }

    /// Makes an access, with a way out before it for what the guest may not do.
    pub(super) fn access<T>(
        &mut self,
        current: &mut Current,
        index: usize,
        address: Address,
        access: impl FnOnce(&mut Self, Place) -> T,
    ) -> T {
        if self.faults.detection == FaultDetection::Checks {
            let place = self.checked(current, index, address);
            return access(self, place);
        }
        let one = groups::access(&current.insts[index].1).expect("the instruction is an access");
        self.access_of(current, index, one, current.accesses.proven[index], access)
    }

    /// The same of these bytes where the host watches; they may be proven to be allowed.
    pub(super) fn access_of<T>(
        &mut self,
        current: &mut Current,
        index: usize,
        one: Group,
        is_proven: bool,
        access: impl FnOnce(&mut Self, Place) -> T,
    ) -> T {
        let number = if is_proven { None } else { Some(self.next_access()) };
        let (base, mut offset) = (one.base, one.low as i32);
        if number.is_some_and(|number| self.faults.checked.contains(&number)) {
            let base = base.map(|reg| self.read(reg));
            let at = self.memory.address(self.builder, base, offset);
            let refused = self.memory.check(self.builder, at, one.len(), Rights(one.right));
            self.leave_if(refused, |this| this.interpret(current, index));
            return access(self, Place::Checked(at, 0));
        }
        let (at, tested) = match base.map(|base| (base, self.known(base).part)) {
            // The access itself makes the sum.
            Some((_, Some(Part::Sum { base, index, by }))) if self.is_narrow => (self.sum(base, index, by), base),
            // To an address the signs above an index do not matter.
            Some((_, Some(Part::Sum { base, index, by })))
                if let Some(index) = extend::unextended(self.builder, index) =>
            {
                (self.sum(base, index, by), base)
            }
            Some((sum, Some(Part::Sum { base, .. }))) => (self.read(sum), base),
            Some((_, Some(Part::Stepped { from, by }))) => {
                offset = offset.wrapping_add(by as i32);
                (from, from)
            }
            Some((base, _)) => (self.read(base), self.read(base)),
            None => {
                let zero = self.builder.ins().iconst(I64, 0);
                (zero, zero)
            }
        };
        // The mark of the access stays for what follows in the same IR block: an instruction there may take the load into
        // itself.
        match number {
            None => self.builder.set_srcloc(Mark::Proven.to_source_loc()),
            Some(number) if is_store(current, index) => self.store_landing(current, index, number, tested),
            Some(number) => self.landing(number, tested, |this| this.interpret(current, index)),
        }
        access(self, Place::Watched(at, offset))
    }

    /// The landing of a store. All stores that come one behind the other have that of the first one: the interpreter then makes
    /// those before it once more, which changes nothing, as no register has changed in between. Landings take half of the time
    /// that compiling takes, and of the accesses of RISC-V programs one in five follows a store. (Functions save registers.)
    fn store_landing(&mut self, current: &mut Current, index: usize, number: u32, at: Value) {
        let is_next = |&(last, _): &(usize, _)| (last + 1..index).all(|at| is_store(current, at));
        let shared = current.store_landing.filter(is_next).map(|(_, landing)| landing);
        let landing = shared.unwrap_or_else(|| self.builder.create_block());
        let bit = self.landing_bit(number, at);
        let go_on = self.builder.create_block();
        self.builder.ins().brif(bit, landing, &[], go_on, &[]);
        self.builder.seal_block(go_on);
        if shared.is_none() {
            self.builder.set_cold_block(landing);
            let mut following = (index + 1..).take_while(|&at| is_store(current, at));
            if following.all(|at| current.accesses.proven[at]) {
                self.builder.seal_block(landing);
            }
            self.builder.switch_to_block(landing);
            self.builder.set_srcloc(Mark::Other.to_source_loc());
            self.interpret(current, index);
        }
        current.store_landing = Some((index, landing));
        self.builder.switch_to_block(go_on);
        self.builder.set_srcloc(Mark::Access(number).to_source_loc());
    }

    /// The number of the access that comes next.
    pub(super) fn next_access(&mut self) -> u32 {
        self.accesses += 1;
        self.accesses - 1
    }

    /// A branch to the landing of an access at this address, and the mark of the access for what comes next. It says what the
    /// code there needs if the access was refused. The compiler of machine code takes it out and keeps the place that it
    /// leads to.
    ///
    /// Until then it depends on a bit of the address: machine code tests that with one use of the register. Of a constant
    /// Cranelift might find that it always is set.
    pub(super) fn landing(&mut self, number: u32, at: Value, cold: impl FnOnce(&mut Self)) {
        let bit = self.landing_bit(number, at);
        self.leave_if(bit, |this| {
            this.builder.set_srcloc(Mark::Other.to_source_loc());
            cold(this);
        });
        self.builder.set_srcloc(Mark::Access(number).to_source_loc());
    }

    /// The start of a branch to a landing: what it depends on.
    pub(super) fn landing_bit(&mut self, number: u32, at: Value) -> Value {
        self.builder.set_srcloc(Mark::Landing(number).to_source_loc());
        let is_set = constant(self.builder, at).is_some_and(|at| at & LANDING_BIT != 0);
        let tested = if is_set { self.context } else { at };
        self.builder.ins().band(tested, self.landing_bit)
    }

    /// The place of an access of this instruction, checked unless it is proven.
    fn checked(&mut self, current: &mut Current, index: usize, address: Address) -> Place {
        let id = current.groups.of[index].expect("every access is in a group");
        let group = current.groups.groups[id];
        let at = match current.addresses[id] {
            Some(at) => at,
            None if current.accesses.proven[index] => {
                let base = address.base.map(|reg| self.read(reg));
                return Place::Checked(self.memory.address(self.builder, base, address.offset), 0);
            }
            None => {
                let base = address.base.map(|reg| self.read(reg));
                let at = self.memory.address(self.builder, base, group.low as i32);
                let refused = self.memory.check(self.builder, at, group.len(), Rights(group.right));
                self.leave_if(refused, |this| this.interpret(current, index));
                current.addresses[id] = Some(at);
                at
            }
        };
        // As in the group: relative to a register the offset is signed, else it is the address.
        let offset = if address.base.is_some() { i64::from(address.offset) } else { i64::from(address.offset as u32) };
        Place::Checked(at, (offset - group.low) as i32)
    }
}

fn is_store(current: &Current, index: usize) -> bool {
    matches!(current.insts.get(index), Some((_, Inst::Store { .. })))
}

//! Values that only exits want.
//!
//! A guest computes an address in a register and loads from there, to the same register. Machine code has the sum in the load
//! itself, so only exits want the value of the register. They make it from what the load needs anyway. In the same way they make
//! shifts that have become part of a rotation, from the register that they shift.

use super::bytes::Bytes;
use super::{Current, Next, Translator};
use crate::groups;
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::idioms::Carry;
use pvm_clif::{alu, extend, idioms};
use pvm_ops::{BinaryOp, GuestCode, Inst, Operand, Reg, Width};

/// The instructions that make a value and those that use it are so near each other.
const NEAR: usize = 8;

/// How exits make a register.
#[derive(Clone, Copy, Debug)]
pub(super) enum Part {
    /// The low half of another one that had this value, shifted by a constant and zero-extended.
    Shifted { op: BinaryOp, of: Reg, value: Value, by: i32 },
    /// A value shifted to the left.
    Scaled { index: Value, by: i32 },
    /// A value that a register had some rounds of a loop before, plus a constant.
    Stepped { from: Value, by: i64 },
    /// A sum of two values, of which one is shifted to the left.
    Sum { base: Value, index: Value, by: i32 },
    /// Bytes of a word.
    Bytes(Bytes),
    /// What a comparison says, which has this value.
    Flag(Value),
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// What the result of an operation on whole registers is a part of, if nobody wants it but accesses and exits before them.
    pub(super) fn address_part(&mut self, current: &Current, index: usize) -> Option<Part> {
        let Inst::Binary { op, width, dst, lhs: Operand::Reg(lhs), rhs } = current.insts[index].1 else {
            return None;
        };
        match (op, rhs) {
            _ if self.is_narrow != (width == Width::W32) => None,
            (BinaryOp::Shl, Operand::Imm(by @ 1..=3)) if is_for_addresses(current, index, dst, width) => {
                Some(Part::Scaled { index: self.read(lhs), by })
            }
            (BinaryOp::Add, Operand::Reg(rhs)) if is_for_addresses(current, index, dst, width) => {
                let is_scaled = |reg| matches!(self.known(reg).part, Some(Part::Scaled { .. }));
                let is_index = is_scaled(rhs) || !is_scaled(lhs) && self.is_owed(rhs);
                let (base, scaled) = if is_index { (lhs, rhs) } else { (rhs, lhs) };
                let (index, by) = match self.known(scaled).part {
                    Some(Part::Scaled { index, by }) => (index, by),
                    _ => (self.read(scaled), 0),
                };
                Some(Part::Sum { base: self.read(base), index, by })
            }
            _ => None,
        }
    }

    /// What the scaled half of a register is a part of, on the same condition.
    pub(super) fn scaled_part(&self, current: &Current, index: usize, value: Value) -> Option<Part> {
        let Inst::Binary { op: BinaryOp::ShrU, width: Width::W64, dst, .. } = current.insts[index].1 else {
            return None;
        };
        let (index_value, by) = idioms::scaled(self.builder, value)?;
        is_for_addresses(current, index, dst, Width::W64).then_some(Part::Scaled { index: index_value, by })
    }

    /// What the result of a comparison is, if only choices, sums that it carries to, and exits before them want it.
    pub(super) fn flag_part(&self, current: &Current, index: usize, value: Value) -> Option<Part> {
        let Inst::Binary { op: BinaryOp::SetLtU | BinaryOp::SetLtS, dst, .. } = current.insts[index].1 else {
            return None;
        };
        let carries = |op| Carry::of(self.builder, op, value).is_some();
        is_for_choices(current, index, dst, carries).then_some(Part::Flag(value))
    }

    /// What the result of a 32-bit shift is a part of, if it is half of a rotation.
    pub(super) fn rotation_part(&mut self, current: &Current, index: usize, op: BinaryOp) -> Option<Part> {
        let (of, by) = is_half_of_rotation(current, index)?;
        Some(Part::Shifted { op, of, value: self.read(of), by })
    }

    /// Where the region is left, makes registers from what is at hand there anyway: so their values need not be kept until here.
    pub(super) fn make_parts(&mut self) {
        for reg in Reg::ALL {
            let Some(part) = self.known(reg).part else { continue };
            let is_variable = self.parked & reg.bit() == 0;
            if !is_variable && !self.known(reg).is_owed {
                continue;
            }
            let Some(made) = self.make(part) else { continue };
            match is_variable {
                true => self.builder.def_var(self.variable(reg), made),
                false => self.known[reg.index()].whole = Some(made),
            }
        }
    }

    pub(super) fn make(&mut self, part: Part) -> Option<Value> {
        // Accesses to which the lower half of an index suffices do without the extension of it.
        let extended = |this: &mut Self, index| match this.is_narrow {
            true => index,
            false => extend::extended_here(this.builder, index),
        };
        let value = match part {
            Part::Shifted { op, of, value, by } => {
                let is_kept = self.parked & of.bit() == 0 || self.known(of).is_owed;
                if !is_kept || self.read(of) != value {
                    return None;
                }
                let half = self.builder.ins().ireduce(I32, value);
                let by = self.builder.ins().iconst(I32, i64::from(by));
                let half = alu::binary(self.builder, op, half, by);
                return Some(extend::zero_extend(self.builder, half).0);
            }
            Part::Scaled { index, by } => {
                let index = extended(self, index);
                self.scaled(index, by)
            }
            Part::Stepped { from, by } => self.builder.ins().iadd_imm_s(from, by),
            Part::Bytes(bytes) => self.made_of(bytes),
            Part::Flag(value) => return extend::made_here(self.builder, value),
            Part::Sum { base, index, by } => {
                let index = extended(self, index);
                self.sum(base, index, by)
            }
        };
        if !self.is_narrow {
            return Some(value);
        }
        let half = self.builder.ins().ireduce(I32, value);
        Some(extend::zero_extend(self.builder, half).0)
    }

    fn scaled(&mut self, index: Value, by: i32) -> Value {
        if by == 0 { index } else { self.builder.ins().ishl_imm_u(index, i64::from(by)) }
    }

    /// A sum of registers, as addresses are made of it: of 32 bits only the low half counts.
    pub(super) fn sum(&mut self, base: Value, index: Value, by: i32) -> Value {
        let index = self.scaled(index, by);
        self.builder.ins().iadd(base, index)
    }
}

/// Whether what an instruction writes to a register of this width is used for addresses only, by accesses or sums, and is written
/// over before there is another exit.
fn is_for_addresses(current: &Current, index: usize, reg: Reg, width: Width) -> bool {
    // Whether the last instruction that was an exit, or used the register, was one that used it.
    let mut is_used = false;
    for ((_, inst), is_proven) in current.insts.iter().zip(&current.accesses.proven).skip(index + 1).take(NEAR) {
        let sets = inst.registers();
        let is_access = groups::access(inst).is_some();
        if sets.reads & reg.bit() != 0 {
            is_used = match *inst {
                Inst::Store { value, .. } => value != Operand::Reg(reg),
                Inst::Binary { op: BinaryOp::Add, width: w, rhs: Operand::Reg(_), .. } => w == width,
                _ => is_access,
            };
            if !is_used {
                return false;
            }
        } else if is_access && !is_proven {
            is_used = false;
        }
        if sets.writes & reg.bit() != 0 {
            return is_used;
        }
    }
    false
}

/// Whether what an instruction writes to a register decides between values only, or is a carry or borrow of operations that take it, and is
/// written over soon, by the next round if not in this one.
fn is_for_choices(current: &Current, index: usize, reg: Reg, carries: impl Fn(BinaryOp) -> bool) -> bool {
    let behind = &current.insts[index + 1..];
    let next_round: &[_] = if current.next == Next::Anywhere { &[] } else { &current.insts[..=index] };
    for (_, inst) in behind.iter().chain(next_round).take(NEAR) {
        let sets = inst.registers();
        if sets.reads & reg.bit() != 0 {
            match *inst {
                Inst::CondMove { dst, value, test, .. } if test == reg && dst != reg && value != Operand::Reg(reg) => {}
                Inst::Binary { op, width: Width::W64, rhs: Operand::Reg(_), .. } if carries(op) => {}
                _ => return false,
            }
        }
        if sets.writes & reg.bit() != 0 {
            return true;
        }
    }
    false
}

/// The register and the amount that an instruction shifts, if that is half of a rotation: another one shifts the rest of the
/// register the other way soon before or behind it.
fn is_half_of_rotation(current: &Current, index: usize) -> Option<(Reg, i32)> {
    use BinaryOp::{Shl, ShrU};
    let shift = |inst: &Inst| match *inst {
        Inst::Binary { op: op @ (Shl | ShrU), dst, lhs: Operand::Reg(of), rhs: Operand::Imm(by), .. } => {
            Some((op, dst, of, by))
        }
        _ => None,
    };
    let (op, _, of, by) = shift(&current.insts[index].1).filter(|&(_, dst, of, _)| dst != of)?;
    let around = current.insts[index.saturating_sub(NEAR)..].iter().take(2 * NEAR + 1);
    let mut others = around.filter_map(|(_, inst)| shift(inst));
    others.any(|other| other.0 != op && other.2 == of && other.3 + by == 32).then_some((of, by))
}

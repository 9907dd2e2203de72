//! Guest registers: as SSA variables, parked in the context, or as halves that are extended when somebody asks.
//!
//! Results of 32 bits are sign-extended to 64. Where the next instruction looks at the low half only, that is work for
//! nothing: so a *narrow* register keeps the half, and is extended where a whole value is wanted, on the way out of the
//! region, or at the end of the block.
//!
//! Registers of guests that have no more than 32 bits are zero-extended: an operation of 32 bits clears the upper half of its
//! result on most hosts, addresses have no upper half, and a carry or the high half of a product is there to be shifted down.
//! In the context compiled code reads and writes their low halves; who has it run extends them.

use super::parts::Part;
use super::{Translator, context_flags};
use crate::parking::Passage;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use cranelift_frontend::Variable;
use pvm_clif::{alu, extend};
use pvm_ops::{GuestCode, Operand, Reg};
use pvm_vm::Context;

/// What is known of a register within a block.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Known {
    /// The low half, of which the register is the sign extension.
    pub half: Option<Value>,
    /// Whether the variable, or where the register is parked, does not have the value yet.
    pub is_owed: bool,
    /// The value, of a parked register.
    pub whole: Option<Value>,
    /// How exits make the value, if nobody else wants it.
    pub part: Option<Part>,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The address where a register is parked on the stack.
    fn slot_of(&self, reg: Reg) -> Value {
        self.slots[(self.parking.anywhere() & (reg.bit() - 1)).count_ones() as usize]
    }

    /// Puts the value of a register where it is parked.
    pub(super) fn park(&mut self, reg: Reg, value: Value) {
        if self.parking.is_in_context() {
            return self.put_into_context(reg, value);
        }
        let at = self.slot_of(reg);
        self.builder.ins().store(context_flags(), value, at, 0);
    }

    /// The value of a register from the context.
    pub(super) fn register_in_context(&mut self, reg: Reg) -> Value {
        match self.is_narrow {
            true => self.builder.ins().uload32(context_flags(), self.context, Context::offset_of_low_half(reg)),
            false => self.builder.ins().load(I64, context_flags(), self.context, Context::offset_of_register(reg)),
        }
    }

    /// Puts the value of a register into the context.
    pub(super) fn put_into_context(&mut self, reg: Reg, value: Value) {
        match self.is_narrow {
            true => {
                let offset = Context::offset_of_low_half(reg);
                self.builder.ins().istore32(context_flags(), value, self.context, offset)
            }
            false => {
                let offset = Context::offset_of_register(reg);
                self.builder.ins().store(context_flags(), value, self.context, offset)
            }
        };
    }

    /// A constant as registers have it.
    pub(super) fn constant(&mut self, value: i64) -> Value {
        let value = if self.is_narrow { i64::from(value as u32) } else { value };
        self.builder.ins().iconst(I64, value)
    }

    /// The value of a register from where it is parked.
    pub(super) fn parked_value(&mut self, reg: Reg) -> Value {
        if self.parking.is_in_context() {
            return self.register_in_context(reg);
        }
        let at = self.slot_of(reg);
        let value = self.builder.ins().load(I64, context_flags(), at, 0);
        // A second use that nobody wants, which is no code, keeps Cranelift from making the load a part of the instruction that uses it.
        // There it would find the place by a register, not by the stack pointer, and hosts that hand on what was stored to what is
        // loaded without delay do so for plain loads only. (RISC-V programs have too many registers for that.)
        if !self.is_narrow {
            self.builder.ins().ireduce(I32, value);
        }
        value
    }

    /// The value of a register.
    pub(super) fn read(&mut self, reg: Reg) -> Value {
        if self.parked & reg.bit() == 0 {
            self.extend(reg);
            return self.builder.use_var(self.variable(reg));
        }
        let value = match self.known[reg.index()] {
            Known { whole: Some(value), .. } => return value,
            Known { half: Some(half), is_owed: true, .. } => extend::sign_extend(self.builder, half),
            _ => self.parked_value(reg),
        };
        self.known[reg.index()].whole = Some(value);
        value
    }

    /// The low half of a register.
    pub(super) fn read_half(&mut self, reg: Reg) -> Value {
        match self.known[reg.index()].half {
            Some(half) => half,
            None => {
                let value = self.read(reg);
                let half = self.builder.ins().ireduce(I32, value);
                if self.is_narrow {
                    self.know_half(reg, half);
                }
                half
            }
        }
    }

    /// The low half of a register that is the sign extension of it, if that is known.
    pub(super) fn half(&self, reg: Reg) -> Option<Value> {
        self.known[reg.index()].half
    }

    /// What is known of a register.
    pub(super) fn known(&self, reg: Reg) -> Known {
        self.known[reg.index()]
    }

    /// Whether a register has been narrow and not been extended since.
    pub(super) fn is_owed(&self, reg: Reg) -> bool {
        self.known[reg.index()].is_owed && self.known[reg.index()].half.is_some()
    }

    pub(super) fn write(&mut self, reg: Reg, value: Value) {
        self.known[reg.index()] = Known::default();
        if self.parked & reg.bit() == 0 {
            self.builder.def_var(self.variable(reg), value);
            return;
        }
        let is_owed = self.parking_now & reg.bit() == 0;
        self.known[reg.index()] = Known { half: None, is_owed, whole: Some(value), part: None };
        if !is_owed {
            self.park(reg, value);
        }
    }

    /// Sets a register to the sign extension of a half.
    pub(super) fn write_half(&mut self, reg: Reg, half: Value) {
        if self.is_narrow {
            let (value, half) = extend::zero_extend(self.builder, half);
            self.write(reg, value);
            self.known[reg.index()].half = Some(half);
            return;
        }
        if self.parked & self.parking_now & reg.bit() != 0 {
            let value = extend::sign_extend(self.builder, half);
            self.write(reg, value);
        } else {
            self.known[reg.index()] = Known { half: Some(half), is_owed: true, whole: None, part: None };
        }
    }

    /// Keeps in mind that a register is the sign extension of a half.
    pub(super) fn know_half(&mut self, reg: Reg, half: Value) {
        self.known[reg.index()].half = Some(half);
    }

    /// Keeps in mind that a register is a part of another one.
    pub(super) fn is_part(&mut self, reg: Reg, part: Option<Part>) {
        self.known[reg.index()].part = part;
    }

    /// Gives the variable of a register its whole value, or puts it where it is parked, if that was not done.
    fn extend(&mut self, reg: Reg) {
        if let Known { whole: Some(value), is_owed: true, .. } = self.known[reg.index()] {
            self.park(reg, value);
            self.known[reg.index()].is_owed = false;
            return;
        }
        let Known { half: Some(half), is_owed: true, .. } = self.known[reg.index()] else { return };
        let value = extend::sign_extend(self.builder, half);
        match self.parked & reg.bit() == 0 {
            true => self.builder.def_var(self.variable(reg), value),
            false => self.park(reg, value),
        }
        self.known[reg.index()].is_owed = false;
    }

    /// The same for all registers: where the region is left.
    pub(super) fn extend_all(&mut self) {
        Reg::ALL.into_iter().for_each(|reg| self.extend(reg));
    }

    /// Gives all variables their whole values: where the block ends.
    pub(super) fn extend_variables(&mut self) {
        let parked = self.parked;
        Reg::ALL.into_iter().filter(|reg| parked & reg.bit() == 0).for_each(|reg| self.extend(reg));
    }

    /// The registers that are not where they are parked yet.
    pub(super) fn owed(&self) -> u32 {
        let is_owed = |reg: &Reg| self.parked & reg.bit() != 0 && self.known[reg.index()].is_owed;
        Reg::ALL.into_iter().filter(is_owed).fold(0, |all, reg| all | reg.bit())
    }

    /// Does what passing to another block takes.
    pub(super) fn pass(&mut self, Passage { stores, loads, copies }: Passage) {
        let each = |set: u32| Reg::ALL.into_iter().filter(move |reg| set & reg.bit() != 0);
        for reg in each(stores) {
            // What is parked and owed is known.
            let value = self.known[reg.index()].whole.filter(|_| self.parked & reg.bit() != 0);
            let value = value.unwrap_or_else(|| self.builder.use_var(self.variable(reg)));
            self.park(reg, value);
        }
        for reg in each(loads) {
            // PVM programs do not gain by values that live on.
            let known = self.known[reg.index()].whole.filter(|_| self.parking.is_crowded());
            let value = known.unwrap_or_else(|| self.parked_value(reg));
            self.builder.def_var(self.variable(reg), value);
        }
        // To the register allocator that is another value. The machine code of the addition is a move, or it is taken out.
        for reg in each(copies) {
            let value = self.builder.use_var(self.variable(reg));
            let value = self.builder.ins().iadd_imm_s(value, 0);
            self.builder.def_var(self.variable(reg), value);
        }
    }

    /// Gives registers that have one value values of their own, where many ways lead on: else each of them has a move, and a jump behind
    /// that.
    pub(super) fn tell_apart(&mut self) {
        let mut values = Vec::new();
        for reg in Reg::ALL {
            let Some(variable) = self.registers[reg.index()].filter(|_| self.parked & reg.bit() == 0) else { continue };
            let value = self.builder.use_var(variable);
            let value = self.builder.func.dfg.resolve_aliases(value);
            if values.contains(&value) {
                let copy = alu::copy(self.builder, value);
                self.builder.def_var(variable, copy);
            } else {
                values.push(value);
            }
        }
    }

    pub(super) fn variable(&self, reg: Reg) -> Variable {
        self.registers[reg.index()].expect("the region's registers were collected")
    }

    pub(super) fn operand(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(reg) => self.read(reg),
            Operand::Imm(imm) => self.constant(i64::from(imm)),
        }
    }

    /// The low half of an operand.
    pub(super) fn operand_half(&mut self, operand: Operand) -> Value {
        match operand {
            Operand::Reg(reg) => self.read_half(reg),
            Operand::Imm(imm) => self.builder.ins().iconst(I32, i64::from(imm as u32)),
        }
    }

    /// The low half of an operand that is the sign extension of it, if that is known.
    pub(super) fn known_half(&mut self, operand: Operand) -> Option<Value> {
        match operand {
            Operand::Reg(reg) => self.half(reg),
            Operand::Imm(_) => Some(self.operand_half(operand)),
        }
    }
}

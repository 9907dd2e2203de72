//! Locals, globals, constants, and choices between operands.

use super::Translator;
use crate::instance::{Constant, GlobalPlace, Initial, Instance, reference, word};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use wasmparser::Operator;

impl Translator<'_, '_> {
    pub(super) fn variable(&mut self, operator: &Operator<'_>) -> bool {
        match *operator {
            Operator::LocalGet { local_index } => {
                let value = self.builder.use_var(self.locals[local_index as usize]);
                self.push(value);
            }
            Operator::LocalSet { local_index } => {
                let value = self.pop();
                self.builder.def_var(self.locals[local_index as usize], value);
            }
            Operator::LocalTee { local_index } => {
                let value = *self.stack.last().expect("the body is valid");
                self.builder.def_var(self.locals[local_index as usize], value);
            }
            Operator::GlobalGet { global_index } => self.global_get(global_index),
            Operator::GlobalSet { global_index } => {
                let value = self.pop();
                let GlobalPlace::Cell(cell) = self.instance.globals[global_index as usize] else {
                    unreachable!("what is set has a cell")
                };
                self.checks.effect();
                let at = self.absolute();
                self.builder.ins().store(self.regions.globals, value, at, cell as i32);
            }
            Operator::I32Const { value } => self.push_constant(I32, i64::from(value)),
            Operator::I64Const { value } => self.push_constant(I64, value),
            Operator::F32Const { value } => self.push_constant(I32, i64::from(value.bits() as i32)),
            Operator::F64Const { value } => self.push_constant(I64, value.bits() as i64),
            Operator::Drop => {
                self.pop();
            }
            Operator::Select | Operator::TypedSelect { .. } => {
                let condition = self.pop_condition();
                let (chosen, other) = self.pop_pair();
                let value = self.builder.ins().select(condition, chosen, other);
                self.push(value);
            }
            _ => return false,
        }
        true
    }

    fn push_constant(&mut self, ty: cranelift_codegen::ir::Type, value: i64) {
        // Constants of 32 bits are written zero-extended.
        let bits = if ty == I32 { i64::from(value as u32) } else { value };
        let value = self.builder.ins().iconst(ty, bits);
        self.push(value);
    }

    fn global_get(&mut self, global: u32) {
        let ty = word(self.instance.module.globals[global as usize].ty.content_type);
        match self.instance.globals[global as usize] {
            GlobalPlace::Constant(Initial::Bits(bits)) => self.push_constant(ty, bits as i64),
            GlobalPlace::Constant(initial) => {
                let value = reference(&mut self.builder, self.functions, initial);
                self.push(value);
            }
            GlobalPlace::Cell(cell) => {
                let at = self.absolute();
                let value = self.builder.ins().load(ty, self.regions.globals, at, cell as i32);
                self.push(value);
            }
        }
    }

    /// The base of accesses to places that are known: the whole address is in the offset.
    pub(super) fn absolute(&mut self) -> Value {
        self.builder.ins().iconst(I64, 0)
    }
}

impl Instance<'_> {
    /// The value of a constant expression of the module.
    pub fn evaluate(&self, constant: Constant) -> Initial {
        match constant {
            Constant::Bits(bits) => Initial::Bits(bits),
            Constant::Function(function) => self.reference_to(function),
            Constant::Global(global) => match self.globals[global as usize] {
                GlobalPlace::Constant(initial) => initial,
                GlobalPlace::Cell(_) => unreachable!("constant expressions read what never changes"),
            },
        }
    }
}

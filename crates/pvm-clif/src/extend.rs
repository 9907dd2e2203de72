//! Values of 32 bits as values of 64, and back.

use crate::{alu, constant, idioms};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{DataFlowGraph, InstBuilder, InstructionData, Opcode, Value};
use cranelift_frontend::FunctionBuilder;

/// The sign extension of 32 bits to 64. Of what is never negative it is the zero extension, which takes no instruction on many
/// hosts.
pub fn sign_extend(builder: &mut FunctionBuilder<'_>, half: Value) -> Value {
    if let Some(narrower) = zero_extended(&builder.func.dfg, half) {
        return builder.ins().uextend(I64, narrower);
    }
    let dfg = &builder.func.dfg;
    let is_natural = dfg.value_def(half).inst().is_some_and(|inst| match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Ushr, args: [_, by] } => {
            constant(builder, by).is_some_and(|by| by % 32 != 0)
        }
        InstructionData::Binary { opcode: Opcode::Band, args } => {
            args.iter().any(|&arg| constant(builder, arg).is_some_and(|mask| mask as i32 >= 0))
        }
        _ => false,
    });
    if is_natural { builder.ins().uextend(I64, half) } else { builder.ins().sextend(I64, half) }
}

/// The zero extension of 32 bits to 64, and the 32 bits.
pub fn zero_extend(builder: &mut FunctionBuilder<'_>, half: Value) -> (Value, Value) {
    match zero_extended(&builder.func.dfg, half) {
        // One extension rather than two.
        Some(narrower) => {
            let value = builder.ins().uextend(I64, narrower);
            (value, builder.ins().ireduce(I32, value))
        }
        None => (builder.ins().uextend(I64, half), half),
    }
}

/// What a value is the zero extension of.
fn zero_extended(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => Some(arg),
        _ => None,
    }
}

/// A value with the low half of this one, if that is a sign extension, which takes an instruction: addresses have no more than that
/// half.
pub fn unextended(builder: &mut FunctionBuilder<'_>, value: Value) -> Option<Value> {
    let (Opcode::Sextend, half) = extension_of(&builder.func.dfg, value)? else { return None };
    let dfg = &builder.func.dfg;
    match dfg.value_def(half).inst().map(|inst| dfg.insts[inst]) {
        Some(InstructionData::Unary { opcode: Opcode::Ireduce, arg }) if dfg.value_type(arg) == I64 => Some(arg),
        _ => Some(builder.ins().uextend(I64, half)),
    }
}

/// The value, extended anew if its sign is: elsewhere only the half need be kept for that.
pub fn extended_here(builder: &mut FunctionBuilder<'_>, value: Value) -> Value {
    match extension_of(&builder.func.dfg, value) {
        Some((Opcode::Sextend, half)) => builder.ins().sextend(I64, half),
        _ => value,
    }
}

/// The value, made anew if that is an extension or what a comparison says: elsewhere only what it is made of need be kept for it.
/// `None` for other values.
pub fn made_here(builder: &mut FunctionBuilder<'_>, value: Value) -> Option<Value> {
    let dfg = &builder.func.dfg;
    if let Some(flag) = idioms::comparison(dfg, value)
        && let InstructionData::IntCompare { cond, args: [a, b], .. } = dfg.insts[dfg.value_def(flag).inst()?]
    {
        let ty = dfg.value_type(value);
        return Some(alu::set(builder, cond, a, b, ty));
    }
    match extension_of(dfg, value)? {
        (Opcode::Sextend, half) => Some(builder.ins().sextend(I64, half)),
        _ => None,
    }
}

/// How a value extends 32 bits, and these.
pub(crate) fn extension_of(dfg: &DataFlowGraph, value: Value) -> Option<(Opcode, Value)> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Unary { opcode: opcode @ (Opcode::Sextend | Opcode::Uextend), arg }
            if dfg.value_type(arg) == I32 =>
        {
            Some((opcode, arg))
        }
        _ => None,
    }
}

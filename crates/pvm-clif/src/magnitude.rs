//! How large a value can be, as far as the instructions say that make it.

use crate::constant;
use cranelift_codegen::ir::{InstructionData, Opcode, Value};
use cranelift_frontend::FunctionBuilder;

/// How many instructions in a row are looked at.
const DEPTH: u32 = 6;

/// A number of bits, such that the value, as a signed number, is at least -2^bits and less than 2^bits.
pub fn magnitude(builder: &FunctionBuilder<'_>, value: Value) -> u32 {
    within(builder, value, DEPTH)
}

fn within(builder: &FunctionBuilder<'_>, value: Value, depth: u32) -> u32 {
    let most = builder.func.dfg.value_type(value).bits() - 1;
    let known = if depth == 0 { None } else { of_result(builder, value, depth - 1) };
    // A result that would take more has wrapped.
    known.map_or(most, |bits| bits.min(most))
}

fn of_result(builder: &FunctionBuilder<'_>, value: Value, depth: u32) -> Option<u32> {
    let dfg = &builder.func.dfg;
    let ty = dfg.value_type(value).bits();
    let of = |value| within(builder, value, depth);
    let amount = |by| Some(constant(builder, by)? as u32 % ty);
    Some(match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
            let imm = imm.bits();
            64 - (imm ^ (imm >> 63)).leading_zeros()
        }
        InstructionData::Load { opcode, .. } => match opcode {
            Opcode::Uload8 => 8,
            Opcode::Sload8 => 7,
            Opcode::Uload16 => 16,
            Opcode::Sload16 => 15,
            Opcode::Uload32 => 32,
            Opcode::Sload32 => 31,
            _ => return None,
        },
        InstructionData::Unary { opcode, arg } => match opcode {
            Opcode::Uextend => dfg.value_type(arg).bits(),
            Opcode::Sextend | Opcode::Ireduce => of(arg),
            Opcode::Popcnt | Opcode::Clz | Opcode::Ctz => 7,
            _ => return None,
        },
        InstructionData::Binary { opcode, args: [a, b] } => match opcode {
            Opcode::Iadd | Opcode::Isub => of(a).max(of(b)) + 1,
            // Two that are as far below zero as can be make twice what others can.
            Opcode::Imul => of(a) + of(b) + 1,
            Opcode::Ishl => of(a) + amount(b)?,
            Opcode::Ushr => match amount(b)? {
                0 => of(a),
                by => ty - by,
            },
            Opcode::Sshr => of(a).saturating_sub(amount(b)?),
            Opcode::Band => {
                let mask = [a, b].into_iter().filter_map(|arg| constant(builder, arg)).find(|&mask| mask >= 0);
                mask.map_or_else(|| of(a).max(of(b)), |mask| 64 - mask.leading_zeros())
            }
            Opcode::Bor | Opcode::Bxor | Opcode::Smin | Opcode::Smax | Opcode::Umin | Opcode::Umax => of(a).max(of(b)),
            _ => return None,
        },
        InstructionData::Ternary { opcode: Opcode::Select, args: [_, a, b] } => of(a).max(of(b)),
        _ => return None,
    })
}

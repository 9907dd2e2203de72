//! Arithmetic, logic and comparisons.
//!
//! Operations are of the width of their operands, 32 or 64 bits.

use crate::division::division;
use crate::{constant, idioms};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16};
use cranelift_codegen::ir::{BlockArg, InstBuilder, InstructionData, Opcode, Type, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::{BinaryOp, Cond, UnaryOp};

/// `op(a, b)`.
pub fn binary(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Value {
    let ty = builder.func.dfg.value_type(a);
    match op {
        BinaryOp::Add => idioms::sum(builder, a, b),
        BinaryOp::Sub => builder.ins().isub(a, b),
        BinaryOp::Mul => builder.ins().imul(a, b),
        BinaryOp::MulHighSS | BinaryOp::MulHighUU | BinaryOp::MulHighSU => multiply_high(builder, op, ty, a, b),
        BinaryOp::DivU | BinaryOp::DivS | BinaryOp::RemU | BinaryOp::RemS => division(builder, op, ty, a, b),
        BinaryOp::And => match constant(builder, b) {
            // A move of what stays, where others take one and then clear the rest.
            Some(0xff) => low_bits(builder, I8, ty, a),
            Some(0xffff) => low_bits(builder, I16, ty, a),
            _ => builder.ins().band(a, b),
        },
        BinaryOp::Or => builder.ins().bor(a, b),
        BinaryOp::Xor => builder.ins().bxor(a, b),
        BinaryOp::AndInv => builder.ins().band_not(a, b),
        BinaryOp::OrInv => builder.ins().bor_not(a, b),
        BinaryOp::Xnor => builder.ins().bxor_not(a, b),
        // Cranelift takes shift amounts modulo the width, as guests do.
        BinaryOp::Shl => builder.ins().ishl(a, b),
        BinaryOp::ShrU => builder.ins().ushr(a, b),
        BinaryOp::ShrS => builder.ins().sshr(a, b),
        BinaryOp::RotL => builder.ins().rotl(a, b),
        BinaryOp::RotR => builder.ins().rotr(a, b),
        BinaryOp::MinS => builder.ins().smin(a, b),
        BinaryOp::MinU => builder.ins().umin(a, b),
        BinaryOp::MaxS => idioms::absolute(builder, a, b)
            .or_else(|| idioms::absolute(builder, b, a))
            .unwrap_or_else(|| builder.ins().smax(a, b)),
        BinaryOp::MaxU => builder.ins().umax(a, b),
        BinaryOp::SetLtS => set(builder, IntCC::SignedLessThan, a, b, ty),
        BinaryOp::SetLtU => set(builder, IntCC::UnsignedLessThan, a, b, ty),
    }
}

/// `op(a)`.
pub fn unary(builder: &mut FunctionBuilder<'_>, op: UnaryOp, a: Value) -> Value {
    let ty = builder.func.dfg.value_type(a);
    match op {
        UnaryOp::Move => a,
        UnaryOp::CountOnes => builder.ins().popcnt(a),
        UnaryOp::LeadingZeros => builder.ins().clz(a),
        UnaryOp::TrailingZeros => builder.ins().ctz(a),
        UnaryOp::SignExtend8 => {
            let low = builder.ins().ireduce(I8, a);
            builder.ins().sextend(ty, low)
        }
        UnaryOp::SignExtend16 => {
            let low = builder.ins().ireduce(I16, a);
            builder.ins().sextend(ty, low)
        }
        UnaryOp::ZeroExtend16 => {
            let low = builder.ins().ireduce(I16, a);
            builder.ins().uextend(ty, low)
        }
        UnaryOp::ReverseBytes => builder.ins().bswap(a),
    }
}

/// Whether `a` stands in the relation to `b`: not zero if so.
pub fn condition(builder: &mut FunctionBuilder<'_>, cond: Cond, a: Value, b: Value) -> Value {
    let cc = match cond {
        Cond::Eq => IntCC::Equal,
        Cond::Ne => IntCC::NotEqual,
        Cond::LtU => IntCC::UnsignedLessThan,
        Cond::LeU => IntCC::UnsignedLessThanOrEqual,
        Cond::GeU => IntCC::UnsignedGreaterThanOrEqual,
        Cond::GtU => IntCC::UnsignedGreaterThan,
        Cond::LtS => IntCC::SignedLessThan,
        Cond::LeS => IntCC::SignedLessThanOrEqual,
        Cond::GeS => IntCC::SignedGreaterThanOrEqual,
        Cond::GtS => IntCC::SignedGreaterThan,
    };
    builder.ins().icmp(cc, a, b)
}

/// `if test != 0 { a } else { b }`, by a branch: where it is foreseen, what comes after waits for neither `test` nor the other value.
pub fn choose_by_branch(builder: &mut FunctionBuilder<'_>, test: Value, a: Value, b: Value) -> Value {
    let join = builder.create_block();
    let result = builder.append_block_param(join, builder.func.dfg.value_type(a));
    builder.ins().brif(test, join, &[BlockArg::Value(a)], join, &[BlockArg::Value(b)]);
    builder.seal_block(join);
    builder.switch_to_block(join);
    result
}

/// `if test != 0 { a } else { b }`, by a conditional move: where a comparison decides, or one of two, by these, so that none need be made a
/// value.
pub fn choose(builder: &mut FunctionBuilder<'_>, test: Value, a: Value, b: Value) -> Value {
    let dfg = &builder.func.dfg;
    let either = dfg.value_def(test).inst().and_then(|inst| match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Bor, args } => {
            idioms::comparison(dfg, args[0]).zip(idioms::comparison(dfg, args[1]))
        }
        _ => None,
    });
    match either {
        Some((first, second)) => {
            let b = builder.ins().select(second, a, b);
            builder.ins().select(first, a, b)
        }
        None => {
            let test = idioms::comparison(dfg, test).unwrap_or(test);
            builder.ins().select(test, a, b)
        }
    }
}

/// The same value, but another one to the register allocator: on x86-64 the machine code is a `lea`, which costs what a move does.
pub fn copy(builder: &mut FunctionBuilder<'_>, value: Value) -> Value {
    builder.ins().iadd_imm_s(value, 0)
}

/// The factors of a product of which more than the low half is wanted, in the order in which Cranelift is to have them.
///
/// x86-64 takes the first one from RDX, and to the register allocator that is where the value should be in all places. So that is one that
/// is a constant, or a copy.
pub fn factors(builder: &mut FunctionBuilder<'_>, a: Value, b: Value) -> [Value; 2] {
    if cfg!(not(target_arch = "x86_64")) || a == b || constant(builder, a).is_some() {
        [a, b]
    } else if constant(builder, b).is_some() {
        [b, a]
    } else {
        [copy(builder, a), b]
    }
}

fn low_bits(builder: &mut FunctionBuilder<'_>, bits: Type, ty: Type, value: Value) -> Value {
    let low = builder.ins().ireduce(bits, value);
    builder.ins().uextend(ty, low)
}

/// Whether a comparison holds, as zero or one of this type.
pub fn set(builder: &mut FunctionBuilder<'_>, cc: IntCC, a: Value, b: Value, ty: Type) -> Value {
    let flag = builder.ins().icmp(cc, a, b);
    builder.ins().uextend(ty, flag)
}

fn multiply_high(builder: &mut FunctionBuilder<'_>, op: BinaryOp, ty: Type, a: Value, b: Value) -> Value {
    match op {
        BinaryOp::MulHighSS => builder.ins().smulhi(a, b),
        BinaryOp::MulHighUU => {
            let [a, b] = factors(builder, a, b);
            builder.ins().umulhi(a, b)
        }
        // Read as unsigned, a negative a is 2^n too large, which adds b to the high half.
        _ => {
            let high = multiply_high(builder, BinaryOp::MulHighUU, ty, a, b);
            let sign = builder.ins().sshr_imm_u(a, i64::from(ty.bits()) - 1);
            let excess = builder.ins().band(sign, b);
            builder.ins().isub(high, excess)
        }
    }
}

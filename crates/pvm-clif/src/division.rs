//! Division.
//!
//! Cranelift's division traps where guests do not: a divisor of zero, and the least number divided by minus one. Both are rare,
//! so a branch leads to what guests have there; to choose between results by moves would make each division wait for them.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{BlockArg, InstBuilder, Type, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::BinaryOp;

/// Whether the host divides numbers of 32 bits so much faster than those of 64 that it pays to look whether they are small.
/// So it does on x86-64: in 12 instead of 18 cycles on a recent processor, in 26 instead of up to 90 on older ones.
const LOOKS_FOR_SMALL: bool = cfg!(target_arch = "x86_64");

/// The quotient or remainder of two values of this type.
pub(crate) fn division(builder: &mut FunctionBuilder<'_>, op: BinaryOp, ty: Type, a: Value, b: Value) -> Value {
    let (special, regular, join) = (builder.create_block(), builder.create_block(), builder.create_block());
    let result = builder.append_block_param(join, ty);
    builder.set_cold_block(special);
    let is_special = if is_signed(op) {
        let next = builder.ins().iadd_imm_s(b, 1);
        builder.ins().icmp_imm_u(IntCC::UnsignedLessThanOrEqual, next, 1)
    } else {
        builder.ins().icmp_imm_u(IntCC::Equal, b, 0)
    };
    builder.ins().brif(is_special, special, &[], regular, &[]);
    builder.seal_block(special);
    builder.seal_block(regular);

    builder.switch_to_block(regular);
    if LOOKS_FOR_SMALL && ty == I64 {
        let (small, large) = (builder.create_block(), builder.create_block());
        let both = builder.ins().bor(a, b);
        let upper = builder.ins().ushr_imm_u(both, 32);
        builder.ins().brif(upper, large, &[], small, &[]);
        builder.seal_block(small);
        builder.seal_block(large);
        builder.switch_to_block(small);
        let (a, b) = (builder.ins().ireduce(I32, a), builder.ins().ireduce(I32, b));
        let half = match is_remainder(op) {
            true => builder.ins().urem(a, b),
            false => builder.ins().udiv(a, b),
        };
        let whole = builder.ins().uextend(I64, half);
        builder.ins().jump(join, &[BlockArg::Value(whole)]);
        builder.switch_to_block(large);
    }
    let value = match op {
        BinaryOp::DivU => builder.ins().udiv(a, b),
        BinaryOp::DivS => builder.ins().sdiv(a, b),
        BinaryOp::RemU => builder.ins().urem(a, b),
        _ => builder.ins().srem(a, b),
    };
    builder.ins().jump(join, &[BlockArg::Value(value)]);

    builder.switch_to_block(special);
    let value = special_result(builder, op, ty, a, b);
    builder.ins().jump(join, &[BlockArg::Value(value)]);
    builder.seal_block(join);
    builder.switch_to_block(join);
    result
}

fn is_signed(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::DivS | BinaryOp::RemS)
}

fn is_remainder(op: BinaryOp) -> bool {
    matches!(op, BinaryOp::RemU | BinaryOp::RemS)
}

/// By zero, the quotient is all ones and the remainder is the dividend. Signed by minus one, the quotient is the negated dividend, of which
/// the least number is its own, and nothing remains.
fn special_result(builder: &mut FunctionBuilder<'_>, op: BinaryOp, ty: Type, a: Value, b: Value) -> Value {
    let zero = builder.ins().iconst(ty, 0);
    let (by_zero, by_minus_one) = match is_remainder(op) {
        true => (a, zero),
        false => (builder.ins().bnot(zero), builder.ins().ineg(a)),
    };
    match is_signed(op) {
        true => builder.ins().select(b, by_minus_one, by_zero),
        false => by_zero,
    }
}

//! Arithmetic, logic and comparisons.
//!
//! Operations are of the width of their operands, 32 or 64 bits.

use crate::constant;
use crate::division::division;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{BlockArg, DataFlowGraph, InstBuilder, InstructionData, Opcode, Type, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::{BinaryOp, Cond, UnaryOp};

/// `op(a, b)`.
pub fn binary(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Value {
    let ty = builder.func.dfg.value_type(a);
    match op {
        BinaryOp::Add => sum(builder, a, b),
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
        BinaryOp::MaxS => {
            absolute(builder, a, b).or_else(|| absolute(builder, b, a)).unwrap_or_else(|| builder.ins().smax(a, b))
        }
        BinaryOp::MaxU => builder.ins().umax(a, b),
        BinaryOp::SetLtS => set(builder, IntCC::SignedLessThan, a, b, ty),
        BinaryOp::SetLtU => set(builder, IntCC::UnsignedLessThan, a, b, ty),
    }
}

/// A sum. Where one constant is added and then another, both are added at once: Cranelift does so as well, but with one of the two in a
/// register.
fn sum(builder: &mut FunctionBuilder<'_>, a: Value, b: Value) -> Value {
    let dfg = &builder.func.dfg;
    let former = dfg.value_def(a).inst().and_then(|inst| match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Iadd, args: [of, first] } => Some((of, constant(builder, first)?)),
        _ => None,
    });
    let at_once = former.zip(constant(builder, b)).and_then(|((of, first), second)| {
        let both = i32::try_from(first.wrapping_add(second)).ok()?;
        Some((of, i64::from(both)))
    });
    match at_once {
        Some((of, both)) => builder.ins().iadd_imm_s(of, both),
        None => builder.ins().iadd(a, b),
    }
}

/// Accesses shift an index by so many bits at most.
const MOST_SCALE: i64 = 3;

/// What joins the two parts of a value, shifted one way and the other, as one rotation, and parts of two values as a sum; `None` if
/// that is not what it does. Guests without rotations make them so, and those of 32 bits shift pairs of registers like that.
///
/// No bit is in both parts. Of what joins them by `or` Cranelift makes a `shld` on x86-64, which is slow on many processors.
pub fn joined(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    if !matches!(op, BinaryOp::Or | BinaryOp::Xor | BinaryOp::Add) {
        return None;
    }
    if op == BinaryOp::Or
        && let Some((value, by)) = rotated(builder, a, b).or_else(|| rotated(builder, b, a))
    {
        return Some(builder.ins().rotl(value, by));
    }
    let (first, second) = (Shift::of(builder, a)?, Shift::of(builder, b)?);
    let (left, right) = if first.opcode == Opcode::Ishl { (first, second) } else { (second, first) };
    let bits = i64::from(builder.func.dfg.value_type(left.value).bits());
    let is_joined = (left.opcode, right.opcode) == (Opcode::Ishl, Opcode::Ushr)
        && (1..bits).contains(&left.amount)
        && left.amount.wrapping_add(right.amount) == bits;
    match op {
        _ if !is_joined => None,
        _ if left.of == right.of => Some(builder.ins().rotl_imm_u(left.value, left.amount)),
        BinaryOp::Or => Some(builder.ins().iadd(a, b)),
        _ => None,
    }
}

/// What two shifts rotate together, and by how many bits to the left: the second shifts to the right by as many bits as the first does not
/// shift to the left. By none at all both leave the value as it is, as a rotation does.
fn rotated(builder: &FunctionBuilder<'_>, left: Value, right: Value) -> Option<(Value, Value)> {
    let dfg = &builder.func.dfg;
    let operands = |value: Value, wanted: Opcode| match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Binary { opcode, args } if opcode == wanted => Some(args),
        _ => None,
    };
    let [value, by] = operands(left, Opcode::Ishl)?;
    let [same, rest] = operands(right, Opcode::Ushr)?;
    let [all, taken] = operands(low_part(dfg, rest), Opcode::Isub)?;
    let is_rest = constant(builder, all)? % i64::from(dfg.value_type(value).bits()) == 0
        && low_part(dfg, taken) == low_part(dfg, by)
        && is_same(dfg, value, same);
    is_rest.then_some((value, by))
}

/// The greater of a value and its opposite, for which neither is compared with the other; `None` if the other is none.
fn absolute(builder: &mut FunctionBuilder<'_>, value: Value, other: Value) -> Option<Value> {
    let dfg = &builder.func.dfg;
    let InstructionData::Binary { opcode: Opcode::Isub, args: [zero, of] } = dfg.insts[dfg.value_def(other).inst()?]
    else {
        return None;
    };
    (constant(builder, zero) == Some(0) && is_same(dfg, of, value)).then(|| {
        let is_negative = builder.ins().icmp_imm_s(IntCC::SignedLessThan, value, 0);
        builder.ins().select(is_negative, other, value)
    })
}

/// Whether two values are the same, or low halves of the same.
fn is_same(dfg: &DataFlowGraph, a: Value, b: Value) -> bool {
    a == b || reduced(dfg, a).is_some_and(|of| reduced(dfg, b) == Some(of))
}

/// What a value is the low half of.
fn reduced(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Unary { opcode: Opcode::Ireduce, arg } => Some(arg),
        _ => None,
    }
}

/// A value with the same lower bits, eight at least, that was reduced or extended to this one.
fn low_part(dfg: &DataFlowGraph, mut value: Value) -> Value {
    while let Some(inst) = dfg.value_def(value).inst()
        && let InstructionData::Unary { opcode: Opcode::Ireduce | Opcode::Uextend | Opcode::Sextend, arg } =
            dfg.insts[inst]
    {
        value = arg;
    }
    value
}

/// What clears the upper bits of a value, or has them repeat its sign, by two shifts: one operation, if there is one for that; `None`
/// if that is not what the second shift does. Guests without extensions make them so. One that shifts less to the right than to the
/// left scales the result, as an index of 32 bits: up to three bits less, which is what accesses do by themselves.
pub fn extension(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    let Shift { opcode: Opcode::Ishl, of, amount, .. } = Shift::of(builder, a)? else { return None };
    // Guests may have any number in the register that says how far.
    let scale = amount.wrapping_sub(constant(builder, b)?);
    let whole = builder.func.dfg.value_type(a);
    let part = match i64::from(whole.bits()).wrapping_sub(amount) {
        8 => I8,
        16 => I16,
        32 if whole == I64 => I32,
        _ => return None,
    };
    let extend = match op {
        BinaryOp::ShrU if scale == 0 || whole == I64 && (1..=MOST_SCALE).contains(&scale) => InstBuilder::uextend,
        BinaryOp::ShrS if scale == 0 => InstBuilder::sextend,
        _ => return None,
    };
    let part = match extension_of(&builder.func.dfg, of) {
        Some((_, half)) if part == I32 => half,
        _ => builder.ins().ireduce(part, of),
    };
    let value = extend(builder.ins(), whole, part);
    Some(if scale == 0 { value } else { builder.ins().ishl_imm_u(value, scale) })
}

/// The value that another one is, shifted to the left by as many bits as an access can do that, and how many these are.
pub fn scaled(builder: &FunctionBuilder<'_>, value: Value) -> Option<(Value, i32)> {
    let Shift { opcode, value, amount, .. } = Shift::of(builder, value)?;
    (opcode == Opcode::Ishl && (1..=MOST_SCALE).contains(&amount)).then_some((value, amount as i32))
}

/// How a value extends 32 bits, and these.
fn extension_of(dfg: &DataFlowGraph, value: Value) -> Option<(Opcode, Value)> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Unary { opcode: opcode @ (Opcode::Sextend | Opcode::Uextend), arg }
            if dfg.value_type(arg) == I32 =>
        {
            Some((opcode, arg))
        }
        _ => None,
    }
}

/// A value shifted by a constant.
struct Shift {
    opcode: Opcode,
    value: Value,
    /// What the value is a part of.
    of: Value,
    amount: i64,
}

impl Shift {
    fn of(builder: &FunctionBuilder<'_>, value: Value) -> Option<Shift> {
        let dfg = &builder.func.dfg;
        let InstructionData::Binary { opcode, args: [value, amount] } = dfg.insts[dfg.value_def(value).inst()?] else {
            return None;
        };
        let (opcode, amount) = match opcode {
            Opcode::Iadd if value == amount => (Opcode::Ishl, 1),
            _ => (opcode, constant(builder, amount)?),
        };
        Some(Shift { opcode, value, of: reduced(dfg, value).unwrap_or(value), amount })
    }
}

/// The sign extension of 32 bits to 64. Of what is never negative it is the zero extension, which takes no instruction on many
/// hosts.
pub fn sign_extend(builder: &mut FunctionBuilder<'_>, half: Value) -> Value {
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

/// The zero extension of 32 bits to 64, and the 32 bits.
pub fn zero_extend(builder: &mut FunctionBuilder<'_>, half: Value) -> (Value, Value) {
    let dfg = &builder.func.dfg;
    let narrower = dfg.value_def(half).inst().and_then(|inst| match dfg.insts[inst] {
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => Some(arg),
        _ => None,
    });
    match narrower {
        // One extension rather than two.
        Some(narrower) => {
            let value = builder.ins().uextend(I64, narrower);
            (value, builder.ins().ireduce(I32, value))
        }
        None => (builder.ins().uextend(I64, half), half),
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

/// `if test != 0 { a } else { b }`, by a conditional move: where one of two comparisons decides, by each of them, so that neither need be
/// made a value.
pub fn choose(builder: &mut FunctionBuilder<'_>, test: Value, a: Value, b: Value) -> Value {
    let dfg = &builder.func.dfg;
    let either = dfg.value_def(test).inst().and_then(|inst| match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Bor, args } => comparison(dfg, args[0]).zip(comparison(dfg, args[1])),
        _ => None,
    });
    match either {
        Some((first, second)) => {
            let b = builder.ins().select(second, a, b);
            builder.ins().select(first, a, b)
        }
        None => builder.ins().select(test, a, b),
    }
}

/// What is better made in another way where the result takes the place of `a`; `None` if `op(a, b)` is nothing like that.
pub fn in_place(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    // A shift Cranelift makes part of additions to it as well, for which the former value would be kept beside the new one.
    let is_doubled = op == BinaryOp::Shl && constant(builder, b) == Some(1);
    if is_doubled { Some(builder.ins().iadd(a, a)) } else { inverted(builder, op, a, b) }
}

/// The truth value of a comparison, inverted: that of the opposite comparison; `None` if that is not what it does. Guests that know `<` only
/// make `>=` of it so.
fn inverted(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    let is_inversion = op == BinaryOp::Xor && constant(builder, b) == Some(1);
    let dfg = &builder.func.dfg;
    let flag = comparison(dfg, a).filter(|_| is_inversion)?;
    let InstructionData::IntCompare { cond, args: [first, second], .. } = dfg.insts[dfg.value_def(flag).inst()?] else {
        return None;
    };
    let ty = dfg.value_type(a);
    Some(set(builder, cond.complement(), first, second, ty))
}

/// The flag that a value is, zero-extended, if that is what a comparison says.
fn comparison(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => {
            matches!(dfg.insts[dfg.value_def(arg).inst()?], InstructionData::IntCompare { .. }).then_some(arg)
        }
        _ => None,
    }
}

/// What corrects a value by another one or not at all, as a comparison of the value itself says: sum or difference are made while that
/// decides, and one of the two is chosen; `None` if that is not what it does. Guests without such a choice add what was chosen, or zero.
pub fn corrected(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
    match op {
        BinaryOp::Add => correction(builder, op, a, b).or_else(|| correction(builder, op, b, a)),
        BinaryOp::Sub => correction(builder, op, a, b),
        _ => None,
    }
}

fn correction(builder: &mut FunctionBuilder<'_>, op: BinaryOp, value: Value, by: Value) -> Option<Value> {
    let (test, [chosen, other]) = selected(&builder.func.dfg, by)?;
    let is_zero = |value| constant(builder, value) == Some(0);
    let amount = match selected(&builder.func.dfg, other) {
        // By either of two comparisons.
        Some((_, [second, other])) if second == chosen && is_zero(other) => chosen,
        _ if is_zero(other) => chosen,
        _ if is_zero(chosen) => other,
        _ => return None,
    };
    if !is_decided_by(&builder.func.dfg, test, value) {
        return None;
    }
    let corrected = binary(builder, op, value, amount);
    Some(match selected(&builder.func.dfg, other) {
        Some((second, _)) if amount == chosen => {
            let other = builder.ins().select(second, corrected, value);
            builder.ins().select(test, corrected, other)
        }
        _ if amount == chosen => builder.ins().select(test, corrected, value),
        _ => builder.ins().select(test, value, corrected),
    })
}

/// What decides which of two values a value is, and these two.
fn selected(dfg: &DataFlowGraph, value: Value) -> Option<(Value, [Value; 2])> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Ternary { opcode: Opcode::Select, args: [test, a, b] } => Some((test, [a, b])),
        _ => None,
    }
}

/// Whether a truth value comes of a comparison with this value, or of the two of which it is the difference.
fn is_decided_by(dfg: &DataFlowGraph, test: Value, value: Value) -> bool {
    let difference = dfg.value_def(value).inst().and_then(|inst| match dfg.insts[inst] {
        InstructionData::Binary { opcode: Opcode::Isub, args } => Some(args),
        _ => None,
    });
    dfg.value_def(test).inst().is_some_and(|inst| match dfg.insts[inst] {
        InstructionData::IntCompare { args, .. } => args.contains(&value) || difference == Some(args),
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => is_decided_by(dfg, arg, value),
        _ => false,
    })
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

fn set(builder: &mut FunctionBuilder<'_>, cc: IntCC, a: Value, b: Value, ty: Type) -> Value {
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

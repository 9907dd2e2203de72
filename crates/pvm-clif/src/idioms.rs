//! What guests write with several instructions, and one or fewer do: rotations, extensions, corrections and the like.
//!
//! A function here looks at the instructions that made the operands of the last one, and makes that one otherwise. The others stay, and are
//! no machine code if nobody wants their results.

use crate::alu::{binary, set};
use crate::constant;
use crate::extend::extension_of;
use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::types::{I8, I16, I32, I64, I128};
use cranelift_codegen::ir::{DataFlowGraph, InstBuilder, InstructionData, Opcode, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::BinaryOp;

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
    let [value, by] = operands(dfg, Opcode::Ishl, left)?;
    let [same, rest] = operands(dfg, Opcode::Ushr, right)?;
    let [all, taken] = operands(dfg, Opcode::Isub, low_part(dfg, rest))?;
    let is_rest = constant(builder, all)? % i64::from(dfg.value_type(value).bits()) == 0
        && low_part(dfg, taken) == low_part(dfg, by)
        && is_same(dfg, value, same);
    is_rest.then_some((value, by))
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

/// Accesses shift an index by so many bits at most.
const MOST_SCALE: i64 = 3;

/// The value that another one is, shifted to the left by as many bits as an access can do that, and how many these are.
pub fn scaled(builder: &FunctionBuilder<'_>, value: Value) -> Option<(Value, i32)> {
    let Shift { opcode, value, amount, .. } = Shift::of(builder, value)?;
    (opcode == Opcode::Ishl && (1..=MOST_SCALE).contains(&amount)).then_some((value, amount as i32))
}

/// A sum. Where one constant is added and then another, both are added at once: Cranelift does so as well, but with one of the two in a
/// register.
pub(crate) fn sum(builder: &mut FunctionBuilder<'_>, a: Value, b: Value) -> Value {
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

/// The greater of a value and its opposite, for which neither is compared with the other; `None` if the other is none.
pub(crate) fn absolute(builder: &mut FunctionBuilder<'_>, value: Value, other: Value) -> Option<Value> {
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
pub(crate) fn comparison(dfg: &DataFlowGraph, value: Value) -> Option<Value> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Unary { opcode: Opcode::Uextend, arg } => {
            matches!(dfg.insts[dfg.value_def(arg).inst()?], InstructionData::IntCompare { .. }).then_some(arg)
        }
        _ => None,
    }
}

/// A sum or difference of 64 bits that carries or borrows where a comparison holds.
#[derive(Clone, Copy, Debug)]
pub struct Carry {
    op: BinaryOp,
    /// Of a sum, the carry is whether it is less than the second of these.
    pub operands: [Value; 2],
}

impl Carry {
    /// What carries or borrows if a value, zero-extended, is what that comparison says: guests without flags compare a sum with what
    /// was added, and what they subtract from with what they subtract.
    pub fn of(builder: &FunctionBuilder<'_>, op: BinaryOp, value: Value) -> Option<Carry> {
        let dfg = &builder.func.dfg;
        let InstructionData::IntCompare { cond: IntCC::UnsignedLessThan, args: [a, b], .. } =
            dfg.insts[dfg.value_def(comparison(dfg, value)?).inst()?]
        else {
            return None;
        };
        let operands = match op {
            BinaryOp::Add => match operands(dfg, Opcode::Iadd, a)? {
                [other, added] | [added, other] if added == b => [other, added],
                _ => return None,
            },
            BinaryOp::Sub => [a, b],
            _ => return None,
        };
        (dfg.value_type(a) == I64).then_some(Carry { op, operands })
    }

    /// Whether a value is the sum or difference.
    pub fn is_low(&self, builder: &FunctionBuilder<'_>, value: Value) -> bool {
        let found = operands(&builder.func.dfg, self.opcode(), value);
        found.is_some_and(|[a, b]| [a, b] == self.operands || self.op == BinaryOp::Add && [b, a] == self.operands)
    }

    /// The sum or difference, and what becomes of another one of values above it: hosts have instructions that make the two together.
    /// `high` is that other one, or made only for this, as `is_made_here` says.
    pub fn together(&self, builder: &mut FunctionBuilder<'_>, high: Value, is_made_here: bool) -> (Value, Value) {
        let highs = operands(&builder.func.dfg, self.opcode(), high).filter(|_| is_made_here);
        let [low, other] = self.operands;
        let [first, second] = match highs {
            Some([first, second]) => [builder.ins().iconcat(low, first), builder.ins().iconcat(other, second)],
            None => [builder.ins().iconcat(low, high), builder.ins().uextend(I128, other)],
        };
        let both = binary(builder, self.op, first, second);
        builder.ins().isplit(both)
    }

    fn opcode(&self) -> Opcode {
        if self.op == BinaryOp::Add { Opcode::Iadd } else { Opcode::Isub }
    }
}

/// What an instruction makes a value of.
fn operands(dfg: &DataFlowGraph, wanted: Opcode, value: Value) -> Option<[Value; 2]> {
    match dfg.insts[dfg.value_def(value).inst()?] {
        InstructionData::Binary { opcode, args } if opcode == wanted => Some(args),
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

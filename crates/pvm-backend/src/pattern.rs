//! Patterns in the IR: what a value is made of. Instruction selection and the analysis of what is [needed](crate::need) of
//! each value ask the same questions here, so that they agree.
//!
//! Patterns look only a few steps back, so that the work stays in proportion to the code.

use cranelift_codegen::ir::condcodes::{CondCode, IntCC};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{BlockCall, Function, Inst, InstructionData, Opcode, StackSlot, Type, Value, ValueDef};

/// How many steps back a pattern looks.
const DEPTH: u32 = 8;
/// How many arguments of a branch a pattern looks at.
const ARGS: usize = 64;

/// The instruction that defines `value`, if one does.
pub fn def(func: &Function, value: Value) -> Option<Inst> {
    match func.dfg.value_def(value) {
        ValueDef::Result(inst, _) => Some(inst),
        _ => None,
    }
}

/// Opcode and operands of the instruction that defines `value`.
pub fn op(func: &Function, value: Value) -> Option<(Opcode, &[Value])> {
    def(func, value).map(|inst| (func.dfg.insts[inst].opcode(), func.dfg.inst_args(inst)))
}

/// The number that the low bits of `bits` are, sign-extended from the width of `ty`.
pub fn canonical(ty: Type, bits: i64) -> i64 {
    let unused = 64u32.saturating_sub(ty.bits());
    bits << unused >> unused
}

/// The low bits of `bits`, as many as `ty` has, as constants are written in the IR.
pub fn unsigned(ty: Type, bits: i64) -> i64 {
    let unused = 64u32.saturating_sub(ty.bits());
    ((bits as u64) << unused >> unused) as i64
}

/// The value of a constant, sign-extended from its type.
pub fn constant(func: &Function, value: Value) -> Option<i64> {
    match func.dfg.insts[def(func, value)?] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
            Some(canonical(func.dfg.value_type(value), imm.bits()))
        }
        _ => None,
    }
}

/// The value of a constant that is an immediate.
pub fn immediate(func: &Function, value: Value) -> Option<i32> {
    constant(func, value).and_then(|bits| i32::try_from(bits).ok())
}

/// A value with the same low 32 bits as `value`, with extensions and reductions taken away.
pub fn low(func: &Function, mut value: Value) -> Value {
    for _ in 0..DEPTH {
        match op(func, value) {
            Some((Opcode::Uextend | Opcode::Sextend, &[arg])) if func.dfg.value_type(arg) == I32 => value = arg,
            Some((Opcode::Ireduce, &[arg])) if func.dfg.value_type(value) == I32 => value = arg,
            _ => break,
        }
    }
    value
}

/// Whether `value`, read as a signed number of its type, is never negative: sign and zero extension are the same then.
pub fn never_negative(func: &Function, value: Value) -> bool {
    bounded(func, value, 4)
}

fn bounded(func: &Function, value: Value, depth: u32) -> bool {
    if depth == 0 {
        return false;
    }
    if let Some(bits) = constant(func, value) {
        return bits >= 0;
    }
    let Some((opcode, args)) = op(func, value) else { return false };
    let both = |a, b| bounded(func, a, depth - 1) && bounded(func, b, depth - 1);
    let positive = |value| constant(func, value).is_some_and(|bits| bits > 0);
    let ty = func.dfg.value_type(value);
    match (opcode, args) {
        (Opcode::Uextend | Opcode::Icmp | Opcode::Uload8 | Opcode::Uload16 | Opcode::Uload32, _) => true,
        (Opcode::Clz | Opcode::Ctz | Opcode::Popcnt, _) => true,
        (Opcode::Sextend, &[arg]) => bounded(func, arg, depth - 1),
        (Opcode::Band, &[a, b]) => bounded(func, a, depth - 1) || bounded(func, b, depth - 1),
        (Opcode::Bor | Opcode::Bxor | Opcode::Smin | Opcode::Umax, &[a, b]) => both(a, b),
        (Opcode::Umin, &[a, b]) => bounded(func, a, depth - 1) || bounded(func, b, depth - 1),
        (Opcode::Smax, &[a, b]) => bounded(func, a, depth - 1) || bounded(func, b, depth - 1),
        // By at least one place, and not by a multiple of the width.
        (Opcode::Ushr, &[_, by]) => constant(func, by).is_some_and(|by| by & i64::from(ty.bits() - 1) != 0),
        (Opcode::Sshr, &[a, _]) => bounded(func, a, depth - 1),
        (Opcode::Urem, &[_, b]) => positive(b),
        (Opcode::Udiv, &[_, b]) => constant(func, b).is_some_and(|bits| bits > 1),
        (Opcode::Select, &[_, a, b]) => both(a, b),
        _ => false,
    }
}

/// Whether `value` is a load of 32 bits, which can be zero-extended as well.
pub fn is_word_load(func: &Function, value: Value) -> bool {
    func.dfg.value_type(value) == I32 && matches!(op(func, value), Some((Opcode::Load, _)))
}

/// The address of an access: a register or a place in the frame, and what is added to it, modulo 2^32.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Address {
    /// What the offset is added to.
    pub base: Base,
    /// The offset.
    pub offset: i32,
}

/// What an address is relative to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Base {
    /// Nothing: the offset is the address.
    None,
    /// The low 32 bits of a value.
    Value(Value),
    /// A stack slot.
    Slot(StackSlot),
}

/// Takes the address `value + offset` apart.
pub fn address(func: &Function, value: Value, offset: i32) -> Address {
    let (mut base, mut offset) = (low(func, value), offset);
    for _ in 0..DEPTH {
        if let Some(bits) = constant(func, base) {
            return Address { base: Base::None, offset: offset.wrapping_add(bits as i32) };
        }
        let Some(inst) = def(func, base) else { break };
        let wide = matches!(func.dfg.value_type(base), I32 | I64);
        match func.dfg.insts[inst] {
            InstructionData::Binary { opcode: Opcode::Iadd, args: [a, b] } if wide => {
                let Some(bits) = constant(func, b) else { break };
                (base, offset) = (low(func, a), offset.wrapping_add(bits as i32));
            }
            InstructionData::Binary { opcode: Opcode::Isub, args: [a, b] } if wide => {
                let Some(bits) = constant(func, b) else { break };
                (base, offset) = (low(func, a), offset.wrapping_sub(bits as i32));
            }
            InstructionData::StackAddr { stack_slot, offset: within, .. } => {
                return Address { base: Base::Slot(stack_slot), offset: offset.wrapping_add(within.into()) };
            }
            _ => break,
        }
    }
    Address { base: Base::Value(base), offset }
}

/// A condition, as branches and conditional moves want it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Condition {
    /// The comparison, of registers as wholes: all values are sign-extended in them.
    pub cc: IntCC,
    /// The left operand.
    pub lhs: Value,
    /// The right operand.
    pub rhs: Rhs,
}

/// The right operand of a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rhs {
    /// A value.
    Value(Value),
    /// An immediate.
    Imm(i32),
}

/// The condition that `value` is not zero.
pub fn condition(func: &Function, mut value: Value) -> Condition {
    let mut negate = false;
    for _ in 0..DEPTH {
        match op(func, value) {
            Some((Opcode::Uextend | Opcode::Sextend | Opcode::Bmask | Opcode::Ineg, &[arg])) => value = arg,
            Some((Opcode::Icmp, &[lhs, rhs])) => {
                let InstructionData::IntCompare { cond, .. } = func.dfg.insts[def(func, value).expect("it is an icmp")]
                else {
                    break;
                };
                match (cond, constant(func, rhs)) {
                    (IntCC::NotEqual, Some(0)) => value = lhs,
                    (IntCC::Equal, Some(0)) => {
                        value = lhs;
                        negate = !negate;
                    }
                    _ => {
                        let cc = if negate { cond.complement() } else { cond };
                        return comparison(func, cc, lhs, rhs);
                    }
                }
            }
            _ => break,
        }
    }
    let cc = if negate { IntCC::Equal } else { IntCC::NotEqual };
    Condition { cc, lhs: value, rhs: Rhs::Imm(0) }
}

/// The condition of a branch.
///
/// A loop that ends when its counter is equal to a constant compares the counter of this round, while that of the next is passed
/// on. Comparing the latter ends the former's life, so that both can be in one register.
pub fn branch_condition(func: &Function, value: Value, blocks: &[BlockCall]) -> Condition {
    let condition = condition(func, value);
    let Condition { cc: cc @ (IntCC::Equal | IntCC::NotEqual), lhs, rhs: Rhs::Imm(imm) } = condition else {
        return condition;
    };
    let ty = func.dfg.value_type(lhs);
    let passed = blocks.iter().flat_map(|call| call.args(&func.dfg.value_lists)).filter_map(|arg| arg.as_value());
    for next in passed.take(ARGS) {
        let Some((Opcode::Iadd, &[counter, step])) = op(func, next) else { continue };
        if counter != lhs {
            continue;
        }
        let moved = constant(func, step).map(|step| canonical(ty, i64::from(imm).wrapping_add(step)));
        if let Some(imm) = moved.and_then(|imm| i32::try_from(imm).ok()) {
            return Condition { cc, lhs: next, rhs: Rhs::Imm(imm) };
        }
    }
    condition
}

/// The comparison of two values, without extensions that make no difference to it.
pub fn comparison(func: &Function, cc: IntCC, lhs: Value, rhs: Value) -> Condition {
    // A constant stands on the right.
    let (cc, lhs, rhs) = match constant(func, lhs).is_some() && constant(func, rhs).is_none() {
        true => (cc.swap_args(), rhs, lhs),
        false => (cc, lhs, rhs),
    };
    // Sign extension keeps the order of unsigned numbers, so zero-extended ones need not be made.
    if let Some(narrow) = zero_extended(func, lhs) {
        let other = match constant(func, rhs) {
            Some(bits) => u32::try_from(bits).ok().map(|bits| Rhs::Imm(bits as i32)),
            None => zero_extended(func, rhs).map(Rhs::Value),
        };
        if let Some(rhs) = other {
            return Condition { cc: cc.unsigned(), lhs: narrow, rhs };
        }
    }
    let rhs = immediate(func, rhs).map_or(Rhs::Value(rhs), Rhs::Imm);
    Condition { cc, lhs, rhs }
}

/// The value of 32 bits that `value` is the zero extension of, if that takes instructions.
fn zero_extended(func: &Function, value: Value) -> Option<Value> {
    match op(func, value) {
        Some((Opcode::Uextend, &[arg])) if func.dfg.value_type(arg) == I32 && !never_negative(func, arg) => Some(arg),
        _ => None,
    }
}

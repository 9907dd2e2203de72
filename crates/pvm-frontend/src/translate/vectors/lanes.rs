//! Values of several rounds at once: vectors of lanes, the first round in the first lane.

use super::plan::VECTOR;
use super::range::Range;
use super::round::Strand;
use cranelift_codegen::ir::types::{I8, I8X16, I16, I16X8, I32, I32X4, I64, I64X2};
use cranelift_codegen::ir::{Endianness, InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::BinaryOp;

/// A lane of so many bits.
pub(super) const fn lane_type(bits: u32) -> Type {
    match bits {
        8 => I8,
        16 => I16,
        32 => I32,
        _ => I64,
    }
}

/// A vector of lanes of so many bits.
pub(super) const fn vector_type(bits: u32) -> Type {
    match bits {
        8 => I8X16,
        16 => I16X8,
        32 => I32X4,
        _ => I64X2,
    }
}

/// How many vectors that many lanes take.
pub(super) fn vectors(lanes: u32, bits: u32) -> usize {
    (lanes * bits).div_ceil(8 * VECTOR) as usize
}

/// A value in each lane of a vector.
pub(super) fn splat(builder: &mut FunctionBuilder<'_>, bits: u32, value: Value) -> Value {
    let value = match bits {
        64 => value,
        _ => builder.ins().ireduce(lane_type(bits), value),
    };
    builder.ins().splat(vector_type(bits), value)
}

/// A constant in each lane of a vector, from where constants are kept.
pub(super) fn constant(builder: &mut FunctionBuilder<'_>, bits: u32, value: i64) -> Value {
    let lanes = 8 * VECTOR / bits;
    constants(builder, bits, (0..lanes).map(|_| value))[0]
}

/// The same, for longer.
pub(super) fn splat_constant(builder: &mut FunctionBuilder<'_>, bits: u32, value: i64) -> Value {
    // Those are made of nothing.
    if matches!(value, 0 | -1) {
        return constant(builder, bits, value);
    }
    let value = builder.ins().iconst(I64, value);
    splat(builder, bits, value)
}

/// Constants, lane by lane.
pub(super) fn constants(builder: &mut FunctionBuilder<'_>, bits: u32, values: impl Iterator<Item = i64>) -> Vec<Value> {
    let bytes: Vec<u8> = values.flat_map(|value| value.to_le_bytes().into_iter().take(bits as usize / 8)).collect();
    let constant = |vector: &[u8]| {
        let constant = builder.func.dfg.constants.insert(vector.to_vec().into());
        builder.ins().vconst(vector_type(bits), constant)
    };
    bytes.chunks(VECTOR as usize).map(constant).collect()
}

/// The same bytes as another vector.
pub(super) fn as_vector(builder: &mut FunctionBuilder<'_>, bits: u32, value: Value) -> Value {
    let ty = vector_type(bits);
    if builder.func.dfg.value_type(value) == ty {
        return value;
    }
    builder.ins().bitcast(ty, MemFlagsData::new().with_endianness(Endianness::Little), value)
}

/// That many lanes of so many bits, from bytes as they were loaded: vectors, or a number of four or eight bytes.
pub(super) fn of_bytes(
    builder: &mut FunctionBuilder<'_>,
    loaded: &[Value],
    (size, is_signed): (u32, bool),
    (lanes, bits): (u32, u32),
) -> Vec<Value> {
    let vector = |builder: &mut FunctionBuilder<'_>, value: Value| {
        let vector = match builder.func.dfg.value_type(value) {
            I32 => builder.ins().scalar_to_vector(I32X4, value),
            I64 => builder.ins().scalar_to_vector(I64X2, value),
            _ => value,
        };
        as_vector(builder, size, vector)
    };
    let mut values: Vec<_> = loaded.iter().map(|&value| vector(builder, value)).collect();
    let mut size = size;
    while size < bits {
        values = values.iter().flat_map(|&value| widened(builder, value, is_signed)).collect();
        size *= 2;
        values.truncate(vectors(lanes, size));
    }
    values
}

/// Lanes twice as wide.
fn widened(builder: &mut FunctionBuilder<'_>, value: Value, is_signed: bool) -> [Value; 2] {
    match is_signed {
        true => [builder.ins().swiden_low(value), builder.ins().swiden_high(value)],
        false => [builder.ins().uwiden_low(value), builder.ins().uwiden_high(value)],
    }
}

/// The last lane of a vector, and behind it all but the last of another one.
pub(super) fn shifted_in(builder: &mut FunctionBuilder<'_>, before: Value, these: Value) -> Value {
    let lane = builder.func.dfg.value_type(these).lane_bits() / 8;
    shifted(builder, before, these, VECTOR - lane)
}

/// A vector from a byte of the first on, the rest of the second.
fn shifted(builder: &mut FunctionBuilder<'_>, first: Value, second: Value, from: u32) -> Value {
    let bits = builder.func.dfg.value_type(first).lane_bits();
    let shifted = shuffled(builder, first, second, |byte| from + byte);
    as_vector(builder, bits, shifted)
}

/// The low halves of lanes of 64 bits of two vectors.
pub(super) fn low_halves(builder: &mut FunctionBuilder<'_>, a: Value, b: Value) -> Value {
    halves(builder, [a, b], 0)
}

/// The high halves of the products of lanes of 32 bits.
pub(super) fn high_halves(builder: &mut FunctionBuilder<'_>, a: Value, b: Value, are_signed: bool) -> Value {
    let products = products(builder, a, b, are_signed);
    halves(builder, products, 4)
}

/// Lanes of 16 or 32 bits times others, without so many of the lowest bits; no product has more than 32 bits, and no result more than 16.
pub(super) fn scaled(builder: &mut FunctionBuilder<'_>, value: Value, factor: Value, by: u32) -> Value {
    if builder.func.dfg.value_type(value).lane_bits() == 32 {
        let product = builder.ins().imul(value, factor);
        return shift(builder, BinaryOp::ShrU, product, by);
    }
    let [low, high] =
        products(builder, value, factor, false).map(|product| shift(builder, BinaryOp::ShrU, product, by));
    builder.ins().unarrow(low, high)
}

/// The products of lanes, in lanes twice as wide.
fn products(builder: &mut FunctionBuilder<'_>, a: Value, b: Value, are_signed: bool) -> [Value; 2] {
    let [a, b] = [a, b].map(|value| widened(builder, value, are_signed));
    [0, 1].map(|half| builder.ins().imul(a[half], b[half]))
}

/// Four bytes of lanes of 64 bits of two vectors, from this one on.
fn halves(builder: &mut FunctionBuilder<'_>, [a, b]: [Value; 2], from: u32) -> Value {
    let halves = shuffled(builder, a, b, |byte| byte / 4 * 8 + byte % 4 + from);
    as_vector(builder, 32, halves)
}

/// Lanes shifted to the left and then, with their sign, to the right; no more than so far that only the sign is left.
pub(super) fn shifted_up_and_down(builder: &mut FunctionBuilder<'_>, value: Value, left: u32, right: u32) -> Value {
    let bits = builder.func.dfg.value_type(value).lane_bits();
    let value = if left == 0 { value } else { shift(builder, BinaryOp::Shl, value, left) };
    if right == 0 { value } else { shift(builder, BinaryOp::ShrS, value, right.min(bits - 1)) }
}

/// Lanes half as wide; `low` has the bits that are kept. A vector by itself is both halves.
pub(super) fn narrowed(builder: &mut FunctionBuilder<'_>, values: &[Value], low: Value) -> Vec<Value> {
    let narrow = |pair: &[Value]| {
        // None of them is too large then.
        let [a, b] = [pair[0], pair[pair.len() - 1]].map(|value| builder.ins().band(value, low));
        builder.ins().unarrow(a, b)
    };
    values.chunks(2).map(narrow).collect()
}

/// What an operation makes in each lane.
pub(super) fn binary(builder: &mut FunctionBuilder<'_>, op: BinaryOp, a: Value, b: Value) -> Value {
    let ins = builder.ins();
    match op {
        BinaryOp::Add => ins.iadd(a, b),
        BinaryOp::Sub => ins.isub(a, b),
        BinaryOp::Mul => ins.imul(a, b),
        BinaryOp::And => ins.band(a, b),
        BinaryOp::Or => ins.bor(a, b),
        BinaryOp::Xor => ins.bxor(a, b),
        BinaryOp::AndInv => ins.band_not(a, b),
        BinaryOp::OrInv => {
            let b = ins.bnot(b);
            builder.ins().bor(a, b)
        }
        BinaryOp::Xnor => {
            let b = ins.bnot(b);
            builder.ins().bxor(a, b)
        }
        BinaryOp::MinS => ins.smin(a, b),
        BinaryOp::MaxS => ins.smax(a, b),
        BinaryOp::MinU => ins.umin(a, b),
        BinaryOp::MaxU => ins.umax(a, b),
        op => unreachable!("{op:?} is not for vectors"),
    }
}

/// What a shift by a constant makes in each lane.
pub(super) fn shift(builder: &mut FunctionBuilder<'_>, op: BinaryOp, value: Value, by: u32) -> Value {
    if (op, by) == (BinaryOp::Shl, 1) {
        return builder.ins().iadd(value, value);
    }
    let by = builder.ins().iconst(I32, i64::from(by));
    match op {
        BinaryOp::Shl => builder.ins().ishl(value, by),
        BinaryOp::ShrU => builder.ins().ushr(value, by),
        BinaryOp::ShrS => builder.ins().sshr(value, by),
        op => unreachable!("{op:?} is no shift"),
    }
}

/// Half of the sum of two lanes and one, without a carry.
pub(super) fn average(builder: &mut FunctionBuilder<'_>, a: Value, b: Value) -> Value {
    if builder.func.dfg.value_type(a).lane_bits() <= 16 {
        return builder.ins().avg_round(a, b);
    }
    let sum = builder.ins().iadd(a, b);
    let one = splat_constant(builder, 32, 1);
    let sum = builder.ins().iadd(sum, one);
    shift(builder, BinaryOp::ShrU, sum, 1)
}

/// The lanes of so many bits of a vector, the last one first.
pub(super) fn reversed(builder: &mut FunctionBuilder<'_>, bits: u32, value: Value) -> Value {
    let lane = bits / 8;
    shuffled(builder, value, value, |byte| VECTOR - lane - byte / lane * lane + byte % lane)
}

/// Where vectors begin that have so many bytes, one at least: one behind the other, but for the last one, which ends with them.
pub(super) fn starts(bytes: u32) -> impl Iterator<Item = u32> {
    (0..bytes.div_ceil(VECTOR)).map(move |vector| (vector * VECTOR).min(bytes - VECTOR))
}

/// Vectors of which each byte is one of those of the vectors of a strand: each round has so many bytes, and of each of these the function
/// says which one of the round's it is, from the first element on.
pub(super) fn gathered(
    builder: &mut FunctionBuilder<'_>,
    vectors: &[Value],
    strand: &Strand,
    rounds: u32,
    bytes: u32,
    from: impl Fn(u32) -> u32,
) -> Vec<Value> {
    let starts: Vec<_> = starts(strand.bytes(rounds)).collect();
    let of = |byte: u32| {
        let at = byte / bytes * strand.stride * strand.size.bytes() + from(byte % bytes);
        let vector = (at / VECTOR) as usize;
        (vector, at - starts[vector])
    };
    let firsts = (0..rounds * bytes).step_by(VECTOR as usize);
    firsts.map(|first| picked(builder, vectors, |byte| of(first + byte))).collect()
}

/// The elements of several values, those of each round side by side.
pub(super) fn scattered(builder: &mut FunctionBuilder<'_>, values: &[Vec<Value>], lane: u32) -> Vec<Value> {
    let stride = values.len() as u32;
    let mut all = Vec::new();
    for at in 0..values[0].len() {
        let members: Vec<_> = values.iter().map(|member| member[at]).collect();
        for part in 0..stride {
            all.push(picked(builder, &members, |byte| {
                let element = (part * VECTOR + byte) / lane;
                ((element % stride) as usize, element / stride * lane + byte % lane)
            }));
        }
    }
    all
}

/// A vector of which each byte is one of those of several others: of which one, and which.
fn picked(builder: &mut FunctionBuilder<'_>, vectors: &[Value], from: impl Fn(u32) -> (usize, u32)) -> Value {
    let mut numbers: Vec<usize> = (0..VECTOR).map(|byte| from(byte).0).collect();
    numbers.sort_unstable();
    numbers.dedup();
    let first = vectors[numbers[0]];
    if numbers.len() == 1 {
        return shuffled(builder, first, first, |to| from(to).1);
    }
    let mut made = first;
    for &number in &numbers[1..] {
        made = shuffled(builder, made, vectors[number], |to| match from(to) {
            (of, byte) if of == number => VECTOR + byte,
            (of, byte) if of == numbers[0] && number == numbers[1] => byte,
            // That is where it belongs.
            _ => to,
        });
    }
    made
}

/// A vector of bytes of two others: which of them, as if they were one behind the other.
fn shuffled(builder: &mut FunctionBuilder<'_>, first: Value, second: Value, from: impl Fn(u32) -> u32) -> Value {
    let [first, second] = [first, second].map(|value| as_vector(builder, 8, value));
    let bytes: Vec<u8> = (0..VECTOR).map(|byte| from(byte) as u8).collect();
    let mask = builder.func.dfg.immediates.push(bytes.into());
    builder.ins().shuffle(first, second, mask)
}

/// What a rotation by a constant makes in each lane.
pub(super) fn rotated(builder: &mut FunctionBuilder<'_>, op: BinaryOp, value: Value, by: u32) -> Value {
    let bits = builder.func.dfg.value_type(value).lane_bits();
    let left = if op == BinaryOp::RotL { by } else { bits - by };
    let high = shift(builder, BinaryOp::Shl, value, left);
    let low = shift(builder, BinaryOp::ShrU, value, bits - left);
    builder.ins().bor(high, low)
}

/// What an operation makes of the lanes of all vectors, in one vector of lanes of so many bits. Only sums are made wider; `range` is what
/// is in the lanes.
pub(super) fn put_together(
    builder: &mut FunctionBuilder<'_>,
    op: BinaryOp,
    values: &[Value],
    mut range: Range,
    bits: u32,
) -> Value {
    let mut values = values.to_vec();
    loop {
        let wide = builder.func.dfg.value_type(values[0]).lane_bits();
        while values.len() > 1 && (wide == bits || range.times(2).fits(wide)) {
            values = values.chunks(2).map(|pair| binary(builder, op, pair[0], pair[1])).collect();
            range = range.times(2);
        }
        if wide == bits {
            return values[0];
        }
        let is_signed = range.fits(wide);
        values = values.iter().map(|&value| in_pairs(builder, value, is_signed)).collect();
        range = range.times(2);
    }
}

/// The sums of two lanes each, in lanes twice as wide.
fn in_pairs(builder: &mut FunctionBuilder<'_>, value: Value, is_signed: bool) -> Value {
    let is_long = builder.func.dfg.value_type(value).lane_bits() == 32;
    let [low, high] = widened(builder, value, is_signed);
    // There is no instruction for lanes of 64 bits.
    if is_long { builder.ins().iadd(low, high) } else { builder.ins().iadd_pairwise(low, high) }
}

/// What an operation makes of all lanes of a vector, sign-extended.
pub(super) fn reduced(builder: &mut FunctionBuilder<'_>, op: BinaryOp, mut all: Value) -> Value {
    let bits = builder.func.dfg.value_type(all).lane_bits();
    // One half and the other, until that is a lane.
    let mut half = VECTOR / 2;
    while 8 * half >= bits {
        let other = shifted(builder, all, all, half);
        all = binary(builder, op, all, other);
        half /= 2;
    }
    let lane = builder.ins().extractlane(all, 0);
    if bits == 64 { lane } else { builder.ins().sextend(I64, lane) }
}

/// What changes nothing if it is put together with something by an operation, in a lane of so many bits.
pub(super) fn neutral(op: BinaryOp, bits: u32) -> i64 {
    let least = i64::MIN >> (64 - bits);
    match op {
        BinaryOp::And => -1,
        BinaryOp::MinS => !least,
        BinaryOp::MaxS => least,
        _ => 0,
    }
}

//! The loops behind `memory.copy`, `memory.fill`, `table.fill` and their like: functions of a program that work on
//! addresses of guest memory, which their callers have checked.

use crate::build::{build_function, while_loop};
use crate::instance::function_name;
use crate::{CELL, FunctionKey, Functions};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, MemFlagsData, Signature, Type, Value};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};

/// A function that several instructions share.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Helper {
    /// `(to, from, length)`: copies bytes. The areas may overlap.
    Copy,
    /// `(to, byte, length)`: sets bytes.
    Fill,
    /// `(to, cell, count)`: sets cells.
    FillCells,
}

/// How many words a round of the fast loops takes: the first loop as many as fit, then single words, then bytes.
const ROUNDS: [(Type, i64); 3] = [(I64, 4), (I64, 1), (I8, 1)];

impl Helper {
    /// Its signature: three numbers of 64 bits.
    pub fn signature() -> Signature {
        let mut signature = Signature::new(CallConv::Fast);
        signature.params = vec![AbiParam::new(I64); 3];
        signature
    }

    /// Calls it.
    pub fn call(self, builder: &mut FunctionBuilder<'_>, functions: &mut Functions, arguments: [Value; 3]) {
        let signature = builder.import_signature(Helper::signature());
        let function = function_name(builder, 0, functions.number(FunctionKey::Helper(self)), signature);
        builder.ins().call(function, &arguments);
    }

    /// Its body.
    pub fn build(self, number: u32, context: &mut FunctionBuilderContext) -> Function {
        build_function(number, Helper::signature(), context, |builder, params| {
            let &[to, value, length] = params else { unreachable!("the signature has three parameters") };
            match self {
                Helper::Copy => copy(builder, to, value, length),
                Helper::Fill => fill(builder, to, value, length),
                Helper::FillCells => fill_cells(builder, to, value, length),
            }
            builder.ins().return_(&[]);
        })
    }
}

fn flags() -> MemFlagsData {
    MemFlagsData::new().with_notrap()
}

/// Forwards, unless the target begins within the source.
fn copy(builder: &mut FunctionBuilder<'_>, to: Value, from: Value, length: Value) {
    let (forwards, backwards, done) = (builder.create_block(), builder.create_block(), builder.create_block());
    let distance = builder.ins().isub(to, from);
    let overlaps = builder.ins().icmp(IntCC::UnsignedLessThan, distance, length);
    builder.ins().brif(overlaps, backwards, &[], forwards, &[]);

    builder.switch_to_block(forwards);
    let end = builder.ins().iadd(from, length);
    let mut at = [from, to];
    for (ty, count) in ROUNDS {
        let bytes = i64::from(ty.bytes()) * count;
        // As long as a whole round is left: from <= end - bytes. Addresses are far from zero.
        let last = builder.ins().iadd_imm_s(end, -bytes);
        at = while_loop(builder, IntCC::UnsignedLessThanOrEqual, last, at, |builder, [from, to]| {
            move_words(builder, ty, count, from, to);
            [builder.ins().iadd_imm_s(from, bytes), builder.ins().iadd_imm_s(to, bytes)]
        });
    }
    builder.ins().jump(done, &[]);

    builder.switch_to_block(backwards);
    let mut at = [builder.ins().iadd(from, length), builder.ins().iadd(to, length)];
    for (ty, count) in ROUNDS {
        let bytes = i64::from(ty.bytes()) * count;
        let last = builder.ins().iadd_imm_s(from, bytes);
        at = while_loop(builder, IntCC::UnsignedGreaterThanOrEqual, last, at, |builder, [from, to]| {
            let (from, to) = (builder.ins().iadd_imm_s(from, -bytes), builder.ins().iadd_imm_s(to, -bytes));
            move_words(builder, ty, count, from, to);
            [from, to]
        });
    }
    builder.ins().jump(done, &[]);
    builder.switch_to_block(done);
}

/// Moves some words. All are read before the first is written, since the areas may overlap.
fn move_words(builder: &mut FunctionBuilder<'_>, ty: Type, count: i64, from: Value, to: Value) {
    let offsets = || (0..count).map(|index| (index * i64::from(ty.bytes())) as i32);
    let words: Vec<Value> = offsets().map(|offset| builder.ins().load(ty, flags(), from, offset)).collect();
    for (word, offset) in words.into_iter().zip(offsets()) {
        builder.ins().store(flags(), word, to, offset);
    }
}

fn fill(builder: &mut FunctionBuilder<'_>, to: Value, byte: Value, length: Value) {
    let low = builder.ins().band_imm_u(byte, 0xff);
    let word = builder.ins().imul_imm_s(low, 0x0101_0101_0101_0101);
    let end = builder.ins().iadd(to, length);
    let mut at = [to];
    for (ty, count) in ROUNDS {
        let bytes = i64::from(ty.bytes()) * count;
        let last = builder.ins().iadd_imm_s(end, -bytes);
        at = while_loop(builder, IntCC::UnsignedLessThanOrEqual, last, at, |builder, [to]| {
            for index in 0..count {
                let offset = (index * i64::from(ty.bytes())) as i32;
                match ty {
                    I8 => builder.ins().istore8(flags(), word, to, offset),
                    _ => builder.ins().store(flags(), word, to, offset),
                };
            }
            [builder.ins().iadd_imm_s(to, bytes)]
        });
    }
}

fn fill_cells(builder: &mut FunctionBuilder<'_>, to: Value, cell: Value, count: Value) {
    let length = builder.ins().imul_imm_s(count, i64::from(CELL));
    let end = builder.ins().iadd(to, length);
    while_loop(builder, IntCC::UnsignedLessThan, end, [to], |builder, [to]| {
        builder.ins().store(flags(), cell, to, 0);
        [builder.ins().iadd_imm_s(to, i64::from(CELL))]
    });
}

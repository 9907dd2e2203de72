//! The code that brings a program's memory and its instances into being.

use crate::image::Copy;
use crate::layout::Step;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I32, I64};
use cranelift_codegen::ir::{Function, InstBuilder, MemFlagsData, Signature, TrapCode, Value};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use pvm_wasm_frontend::{
    Callee, Extent, FunctionKey, Functions, Helper, Instance, build_function, function_name, signature,
};

/// The trap of start-up code.
pub(crate) const TRAP: TrapCode = TrapCode::unwrap_user(1);

/// A function that does the copies that an image needs.
pub(crate) fn prepare(
    number: u32,
    copies: &[Copy],
    functions: &mut Functions,
    context: &mut FunctionBuilderContext,
) -> Function {
    build_function(number, Signature::new(CallConv::Fast), context, |builder, _| {
        for copy in copies {
            copy_bytes(builder, functions, copy.to, copy.from, copy.length);
        }
        builder.ins().return_(&[]);
    })
}

/// A function that brings an instance into being: segments that others must not see before, then the start function.
pub(crate) fn instantiate(
    number: u32,
    instance: &Instance<'_>,
    steps: &[Step],
    functions: &mut Functions,
    context: &mut FunctionBuilderContext,
) -> Function {
    build_function(number, Signature::new(CallConv::Fast), context, |builder, _| {
        for &step in steps {
            match step {
                Step::Check { size, offset, length } => check(builder, size, offset, length),
                Step::Copy { to, from, length } => copy_bytes(builder, functions, to, from, length),
                Step::Trap => {
                    builder.ins().trap(TRAP);
                    return;
                }
            }
        }
        if let Some(start) = instance.module.start {
            call(builder, functions, instance, start, &[]);
        }
        builder.ins().return_(&[]);
    })
}

/// Calls a function of an instance.
pub(crate) fn call(
    builder: &mut FunctionBuilder<'_>,
    functions: &mut Functions,
    instance: &Instance<'_>,
    function: u32,
    arguments: &[Value],
) -> Vec<Value> {
    let key = match instance.callee(function) {
        Callee::Defined { instance, function } => FunctionKey::Wasm { instance, function },
        Callee::Host(_) => FunctionKey::Import { instance: instance.number, function },
    };
    let signature = builder.import_signature(signature(instance.module.function_type(function)));
    let callee = function_name(builder, 0, functions.number(key), signature);
    let call = builder.ins().call(callee, arguments);
    builder.inst_results(call).to_vec()
}

/// Calls a function without parameters and results.
pub(crate) fn call_routine(builder: &mut FunctionBuilder<'_>, functions: &mut Functions, key: FunctionKey) {
    let signature = builder.import_signature(Signature::new(CallConv::Fast));
    let callee = function_name(builder, 0, functions.number(key), signature);
    builder.ins().call(callee, &[]);
}

fn check(builder: &mut FunctionBuilder<'_>, size: Extent, offset: u32, length: u32) {
    let size = load_extent(builder, size);
    let size = builder.ins().uextend(I64, size);
    let end = i64::from(offset) + i64::from(length);
    let end = builder.ins().iconst(I64, end);
    let is_outside = builder.ins().icmp(IntCC::UnsignedGreaterThan, end, size);
    builder.ins().trapnz(is_outside, TRAP);
}

/// A size, as 32 bits.
pub(crate) fn load_extent(builder: &mut FunctionBuilder<'_>, extent: Extent) -> Value {
    match extent {
        Extent::Constant(value) => builder.ins().iconst(I32, i64::from(value)),
        Extent::Settled(cell) | Extent::Growing(cell) => load_cell(builder, I32, cell),
    }
}

/// What is in a cell.
pub(crate) fn load_cell(builder: &mut FunctionBuilder<'_>, ty: cranelift_codegen::ir::Type, cell: u32) -> Value {
    debug_assert!(ty != I8);
    let zero = builder.ins().iconst(I64, 0);
    builder.ins().load(ty, MemFlagsData::new().with_notrap(), zero, cell as i32)
}

/// Sets a cell.
pub(crate) fn store_cell(builder: &mut FunctionBuilder<'_>, value: Value, cell: u32) {
    let zero = builder.ins().iconst(I64, 0);
    builder.ins().store(MemFlagsData::new().with_notrap(), value, zero, cell as i32);
}

fn copy_bytes(builder: &mut FunctionBuilder<'_>, functions: &mut Functions, to: u32, from: u32, length: u32) {
    let arguments = [to, from, length].map(|value| builder.ins().iconst(I64, i64::from(value)));
    Helper::Copy.call(builder, functions, arguments);
}

//! Building functions of the IR, and loops in them.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{Function, InstBuilder, Signature, UserFuncName, Value};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use target_lexicon::PointerWidth;

/// Builds function `number` of a program. The body is given the parameters and ends with a terminator.
pub fn build_function(
    number: u32,
    signature: Signature,
    context: &mut FunctionBuilderContext,
    body: impl FnOnce(&mut FunctionBuilder<'_>, &[Value]),
) -> Function {
    let mut function = Function::with_name_signature(UserFuncName::user(0, number), signature);
    let mut builder = FunctionBuilder::new(&mut function, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let params = builder.block_params(entry).to_vec();
    body(&mut builder, &params);
    finish(builder);
    function
}

/// Seals and finalises a function.
pub(crate) fn finish(mut builder: FunctionBuilder<'_>) {
    builder.seal_all_blocks();
    // It matters only for stack maps, of which there are none.
    builder.finalize(TargetFrontendConfig {
        default_call_conv: CallConv::Fast,
        pointer_width: PointerWidth::U64,
        page_size_align_log2: 12,
    });
}

/// A loop over some values: as long as `cond(values[0], bound)` holds it goes round, and the body says the values of the
/// next round. The builder goes on behind it, with the last values.
pub fn while_loop<const N: usize>(
    builder: &mut FunctionBuilder<'_>,
    cond: IntCC,
    bound: Value,
    values: [Value; N],
    body: impl FnOnce(&mut FunctionBuilder<'_>, [Value; N]) -> [Value; N],
) -> [Value; N] {
    // The condition stands at the end, where it costs one branch for each round.
    let (round, after) = (builder.create_block(), builder.create_block());
    let types = values.map(|value| builder.func.dfg.value_type(value));
    let params = types.map(|ty| builder.append_block_param(round, ty));
    let last = types.map(|ty| builder.append_block_param(after, ty));
    let branch = |builder: &mut FunctionBuilder<'_>, values: [Value; N]| {
        let goes_on = builder.ins().icmp(cond, values[0], bound);
        let values = values.map(Into::into);
        builder.ins().brif(goes_on, round, &values, after, &values);
    };
    branch(builder, values);
    builder.switch_to_block(round);
    let next = body(builder, params);
    branch(builder, next);
    builder.switch_to_block(after);
    last
}

//! The smallest program that still does what it was found for.
//!
//! Instructions become constants or go, branches become jumps, as long as the program keeps failing.

use cranelift_codegen::ir::{Function, Inst, InstBuilder, InstructionData, types};

/// Makes a program smaller while `fails` says that it still fails.
pub fn shrink(functions: &mut Vec<Function>, fails: impl Fn(&[Function]) -> bool) {
    loop {
        let mut smaller = false;
        for index in 0..functions.len() {
            for inst in instructions(&functions[index]) {
                for way in 0..3 {
                    let mut candidate = functions.clone();
                    if simplify(&mut candidate[index], inst, way) && fails(&candidate) {
                        *functions = candidate;
                        smaller = true;
                        break;
                    }
                }
            }
        }
        if !smaller {
            return;
        }
    }
}

fn instructions(function: &Function) -> Vec<Inst> {
    let blocks = function.layout.blocks();
    // From the end, so that what is used goes after what uses it.
    let mut instructions: Vec<Inst> = blocks.flat_map(|block| function.layout.block_insts(block)).collect();
    instructions.reverse();
    instructions
}

/// Simplifies an instruction in one of three ways, if that is one for it.
fn simplify(function: &mut Function, inst: Inst, way: u32) -> bool {
    if function.layout.inst_block(inst).is_none() {
        return false;
    }
    let results = function.dfg.inst_results(inst).to_vec();
    match function.dfg.insts[inst] {
        InstructionData::Brif { blocks, .. } => {
            let Some(&call) = blocks.get(way as usize) else { return false };
            let block = call.block(&function.dfg.value_lists);
            let args: Vec<_> = call.args(&function.dfg.value_lists).collect();
            function.replace(inst).jump(block, &args);
            remove_unreachable(function);
            true
        }
        InstructionData::UnaryImm { .. } | InstructionData::StackAddr { .. } => false,
        ref data if data.opcode().is_terminator() => false,
        _ if results.is_empty() && way == 0 => {
            function.layout.remove_inst(inst);
            true
        }
        _ => match results[..] {
            // A value that nothing uses is left out of the text by its users only; a constant takes its place.
            [result] if way < 2 => {
                let ty = function.dfg.value_type(result);
                if !matches!(ty, types::I8 | types::I16 | types::I32 | types::I64) {
                    return false;
                }
                function.replace(inst).iconst(ty, i64::from(way));
                true
            }
            [result] => {
                // Or its first operand, if that has its type.
                let ty = function.dfg.value_type(result);
                let Some(&arg) = function.dfg.inst_args(inst).first() else { return false };
                if function.dfg.value_type(arg) != ty {
                    return false;
                }
                let results = function.dfg.inst_results(inst).to_vec();
                function.dfg.clear_results(inst);
                function.layout.remove_inst(inst);
                function.dfg.change_to_alias(results[0], arg);
                true
            }
            _ => false,
        },
    }
}

fn remove_unreachable(function: &mut Function) {
    let mut context = cranelift_codegen::Context::for_function(function.clone());
    context.flowgraph();
    let flags = cranelift_codegen::settings::Flags::new(cranelift_codegen::settings::builder());
    if context.eliminate_unreachable_code(&flags).is_ok() {
        *function = context.func;
    }
}

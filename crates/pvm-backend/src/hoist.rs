//! What a comparison in a loop compares with is computed before the loop, if it can be.
//!
//! Cranelift's optimiser computes a sum with a constant, and other such, anew in every block that uses it, which suits
//! machines where that is free. Here the bound of a loop or of a memory would cost an instruction in every round. In a
//! register or in the frame it costs no more than that. Other users of such sums take them into themselves.

use crate::pattern;
use cranelift_codegen::Context;
use cranelift_codegen::cursor::{Cursor, FuncCursor};
use cranelift_codegen::ir::{Block, Function, Inst, InstBuilder, InstructionData, Opcode, Type, Value, ValueDef};
use cranelift_codegen::loop_analysis::Loop;
use std::collections::HashMap;

/// Out of how many loops something is taken at most.
const LEVELS: usize = 6;

/// An operation on a value and a constant, in a block.
type Key = (Block, Opcode, Type, Value, i64);

/// Does that to all comparisons. Loops are known, and stay as they are.
pub fn hoist(context: &mut Context) {
    let mut made: HashMap<Key, Value> = HashMap::new();
    let blocks: Vec<Block> = context.func.layout.blocks().collect();
    for block in blocks {
        let Some(innermost) = context.loop_analysis.innermost_loop(block) else { continue };
        let insts: Vec<Inst> = context.func.layout.block_insts(block).collect();
        for inst in insts {
            let InstructionData::IntCompare { args, .. } = context.func.dfg.insts[inst] else { continue };
            for (index, arg) in args.into_iter().enumerate() {
                if let Some(before) = before_loop(context, &mut made, innermost, arg) {
                    context.func.dfg.inst_args_mut(inst)[index] = before;
                }
            }
        }
    }
}

/// The value, computed before the loop, or before loops around it.
fn before_loop(context: &mut Context, made: &mut HashMap<Key, Value>, innermost: Loop, value: Value) -> Option<Value> {
    let func = &context.func;
    let (opcode, args) = pattern::op(func, value)?;
    let &[operand, constant] = args else { return None };
    if !matches!(opcode, Opcode::Iadd | Opcode::Band | Opcode::Bor | Opcode::Bxor) {
        return None;
    }
    let bits = pattern::constant(func, constant)?;
    let home = defined_in(func, operand)?;
    let mut place = None;
    let mut around = Some(innermost);
    for _ in 0..LEVELS {
        let Some(inside) = around.filter(|&inside| !context.loop_analysis.is_in_loop(home, inside)) else { break };
        let Some(before) = entered_from(context, inside) else { break };
        place = Some(before);
        around = context.loop_analysis.loop_parent(inside);
    }
    let place = place?;
    let ty = func.dfg.value_type(value);
    Some(*made.entry((place, opcode, ty, operand, bits)).or_insert_with(|| {
        let func = &mut context.func;
        let last = func.layout.last_inst(place).expect("it ends in a jump");
        let mut cursor = FuncCursor::new(func).at_inst(last);
        let constant = cursor.ins().iconst(ty, pattern::unsigned(ty, bits));
        match opcode {
            Opcode::Iadd => cursor.ins().iadd(operand, constant),
            Opcode::Band => cursor.ins().band(operand, constant),
            Opcode::Bor => cursor.ins().bor(operand, constant),
            _ => cursor.ins().bxor(operand, constant),
        }
    }))
}

fn defined_in(func: &Function, value: Value) -> Option<Block> {
    match func.dfg.value_def(value) {
        ValueDef::Result(inst, _) => func.layout.inst_block(inst),
        ValueDef::Param(block, _) => Some(block),
        ValueDef::Union(..) => None,
    }
}

/// The block that leads into a loop and nowhere else, if it is the only one that leads into it.
fn entered_from(context: &Context, inside: Loop) -> Option<Block> {
    let header = context.loop_analysis.loop_header(inside);
    let mut outside =
        context.cfg.pred_iter(header).filter(|pred| !context.loop_analysis.is_in_loop(pred.block, inside));
    let pred = outside.next()?;
    let leads_nowhere_else = context.func.dfg.insts[pred.inst].opcode() == Opcode::Jump;
    (leads_nowhere_else && outside.next().is_none()).then_some(pred.block)
}

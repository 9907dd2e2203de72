//! Constants in the IR.

use cranelift_codegen::ir::{InstructionData, Opcode, Value};
use cranelift_frontend::FunctionBuilder;

/// The value of a constant.
pub fn constant(builder: &FunctionBuilder<'_>, value: Value) -> Option<i64> {
    let inst = builder.func.dfg.value_def(value).inst()?;
    match builder.func.dfg.insts[inst] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => Some(imm.bits()),
        _ => None,
    }
}

//! How great a number can be, as far as that is easily seen. What cannot be outside need not be checked: places of static
//! data, entries of tables that a masked index leads to.

use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{Function, InstructionData, Opcode, Type, Value};

/// How many steps back is looked.
const DEPTH: u32 = 5;

/// The greatest number that a value of 32 or 64 bits can be, read without a sign.
pub(super) fn most(func: &Function, value: Value) -> u64 {
    look(func, value, DEPTH)
}

fn look(func: &Function, value: Value, depth: u32) -> u64 {
    let all = greatest(func.dfg.value_type(value));
    let Some(inst) = func.dfg.value_def(value).inst().filter(|_| depth > 0) else { return all };
    let args = func.dfg.inst_args(inst);
    let most = |index: usize| look(func, args[index], depth - 1);
    let constant = |index: usize| constant(func, args[index]);
    let found = match func.dfg.insts[inst].opcode() {
        Opcode::Iconst => self::constant(func, value),
        Opcode::Icmp => Some(1),
        Opcode::Uextend => Some(most(0)),
        Opcode::Ireduce => Some(most(0)),
        Opcode::Uload8 => Some(0xff),
        Opcode::Uload16 => Some(0xffff),
        Opcode::Uload32 => Some(u64::from(u32::MAX)),
        Opcode::Band => Some(most(0).min(most(1))),
        // All bits below the highest of either.
        Opcode::Bor | Opcode::Bxor => {
            (most(0) | most(1)).checked_add(1).and_then(u64::checked_next_power_of_two).map(|next| next - 1)
        }
        Opcode::Iadd => most(0).checked_add(most(1)),
        Opcode::Imul => most(0).checked_mul(most(1)),
        Opcode::Ishl => constant(1).and_then(|by| most(0).checked_mul(1 << (by & (all.count_ones() as u64 - 1)))),
        Opcode::Ushr => constant(1).map(|by| most(0) >> (by & (all.count_ones() as u64 - 1))),
        Opcode::Urem => constant(1).filter(|&by| by > 0).map(|by| by - 1),
        Opcode::Select => Some(most(1).max(most(2))),
        _ => None,
    };
    // What does not fit may have become anything.
    found.filter(|&found| found <= all).unwrap_or(all)
}

fn greatest(ty: Type) -> u64 {
    if ty == I64 { u64::MAX } else { (1 << ty.bits()) - 1 }
}

/// The value of a constant, without a sign.
pub(super) fn constant(func: &Function, value: Value) -> Option<u64> {
    match func.dfg.insts[func.dfg.value_def(value).inst()?] {
        InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => {
            Some(imm.bits() as u64 & greatest(func.dfg.value_type(value)))
        }
        _ => None,
    }
}

//! Jumps by branch tables, in fewer instructions.
//!
//! Cranelift's tables have distances from where they begin, so that code is the same wherever it lies. A region is put in one place for
//! good, so that ours have addresses:
//!
//! ```text
//! lea rcx, [rip + table]          lea rcx, [rip + table]
//! movsxd rax, [rcx + 4 * rax]
//! add rcx, rax
//! jmp rcx                         jmp [rcx + 8 * rax]
//! ```

use super::Rewritten;
use iced_x86::{Code, Decoder, DecoderOptions, Encoder, Instruction, MemoryOperand};
use std::ops::Range;

/// Where a table of distances leads.
pub(super) fn targets(code: &[u8], table: &Range<usize>) -> Option<Vec<usize>> {
    let (entries, _) = code[table.clone()].as_chunks::<4>();
    entries.iter().map(|&entry| table.start.checked_add_signed(i32::from_le_bytes(entry) as isize)).collect()
}

/// The jump behind `lea`, which loads the address of a branch table: instructions that it does without, and what it becomes by a table
/// of addresses. What they change is not wanted behind the jump, as Cranelift writes all of them as one. `None` if it is none of Cranelift's.
pub(super) fn jump(code: &[u8], lea: &Instruction) -> Option<([Range<usize>; 2], Rewritten)> {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    decoder.set_position(lea.next_ip() as usize).ok()?;
    decoder.set_ip(lea.next_ip());
    let [load, add, jump] = std::array::from_fn(|_| decoder.decode());
    let (table, index, distance) = (lea.op0_register(), load.memory_index(), load.op0_register());
    let loads = load.code() == Code::Movsxd_r64_rm32
        && (load.memory_base(), load.memory_index_scale(), load.memory_displacement64()) == (table, 4, 0);
    let adds = matches!(add.code(), Code::Add_rm64_r64 | Code::Add_r64_rm64)
        && (add.op0_register(), add.op1_register()) == (table, distance);
    let jumps = jump.code() == Code::Jmp_rm64 && jump.op0_register() == table;
    if !(loads && adds && jumps) || distance == table {
        return None;
    }
    let entry = MemoryOperand::with_base_index_scale(table, index, 8);
    let mut encoder = Encoder::new(64);
    encoder.encode(&Instruction::with1(Code::Jmp_rm64, entry).ok()?, 0).ok()?;
    let at = |one: &Instruction| one.ip() as usize..one.next_ip() as usize;
    Some(([at(&load), at(&add)], Rewritten { at: at(&jump), bytes: encoder.take_buffer() }))
}

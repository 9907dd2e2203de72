//! Taking instructions out of a program, with the jumps over them made shorter.

use pvm_isa::{Instruction, Operands, Profile};
use pvm_program::{Blob, Code};

/// The program without the instruction at `pc`, and where its program counters have gone. `None` if a jump cannot be
/// made to lead where it did.
pub(crate) fn remove(blob: &Blob, profile: Profile, pc: u32) -> Option<(Blob, impl Fn(u32) -> u32 + use<>)> {
    let code = Code::new(blob, profile);
    let len = (blob.code.len() as u32).min(code.next(pc)) - pc;
    let moved = move |at: u32| if at > pc { at.saturating_sub(len).max(pc) } else { at };

    let mut bytes = Vec::with_capacity(blob.code.len());
    let mut starts = Vec::new();
    for at in (0..blob.code.len() as u32).filter(|at| !(pc..pc + len).contains(at)) {
        if blob.starts_instruction(at) {
            starts.push(bytes.len());
        }
        bytes.push(blob.code[at as usize]);
    }
    for at in code.instruction_starts().filter(|&at| at != pc) {
        let Some(Instruction { operands, .. }) = code.instruction(at) else { continue };
        let Some((place, size)) = offset_field(&code, at, operands) else { continue };
        let Some(target) = operands.target().and_then(|target| u32::try_from(target).ok()) else { continue };
        let offset = i64::from(moved(target)) - i64::from(moved(at));
        let place = (moved(at) + place) as usize;
        let field = bytes.get_mut(place..place + size)?;
        let unused = 64 - 8 * size as u32;
        if offset << unused >> unused != offset {
            return None;
        }
        field.copy_from_slice(&offset.to_le_bytes()[..size]);
    }
    let mut bitmask = vec![0; bytes.len().div_ceil(8)];
    for start in starts {
        bitmask[start / 8] |= 1 << (start % 8);
    }
    let jump_bytes = blob.jump_entries().flat_map(|entry| {
        let entry = u64::from(if entry == u32::MAX { entry } else { moved(entry) }).to_le_bytes();
        (0..usize::from(blob.jump_size)).map(move |at| entry.get(at).copied().unwrap_or(0))
    });
    let jump_bytes = jump_bytes.collect();
    Some((Blob { code: bytes, bitmask, jump_bytes, ..blob.clone() }, moved))
}

/// Where in an instruction its offset is, and how long.
fn offset_field(code: &Code, pc: u32, operands: Operands) -> Option<(u32, usize)> {
    let skip = code.skip(pc);
    let place = match operands {
        Operands::Offset { .. } => 1,
        Operands::RegRegOffset { .. } => 2,
        Operands::RegImmOffset { .. } => {
            let stated = code.bytes().get(pc as usize + 1).map_or(0, |byte| byte >> 4 & 7);
            2 + u32::from(stated).min(4)
        }
        _ => return None,
    };
    let size = (skip + 1).saturating_sub(place).min(4) as usize;
    (size > 0).then_some((place, size))
}

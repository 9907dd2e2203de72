//! Addresses that are loaded from the stack twice.
//!
//! If there is no register for the address of an access, the register allocator loads it for the branch to the landing and, often
//! to another register, for the access. By then that other one may have been needed by the landing only, which would not find it
//! any more. So the access takes the register that the branch has tested, which nobody else wants in between.
//!
//! ```text
//! mov rax, [rsp + 8]              mov rax, [rsp + 8]
//! test rax, 1 << 30; jnz landing
//! mov rbx, [rsp + 8]
//! mov rcx, [rbx + 16]             mov rcx, [rax + 16]; mov rbx, [rsp + 8]
//! ```

use crate::compact::{Rewritten, is_reload};
use crate::effects::Effects;
use crate::landings::writes;
use iced_x86::{Decoder, DecoderOptions, Encoder, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};
use std::ops::Range;

/// An access that spares a register.
pub(crate) struct Spared {
    /// The load that is of no use any more.
    pub reload: Range<usize>,
    pub access: Rewritten,
}

/// Has the access at this offset use the register `tested`, if that holds the address. `before` are the instructions of the block
/// up to the jump of the branch, and `between` those behind it.
pub(crate) fn spare(
    code: &[u8],
    before: &[Instruction],
    tested: Register,
    between: &[Instruction],
    access: u32,
    factory: &mut InstructionInfoFactory,
) -> Option<Spared> {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    decoder.set_position(access as usize).ok()?;
    decoder.set_ip(access.into());
    let mut access = decoder.decode();
    let base = access.memory_base();
    // Nothing but loads: what computes may want the register, too.
    let loads = |to: Register| between.iter().filter(move |one| one.op0_register() == to).collect::<Vec<_>>();
    let [reload] = loads(base)[..] else { return None };
    if !between.iter().all(is_reload) || !loads(tested).is_empty() {
        return None;
    }
    let slot = reload.memory_displacement64();
    let is_first =
        |one: &Instruction| is_reload(one) && one.op0_register() == tested && one.memory_displacement64() == slot;
    let first = before.iter().rposition(is_first)?;
    if writes(&before[first + 1..], factory)?.overlap(&Effects::of(tested, slot)) {
        return None;
    }
    // What else the access does with the register.
    use Mnemonic::{Mov, Movsx, Movsxd, Movzx};
    let is_move = matches!(access.mnemonic(), Mov | Movzx | Movsx | Movsxd);
    let is_base = |op| access.op_kind(op) == OpKind::Register && access.op_register(op).full_register() == base;
    let is_partial = is_base(0) && access.op_register(0).size() < 4;
    if !is_move || is_base(1) || is_partial || access.memory_index() == base {
        return None;
    }
    let at = |one: &Instruction| one.ip() as usize..one.next_ip() as usize;
    let (reload, place, is_lost) = (at(reload), at(&access), is_base(0));
    access.set_memory_base(tested);
    let mut encoder = Encoder::new(64);
    encoder.encode(&access, access.ip()).ok()?;
    let mut bytes = encoder.take_buffer();
    if !is_lost {
        bytes.extend_from_slice(&code[reload.clone()]);
    }
    Some(Spared { reload, access: Rewritten { at: place, bytes } })
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD_RAX: [u8; 5] = [0x48, 0x8b, 0x44, 0x24, 0x08]; // mov rax, [rsp + 8]
    const LOAD_RBX: [u8; 5] = [0x48, 0x8b, 0x5c, 0x24, 0x08]; // mov rbx, [rsp + 8]

    /// What becomes of an access by RBX, if RAX is tested between the instructions before and behind.
    fn spared(before: &[u8], behind: &[u8], access: &[u8]) -> Option<(Range<usize>, Vec<u8>)> {
        let code = [before, behind, access].concat();
        let at = before.len() + behind.len();
        let decode = |from: usize, to: usize| -> Vec<Instruction> {
            Decoder::with_ip(64, &code[from..to], from as u64, DecoderOptions::NONE).into_iter().collect()
        };
        let (before, behind) = (decode(0, before.len()), decode(before.len(), at));
        let mut factory = InstructionInfoFactory::new();
        let spared = spare(&code, &before, Register::RAX, &behind, at as u32, &mut factory)?;
        assert_eq!(spared.access.at, at..code.len());
        Some((spared.reload, spared.access.bytes))
    }

    #[test]
    fn the_access_takes_the_tested_register() {
        let (load, by_rax) = ([0x8b, 0x4b, 0x10], [0x8b, 0x48, 0x10]); // mov ecx, [rbx + 16]; mov ecx, [rax + 16]
        let (reload, bytes) = spared(&LOAD_RAX, &LOAD_RBX, &load).unwrap();
        assert_eq!((reload, bytes), (5..10, [&by_rax[..], &LOAD_RBX].concat()), "loaded behind it");
        let into_rbx = [0x8b, 0x5b, 0x10]; // mov ebx, [rbx + 16]
        assert_eq!(spared(&LOAD_RAX, &LOAD_RBX, &into_rbx).unwrap().1, [0x8b, 0x58, 0x10], "written by it");
        let other = [0x4c, 0x8b, 0x44, 0x24, 0x10]; // mov r8, [rsp + 16]
        let store = [0x44, 0x89, 0x43, 0x10]; // mov [rbx + 16], r8d
        let (reload, bytes) = spared(&[LOAD_RAX, other].concat(), &[LOAD_RBX, other].concat(), &store).unwrap();
        assert_eq!((reload, &bytes[..4]), (10..15, &[0x44, 0x89, 0x40, 0x10][..]), "with something else moved");
    }

    #[test]
    fn the_tested_register_must_hold_the_address() {
        let load = [0x8b, 0x4b, 0x10];
        let elsewhere = [0x48, 0x8b, 0x44, 0x24, 0x10]; // mov rax, [rsp + 16]
        let changes_rax = [0x48, 0x89, 0xc8]; // mov rax, rcx
        let changes_slot = [0x48, 0x89, 0x4c, 0x24, 0x08]; // mov [rsp + 8], rcx
        let [changes_rbx, reads_rbx] = [[0x48, 0x89, 0xcb], [0x48, 0x89, 0xde]]; // mov rbx, rcx; mov rsi, rbx
        assert_eq!(spared(&elsewhere, &LOAD_RBX, &load), None);
        for change in [&changes_rax[..], &changes_slot] {
            assert_eq!(spared(&[&LOAD_RAX, change].concat(), &LOAD_RBX, &load), None, "{change:x?} before");
            assert_eq!(spared(&LOAD_RAX, &[change, &LOAD_RBX].concat(), &load), None, "{change:x?} behind");
        }
        assert_eq!(spared(&LOAD_RAX, &[&LOAD_RBX[..], &changes_rbx].concat(), &load), None, "it is another one then");
        assert_eq!(spared(&LOAD_RAX, &[&LOAD_RBX[..], &reads_rbx].concat(), &load), None, "it is read before");
        assert_eq!(spared(&LOAD_RAX, &changes_rbx, &load), None, "it is not loaded");
    }

    #[test]
    fn the_register_must_not_be_wanted_otherwise() {
        let stored = [0x89, 0x5b, 0x10]; // mov [rbx + 16], ebx
        let index = [0x8b, 0x0c, 0x1b]; // mov ecx, [rbx + rbx]
        let half = [0x66, 0x8b, 0x5b, 0x10]; // mov bx, [rbx + 16]
        let sum = [0x03, 0x5b, 0x10]; // add ebx, [rbx + 16]
        for access in [&stored[..], &index, &half, &sum] {
            assert_eq!(spared(&LOAD_RAX, &LOAD_RBX, access), None, "{access:x?}");
        }
    }
}

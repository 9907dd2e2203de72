//! What is spoilt in a program that was made well.

use super::Style;
use super::values::one_in;
use fastrand::Rng;
use pvm_program::Blob;

/// Spoils some programs.
pub(super) fn spoil(rng: &mut Rng, style: Style, blob: &mut Blob) {
    let len = blob.code.len();
    if len == 0 {
        return;
    }
    if one_in(rng, 8) {
        for _ in 0..rng.usize(1..5) {
            let at = rng.usize(..len);
            blob.bitmask[at / 8] ^= 1 << (at % 8);
        }
    }
    if one_in(rng, 12) {
        for _ in 0..rng.usize(1..5) {
            let at = rng.usize(..len);
            blob.code[at] = rng.u8(..);
        }
    }
    if one_in(rng, 25) {
        // Cut off in the middle of something.
        let len = rng.usize(..len + 1);
        blob.code.truncate(len);
        blob.bitmask.truncate(len.div_ceil(8));
        if let (Some(last), 1..) = (blob.bitmask.last_mut(), len % 8) {
            *last &= (1 << (len % 8)) - 1;
        }
    }
    if one_in(rng, 60) {
        // Bytes of any kind.
        blob.code.iter_mut().for_each(|byte| *byte = rng.u8(..));
    }
    if one_in(rng, 30) && !blob.jump_bytes.is_empty() {
        let at = rng.usize(..blob.jump_bytes.len());
        blob.jump_bytes[at] = rng.u8(..);
    }
    if one_in(rng, 200) && !style.for_peer {
        // A table of entries that take no bytes.
        blob.jump_bytes.clear();
        blob.jump_size = 0;
        blob.jump_count = rng.u64(..) >> rng.u32(..64);
    }
}

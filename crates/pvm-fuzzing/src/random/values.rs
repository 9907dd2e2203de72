//! Numbers at which something turns.

use crate::Page;
use crate::operands::{IMMEDIATES, VALUES};
use fastrand::Rng;
use pvm_ops::{HALT_ADDRESS, PAGE_SIZE};

/// True once in so many times.
pub(super) fn one_in(rng: &mut Rng, of: u32) -> bool {
    rng.u32(..of) == 0
}

/// An immediate.
pub(super) fn immediate(rng: &mut Rng) -> i32 {
    match rng.u32(..4) {
        0 => IMMEDIATES[rng.usize(..IMMEDIATES.len())],
        1 => rng.i32(-20..70),
        2 => rng.i32(..) >> rng.u32(..32),
        _ => 1 << rng.u32(..32),
    }
}

/// A register's value.
pub(super) fn value(rng: &mut Rng) -> u64 {
    match rng.u32(..4) {
        0 => VALUES[rng.usize(..VALUES.len())],
        1 => rng.u64(..) >> rng.u32(..64),
        2 => immediate(rng) as u64,
        _ => rng.u64(..),
    }
}

/// An address near the beginning or the end of a page, often one that is mapped.
pub(super) fn address(rng: &mut Rng, pages: &[Page]) -> u32 {
    const EDGES: [u32; 8] = [0, 0xf000, 0x1_0000, 0x1_1000, 0x2_0000, 0x2_4000, 0xffff_0000, 0xffff_f000];
    let page = match pages {
        [_, ..] if !one_in(rng, 12) => pages[rng.usize(..pages.len())].address,
        _ => EDGES[rng.usize(..EDGES.len())],
    };
    let offset = match rng.u32(..8) {
        0 => rng.i32(-9..9),
        1 => PAGE_SIZE as i32 + rng.i32(-9..9),
        _ => rng.i32(0..PAGE_SIZE as i32 - 8),
    };
    page.wrapping_add(offset as u32)
}

/// The address of a dynamic jump that leads nowhere, or ends the program, where the table has `entries`.
pub(super) fn jump_address(rng: &mut Rng, entries: usize) -> u32 {
    let entries = entries as u32;
    match rng.u32(..10) {
        0 => 0,
        1 => 2 * rng.u32(..entries + 2) + 1,
        2 => 2 * (entries + 1),
        3 => 2 * (entries + 1 + rng.u32(..1000)),
        4 => 0xffff_fffe,
        5 => HALT_ADDRESS + 1,
        6 => HALT_ADDRESS - 2,
        7 => rng.u32(..),
        _ => HALT_ADDRESS,
    }
}

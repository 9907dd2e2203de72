//! The script: what the host does whenever the guest stops.

use super::values::{address, one_in, value};
use crate::{Action, Page, Step};
use fastrand::Rng;
use pvm_isa::REG_COUNT;
use pvm_ops::PAGE_SIZE;
use pvm_runtime::Access;

/// A script of some steps, in a program whose instructions start at `starts`.
pub(super) fn script(rng: &mut Rng, for_peer: bool, pages: &[Page], starts: &[u32]) -> Vec<Step> {
    let steps = match rng.u32(..6) {
        0 => 0,
        1 => rng.usize(8..24),
        _ => rng.usize(1..8),
    };
    (0..steps).map(|_| step(rng, for_peer, pages, starts)).collect()
}

fn step(rng: &mut Rng, for_peer: bool, pages: &[Page], starts: &[u32]) -> Step {
    let gas = match rng.u32(..4) {
        0 => 1,
        1 => rng.u64(..20),
        _ => rng.u64(..500),
    };
    let fault = match rng.u32(..8) {
        0 => None,
        1 => Some(Access::Read),
        _ => Some(Access::ReadWrite),
    };
    let restart = one_in(rng, 3).then(|| place(rng, starts));
    let count = if one_in(rng, 2) { 0 } else { rng.usize(1..4) };
    let actions = (0..count).map(|_| action(rng, for_peer, pages, starts)).collect();
    Step { gas, restart, fault, actions }
}

/// Somewhere to go on: mostly an instruction.
fn place(rng: &mut Rng, starts: &[u32]) -> u32 {
    match starts.len() {
        count @ 1.. if !one_in(rng, 15) => starts[rng.usize(..count)],
        _ => rng.u32(..starts.last().map_or(3, |last| last + 5)),
    }
}

fn action(rng: &mut Rng, for_peer: bool, pages: &[Page], starts: &[u32]) -> Action {
    let access = if one_in(rng, 3) { Access::Read } else { Access::ReadWrite };
    match rng.u32(..12) {
        0..3 => Action::Register(rng.usize(..REG_COUNT), value(rng)),
        3 => Action::Register(rng.usize(1..5), u64::from(address(rng, pages))),
        4 => Action::Gas(if one_in(rng, 2) { rng.u64(..10) } else { rng.u64(..1000) }),
        5 => Action::Pc(place(rng, starts)),
        6 => Action::Write(address(rng, pages), value(rng)),
        7 => Action::Map(Page { address: page(rng, for_peer, pages), access }),
        8 | 9 => Action::Protect(Page { address: page(rng, for_peer, pages), access }),
        10 => Action::Unmap(page(rng, for_peer, pages)),
        _ => Action::Interrupt,
    }
}

/// A page, mostly one that is mapped at first, never in the lowest 64 KiB.
fn page(rng: &mut Rng, for_peer: bool, pages: &[Page]) -> u32 {
    let page = address(rng, pages) / PAGE_SIZE * PAGE_SIZE;
    let is_last = page > u32::MAX - PAGE_SIZE;
    if page < 0x1_0000 || is_last && for_peer { 0x2_2000 } else { page }
}

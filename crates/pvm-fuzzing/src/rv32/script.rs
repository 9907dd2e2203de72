//! What the host of a wild case does whenever the guest stops.

use super::case::{Action, Answer, Area, Step};
use crate::Page;
use fastrand::Rng;
use pvm_ops::PAGE_SIZE;
use pvm_runtime::Access;

/// What a script is about.
pub(super) struct Places<'a> {
    pub areas: &'a [Area],
    /// The code, from its first byte on.
    pub code: std::ops::Range<u32>,
}

const RIGHTS: [Access; 5] =
    [Access::None, Access::Read, Access::ReadWrite, Access::ReadExecute, Access::ReadWriteExecute];

impl Places<'_> {
    /// A script of some steps.
    pub(super) fn script(&self, rng: &mut Rng) -> Vec<Step> {
        let steps = if rng.u8(..8) == 0 { rng.usize(6..16) } else { rng.usize(..6) };
        (0..steps).map(|_| self.step(rng)).collect()
    }

    fn step(&self, rng: &mut Rng) -> Step {
        let gas = match rng.u8(..4) {
            0 => 1,
            1 => rng.u64(..20),
            _ => rng.u64(..400),
        };
        let trap = match rng.u8(..16) {
            0 => Answer::End,
            1 => Answer::Again,
            2..6 => Answer::GoTo(self.code(rng)),
            6..8 => Answer::Skip(2),
            8..11 => Answer::Skip(4),
            _ => Answer::Grant(RIGHTS[rng.usize(1..5)]),
        };
        let count = if rng.bool() { 0 } else { rng.usize(1..4) };
        Step { gas, trap, actions: (0..count).map(|_| self.action(rng)).collect() }
    }

    fn action(&self, rng: &mut Rng) -> Action {
        match rng.u8(..24) {
            0..3 => Action::Register(rng.usize(1..32), rng.u32(..)),
            3..6 => Action::Register(rng.usize(1..32), self.address(rng)),
            6..8 => Action::Gas(if rng.bool() { rng.u64(..10) } else { rng.u64(..1000) }),
            8..10 => Action::Pc(self.code(rng)),
            10..12 => Action::Write(self.address(rng), rng.u32(..)),
            12..14 => Action::Write(self.code(rng), rng.u32(..)),
            14 => Action::Initialise(self.code(rng), rng.u32(..)),
            15 => Action::Initialise(self.address(rng), rng.u32(..)),
            16 => Action::Map(self.page(rng)),
            17 | 18 => Action::Protect(self.page(rng)),
            19 => Action::Unmap(self.page(rng).address),
            20 | 21 => Action::Fence,
            22 => Action::Interrupt,
            _ => Action::Reset,
        }
    }

    /// A place in the code, mostly an even one.
    fn code(&self, rng: &mut Rng) -> u32 {
        let length = self.code.end.wrapping_sub(self.code.start);
        let offset = rng.u32(..length + 2);
        self.code.start.wrapping_add(if rng.u8(..8) == 0 { offset } else { offset & !1 })
    }

    /// An address near the edge of a page, mostly one that is mapped.
    fn address(&self, rng: &mut Rng) -> u32 {
        let page = self.page(rng).address;
        match rng.u8(..3) {
            0 => page.wrapping_add(rng.u32(..PAGE_SIZE)),
            _ => page.wrapping_add_signed(rng.i32(-8..16)),
        }
    }

    fn page(&self, rng: &mut Rng) -> Page {
        let area = &self.areas[rng.usize(..self.areas.len())];
        let pages = area.size() / PAGE_SIZE;
        let address = area.address.wrapping_add(rng.u32(..pages + 1) * PAGE_SIZE);
        Page { address, access: RIGHTS[rng.usize(..5)] }
    }
}

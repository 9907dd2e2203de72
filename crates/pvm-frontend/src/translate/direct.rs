//! Dynamic jumps that go to the address itself.
//!
//! A region knows its own targets, so each has a table of its own: a few bits of the address choose a place in it, where the
//! address is compared with the one or the few that have those bits. Nothing is looked up that others change. An odd address
//! is none of them, so it leaves the region, with the lowest bit cleared.

use super::{Translator, context_flags};
use crate::Exit;
use crate::blocks::BlockId;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{self, InstBuilder, Value};
use pvm_ops::GuestCode;
use pvm_vm::Context;

/// So few targets are compared one after the other.
const FEW: usize = 3;
/// A table has so many places at least for each target, rounded up to a power of two.
const PLACES: usize = 2;
/// The highest of the bits that may choose, less the first that can differ.
const MOST_SHIFTS: u32 = 14;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Goes to an address, the lowest bit cleared, by the jump at `from`: within the region, or out of it. Wherever it is, that
    /// is no panic: where no code can be, the interpreter finds that out.
    pub(super) fn dispatch_directly(&mut self, address: Value, from: Value) {
        let targets: Vec<BlockId> = self.targets().collect();
        self.go_to_one_of(address, &targets);
        let address = self.builder.ins().band_imm_s(address, !1);
        let context = self.context_here();
        self.builder.ins().store(context_flags(), from, context, Context::JUMP);
        self.exit_to(Exit::EnterByJump, address);
    }

    /// Goes to an address if it is that of one of these blocks.
    pub(super) fn go_to_one_of(&mut self, address: Value, targets: &[BlockId]) {
        let bodies = |&id| (self.blocks.get(id).start, self.region.position(id).expect("targets are members"));
        let targets: Vec<(u32, usize)> = targets.iter().map(bodies).collect();
        let otherwise = self.builder.create_block();
        self.builder.set_cold_block(otherwise);
        if targets.len() <= FEW {
            self.compare(address, &targets, otherwise);
        } else {
            let count = (PLACES * targets.len()).next_power_of_two();
            let (shift, places) = spread(&targets, count);
            let at = self.builder.ins().ushr_imm_u(address, i64::from(shift));
            let at = self.builder.ins().band_imm_u(at, count as i64 - 1);
            let block = |place: &Vec<_>| if place.is_empty() { otherwise } else { self.builder.create_block() };
            let blocks: Vec<ir::Block> = places.iter().map(block).collect();
            self.branch_by_table(at, otherwise, &blocks);
            for (block, place) in blocks.into_iter().zip(places).filter(|(_, place)| !place.is_empty()) {
                self.builder.seal_block(block);
                self.builder.switch_to_block(block);
                self.compare(address, &place, otherwise);
            }
        }
        self.builder.seal_block(otherwise);
        self.builder.switch_to_block(otherwise);
    }

    /// Goes to the target that the address is.
    fn compare(&mut self, address: Value, targets: &[(u32, usize)], otherwise: ir::Block) {
        for (index, &(pc, position)) in targets.iter().enumerate() {
            let is_last = index + 1 == targets.len();
            let next = if is_last { otherwise } else { self.builder.create_block() };
            let differs = self.builder.ins().icmp_imm_u(IntCC::NotEqual, address, i64::from(pc));
            self.builder.ins().brif(differs, next, &[], self.bodies[position], &[]);
            if !is_last {
                self.builder.seal_block(next);
                self.builder.switch_to_block(next);
            }
        }
        if targets.is_empty() {
            self.builder.ins().jump(otherwise, &[]);
        }
    }
}

/// Which bits of addresses, from which on, spread the targets best over so many places; and which go to each.
fn spread(targets: &[(u32, usize)], count: usize) -> (u32, Vec<Vec<(u32, usize)>>) {
    let place = |shift: u32| {
        let mut places = vec![Vec::new(); count];
        for &target in targets {
            places[(target.0 >> shift) as usize & (count - 1)].push(target);
        }
        (shift, places)
    };
    let most = |places: &[Vec<_>]| places.iter().map(Vec::len).max().unwrap_or(0);
    let all = (1..=MOST_SHIFTS).map(place);
    all.min_by_key(|(_, places)| most(places)).expect("there is a shift")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_that_differ_are_chosen() {
        let targets: Vec<_> = (0..8).map(|at| (0x1_0000 + 0x40 * at as u32, at)).collect();
        let (shift, places) = spread(&targets, 16);
        assert!(places.iter().all(|place| place.len() <= 1), "{shift}: {places:?}");
    }
}

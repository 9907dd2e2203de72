//! Loops that do the same to one element of an array after the other.

use super::super::emit::Parts;
use super::super::values::{address, immediate, one_in};
use super::{BASES, COUNTERS, Flow};
use pvm_isa::Opcode;
use pvm_ops::PAGE_SIZE;
use std::ops::Range;

/// What elements are put into.
const VALUES: Range<u8> = 7..13;
/// What sums are made in, mostly.
const TOTAL: u8 = 0;

/// A loop while it is written.
struct Elements {
    /// The logarithm of the size of an element.
    size: usize,
    /// Registers with values of the round.
    made: Vec<u8>,
    /// Registers that the round before has loaded, and the one before that, which nothing else writes.
    carried: Vec<u8>,
    /// A register to which each round adds the same.
    growing: Option<u8>,
    /// A register that no round writes, mostly of few bits.
    same: u8,
    /// Registers that step.
    stepped: [u8; 2],
    /// Whether elements that are read are written over.
    is_in_place: bool,
}

impl Flow<'_, '_> {
    /// Such a loop, or nearly so: one or two arrays are read, another one or the same is written or a total made.
    pub(super) fn elements_loop(&mut self, depth: usize) {
        let counter = COUNTERS[depth % COUNTERS.len()];
        let [from, other, to, end] = BASES;
        let rng = &mut *self.emitter.rng;
        let first = rng.u8(VALUES);
        let second = VALUES.start + (first - VALUES.start + 1) % (VALUES.end - VALUES.start);
        let count = [0, 0, 0, 1, 2][rng.usize(..5)];
        let carried = [first, second][..count].to_vec();
        let size = if one_in(rng, 6) { 3 } else { rng.usize(..3) };
        let (is_in_place, same) = (one_in(rng, 3), COUNTERS[(depth + 1) % COUNTERS.len()]);
        let stepped = [from, counter];
        let growing = if one_in(rng, 4) { Some(rng.u8(VALUES)).filter(|reg| !carried.contains(reg)) } else { None };
        let made = carried.iter().copied().chain(growing).collect();
        let mut elements = Elements { size, made, carried, growing, same, stepped, is_in_place };
        let step = 1 << elements.size;
        let rounds = rng.i32(1..90);
        let mut at = [from, other].map(|_| {
            let at = address(rng, self.pages) as i32;
            // The loop goes on from page to page, of which the next one may only be read, or not at all.
            let is_across = one_in(rng, 4);
            if is_across { (at | (PAGE_SIZE as i32 - 1)).wrapping_sub(rng.i32(0..rounds * step)) } else { at }
        });
        // Mostly what is written is not what is read.
        let distance = if one_in(rng, 4) { rng.i32(-24..24) * rng.i32(1..5) } else { rng.i32(-3000..3000) };
        let [is_counted, stores, totals, is_loaded] = [2, 2, 2, 4].map(|of| one_in(rng, of));
        // What the loop keeps somewhere, or where it ends, may lie where it comes across it.
        let [spilled_at, bound_at] = [address(rng, self.pages) as i32, at[1]].map(|elsewhere| {
            let along = at[0].wrapping_add(rng.i32(-24..rounds * step + 24));
            match rng.u32(..4) {
                0 => along,
                1 => along.wrapping_add(distance),
                _ => elsewhere,
            }
        });
        if is_loaded {
            at[1] = bound_at.wrapping_add(16);
        }
        for (base, at) in [from, other].into_iter().zip(at) {
            self.with_immediate(Opcode::LoadImm, base, 0, at);
        }
        self.with_immediate(Opcode::AddImm64, to, from, distance);
        self.with_immediate(Opcode::AddImm64, end, from, rounds * step);
        self.with_immediate(Opcode::LoadImm, counter, 0, rounds);
        if depth == 0 {
            let rng = &mut *self.emitter.rng;
            let x = if one_in(rng, 3) { immediate(rng) } else { rng.i32(-300..300) };
            self.with_immediate(Opcode::LoadImm, elements.same, 0, x);
            if one_in(self.emitter.rng, 8) {
                self.with_immediate(Opcode::MulImm64, elements.same, elements.same, i32::MAX);
            }
        }
        let bound = 11;
        if is_loaded {
            // Where the loop ends is in memory, and the register for it is used otherwise as well.
            self.with_immediate(Opcode::StoreIndU64, end, other, -16);
            self.emitter.op(Opcode::MoveReg, Parts { b: other, d: end, ..Parts::default() });
        }
        self.with_immediate(Opcode::Fallthrough, 0, 0, 0);
        let head = self.emitter.label();
        self.emitter.place(head);

        let mut steps = vec![(from, step), (counter, -1)];
        let reads_other = !is_loaded && one_in(self.emitter.rng, 2);
        if reads_other {
            steps.push((other, step));
        }
        if stores && !is_in_place {
            steps.push((to, step));
        }
        self.emitter.rng.shuffle(&mut steps);
        let pieces = self.emitter.rng.usize(2..12);
        let grows_at = self.emitter.rng.usize(..pieces);
        for left in (0..pieces).rev() {
            if let Some(growing) = elements.growing.filter(|_| left == grows_at) {
                self.grow(growing, elements.same);
            }
            match self.emitter.rng.u32(..10) {
                _ if left + 1 == pieces => self.load_element(&mut elements, from),
                0..2 => self.load_element(&mut elements, from),
                2 if reads_other => self.load_element(&mut elements, other),
                3 if one_in(self.emitter.rng, 4) => self.compute_with_spilled(&mut elements, spilled_at),
                _ => self.compute_with(&mut elements),
            }
            if one_in(self.emitter.rng, 2 * left as u32 + 2)
                && let Some((reg, step)) = steps.pop()
            {
                self.with_immediate(Opcode::AddImm64, reg, reg, step);
            }
        }
        if let [first, older @ ..] = &elements.carried.clone()[..] {
            for &older in older {
                self.emitter.op(Opcode::MoveReg, Parts { b: *first, d: older, ..Parts::default() });
            }
            self.load_element_to(&mut elements, *first, from);
        }
        if stores {
            self.store_element(&elements, if is_in_place { from } else { to });
            if one_in(self.emitter.rng, 4) {
                let base = [from, other, to][self.emitter.rng.usize(..3)];
                self.store_element(&elements, base);
            }
        }
        if totals {
            use Opcode::{Add32, Add64, And, Max, Min, Or, Sub64, Xor};
            let opcode = [Add32, Add32, Add64, Add64, Xor, Or, And, Max, Min, Sub64][self.emitter.rng.usize(..10)];
            let value = self.made_by(&elements);
            let (a, b) = if one_in(self.emitter.rng, 2) { (TOTAL, value) } else { (value, TOTAL) };
            self.emitter.op(opcode, Parts { a, b, d: TOTAL, ..Parts::default() });
        }
        for (reg, step) in steps {
            let step = if one_in(self.emitter.rng, 60) { immediate(self.emitter.rng) } else { step };
            self.with_immediate(Opcode::AddImm64, reg, reg, step);
        }
        if is_loaded {
            self.with_immediate(Opcode::LoadIndU64, bound, end, -16);
        }
        let end = if is_loaded { bound } else { end };
        self.end_of_loop(head, is_counted.then_some(counter), [from, end]);
    }

    fn with_immediate(&mut self, opcode: Opcode, a: u8, b: u8, x: i32) {
        self.emitter.op(opcode, Parts { a, b, x, ..Parts::default() });
    }

    /// A register that the round has made, mostly.
    fn made_by(&mut self, elements: &Elements) -> u8 {
        let rng = &mut *self.emitter.rng;
        match (rng.u32(..50), elements.made.len()) {
            (_, 0) | (0, _) => rng.u8(VALUES),
            (1..3, _) => elements.stepped[rng.usize(..2)],
            (3..8, _) => elements.same,
            (_, count) => elements.made[rng.usize(..count)],
        }
    }

    /// A register for a value.
    fn free(&mut self, elements: &Elements) -> u8 {
        loop {
            let reg = self.emitter.rng.u8(VALUES);
            if !elements.carried.contains(&reg) && elements.growing != Some(reg) {
                return reg;
            }
        }
    }

    fn store_element(&mut self, elements: &Elements, base: u8) {
        use Opcode::{StoreIndU8, StoreIndU16, StoreIndU32, StoreIndU64};
        let store = [StoreIndU8, StoreIndU16, StoreIndU32, StoreIndU64][elements.size];
        let value = self.made_by(elements);
        let x = if one_in(self.emitter.rng, 6) { self.emitter.rng.i32(-2..3) << elements.size } else { 0 };
        self.with_immediate(store, value, base, x);
    }

    /// Something is made in a register that is kept at an address meanwhile.
    fn compute_with_spilled(&mut self, elements: &mut Elements, at: i32) {
        let [value, second, to] = [self.made_by(elements), self.made_by(elements), self.free(elements)];
        let spilled = elements.same;
        let at = at.wrapping_add([0, 0, 0, 4, 8][self.emitter.rng.usize(..5)]);
        self.with_immediate(Opcode::StoreU64, spilled, 0, at);
        self.emitter.op(Opcode::Sub64, Parts { a: value, b: second, d: spilled, ..Parts::default() });
        self.emitter.op(Opcode::Max, Parts { a: value, b: spilled, d: to, ..Parts::default() });
        self.with_immediate(Opcode::LoadU64, spilled, 0, at);
        elements.made.push(to);
    }

    /// Adds to a register what another one has, or a constant.
    fn grow(&mut self, growing: u8, by: u8) {
        let rng = &mut *self.emitter.rng;
        let small = if one_in(rng, 4) { immediate(rng) } else { rng.i32(-3..260) };
        match rng.usize(..3) {
            0 => self.with_immediate(Opcode::AddImm32, growing, growing, small),
            which => {
                let opcode = [Opcode::Add32, Opcode::Add64][which - 1];
                let (a, b) = if one_in(self.emitter.rng, 2) { (growing, by) } else { (by, growing) };
                self.emitter.op(opcode, Parts { a, b, d: growing, ..Parts::default() });
            }
        }
    }

    fn load_element(&mut self, elements: &mut Elements, base: u8) {
        let to = self.free(elements);
        self.load_element_to(elements, to, base);
    }

    fn load_element_to(&mut self, elements: &mut Elements, to: u8, base: u8) {
        use Opcode::{LoadIndI8, LoadIndI16, LoadIndI32, LoadIndU8, LoadIndU16, LoadIndU32, LoadIndU64};
        let loads = [[LoadIndU8, LoadIndI8], [LoadIndU16, LoadIndI16], [LoadIndU32, LoadIndI32], [LoadIndU64; 2]];
        let rng = &mut *self.emitter.rng;
        let opcode = loads[elements.size][rng.usize(..2)];
        let x = match elements.is_in_place {
            true if one_in(rng, 4) => 300,
            true => 0,
            false => rng.i32(-8..9) << elements.size,
        };
        let x = if one_in(rng, 30) { x + 1 } else { x };
        self.with_immediate(opcode, to, base, x);
        elements.made.push(to);
    }

    /// Something is made of what the round has.
    fn compute_with(&mut self, elements: &mut Elements) {
        use Opcode::{
            Add32, Add64, AddImm32, AddImm64, And, AndImm, AndInv, CmovIz, CmovIzImm, CmovNz, CmovNzImm, Max, MaxU,
            Min, MinU, MoveReg, Mul32, Mul64, MulImm32, MulImm64, NegAddImm32, NegAddImm64, Or, OrImm, OrInv,
            RotR32Imm, RotR64Imm, SetGtSImm, SetGtUImm, SetLtS, SetLtSImm, SetLtU, SetLtUImm, SharRImm32, SharRImm64,
            ShloLImm32, ShloLImm64, ShloRImm32, ShloRImm64, SignExtend8, SignExtend16, Sub32, Sub64, Xnor, Xor, XorImm,
            ZeroExtend16,
        };
        const OF_TWO: [Opcode; 18] = [
            Add32, Add64, Sub32, Sub64, Mul32, Mul64, And, Or, Xor, AndInv, OrInv, Xnor, Max, MaxU, Min, MinU, SetLtS,
            SetLtU,
        ];
        const WITH_IMMEDIATE: [Opcode; 13] = [
            AddImm32,
            AddImm64,
            AndImm,
            OrImm,
            XorImm,
            MulImm32,
            MulImm64,
            NegAddImm32,
            NegAddImm64,
            SetLtUImm,
            SetLtSImm,
            SetGtUImm,
            SetGtSImm,
        ];
        const SHIFTS: [Opcode; 8] =
            [SharRImm32, SharRImm64, ShloLImm32, ShloLImm64, ShloRImm32, ShloRImm64, RotR32Imm, RotR64Imm];
        let (value, second, to) = (self.made_by(elements), self.made_by(elements), self.free(elements));
        let rng = &mut *self.emitter.rng;
        let small = if one_in(rng, 4) { immediate(rng) } else { rng.i32(-3..260) };
        match rng.u32(..11) {
            10 => {
                // What the register has is kept, or not.
                let to = self.made_by(elements);
                let is_kept = elements.carried.contains(&to) || elements.growing == Some(to);
                let to = if is_kept || !VALUES.contains(&to) { second } else { to };
                let rng = &mut *self.emitter.rng;
                match one_in(rng, 2) {
                    true => {
                        let opcode = [CmovIz, CmovNz][rng.usize(..2)];
                        self.emitter.op(opcode, Parts { a: value, b: second, d: to, ..Parts::default() });
                    }
                    false => {
                        let opcode = [CmovIzImm, CmovNzImm][rng.usize(..2)];
                        self.with_immediate(opcode, to, second, small);
                    }
                }
                return elements.made.push(to);
            }
            0..4 => {
                let opcode = OF_TWO[rng.usize(..OF_TWO.len())];
                self.emitter.op(opcode, Parts { a: value, b: second, d: to, ..Parts::default() });
            }
            4..7 => {
                let opcode = WITH_IMMEDIATE[rng.usize(..WITH_IMMEDIATE.len())];
                self.with_immediate(opcode, to, value, small);
            }
            7 => self.with_immediate(Opcode::LoadImm, to, 0, small),
            8 if one_in(rng, 2) => {
                let opcode = [MoveReg, SignExtend8, SignExtend16, ZeroExtend16][rng.usize(..4)];
                self.emitter.op(opcode, Parts { b: value, d: to, ..Parts::default() });
            }
            // An extension by two shifts, mostly.
            9 if one_in(rng, 3) => {
                let by = [32, 48, 56, rng.i32(0..64)][rng.usize(..4)];
                let back = if one_in(rng, 8) { rng.i32(0..64) } else { by };
                let opcode = [ShloRImm64, ShloRImm64, SharRImm64][rng.usize(..3)];
                self.with_immediate(ShloLImm64, to, value, by);
                self.with_immediate(opcode, to, to, back);
            }
            _ => {
                let (opcode, by) = (SHIFTS[rng.usize(..SHIFTS.len())], rng.i32(0..33));
                let by = if one_in(rng, 2) { by % 9 } else { by };
                self.with_immediate(opcode, to, value, by);
            }
        }
        elements.made.push(to);
    }
}

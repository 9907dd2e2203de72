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
    /// A register that has where the round reads, while the one for that has something else.
    aside: Option<u8>,
    /// A register that no round writes, mostly of few bits.
    same: u8,
    /// Registers that step.
    stepped: [u8; 2],
    /// How many elements a round moves on by, off each register.
    strides: [(u8, i32); 3],
    /// Whether elements that are read are written over.
    is_in_place: bool,
}

impl Elements {
    fn stride(&self, base: u8) -> i32 {
        self.strides.iter().find(|(reg, _)| *reg == base).map_or(1, |&(_, stride)| stride)
    }
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
        let mut one_more = |of: u32, others: &[u8]| {
            let reg = if one_in(rng, of) { Some(rng.u8(VALUES)) } else { None };
            reg.filter(|reg| !carried.contains(reg) && !others.contains(reg))
        };
        let growing = one_more(4, &[]);
        let aside = one_more(5, growing.as_slice());
        let made = carried.iter().copied().chain(growing).collect();
        let rng = &mut *self.emitter.rng;
        let strides = [from, other, to].map(|base| (base, if one_in(rng, 4) { rng.i32(2..6) } else { 1 }));
        let mut elements = Elements { size, made, carried, growing, aside, same, stepped, strides, is_in_place };
        // Some go from the last element to the first one.
        let [step, other_step, to_step] = [(from, 4), (other, 3), (to, 3)].map(|(base, of)| {
            let step = elements.stride(base) << size;
            if one_in(rng, of) { -step } else { step }
        });
        let rounds = rng.i32(1..90);
        let mut at = [from, other].map(|_| {
            let at = address(rng, self.pages) as i32;
            // The loop goes on from page to page, of which the next one may only be read, or not at all.
            let is_across = one_in(rng, 4);
            if is_across { (at | (PAGE_SIZE as i32 - 1)).wrapping_sub(rng.i32(0..rounds * step.abs())) } else { at }
        });
        // Mostly what is written is not what is read.
        let distance = if one_in(rng, 4) { rng.i32(-24..24) * rng.i32(1..5) } else { rng.i32(-3000..3000) };
        let [is_counted, stores, totals, is_loaded] = [2, 2, 2, 4].map(|of| one_in(rng, of));
        // What the loop keeps somewhere, or where it ends, may lie where it comes across it.
        let [spilled_at, bound_at] = [address(rng, self.pages) as i32, at[1]].map(|elsewhere| {
            let along = at[0].wrapping_add(rng.i32(-24..rounds * step.abs() + 24) * step.signum());
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
            match self.emitter.rng.u32(..8) {
                0 => self.with_immediate(Opcode::MulImm64, elements.same, elements.same, i32::MAX),
                1 => {
                    // What compilers multiply by to divide.
                    let d = self.emitter.rng.u64(2..1000);
                    let wide = [u64::MAX / d + 1, (1 << 35) / d + 1, (1 << 32) / d + 1][self.emitter.rng.usize(..3)];
                    self.emitter.op(Opcode::LoadImm64, Parts { a: elements.same, wide, ..Parts::default() });
                }
                _ => {}
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

        let is_on_stack = elements.aside.is_none() && one_in(self.emitter.rng, 6);
        let mut steps = vec![(counter, -1)];
        match elements.aside {
            Some(aside) => self.emitter.op(Opcode::MoveReg, Parts { b: from, d: aside, ..Parts::default() }),
            None if is_on_stack => self.with_immediate(Opcode::StoreU64, from, 0, spilled_at),
            None => steps.push((from, step)),
        }
        let reads_other = !is_loaded && one_in(self.emitter.rng, 2);
        if reads_other {
            steps.push((other, other_step));
        }
        if stores && !is_in_place {
            steps.push((to, to_step));
        }
        self.emitter.rng.shuffle(&mut steps);
        // With little in it, vectors do most of them.
        let most = [4, 4, 12, if one_in(self.emitter.rng, 4) { 60 } else { 12 }][self.emitter.rng.usize(..4)];
        let pieces = self.emitter.rng.usize(2..most);
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
                4 if one_in(self.emitter.rng, 4) => self.compute_with_kept(&mut elements, end),
                5 => self.average(&mut elements, [from, if reads_other { other } else { from }]),
                6 if one_in(self.emitter.rng, 2) => self.bit(&mut elements),
                7 if one_in(self.emitter.rng, 2) => self.divide(&mut elements),
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
            self.add_to_total(&elements);
        }
        if let Some(aside) = elements.aside {
            self.with_immediate(Opcode::AddImm64, from, aside, step);
        } else if is_on_stack {
            let value = self.made_by(&elements);
            self.emitter.op(Opcode::MoveReg, Parts { b: value, d: from, ..Parts::default() });
            self.store_element(&elements, to);
            self.with_immediate(Opcode::LoadU64, from, 0, spilled_at);
            self.with_immediate(Opcode::AddImm64, from, from, step);
        }
        for (reg, step) in steps {
            let step = if one_in(self.emitter.rng, 60) { immediate(self.emitter.rng) } else { step };
            self.with_immediate(Opcode::AddImm64, reg, reg, step);
        }
        if is_loaded {
            self.with_immediate(Opcode::LoadIndU64, bound, end, -16);
        }
        let end = if is_loaded { bound } else { end };
        if let Some(a) = elements.aside.filter(|_| one_in(self.emitter.rng, 2)) {
            return self.emitter.op(Opcode::BranchNe, Parts { a, b: end, target: Some(head), ..Parts::default() });
        }
        let sides = if step < 0 { [end, from] } else { [from, end] };
        self.end_of_loop(head, is_counted.then_some(counter), sides);
    }

    /// A value of the round is put together with a total, or several are, by way of other registers.
    fn add_to_total(&mut self, elements: &Elements) {
        use Opcode::{Add32, Add64, And, Max, Min, Or, Sub32, Sub64, Xor};
        let opcode = [Add32, Add32, Add64, Add64, Xor, Or, And, Max, Min, Sub64][self.emitter.rng.usize(..10)];
        let more = if one_in(self.emitter.rng, 3) { self.emitter.rng.usize(1..4) } else { 0 };
        let mut total = TOTAL;
        for left in (0..=more).rev() {
            let value = self.made_by(elements);
            let to = if left == 0 || one_in(self.emitter.rng, 2) { TOTAL } else { self.free(elements) };
            let opcode = match opcode {
                Add32 if one_in(self.emitter.rng, 4) => Sub32,
                Add64 if one_in(self.emitter.rng, 4) => Sub64,
                opcode => opcode,
            };
            let is_first = matches!(opcode, Sub32 | Sub64) && !one_in(self.emitter.rng, 8);
            let (a, b) = if is_first || one_in(self.emitter.rng, 2) { (total, value) } else { (value, total) };
            self.emitter.op(opcode, Parts { a, b, d: to, ..Parts::default() });
            total = to;
        }
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
            if !elements.carried.contains(&reg) && ![elements.growing, elements.aside].contains(&Some(reg)) {
                return reg;
            }
        }
    }

    fn store_element(&mut self, elements: &Elements, base: u8) {
        use Opcode::{StoreIndU8, StoreIndU16, StoreIndU32, StoreIndU64};
        let store = [StoreIndU8, StoreIndU16, StoreIndU32, StoreIndU64][elements.size];
        let first = if one_in(self.emitter.rng, 6) { self.emitter.rng.i32(-2..3) } else { 0 };
        let mut all: Vec<i32> = (first..first + elements.stride(base)).collect();
        if one_in(self.emitter.rng, 2) {
            self.emitter.rng.shuffle(&mut all);
        }
        // Mostly all of those that the round moves on by.
        if all.len() > 1 && one_in(self.emitter.rng, 10) {
            all.pop();
        }
        for element in all {
            let value = self.made_by(elements);
            self.with_immediate(store, value, base, element << elements.size);
        }
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

    /// A value is kept in memory off a register that does not change, while another one is made in its register.
    fn compute_with_kept(&mut self, elements: &mut Elements, base: u8) {
        let value = self.made_by(elements);
        let x = [8, 16, 24, 48, -16, 12][self.emitter.rng.usize(..6)];
        self.with_immediate(Opcode::StoreIndU64, value, base, x);
        self.compute_with(elements);
        let to = self.free(elements);
        let x = if one_in(self.emitter.rng, 8) { x + 8 } else { x };
        self.with_immediate(Opcode::LoadIndU64, to, base, x);
        elements.made.push(to);
    }

    /// Half of the sum of two elements, mostly, of which much is made.
    fn average(&mut self, elements: &mut Elements, bases: [u8; 2]) {
        let [a, b] = bases.map(|base| {
            let to = self.free(elements);
            self.load_element_to(elements, to, base);
            to
        });
        let to = self.free(elements);
        let one = if one_in(self.emitter.rng, 6) { self.emitter.rng.i32(0..3) } else { 1 };
        self.emitter.op(Opcode::Add64, Parts { a, b, d: to, ..Parts::default() });
        self.with_immediate(Opcode::AddImm64, to, to, one);
        let opcode = [Opcode::ShloRImm64, Opcode::SharRImm64][self.emitter.rng.usize(..2)];
        self.with_immediate(opcode, to, to, 1);
        elements.made.extend([to; 4]);
    }

    /// A bit of an element, in all bits of a register.
    fn bit(&mut self, elements: &mut Elements) {
        let (value, to) = (self.made_by(elements), self.free(elements));
        let by = 63 - self.emitter.rng.i32(0..8 << elements.size);
        self.with_immediate(Opcode::ShloLImm64, to, value, by);
        self.with_immediate(Opcode::SharRImm64, to, to, 63);
        elements.made.extend([to; 4]);
    }

    /// An element is multiplied by what is the same in all rounds, and the lowest bits are left out, as in divisions by constants.
    fn divide(&mut self, elements: &mut Elements) {
        let (value, to, factor) = (self.made_by(elements), self.free(elements), elements.same);
        let rng = &mut *self.emitter.rng;
        let by = if one_in(rng, 4) { rng.i32(0..64) } else { rng.i32(32..40) };
        match rng.u32(..3) {
            0 => {
                let divisor = [3, 7, 9, 10, 100, 251][rng.usize(..6)];
                self.with_immediate(Opcode::MulImm64, to, value, 1 + (i32::MAX / divisor));
            }
            1 => self.emitter.op(Opcode::Mul64, Parts { a: value, b: factor, d: to, ..Parts::default() }),
            _ => {
                let left = [48, 32, 56, 0][rng.usize(..4)];
                self.with_immediate(Opcode::ShloLImm64, to, value, left);
                self.emitter.op(Opcode::MulUpperUU, Parts { a: to, b: factor, d: to, ..Parts::default() });
            }
        }
        let opcode = [Opcode::ShloRImm64, Opcode::ShloRImm64, Opcode::SharRImm64][self.emitter.rng.usize(..3)];
        self.with_immediate(opcode, to, to, by);
        elements.made.extend([to; 4]);
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
        let opcode = loads[elements.size][usize::from(one_in(rng, 3))];
        let x = match elements.is_in_place {
            true if one_in(rng, 4) => 300,
            true => rng.i32(0..elements.stride(base)) << elements.size,
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
                let is_kept = elements.carried.contains(&to) || [elements.growing, elements.aside].contains(&Some(to));
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
                let back = [rng.i32(0..64), 63, by, by, by, by][rng.usize(..6)];
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

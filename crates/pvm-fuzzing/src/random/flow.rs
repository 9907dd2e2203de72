//! Blocks, loops, calls and jumps.

mod elements;

use super::Style;
use super::body::{BASES, COUNTERS};
use super::emit::{Emitter, Label, Parts};
use super::values::{address, immediate, jump_address, one_in, value};
use crate::Page;
use fastrand::Rng;
use pvm_isa::{Format, Meaning, Opcode, REG_COUNT, SPECS, Spec};
use pvm_ops::HALT_ADDRESS;
use pvm_program::Blob;
use std::sync::LazyLock;

static BRANCHES: LazyLock<Vec<&'static Spec>> =
    LazyLock::new(|| SPECS.iter().filter(|spec| matches!(spec.meaning, Meaning::Branch(_))).collect());

/// The register that holds return addresses.
const LINK: u8 = 0;
/// A register for addresses of dynamic jumps.
const JUMP: u8 = 12;

/// A program over memory in which these pages are mapped at first.
pub(super) fn program(rng: &mut Rng, style: Style, pages: &[Page]) -> Blob {
    let size = match rng.u32(..300) {
        0 => Size { parts: rng.usize(1..4), len: 1100 },
        1..8 => Size { parts: rng.usize(20..50), len: 12 },
        // So many calls that a region has more jump targets than dynamic jumps have branch tables of their own for.
        8..14 => Size { parts: rng.usize(50..150), len: 3 },
        14..80 => Size { parts: rng.usize(1..3), len: 20 },
        80..180 => Size { parts: rng.usize(1..6), len: 8 },
        _ => Size { parts: rng.usize(2..10), len: 4 },
    };
    let mut emitter = Emitter::new(rng, style);
    let labels = (0..size.parts).map(|_| emitter.label()).collect();
    let functions = (0..size.parts / 3).map(|_| emitter.label()).collect();
    let mut flow = Flow { emitter, pages, size, labels, functions };
    flow.program();
    flow.emitter.finish()
}

/// Registers that such a program can do something with.
pub(super) fn registers(rng: &mut Rng, pages: &[Page]) -> [u64; REG_COUNT] {
    let mut registers: [u64; REG_COUNT] = std::array::from_fn(|_| value(rng));
    for base in BASES {
        let junk = if one_in(rng, 3) { rng.u64(..) << 32 } else { 0 };
        registers[usize::from(base)] = u64::from(address(rng, pages)) | junk;
    }
    if !one_in(rng, 4) {
        registers[usize::from(LINK)] = u64::from(HALT_ADDRESS);
    }
    registers
}

#[derive(Clone, Copy)]
struct Size {
    /// How many parts the program has, apart from functions.
    parts: usize,
    /// How long a block is at most.
    len: usize,
}

struct Flow<'r, 'p> {
    emitter: Emitter<'r>,
    pages: &'p [Page],
    size: Size,
    labels: Vec<Label>,
    functions: Vec<Label>,
}

impl Flow<'_, '_> {
    fn program(&mut self) {
        for index in 0..self.labels.len() {
            let label = self.labels[index];
            self.emitter.place(label);
            self.part(index, 0);
        }
        if !one_in(self.emitter.rng, 3) {
            self.return_from(LINK);
        }
        for label in self.functions.clone() {
            self.emitter.place(label);
            if one_in(self.emitter.rng, 4) {
                self.recursion(label);
                continue;
            }
            self.body();
            if one_in(self.emitter.rng, 3) {
                self.branch(0);
                self.body();
            }
            if !one_in(self.emitter.rng, 10) {
                self.return_from(LINK);
            }
        }
    }

    /// What a function does that calls itself, mostly until a counter is used up: it keeps where it returns to on a stack, and copies of
    /// registers in others.
    fn recursion(&mut self, function: Label) {
        let [stack, counter] = [BASES[0], COUNTERS[0]];
        let op = |this: &mut Self, opcode, a, b, x| this.emitter.op(opcode, Parts { a, b, x, ..Parts::default() });
        let leaf = self.emitter.label();
        op(self, Opcode::AddImm64, stack, stack, -16);
        op(self, Opcode::StoreIndU64, LINK, stack, 8);
        for _ in 0..self.emitter.rng.usize(1..4) {
            let [to, from] = std::array::from_fn(|_| self.emitter.rng.u8(7..13));
            op(self, Opcode::MoveReg, to, from, 0);
        }
        self.skipped();
        op(self, Opcode::AddImm64, counter, counter, -1);
        let parts = Parts { a: counter, target: Some(leaf), ..Parts::default() };
        match one_in(self.emitter.rng, 3) {
            true => self.branch_to(Some(leaf)),
            false => self.emitter.op(Opcode::BranchLeSImm, parts),
        }
        for _ in 0..self.emitter.rng.usize(1..3) {
            let back = self.emitter.label();
            let x = self.emitter.table_address(back) as i32;
            self.emitter.op(Opcode::LoadImmJump, Parts { a: LINK, x, target: Some(function), ..Parts::default() });
            self.emitter.place(back);
            self.skipped();
        }
        if one_in(self.emitter.rng, 3) {
            self.branch_to(Some(leaf));
        }
        self.emitter.op(Opcode::Fallthrough, Parts::default());
        self.emitter.place(leaf);
        op(self, Opcode::LoadIndU64, LINK, stack, 8);
        op(self, Opcode::AddImm64, stack, stack, 16);
        self.return_from(LINK);
    }

    fn body(&mut self) {
        let len = self.emitter.rng.usize(..self.size.len + 1);
        // Blocks longer than any region.
        let len = if self.size.len > 1000 { len + 900 } else { len };
        self.emitter.body(self.pages, len);
    }

    fn part(&mut self, index: usize, depth: usize) {
        self.body();
        match self.emitter.rng.u32(..24) {
            0..9 => self.branch(index),
            9..12 if depth < 2 => self.counted_loop(index, depth),
            12 if depth < 2 && one_in(self.emitter.rng, 2) => self.moving_loop(depth),
            12 if depth < 2 => self.stepping_loop(depth),
            13 if depth < 2 => self.elements_loop(depth),
            13..16 => self.call(),
            16 if one_in(self.emitter.rng, 3) => self.switch(index),
            16..18 => self.dynamic_jump(index),
            18..20 => self.jump(index),
            20 if one_in(self.emitter.rng, 3) => self.emitter.op(Opcode::Trap, Parts::default()),
            21 => self.emitter.op(Opcode::Unlikely, Parts::default()),
            _ => self.emitter.op(Opcode::Fallthrough, Parts::default()),
        }
    }

    /// Mostly a later part, sometimes an earlier one or this, rarely none that a jump may go to.
    fn target(&mut self, index: usize) -> Option<Label> {
        let rng = &mut *self.emitter.rng;
        let parts = self.labels.len();
        match rng.u32(..20) {
            0 if one_in(rng, if self.emitter.style.for_peer { 20 } else { 2 }) => None,
            0..5 => Some(self.labels[rng.usize(..parts)]),
            _ => self.labels.get(index + 1 + rng.usize(..3)).or(self.labels.last()).copied(),
        }
    }

    /// Mostly one branch; now and then two with nothing in between, where the first leads to where the second may lead; or one
    /// around some instructions.
    fn branch(&mut self, index: usize) {
        let target = self.target(index);
        match self.emitter.rng.u32(..10) {
            0 => {
                self.branch_to(target);
                self.branch_to(target);
            }
            1 => {
                let behind = self.emitter.label();
                self.branch_to(Some(behind));
                self.branch_to(target);
                self.emitter.place(behind);
            }
            2 => {
                let behind = self.emitter.label();
                self.branch_to(Some(behind));
                self.skipped();
                self.emitter.op(Opcode::Fallthrough, Parts::default());
                self.emitter.place(behind);
            }
            3 => {
                let [aside, join, behind] = std::array::from_fn(|_| self.emitter.label());
                self.branch_to(Some(aside));
                self.emitter.place(join);
                self.body();
                self.emitter.op(Opcode::Jump, Parts { target: Some(behind), ..Parts::default() });
                self.emitter.place(aside);
                self.skipped();
                self.emitter.op(Opcode::Jump, Parts { target: Some(join), ..Parts::default() });
                self.emitter.place(behind);
            }
            _ => self.branch_to(target),
        }
    }

    /// What a branch leads around.
    fn skipped(&mut self) {
        let len = self.emitter.rng.usize(1..4);
        self.emitter.body(self.pages, len);
    }

    fn branch_to(&mut self, target: Option<Label>) {
        let rng = &mut *self.emitter.rng;
        let spec = BRANCHES[rng.usize(..BRANCHES.len())];
        let (a, b, x) = (rng.u8(..13), rng.u8(..13), immediate(rng));
        self.emitter.op(spec.opcode, Parts { a, b, x, target, ..Parts::default() });
    }

    fn counted_loop(&mut self, index: usize, depth: usize) {
        let counter = COUNTERS[depth % COUNTERS.len()];
        let (share, most) = self.emitter.style.long_loops;
        let rounds = match self.emitter.rng.u32(..share) {
            0 => self.emitter.rng.i32(10..most),
            _ => self.emitter.rng.i32(1..10),
        };
        self.emitter.op(Opcode::LoadImm, Parts { a: counter, x: rounds, ..Parts::default() });
        self.emitter.op(Opcode::Fallthrough, Parts::default());
        let head = self.emitter.label();
        self.emitter.place(head);
        self.body();
        if one_in(self.emitter.rng, 3) {
            self.part(index, depth + 1);
        }
        self.emitter.op(Opcode::AddImm64, Parts { a: counter, b: counter, x: -1, ..Parts::default() });
        let opcode = [Opcode::BranchNeImm, Opcode::BranchGtUImm, Opcode::BranchGtSImm][self.emitter.rng.usize(..3)];
        self.emitter.op(opcode, Parts { a: counter, target: Some(head), ..Parts::default() });
    }

    /// A loop that copies or fills memory, as compilers write it, or nearly so.
    fn moving_loop(&mut self, depth: usize) {
        let counter = COUNTERS[depth % COUNTERS.len()];
        let size = self.emitter.rng.usize(..4);
        let step = 1 << size;
        let [from, to, end] = [BASES[0], BASES[1], BASES[2]];
        let rng = &mut *self.emitter.rng;
        let at = address(rng, self.pages) as i32;
        // Mostly they do not overlap, or do so by little.
        let distance = if one_in(rng, 3) { rng.i32(-70..70) } else { rng.i32(-3000..3000) };
        let rounds = rng.i32(1..100);
        let value = rng.u8(7..13);
        let [is_copy, is_counted, has_next] = std::array::from_fn(|_| one_in(rng, 2));
        let op = |this: &mut Self, opcode, a, b, x| this.emitter.op(opcode, Parts { a, b, x, ..Parts::default() });
        op(self, Opcode::LoadImm, from, 0, at);
        op(self, Opcode::AddImm64, to, from, distance);
        op(self, Opcode::AddImm64, end, to, rounds * step);
        op(self, Opcode::LoadImm, counter, 0, rounds);
        op(self, Opcode::Fallthrough, 0, 0, 0);
        let head = self.emitter.label();
        self.emitter.place(head);
        let mut rest = vec![(Opcode::AddImm64, from, from, step), (Opcode::AddImm64, counter, counter, -1)];
        self.emitter.rng.shuffle(&mut rest);
        if is_copy {
            use Opcode::{LoadIndI8, LoadIndI16, LoadIndI32, LoadIndU8, LoadIndU16, LoadIndU32, LoadIndU64};
            let loads = [[LoadIndU8, LoadIndI8], [LoadIndU16, LoadIndI16], [LoadIndU32, LoadIndI32], [LoadIndU64; 2]];
            let x = self.emitter.rng.i32(-8..9);
            let load = loads[size][self.emitter.rng.usize(..2)];
            op(self, load, value, from, x);
        }
        let next = 11;
        if has_next {
            op(self, Opcode::AddImm64, next, to, step);
        }
        let store = [Opcode::StoreIndU8, Opcode::StoreIndU16, Opcode::StoreIndU32, Opcode::StoreIndU64][size];
        let x = if one_in(self.emitter.rng, 3) { self.emitter.rng.i32(-8..9) } else { 0 };
        op(self, store, value, to, x);
        for (opcode, a, b, x) in rest {
            // Now and then it is not what it seems.
            let x = if one_in(self.emitter.rng, 40) { immediate(self.emitter.rng) } else { x };
            op(self, opcode, a, b, x);
        }
        match has_next {
            true => op(self, Opcode::MoveReg, to, next, 0),
            false => op(self, Opcode::AddImm64, to, to, step),
        }
        self.end_of_loop(head, is_counted.then_some(counter), [to, end]);
    }

    /// Goes on until a counter is used up, or the first of two registers has come to the second.
    fn end_of_loop(&mut self, head: Label, counter: Option<u8>, [at, end]: [u8; 2]) {
        let branches = match counter {
            Some(_) => [Opcode::BranchNeImm, Opcode::BranchGtUImm, Opcode::BranchGtSImm, Opcode::BranchGeSImm],
            None => [Opcode::BranchNe, Opcode::BranchLtU, Opcode::BranchLtS, Opcode::BranchGeU],
        };
        let opcode = branches[self.emitter.rng.usize(..4)];
        let [a, b] = if opcode == Opcode::BranchGeU { [end, at] } else { [at, end] };
        let parts = Parts { target: Some(head), ..Parts::default() };
        let x = self.emitter.rng.i32(0..9);
        match counter {
            Some(a) => self.emitter.op(opcode, Parts { a, x: if x < 6 { 0 } else { x }, ..parts }),
            None => self.emitter.op(opcode, Parts { a, b, ..parts }),
        }
    }

    /// A loop of one block in which registers change by constants, and are accessed off, compared, and used otherwise.
    fn stepping_loop(&mut self, depth: usize) {
        let counter = COUNTERS[depth % COUNTERS.len()];
        let [at, other, end] = [BASES[0], BASES[1], BASES[2]];
        let rng = &mut *self.emitter.rng;
        let from = [at, other].map(|reg| (reg, address(rng, self.pages) as i32));
        let step = [1, 2, 4, 8, 8, 24, 640, -8][rng.usize(..8)];
        let rounds = rng.i32(1..40);
        // Mostly it comes to the end exactly.
        let beside = if one_in(rng, 8) { rng.i32(-3..4) } else { 0 };
        let is_counted = one_in(rng, 2);
        let op = |this: &mut Self, opcode, a, b, x| this.emitter.op(opcode, Parts { a, b, x, ..Parts::default() });
        for (reg, from) in from {
            op(self, Opcode::LoadImm, reg, 0, from);
        }
        op(self, Opcode::AddImm64, end, at, rounds * step + beside);
        op(self, Opcode::LoadImm, counter, 0, rounds);
        op(self, Opcode::Fallthrough, 0, 0, 0);
        let head = self.emitter.label();
        self.emitter.place(head);
        let mut steps = vec![(at, step), (counter, -1)];
        if one_in(self.emitter.rng, 2) {
            steps.push((other, immediate(self.emitter.rng)));
        }
        self.emitter.rng.shuffle(&mut steps);
        let pieces = self.emitter.rng.usize(1..6);
        for left in (0..pieces).rev() {
            use Opcode::{Add64, LoadIndI32, LoadIndU8, LoadIndU64, Mul64, StoreIndU16, StoreIndU64};
            let rng = &mut *self.emitter.rng;
            let (base, value, x) = ([at, other][rng.usize(..2)], rng.u8(7..13), rng.i32(-16..17));
            let load = [LoadIndU64, LoadIndU8, LoadIndI32][rng.usize(..3)];
            let (store, stored) = ([StoreIndU64, StoreIndU16][rng.usize(..2)], [value, base][rng.usize(..2)]);
            let (sum, d) = ([Add64, Mul64][rng.usize(..2)], rng.u8(7..13));
            match rng.u32(..10) {
                0..4 => op(self, load, value, base, x),
                4..7 => op(self, store, stored, base, x),
                7 => self.emitter.op(sum, Parts { a: value, b: base, d, ..Parts::default() }),
                _ => self.emitter.body(self.pages, 1),
            }
            // Steps come anywhere.
            if one_in(self.emitter.rng, left as u32 + 1)
                && let Some((reg, step)) = steps.pop()
            {
                op(self, Opcode::AddImm64, reg, reg, step);
            }
        }
        for (reg, step) in steps {
            op(self, Opcode::AddImm64, reg, reg, step);
        }
        // Whether it goes on may depend on what no one can foresee.
        match one_in(self.emitter.rng, 5) {
            true => {
                let a = self.emitter.rng.u8(7..13);
                self.emitter.op(Opcode::BranchNeImm, Parts { a, target: Some(head), ..Parts::default() });
            }
            false => self.end_of_loop(head, is_counted.then_some(counter), [at, end]),
        }
    }

    /// A call of a function, which comes back here; or of a part, which may not.
    fn call(&mut self) {
        let back = self.emitter.label();
        let function = match self.functions.len() {
            0 => self.target(0),
            count => Some(self.functions[self.emitter.rng.usize(..count)]),
        };
        let x = self.emitter.table_address(back) as i32;
        if let (Some(function), true) = (function, one_in(self.emitter.rng, 3)) {
            let address = self.emitter.table_address(function) as i32;
            let (base, y) = if one_in(self.emitter.rng, 2) { (JUMP, 0) } else { (LINK, immediate(self.emitter.rng)) };
            let parts = Parts { a: base, x: address.wrapping_sub(y), ..Parts::default() };
            self.emitter.op(Opcode::LoadImm, parts);
            self.emitter.op(Opcode::LoadImmJumpInd, Parts { a: LINK, b: base, x, y, ..Parts::default() });
        } else {
            self.emitter.op(Opcode::LoadImmJump, Parts { a: LINK, x, target: function, ..Parts::default() });
        }
        self.emitter.place(back);
    }

    fn jump(&mut self, index: usize) {
        let target = self.target(index);
        self.emitter.op(Opcode::Jump, Parts { target, ..Parts::default() });
    }

    /// A jump to a computed address: mostly to a part, sometimes to where it may not go.
    fn dynamic_jump(&mut self, index: usize) {
        let address = match self.target(index) {
            Some(label) if !one_in(self.emitter.rng, 5) => self.emitter.table_address(label),
            _ => jump_address(self.emitter.rng, self.emitter.table_len()),
        };
        let x = if one_in(self.emitter.rng, 3) { immediate(self.emitter.rng) } else { 0 };
        let base = address.wrapping_sub(x as u32);
        if one_in(self.emitter.rng, 3) {
            let wide = u64::from(base) | self.emitter.rng.u64(..) << 32;
            self.emitter.op(Opcode::LoadImm64, Parts { a: JUMP, wide, ..Parts::default() });
        } else {
            self.emitter.op(Opcode::LoadImm, Parts { a: JUMP, x: base as i32, ..Parts::default() });
        }
        if one_in(self.emitter.rng, 3) {
            let a = if one_in(self.emitter.rng, 3) { JUMP } else { 11 };
            let parts = Parts { a, b: JUMP, x: immediate(self.emitter.rng), y: x, ..Parts::default() };
            self.emitter.op(Opcode::LoadImmJumpInd, parts);
        } else {
            self.emitter.op(Opcode::JumpInd, Parts { a: JUMP, x, ..Parts::default() });
        }
    }

    /// A jump by what is in a register to one of the first entries of the jump table, mostly behind a branch past it.
    fn switch(&mut self, index: usize) {
        let target = self.target(index);
        if !one_in(self.emitter.rng, 4) {
            self.branch_to(target);
        }
        // Odd addresses are none.
        let mask = [2, 6, 14, 30, 7, -2][self.emitter.rng.usize(..6)];
        let b = self.emitter.rng.u8(5..13);
        self.emitter.op(Opcode::AndImm, Parts { a: JUMP, b, x: mask, ..Parts::default() });
        self.emitter.op(Opcode::JumpInd, Parts { a: JUMP, x: 2, ..Parts::default() });
    }

    fn return_from(&mut self, link: u8) {
        debug_assert_eq!(Opcode::JumpInd.spec().format, Format::RegImm);
        self.emitter.op(Opcode::JumpInd, Parts { a: link, ..Parts::default() });
    }
}

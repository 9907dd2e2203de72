//! Random code with jumps: branches, loops, calls, dynamic jumps, code that changes itself.

use super::body::Writer;
use super::emitter::{instruction, reg, spec};
use pvm_rv32::{Instruction, Meaning, Spec};

/// How deep loops and branches are within one another.
const MAX_DEPTH: usize = 3;

/// How many functions a case has.
pub(super) const FUNCTIONS: usize = 2;

impl Writer<'_> {
    /// So many items, one after the other. What loops repeat is shorter.
    pub fn items(&mut self, count: usize, depth: usize, loops: usize) {
        for _ in 0..count {
            match self.rng.u8(0..100) {
                0..45 => self.arithmetic(),
                45..55 => self.idiom(),
                55..60 => self.constant(),
                60..72 => self.access(),
                72..76 => self.computed_access(),
                76..80 => self.atomic(),
                80..81 => self.stack(),
                81..89 if depth < MAX_DEPTH => self.branch(depth, loops),
                89..91 if loops < 2 && depth < MAX_DEPTH => self.repeat(depth, loops),
                91..92 => self.moves(),
                92..95 => self.call(),
                95..97 if depth < MAX_DEPTH => self.jump_over(depth, loops),
                97..98 => self.switch(),
                98..99 if self.changes => self.change(loops),
                _ => self.out.op("fence", 0, 0, 0, 0),
            }
        }
    }

    fn branch(&mut self, depth: usize, loops: usize) {
        // A short branch reaches 256 bytes.
        let count = self.rng.usize(0..6);
        let is_branch = |spec: &Spec| matches!(spec.meaning, Meaning::Branch(_));
        let Some(found) = self.random(is_branch) else { return };
        let hole = self.out.hole(found.spec.bytes());
        self.items(count, depth + 1, loops);
        if !self.out.patch_to_here(hole, found) {
            // Too far: nothing is skipped.
            let nothing = if found.spec.bytes() == 2 { 0x0001 } else { 0x0000_0013_u32 };
            let len = found.spec.bytes() as usize;
            self.out.code[hole..hole + len].copy_from_slice(&nothing.to_le_bytes()[..len]);
        }
    }

    fn repeat(&mut self, depth: usize, loops: usize) {
        let counter = if self.in_function { self.roles.counters[2] } else { self.roles.counters[loops] };
        // Now and then so often that it gets hot.
        let times = if self.rng.u8(0..8) == 0 && loops == 0 { self.rng.i32(20..300) } else { self.rng.i32(1..6) };
        self.out.op("addi", counter, 0, 0, times);
        let head = self.out.here();
        let count = self.rng.usize(1..8);
        // A function has one counter.
        self.items(count, depth + 1, if self.in_function { 2 } else { loops + 1 });
        self.out.op("addi", counter, counter, 0, -1);
        let hole = self.out.hole(4);
        if !self.out.patch_to(hole, instruction("bne", 0, counter, 0, 0), head) {
            self.out.patch_to(hole, instruction("beq", 0, counter, 0, 0), self.out.here() + 4);
            let far = self.out.hole(4);
            self.out.patch_to(far, instruction("jal", 0, 0, 0, 0), head);
        }
    }

    /// A loop that copies or fills memory, as compilers write it: by pointers or an index, one piece per round or two.
    fn moves(&mut self) {
        let registers: [u8; 6] = std::array::from_fn(|_| self.some_register());
        if (1..6).any(|at| registers[..at].contains(&registers[at])) {
            return self.arithmetic();
        }
        let [from, to, end, next, x, y] = registers;
        let size = self.rng.usize(0..3);
        let load = [["lb", "lbu"], ["lh", "lhu"], ["lw", "lw"]][size][self.rng.usize(0..2)];
        let store = ["sb", "sh", "sw"][size];
        let piece = 1 << size;
        let [is_copy, has_next] = [0, 1].map(|_| self.rng.bool());
        let pointer = self.roles.pointers[self.rng.usize(0..4)];
        self.out.op("addi", from, pointer, 0, self.rng.i32(-200..200));
        let distance = if self.rng.bool() { self.rng.i32(-70..70) } else { self.rng.i32(-300..300) };
        self.out.op("addi", to, from, 0, distance);
        let offsets = [0, 1].map(|_| self.rng.i32(-8..9));
        let branch = ["bne", "bltu", "blt"][self.rng.usize(0..3)];
        if self.rng.u8(0..3) == 0 {
            let index = end;
            self.out.op("addi", y, 0, 0, self.rng.i32(1..100) * piece);
            self.out.op("addi", index, 0, 0, 0);
            let head = self.out.here();
            if is_copy {
                self.out.op("add", next, from, index, 0);
                self.out.op(load, x, next, 0, offsets[0]);
            }
            self.out.op("add", next, to, index, 0);
            self.out.op("addi", index, index, 0, piece);
            self.out.op(store, 0, next, x, offsets[1]);
            let hole = self.out.hole(4);
            self.out.patch_to(hole, instruction(branch, 0, index, y, 0), head);
            return;
        }
        let count = self.rng.i32(1..3);
        self.out.op("addi", end, to, 0, self.rng.i32(1..50) * piece * count);
        let head = self.out.here();
        let pieces = || (0..count).zip([x, y]);
        if is_copy {
            pieces().for_each(|(at, value)| self.out.op(load, value, from, 0, offsets[0] + at * piece));
        }
        if has_next {
            self.out.op("addi", next, to, 0, piece * count);
        }
        pieces().for_each(|(at, value)| self.out.op(store, 0, to, value, offsets[1] + at * piece));
        self.out.op("addi", from, from, 0, piece * count);
        match has_next {
            true => self.out.op("addi", to, next, 0, 0),
            false => self.out.op("addi", to, to, 0, piece * count),
        }
        let hole = self.out.hole(4);
        self.out.patch_to(hole, instruction(branch, 0, to, end, 0), head);
    }

    fn call(&mut self) {
        if self.in_function {
            return self.arithmetic();
        }
        let function = self.rng.usize(0..FUNCTIONS);
        let link = self.roles.link;
        let jump = match self.rng.u8(0..4) {
            0 => instruction("c.jal", 0, 0, 0, 0),
            _ => instruction("jal", link, 0, 0, 0),
        };
        let hole = self.out.hole(jump.spec.bytes());
        self.calls.push((hole, jump, function));
    }

    /// A dynamic jump over some items.
    fn jump_over(&mut self, depth: usize, loops: usize) {
        let (base, link) = (self.some_register(), self.roles.destination(self.rng));
        let from = self.out.here();
        self.out.op("auipc", base, 0, 0, 0);
        let hole = self.out.hole(4);
        // The lowest bit of the target is cleared.
        let (offset, odd) = (self.rng.i32(-64..64), self.rng.i32(0..2));
        self.out.op("jalr", link, base, 0, offset | odd);
        let count = self.rng.usize(0..4);
        self.items(count, depth + 1, loops);
        let way = self.out.here().wrapping_sub(from) as i32 - (offset & !1);
        let add = Instruction { imm: way, ..instruction("addi", base, base, 0, 0) };
        match add.encode() {
            Some(bits) => self.out.code[hole..hole + 4].copy_from_slice(&bits.to_le_bytes()),
            // Too far: to behind the jump.
            None => {
                let add = instruction("addi", base, base, 0, 12 - (offset & !1));
                let bits = add.encode().expect("a small number");
                self.out.code[hole..hole + 4].copy_from_slice(&bits.to_le_bytes());
            }
        }
    }

    /// A dynamic jump to one of four places.
    fn switch(&mut self) {
        let base = self.some_register();
        let mut index = self.some_register();
        while index == base {
            index = self.some_register();
        }
        let selector = self.rng.u8(0..32);
        let result = self.some_register();
        self.out.op("andi", index, selector, 0, 3);
        self.out.op("slli", index, index, 0, 3);
        self.out.op("auipc", base, 0, 0, 0);
        self.out.op("add", base, base, index, 0);
        self.out.op("jalr", 0, base, 0, 12);
        for case in 0..4 {
            let imm = self.rng.i32(-2048..2048);
            self.out.op("xori", result, result, 0, imm);
            self.out.op("jal", 0, 0, 0, 4 + 8 * (3 - case));
        }
    }

    /// Code that writes the instruction behind it, and another one in each round of the loop that it is in.
    fn change(&mut self, loops: usize) {
        if self.in_function {
            return self.arithmetic();
        }
        let (place, word, extra) = (self.some_register(), self.some_register(), self.some_register());
        if place == word || place == extra || word == extra {
            return self.arithmetic();
        }
        let (rd, rs1) = (self.roles.destination(self.rng), self.rng.u8(0..32));
        let new = instruction("addi", rd, rs1, 0, self.rng.i32(-1024..1024));
        let old = instruction(["addi", "xori", "ori"][self.rng.usize(0..3)], rd, rs1, 0, self.rng.i32(-2048..2048));
        let from = self.out.here();
        self.out.op("auipc", place, 0, 0, 0);
        self.out.constant(word, new.encode().expect("operands that fit"));
        let counter = self.roles.counters[loops.saturating_sub(1)];
        self.out.op("andi", extra, if loops > 0 { counter } else { 0 }, 0, 7);
        self.out.op("slli", extra, extra, 0, 20);
        self.out.op("add", word, word, extra, 0);
        let hole = self.out.hole(4);
        self.out.put(Instruction { imm: 0, ..instruction("fence.i", 0, 0, 0, 0) });
        for _ in 0..self.rng.u8(0..3) {
            self.arithmetic();
        }
        let way = self.out.here().wrapping_sub(from) as i32;
        let store = instruction("sw", 0, place, word, way);
        let bits = store.encode().expect("a small number");
        self.out.code[hole..hole + 4].copy_from_slice(&bits.to_le_bytes());
        self.out.put(old);
    }

    /// A register that may be written and is not x0.
    fn some_register(&mut self) -> u8 {
        loop {
            match self.roles.destination(self.rng) {
                0 => {}
                register => return register,
            }
        }
    }

    /// Writes the functions, and where they are called.
    pub fn functions(&mut self) {
        self.in_function = true;
        let starts: Vec<u32> = (0..FUNCTIONS)
            .map(|_| {
                let start = self.out.here();
                let count = self.rng.usize(1..8);
                self.items(count, 1, 1);
                let link = self.roles.link;
                match self.rng.bool() {
                    true => self.out.op("jalr", 0, link, 0, 0),
                    false => self.out.put(Instruction {
                        rs1: reg(link),
                        spec: spec("c.jr"),
                        ..instruction("c.jr", 0, link, 0, 0)
                    }),
                }
                start
            })
            .collect();
        self.in_function = false;
        for (hole, jump, function) in std::mem::take(&mut self.calls) {
            if !self.out.patch_to(hole, jump, starts[function]) {
                let len = jump.spec.bytes() as usize;
                let nothing = if len == 2 { 0x0001 } else { 0x0000_0013_u32 };
                self.out.code[hole..hole + len].copy_from_slice(&nothing.to_le_bytes()[..len]);
            }
        }
    }
}

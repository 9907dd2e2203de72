//! What stands within blocks.

use super::emit::{Emitter, Parts};
use super::values::{address, immediate, one_in, value};
use crate::Page;
use pvm_isa::{Format, Meaning, Opcode, SPECS, Spec};
use std::ops::Range;
use std::sync::LazyLock;

/// Registers that hold the bases of accesses, unless something else got into them.
pub(super) const BASES: [u8; 4] = [1, 2, 3, 4];
/// Registers that count loops.
pub(super) const COUNTERS: [u8; 2] = [5, 6];

struct Lists {
    plain: Vec<&'static Spec>,
    absolute: Vec<&'static Spec>,
    relative: Vec<&'static Spec>,
    /// Those of them that load.
    loads: Vec<&'static Spec>,
}

static LISTS: LazyLock<Lists> = LazyLock::new(|| {
    let select = |keep: fn(&Spec) -> bool| SPECS.iter().filter(|spec| keep(spec)).collect();
    let has_base = |format| matches!(format, Format::RegRegImm | Format::RegImmImm);
    Lists {
        plain: select(|spec| {
            let special = matches!(spec.meaning, Meaning::HostCall | Meaning::Sbrk | Meaning::Trap);
            !special && !spec.meaning.ends_block() && !spec.meaning.accesses_memory()
        }),
        absolute: SPECS.iter().filter(|spec| spec.meaning.accesses_memory() && !has_base(spec.format)).collect(),
        relative: SPECS.iter().filter(|spec| spec.meaning.accesses_memory() && has_base(spec.format)).collect(),
        loads: select(|spec| matches!(spec.meaning, Meaning::Load(_)) && spec.format == Format::RegRegImm),
    }
});

/// A word in memory.
struct Word {
    base: u8,
    offset: i32,
    /// Whether its first byte is the highest.
    is_reversed: bool,
}

impl Emitter<'_> {
    /// About `len` instructions that do not end the block.
    pub(super) fn body(&mut self, pages: &[Page], len: usize) {
        let mut left = len;
        while left > 0 {
            let used = match self.rng.u32(..100) {
                0..4 => {
                    let x = if one_in(self.rng, 5) { immediate(self.rng) } else { self.rng.i32(0..100) };
                    self.op(Opcode::Ecalli, Parts { x, ..Parts::default() });
                    1
                }
                4 => self.heap(),
                5..17 => self.absolute_access(pages),
                17..32 => self.accesses(pages, left),
                32 => self.nonsense(),
                33..37 => self.constant(pages),
                37..43 => self.computed_access(),
                43..46 => self.correction(),
                46..49 => self.word_of_bytes(),
                49..51 => self.choice_by_counter(),
                51..53 => self.doubling(),
                53 => self.additions(),
                54..57 => self.loads_apart(pages),
                57..60 => self.small_values(),
                60..62 => self.rotation(),
                62..65 => self.carries(pages),
                _ => self.plain(),
            };
            left = left.saturating_sub(used);
        }
    }

    fn source(&mut self) -> u8 {
        self.rng.u8(..13)
    }

    /// A register to write to, mostly one that nothing else depends on.
    fn destination(&mut self) -> u8 {
        if one_in(self.rng, 12) { self.rng.u8(..13) } else { self.rng.u8(7..13) }
    }

    fn plain(&mut self) -> usize {
        let spec = LISTS.plain[self.rng.usize(..LISTS.plain.len())];
        let to = self.destination();
        let (first, second) = (self.source(), self.source());
        let x = immediate(self.rng);
        let wide = value(self.rng);
        // Where the destination comes first, it is the register that other formats call A.
        let a = if spec.format == Format::RegRegReg { first } else { to };
        self.op(spec.opcode, Parts { a, b: second, d: to, x, wide, ..Parts::default() });
        1
    }

    /// A base register gets an address, or a counter a number.
    fn constant(&mut self, pages: &[Page]) -> usize {
        let a = BASES[self.rng.usize(..BASES.len())];
        let at = address(self.rng, pages);
        if one_in(self.rng, 4) {
            let wide = u64::from(at) | self.rng.u64(..) << 32;
            self.op(Opcode::LoadImm64, Parts { a, wide, ..Parts::default() });
        } else {
            self.op(Opcode::LoadImm, Parts { a, x: at as i32, ..Parts::default() });
        }
        1
    }

    fn absolute_access(&mut self, pages: &[Page]) -> usize {
        let spec = LISTS.absolute[self.rng.usize(..LISTS.absolute.len())];
        let x = address(self.rng, pages) as i32;
        let a = if matches!(spec.meaning, Meaning::Load(_)) { self.destination() } else { self.source() };
        let y = immediate(self.rng);
        self.op(spec.opcode, Parts { a, x, y, ..Parts::default() });
        1
    }

    /// Several accesses off one register, near to each other or not; sometimes the register changes between them.
    fn accesses(&mut self, pages: &[Page], left: usize) -> usize {
        let base = BASES[self.rng.usize(..BASES.len())];
        let count = self.rng.usize(1..8).min(left);
        let near = self.rng.i32(-40..40);
        for _ in 0..count {
            let offset = match self.rng.u32(..16) {
                0 => self.rng.i32(-5000..5000),
                1 => immediate(self.rng),
                2 => near + 4088 + self.rng.i32(0..16),
                _ => near + self.rng.i32(0..64),
            };
            let spec = LISTS.relative[self.rng.usize(..LISTS.relative.len())];
            let loads = matches!(spec.meaning, Meaning::Load(_));
            // Now and then an access changes its own base.
            let value = match loads {
                true if one_in(self.rng, 15) => base,
                true => self.destination(),
                false => self.source(),
            };
            let (x, y) = (offset, immediate(self.rng));
            let parts = match spec.format {
                Format::RegImmImm => Parts { a: base, x, y, ..Parts::default() },
                _ => Parts { a: value, b: base, x, ..Parts::default() },
            };
            self.op(spec.opcode, parts);
            match self.rng.u32(..20) {
                0 => {
                    let x = self.rng.i32(-64..64);
                    self.op(Opcode::AddImm64, Parts { a: base, b: base, x, ..Parts::default() });
                }
                1 => {
                    let x = address(self.rng, pages) as i32;
                    self.op(Opcode::LoadImm, Parts { a: base, x, ..Parts::default() });
                }
                2 => {
                    self.plain();
                }
                _ => {}
            }
        }
        count
    }

    /// Many loads off one register with something in between, as of a row of a matrix. Mostly the register is new, and mostly it stays.
    fn loads_apart(&mut self, pages: &[Page]) -> usize {
        let base = BASES[self.rng.usize(..BASES.len())];
        if !one_in(self.rng, 4) {
            let x = (address(self.rng, pages) as i32).wrapping_add(self.rng.i32(-64..64));
            self.op(Opcode::LoadImm, Parts { a: base, x, ..Parts::default() });
        }
        let count = self.rng.usize(5..9);
        let (low, reach) = (self.rng.i32(-64..16), if one_in(self.rng, 6) { 4200 } else { 80 });
        for _ in 0..count {
            let x = low + self.rng.i32(0..reach);
            let opcode = LISTS.loads[self.rng.usize(..LISTS.loads.len())].opcode;
            let a = if one_in(self.rng, 60) { base } else { self.destination() };
            self.op(opcode, Parts { a, b: base, x, ..Parts::default() });
            if one_in(self.rng, 12) {
                let a = self.source();
                self.op(Opcode::StoreIndU16, Parts { a, b: base, x, ..Parts::default() });
            } else {
                self.plain();
            }
        }
        2 * count
    }

    /// What compilers make of an element of an array: an index, scaled, is added to a base, and the sum is the address. Mostly
    /// the register of the sum is written over by what is loaded.
    fn computed_access(&mut self) -> usize {
        let (sum, base) = (self.destination(), BASES[self.rng.usize(..BASES.len())]);
        let mut index = self.source();
        let mut used = 2;
        if !one_in(self.rng, 6) {
            let x = [0x3f8, 0x3f, 0xff, 0xffff, 0x7f8][self.rng.usize(..5)];
            let to = if one_in(self.rng, 3) { self.destination() } else { sum };
            self.op(Opcode::AndImm, Parts { a: to, b: index, x, ..Parts::default() });
            index = to;
            used += 1;
        }
        // An index of 32 bits.
        if one_in(self.rng, 4) {
            let (to, x) = (if one_in(self.rng, 3) { self.destination() } else { sum }, self.rng.i32(-1..3));
            self.op(Opcode::AddImm32, Parts { a: to, b: index, x, ..Parts::default() });
            index = to;
            used += 1;
        }
        let mut shift = |this: &mut Self, opcode, x| {
            let to = if one_in(this.rng, 3) { this.destination() } else { sum };
            this.op(opcode, Parts { a: to, b: index, x, ..Parts::default() });
            index = to;
            used += 1;
        };
        match self.rng.u32(..6) {
            0..3 => {
                let by = self.rng.i32(0..5);
                shift(self, Opcode::ShloLImm64, by);
            }
            // Half of a register, or less, scaled or not.
            3 => {
                let by = [32, 32, 48, 56][self.rng.usize(..4)];
                shift(self, Opcode::ShloLImm64, by);
                let opcode = if one_in(self.rng, 4) { Opcode::SharRImm64 } else { Opcode::ShloRImm64 };
                let less = self.rng.i32(-1..5);
                shift(self, opcode, by - less);
            }
            _ => {}
        }
        if one_in(self.rng, 3) {
            used += self.plain();
        }
        let (a, b) = if one_in(self.rng, 2) { (index, base) } else { (base, index) };
        self.op(Opcode::Add64, Parts { a, b, d: sum, ..Parts::default() });
        for _ in 0..self.rng.usize(1..4) {
            let spec = LISTS.relative[self.rng.usize(..LISTS.relative.len())];
            let loads = matches!(spec.meaning, Meaning::Load(_));
            let value = if loads && !one_in(self.rng, 4) { sum } else { self.source() };
            let (x, y) = (self.rng.i32(-16..64), immediate(self.rng));
            let parts = match spec.format {
                Format::RegImmImm => Parts { a: sum, x, y, ..Parts::default() },
                _ => Parts { a: value, b: sum, x, ..Parts::default() },
            };
            self.op(spec.opcode, parts);
            used += 1;
            if value == sum {
                break;
            }
        }
        if one_in(self.rng, 2) {
            let x = immediate(self.rng);
            self.op(Opcode::LoadImm, Parts { a: sum, x, ..Parts::default() });
            used += 1;
        }
        used
    }

    /// What compilers make of a word that is read where it need not be aligned: loads of bytes, which are shifted and joined, from
    /// either end. Now and then something comes in between, or a shift is another one.
    fn word_of_bytes(&mut self) -> usize {
        let mut free: Vec<u8> = Vec::new();
        while free.len() < 5 {
            let one = self.destination();
            if !free.contains(&one) {
                free.push(one);
            }
        }
        let word = Word {
            base: BASES[self.rng.usize(..BASES.len())],
            offset: self.rng.i32(-16..64),
            is_reversed: one_in(self.rng, 2),
        };
        let len = [4, 4, 8, 8, 3, 2][self.rng.usize(..6)];
        let mut used = 0;
        self.bytes_joined(&word, 0..len, &mut free, &mut used);
        used
    }

    /// These bytes of a word, in a register that was free.
    fn bytes_joined(&mut self, word: &Word, bytes: Range<i32>, free: &mut Vec<u8>, used: &mut usize) -> u8 {
        if one_in(self.rng, 40) {
            *used += self.plain();
        }
        if one_in(self.rng, 25) {
            let (opcode, a) = match self.rng.u32(..6) {
                0 => (Opcode::StoreIndU8, self.source()),
                1 => (Opcode::StoreIndU64, self.source()),
                2 => (Opcode::LoadIndU32, self.destination()),
                _ => (Opcode::LoadIndU64, self.destination()),
            };
            let x = word.offset + self.rng.i32(-8..16);
            self.op(opcode, Parts { a, b: word.base, x, ..Parts::default() });
            *used += 1;
        }
        let len = bytes.end - bytes.start;
        if len == 1 {
            let a = free.pop().unwrap_or_else(|| self.destination());
            let opcode = if one_in(self.rng, 60) { Opcode::LoadIndI8 } else { Opcode::LoadIndU8 };
            self.op(opcode, Parts { a, b: word.base, x: word.offset + bytes.start, ..Parts::default() });
            *used += 1;
            return a;
        }
        let middle = bytes.start + if one_in(self.rng, 8) { self.rng.i32(1..len) } else { (len + 1) / 2 };
        let halves = [bytes.start..middle, middle..bytes.end];
        let [low, high] = if word.is_reversed { [1, 0] } else { [0, 1] }.map(|half| halves[half].clone());
        let by = 8 * (low.end - low.start);
        let (low, high) = match one_in(self.rng, 2) {
            true => {
                let low = self.bytes_joined(word, low, free, used);
                (low, self.bytes_joined(word, high, free, used))
            }
            false => {
                let high = self.bytes_joined(word, high, free, used);
                (self.bytes_joined(word, low, free, used), high)
            }
        };
        let x = if one_in(self.rng, 40) { [8, 16, 24, 32, 4][self.rng.usize(..5)] } else { by };
        let opcode = if one_in(self.rng, 4) { Opcode::ShloLImm32 } else { Opcode::ShloLImm64 };
        self.op(opcode, Parts { a: high, b: high, x, ..Parts::default() });
        let (a, b) = if one_in(self.rng, 2) { (low, high) } else { (high, low) };
        let d = if one_in(self.rng, 2) { low } else { high };
        self.op(Opcode::Or, Parts { a, b, d, ..Parts::default() });
        free.push(if d == low { high } else { low });
        *used += 2;
        d
    }

    /// What compilers make of a reduction: a sum or difference, a comparison of it or two, or its opposite, an amount that is chosen or
    /// zero, and the sum of both. Now and then something comes in between.
    fn correction(&mut self) -> usize {
        let [sum, test, other, amount] = std::array::from_fn(|_| self.destination());
        let (first, second) = (self.source(), self.source());
        let mut used = 4;
        let mut between = |this: &mut Self| {
            if one_in(this.rng, 6) {
                used += this.plain();
            }
        };
        let three = |this: &mut Self, opcodes: &[Opcode], a, b, d| {
            let opcode = opcodes[this.rng.usize(..opcodes.len())];
            this.op(opcode, Parts { a, b, d, ..Parts::default() });
        };
        let compare = |this: &mut Self, to| {
            let sides = [sum, first, second];
            let (a, b) = (sides[this.rng.usize(..3)], sides[this.rng.usize(..3)]);
            three(this, &[Opcode::SetLtU, Opcode::SetLtS], a, b, to);
        };
        three(self, &[Opcode::Add64, Opcode::Sub64, Opcode::Sub32], first, second, sum);
        between(self);
        compare(self, test);
        if one_in(self.rng, 3) {
            compare(self, other);
            three(self, &[Opcode::Or, Opcode::And], test, other, test);
        }
        let is_inverted = one_in(self.rng, 4);
        if is_inverted {
            self.op(Opcode::XorImm, Parts { a: test, b: test, x: 1, ..Parts::default() });
        }
        let x = immediate(self.rng);
        self.op(Opcode::LoadImm, Parts { a: amount, x, ..Parts::default() });
        let opcode = [Opcode::CmovIzImm, Opcode::CmovNzImm][self.rng.usize(..2)];
        self.op(opcode, Parts { a: amount, b: test, x: 0, ..Parts::default() });
        between(self);
        let (a, b) = if one_in(self.rng, 2) { (sum, amount) } else { (amount, sum) };
        three(self, &[Opcode::Add64, Opcode::Sub64], a, b, sum);
        used + usize::from(is_inverted)
    }

    /// A constant, or what was there, as the number of a round decides.
    fn choice_by_counter(&mut self) -> usize {
        let (test, to) = (self.destination(), self.destination());
        let (counter, x) = (COUNTERS[self.rng.usize(..COUNTERS.len())], self.rng.i32(-8..8));
        let opcode = [Opcode::AddImm64, Opcode::AddImm64, Opcode::AddImm32, Opcode::AndImm][self.rng.usize(..4)];
        self.op(opcode, Parts { a: test, b: counter, x, ..Parts::default() });
        let x = immediate(self.rng);
        let opcode = [Opcode::CmovIzImm, Opcode::CmovNzImm][self.rng.usize(..2)];
        self.op(opcode, Parts { a: to, b: test, x, ..Parts::default() });
        2
    }

    /// A register doubled, and added to another one or joined with the bit that it lost.
    fn doubling(&mut self) -> usize {
        let (doubled, other) = (self.destination(), self.destination());
        let is_rotated = one_in(self.rng, 3);
        if is_rotated {
            self.op(Opcode::MoveReg, Parts { b: doubled, d: other, ..Parts::default() });
            let x = if one_in(self.rng, 8) { 62 } else { 63 };
            self.op(Opcode::ShloRImm64, Parts { a: other, b: other, x, ..Parts::default() });
        }
        self.op(Opcode::ShloLImm64, Parts { a: doubled, b: doubled, x: 1, ..Parts::default() });
        let opcode = [Opcode::Add64, Opcode::Or, Opcode::Sub64, Opcode::Xor][self.rng.usize(..4)];
        let d = if one_in(self.rng, 2) { doubled } else { other };
        self.op(opcode, Parts { a: other, b: doubled, d, ..Parts::default() });
        2 + 2 * usize::from(is_rotated)
    }

    /// Values of few bits, and what 32 bits can make of them.
    fn small_values(&mut self) -> usize {
        const SMALL: [Opcode; 5] =
            [Opcode::AndImm, Opcode::ShloRImm64, Opcode::SharRImm64, Opcode::ShloRImm32, Opcode::SharRImm32];
        const WITH_IMMEDIATE: [Opcode; 5] =
            [Opcode::AddImm32, Opcode::NegAddImm32, Opcode::ShloLImm32, Opcode::SharRImm32, Opcode::MulImm32];
        const OF_TWO: [Opcode; 7] =
            [Opcode::Add32, Opcode::Sub32, Opcode::Mul32, Opcode::Add64, Opcode::Sub64, Opcode::Max, Opcode::Min];
        let registers = [self.destination(), self.destination(), self.destination()];
        let one_of = |this: &mut Self| registers[this.rng.usize(..3)];
        for a in registers {
            let (b, x) = (self.source(), self.rng.i32(0..256));
            let opcode = SMALL[self.rng.usize(..SMALL.len())];
            self.op(opcode, Parts { a, b, x, ..Parts::default() });
        }
        let count = self.rng.usize(2..7);
        for _ in 0..count {
            let (a, b, d) = (one_of(self), one_of(self), one_of(self));
            if one_in(self.rng, 2) {
                let x = if one_in(self.rng, 3) { 0 } else { self.rng.i32(-9..34) };
                let opcode = WITH_IMMEDIATE[self.rng.usize(..WITH_IMMEDIATE.len())];
                self.op(opcode, Parts { a, b, x, ..Parts::default() });
            } else {
                let opcode = OF_TWO[self.rng.usize(..OF_TWO.len())];
                self.op(opcode, Parts { a, b, d, ..Parts::default() });
            }
        }
        3 + count
    }

    /// A rotation by what a register says, made of two shifts.
    fn rotation(&mut self) -> usize {
        let (value, by) = (self.source(), self.source());
        let [left, right, rest] = [self.destination(), self.destination(), self.destination()];
        let is_half = one_in(self.rng, 2);
        let negation = if one_in(self.rng, 2) { Opcode::NegAddImm32 } else { Opcode::NegAddImm64 };
        let x = [0, 32, 64, 63][self.rng.usize(..4)];
        let mut shifts = match is_half {
            true => [Opcode::ShloL32, Opcode::ShloR32],
            false => [Opcode::ShloL64, Opcode::ShloR64],
        };
        if one_in(self.rng, 2) {
            shifts.reverse();
        }
        self.op(shifts[0], Parts { a: value, b: by, d: left, ..Parts::default() });
        self.op(negation, Parts { a: rest, b: by, x, ..Parts::default() });
        let again = if one_in(self.rng, 10) { self.source() } else { value };
        self.op(shifts[1], Parts { a: again, b: rest, d: right, ..Parts::default() });
        let join = if one_in(self.rng, 5) { Opcode::Xor } else { Opcode::Or };
        self.op(join, Parts { a: right, b: left, d: left, ..Parts::default() });
        4
    }

    /// Sums or differences of several words, each with the carry or borrow of the one below.
    fn carries(&mut self, pages: &[Page]) -> usize {
        let mut used = 0;
        let between = |this: &mut Self, used: &mut usize| {
            *used += match this.rng.u32(..12) {
                0 => this.plain(),
                1 => this.accesses(pages, 1),
                _ => 0,
            };
        };
        for _ in 0..self.rng.usize(1..4) {
            let [low, flag, above] = std::array::from_fn(|_| self.destination());
            let (first, second) = (self.source(), self.source());
            let is_sum = !one_in(self.rng, 3);
            let opcode = if is_sum { Opcode::Add64 } else { Opcode::Sub64 };
            let three = |this: &mut Self, opcode, a, b, d| this.op(opcode, Parts { a, b, d, ..Parts::default() });
            if is_sum || one_in(self.rng, 2) {
                three(self, opcode, first, second, low);
                between(self, &mut used);
            }
            let (a, b) = match self.rng.u32(..8) {
                0 => (self.source(), self.source()),
                _ if !is_sum => (first, second),
                1..4 => (low, first),
                _ => (low, second),
            };
            three(self, Opcode::SetLtU, a, b, flag);
            between(self, &mut used);
            if one_in(self.rng, 2) {
                let (a, b) = (self.source(), self.source());
                three(self, opcode, a, b, above);
                between(self, &mut used);
            }
            let to = [above, flag, self.destination()][self.rng.usize(..3)];
            let (a, b) = if one_in(self.rng, 3) { (flag, above) } else { (above, flag) };
            three(self, opcode, a, b, to);
            between(self, &mut used);
            used += 4;
        }
        used
    }

    /// Constants added one after the other.
    fn additions(&mut self) -> usize {
        let count = self.rng.usize(2..4);
        let mut from = self.source();
        for _ in 0..count {
            let (a, x) = (self.destination(), immediate(self.rng));
            let opcode = if one_in(self.rng, 4) { Opcode::AddImm32 } else { Opcode::AddImm64 };
            self.op(opcode, Parts { a, b: from, x, ..Parts::default() });
            from = a;
        }
        count
    }

    fn heap(&mut self) -> usize {
        if self.style.for_peer && !one_in(self.rng, 30) {
            return self.plain();
        }
        let size = self.destination();
        let x = match self.rng.u32(..4) {
            0 => 0,
            1 => immediate(self.rng),
            _ => self.rng.i32(0..5000),
        };
        self.op(Opcode::LoadImm, Parts { a: size, x, ..Parts::default() });
        let d = self.destination();
        self.op(Opcode::Sbrk, Parts { d, b: size, ..Parts::default() });
        if one_in(self.rng, 2) {
            let x = immediate(self.rng) % 64;
            self.op(Opcode::StoreIndU64, Parts { a: size, b: d, x, ..Parts::default() });
        }
        2
    }

    /// Once in a while an opcode that is none, or bytes that are no instruction.
    fn nonsense(&mut self) -> usize {
        if !one_in(self.rng, self.style.strange) {
            return self.plain();
        }
        let undefined = loop {
            let byte = self.rng.u8(..);
            let is_memset = byte == 2 && self.style.for_peer;
            if Opcode::from_byte(self.style.profile, byte).is_none() && !is_memset {
                break byte;
            }
        };
        match self.rng.u32(..3) {
            0 => self.raw(&[undefined, 0x12], true),
            1 => self.raw(&[1, 2, 3], false),
            // A gap that no instruction spans.
            _ => self.raw(&[100; 40], true),
        }
        1
    }
}

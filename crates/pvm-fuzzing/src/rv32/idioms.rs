//! What compilers write with several instructions, and ours makes one of.

use super::body::Writer;

impl Writer<'_> {
    /// One of them, with registers by chance, and with something else in between at times.
    pub fn idiom(&mut self) {
        let [a, b] = [0, 1].map(|_| self.rng.u8(0..32));
        let [x, y] = [0, 1].map(|_| self.roles.destination(self.rng));
        match self.rng.u8(0..7) {
            0 => self.carry(x, y, a, b),
            1 => self.pair(x, y, a, b),
            2 => self.shifts(x, y, a, b),
            3 => {
                let by = [16, 24, 16, 24, self.rng.i32(0..32)][self.rng.usize(0..5)];
                self.out.op("slli", x, a, 0, by);
                self.between();
                self.out.op(["srli", "srai"][self.rng.usize(0..2)], y, x, 0, by);
            }
            4 => {
                let value = self.rng.i32(-2048..2048);
                self.out.op("lui", x, 0, 0, self.rng.i32(..) & !0xfff);
                self.between();
                self.out.op("addi", y, x, 0, value);
            }
            5 => self.rotation(x, y, a, b),
            _ => self.words(x, a),
        }
    }

    /// Sometimes an instruction that may be in the way.
    fn between(&mut self) {
        match self.rng.u8(0..6) {
            0 => self.arithmetic(),
            1 => self.access(),
            _ => {}
        }
    }

    /// A sum or difference, and what is carried or borrowed.
    fn carry(&mut self, x: u8, y: u8, a: u8, b: u8) {
        let is_sum = self.rng.bool();
        match self.rng.u8(0..3) {
            0 => {
                let imm = [1, -1, 2047, -2048, self.rng.i32(-2048..2048)][self.rng.usize(0..5)];
                self.out.op("addi", x, a, 0, imm);
            }
            _ => self.out.op(if is_sum { "add" } else { "sub" }, x, a, b, 0),
        }
        self.between();
        let other = if self.rng.bool() { a } else { b };
        match self.rng.u8(0..8) {
            0 => self.out.op("sltiu", y, x, 0, self.rng.i32(-2..3)),
            1 => self.out.op("sltu", y, 0, x, 0),
            2 => self.out.op("slti", y, x, 0, self.rng.i32(-1..2)),
            _ if is_sum => self.out.op("sltu", y, x, other, 0),
            _ => self.out.op("sltu", y, other, x, 0),
        }
    }

    /// Both halves of a product, or quotient and remainder, in either order.
    fn pair(&mut self, x: u8, y: u8, a: u8, b: u8) {
        let pairs =
            [("mul", "mulh"), ("mul", "mulhu"), ("mul", "mulhsu"), ("div", "rem"), ("divu", "remu"), ("div", "remu")];
        let (one, other) = pairs[self.rng.usize(0..pairs.len())];
        let (first, second) = if self.rng.bool() { (one, other) } else { (other, one) };
        self.out.op(first, x, a, b, 0);
        self.between();
        let a = if self.rng.bool() { a } else { self.moved(a) };
        let (a, b) = if self.rng.u8(0..4) == 0 { (b, a) } else { (a, b) };
        self.out.op(second, y, a, b, 0);
    }

    /// The register that another one has been moved to, which may have been written since.
    fn moved(&mut self, from: u8) -> u8 {
        let to = self.roles.destination(self.rng);
        self.out.op("addi", to, from, 0, 0);
        self.between();
        to
    }

    /// A rotation or a shift of two registers, with or without something in between that may be refused.
    fn shifts(&mut self, x: u8, y: u8, a: u8, b: u8) {
        let b = if self.rng.bool() { a } else { b };
        let by = self.rng.i32(1..32);
        let (left, right) = if self.rng.bool() { ("slli", "srli") } else { ("srli", "slli") };
        self.out.op(left, x, a, 0, by);
        self.between();
        self.out.op(right, y, b, 0, 32 - by);
        self.between();
        let result = if self.rng.bool() { x } else { self.roles.destination(self.rng) };
        self.out.op(["or", "xor", "add"][self.rng.usize(0..3)], result, x, y, 0);
        self.between();
    }

    /// A rotation by what a register says.
    fn rotation(&mut self, x: u8, y: u8, a: u8, by: u8) {
        let rest = self.roles.destination(self.rng);
        self.out.op("sub", rest, 0, by, 0);
        let (left, right) = if self.rng.bool() { ("sll", "srl") } else { ("srl", "sll") };
        self.out.op(left, x, a, by, 0);
        self.between();
        self.out.op(right, y, a, rest, 0);
        self.out.op(["or", "xor"][self.rng.usize(0..2)], x, y, x, 0);
    }

    /// A word that is stored and loaded again, perhaps after a part of it has been written.
    fn words(&mut self, x: u8, a: u8) {
        let [pointer, other] = [0, 1].map(|_| self.roles.pointers[self.rng.usize(0..4)]);
        let at = self.rng.i32(-16..16) * 4;
        self.out.op(["sw", "lw"][self.rng.usize(0..2)], x, pointer, a, at);
        let between = self.rng.i32(-5..6);
        match self.rng.u8(0..4) {
            0 => self.out.op(["sb", "sh", "sw"][self.rng.usize(0..3)], 0, pointer, self.rng.u8(0..32), at + between),
            1 => self.out.op(["sb", "sh", "sw"][self.rng.usize(0..3)], 0, other, self.rng.u8(0..32), at + between),
            2 => self.between(),
            _ => {}
        }
        let result = self.roles.destination(self.rng);
        self.out.op("lw", result, pointer, 0, at + if self.rng.u8(0..6) == 0 { between } else { 0 });
    }
}

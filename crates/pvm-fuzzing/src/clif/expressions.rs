//! Random expressions: every operation that the back end knows, on every width, and memory.

use super::generate::{Generator, MEMORY};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{InstBuilder, MemFlagsData, TrapCode, Type, Value, types};
use fastrand::Rng;

/// The types of variables. Those of WebAssembly are more frequent.
pub const TYPES: [Type; 8] = {
    use types::{I8, I16, I32, I64};
    [I32, I64, I32, I64, I8, I16, I32, I64]
};

pub fn random_type(rng: &mut Rng) -> Type {
    TYPES[rng.usize(..TYPES.len())]
}

const CONDITIONS: [IntCC; 10] = [
    IntCC::Equal,
    IntCC::NotEqual,
    IntCC::SignedLessThan,
    IntCC::SignedLessThanOrEqual,
    IntCC::SignedGreaterThan,
    IntCC::SignedGreaterThanOrEqual,
    IntCC::UnsignedLessThan,
    IntCC::UnsignedLessThanOrEqual,
    IntCC::UnsignedGreaterThan,
    IntCC::UnsignedGreaterThanOrEqual,
];

impl Generator<'_, '_> {
    pub fn constant(&mut self, ty: Type) -> Value {
        let bits = match self.rng.u8(..5) {
            0 => self.rng.i64(-2..3),
            1 => 1i64.wrapping_shl(self.rng.u32(..64)).wrapping_add(self.rng.i64(-1..2)),
            2 => self.rng.i64(-200..200),
            3 => i64::from(self.rng.i32(..)),
            _ => self.rng.i64(..),
        };
        let mask = if ty == types::I64 { -1 } else { (1i64 << ty.bits()) - 1 };
        self.builder.ins().iconst(ty, bits & mask)
    }

    /// A value of this type, of operations up to `depth` deep.
    pub fn expression(&mut self, ty: Type, depth: u32) -> Value {
        if depth == 0 || self.rng.u8(..5) == 0 {
            return self.leaf(ty);
        }
        match self.rng.u8(..16) {
            0..=6 => self.binary(ty, depth - 1),
            7 => self.unary(ty, depth - 1),
            8 => self.select(ty, depth - 1),
            9 | 10 => self.load(ty),
            11 => self.division(ty, depth - 1),
            12 => {
                let of = random_type(self.rng);
                let bit = self.comparison(of, depth - 1);
                self.resize(bit, ty)
            }
            13 => {
                let of = random_type(self.rng);
                let bits = self.expression(of, depth - 1);
                self.builder.ins().bmask(ty, bits)
            }
            _ => {
                let from = random_type(self.rng);
                let value = self.expression(from, depth - 1);
                self.resize(value, ty)
            }
        }
    }

    fn leaf(&mut self, ty: Type) -> Value {
        let candidates: Vec<_> =
            self.variables.iter().filter(|(_, other)| *other == ty).map(|(variable, _)| *variable).collect();
        match self.rng.choice(&candidates) {
            Some(&variable) if self.rng.u8(..3) > 0 => self.builder.use_var(variable),
            _ => self.constant(ty),
        }
    }

    fn resize(&mut self, value: Value, ty: Type) -> Value {
        let from = self.builder.func.dfg.value_type(value);
        let signed = self.rng.bool();
        let ins = self.builder.ins();
        match from.bits().cmp(&ty.bits()) {
            std::cmp::Ordering::Less if signed => ins.sextend(ty, value),
            std::cmp::Ordering::Less => ins.uextend(ty, value),
            std::cmp::Ordering::Equal => value,
            std::cmp::Ordering::Greater => ins.ireduce(ty, value),
        }
    }

    fn binary(&mut self, ty: Type, depth: u32) -> Value {
        let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
        let kind = self.rng.u8(..22);
        // Amounts of shifts may have another type.
        let by_type = random_type(self.rng);
        let by = if (12..17).contains(&kind) { self.expression(by_type, depth) } else { b };
        let ins = self.builder.ins();
        match kind {
            0 | 1 => ins.iadd(a, b),
            2 => ins.isub(a, b),
            3 => ins.imul(a, b),
            4 => ins.umulhi(a, b),
            5 => ins.smulhi(a, b),
            6 => ins.band(a, b),
            7 => ins.bor(a, b),
            8 => ins.bxor(a, b),
            9 => ins.band_not(a, b),
            10 => ins.bor_not(a, b),
            11 => ins.bxor_not(a, b),
            12 => ins.ishl(a, by),
            13 => ins.ushr(a, by),
            14 => ins.sshr(a, by),
            15 => ins.rotl(a, by),
            16 => ins.rotr(a, by),
            17 => ins.smin(a, b),
            18 => ins.smax(a, b),
            19 => ins.umin(a, b),
            20 => ins.umax(a, b),
            _ => ins.bitselect(a, b, a),
        }
    }

    fn unary(&mut self, ty: Type, depth: u32) -> Value {
        let a = self.expression(ty, depth);
        let ins = self.builder.ins();
        match self.rng.u8(..7) {
            0 => ins.ineg(a),
            1 => ins.bnot(a),
            2 => ins.clz(a),
            3 => ins.ctz(a),
            4 => ins.popcnt(a),
            5 if ty != types::I8 => ins.bswap(a),
            _ => ins.iabs(a),
        }
    }

    fn select(&mut self, ty: Type, depth: u32) -> Value {
        let of = random_type(self.rng);
        let test = if self.rng.bool() { self.comparison(of, depth) } else { self.expression(of, depth) };
        let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
        self.builder.ins().select(test, a, b)
    }

    pub fn comparison(&mut self, ty: Type, depth: u32) -> Value {
        let (a, b) = (self.expression(ty, depth), self.expression(ty, depth));
        let condition = *self.rng.choice(&CONDITIONS).expect("it has elements");
        self.builder.ins().icmp(condition, a, b)
    }

    /// A quotient or remainder; the divisor is mostly not zero.
    fn division(&mut self, ty: Type, depth: u32) -> Value {
        let (a, mut b) = (self.expression(ty, depth), self.expression(ty, depth));
        if self.rng.u8(..8) > 0 {
            let one = self.builder.ins().iconst(ty, 1);
            b = self.builder.ins().bor(b, one);
        }
        match self.rng.u8(..5) {
            0 => self.builder.ins().udiv(a, b),
            1 => self.builder.ins().sdiv(a, b),
            2 => self.builder.ins().urem(a, b),
            3 if ty.bits() >= 32 => self.builder.ins().uadd_overflow_trap(a, b, TrapCode::unwrap_user(2)),
            _ => {
                // The interpreter traps at the remainder of the least number by -1, which is 0.
                let greatest = self.builder.ins().iconst(ty, (1i64 << (ty.bits() - 1)).wrapping_sub(1));
                let positive = self.builder.ins().band(b, greatest);
                self.builder.ins().srem(a, positive)
            }
        }
    }

    /// An address within the memory, and an offset.
    fn address(&mut self) -> (Value, i32) {
        let offset = self.rng.i32(0..16);
        if self.rng.bool() {
            return (self.memory, offset + self.rng.i32(0..(MEMORY as i32 - 24)));
        }
        // The index leaves room for the offset and eight bytes.
        let ty = *self.rng.choice(&[types::I32, types::I64]).expect("it has elements");
        let index = self.expression(ty, 1);
        let mask = self.builder.ins().iconst(ty, MEMORY / 2 - 1);
        let index = self.builder.ins().band(index, mask);
        let index = if ty == types::I64 { index } else { self.builder.ins().uextend(types::I64, index) };
        let address = self.builder.ins().iadd(self.memory, index);
        if self.rng.bool() {
            let more = self.rng.i64(0..16);
            let more = self.builder.ins().iconst(types::I64, more);
            return (self.builder.ins().iadd(address, more), offset);
        }
        (address, offset)
    }

    fn load(&mut self, ty: Type) -> Value {
        let (address, offset) = self.address();
        let flags = MemFlagsData::new();
        let kind = self.rng.u8(..7);
        let ins = self.builder.ins();
        match kind {
            0 if ty.bits() > 8 => ins.uload8(ty, flags, address, offset),
            1 if ty.bits() > 8 => ins.sload8(ty, flags, address, offset),
            2 if ty.bits() > 16 => ins.uload16(ty, flags, address, offset),
            3 if ty.bits() > 16 => ins.sload16(ty, flags, address, offset),
            4 if ty.bits() > 32 => ins.uload32(flags, address, offset),
            5 if ty.bits() > 32 => ins.sload32(flags, address, offset),
            _ => ins.load(ty, flags, address, offset),
        }
    }

    pub fn store(&mut self) {
        let ty = random_type(self.rng);
        let value = self.expression(ty, 2);
        let (address, offset) = self.address();
        let flags = MemFlagsData::new();
        let kind = self.rng.u8(..5);
        let ins = self.builder.ins();
        match kind {
            0 if ty.bits() > 8 => ins.istore8(flags, value, address, offset),
            1 if ty.bits() > 16 => ins.istore16(flags, value, address, offset),
            2 if ty.bits() > 32 => ins.istore32(flags, value, address, offset),
            _ => ins.store(flags, value, address, offset),
        };
    }
}

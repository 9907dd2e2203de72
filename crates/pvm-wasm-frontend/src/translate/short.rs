//! `memory.copy` and `memory.fill` of few bytes, whose number is known: loads and stores instead of a call.

use super::Translator;
use super::range::constant;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{InstBuilder, Type, Value};

/// The most bytes. A call takes as long as some eight words.
const MOST: u64 = 32;

impl Translator<'_, '_> {
    /// Copies, if that takes few instructions.
    pub(super) fn short_copy(&mut self, to: Value, from: Value, length: Value) -> bool {
        let Some(length) = self.short(length) else { return false };
        if !self.inside(from, length) || !self.inside(to, length) {
            return true;
        }
        let (from, to) = (self.place_of(from), self.place_of(to));
        let flags = self.regions.memory;
        // All is loaded before anything is stored, as the areas may overlap.
        let words: Vec<(Value, i32)> = pieces(length)
            .into_iter()
            .map(|(ty, offset)| (self.builder.ins().load(ty, flags, from.0, from.1 + offset), offset))
            .collect();
        for (word, offset) in words {
            self.builder.ins().store(flags, word, to.0, to.1 + offset);
        }
        true
    }

    /// Fills with the low bits of a value of 32 bits, if that takes few instructions.
    pub(super) fn short_fill(&mut self, to: Value, byte: Value, length: Value) -> bool {
        let Some(length) = self.short(length) else { return false };
        if !self.inside(to, length) {
            return true;
        }
        let to = self.place_of(to);
        let byte = self.builder.ins().uextend(I64, byte);
        let low = self.builder.ins().band_imm_u(byte, 0xff);
        let word = self.builder.ins().imul_imm_s(low, 0x0101_0101_0101_0101);
        let flags = self.regions.memory;
        for (ty, offset) in pieces(length) {
            let piece = if ty == I64 { word } else { self.builder.ins().ireduce(ty, word) };
            self.builder.ins().store(flags, piece, to.0, to.1 + offset);
        }
        true
    }

    /// The number of bytes, if they are few. Of none at all the place is checked nevertheless, but not here.
    fn short(&self, length: Value) -> Option<u64> {
        constant(self.builder.func, length).filter(|length| (1..=MOST).contains(length))
    }

    fn place_of(&mut self, address: Value) -> (Value, i32) {
        let at = self.builder.ins().uextend(I64, address);
        (at, self.memory_place().base as i32)
    }
}

/// The words that so many bytes are made of, and where each begins.
fn pieces(length: u64) -> Vec<(Type, i32)> {
    let mut pieces = Vec::new();
    let mut offset = 0;
    for ty in [I64, I32, I16, I8] {
        while length - offset >= u64::from(ty.bytes()) {
            pieces.push((ty, offset as i32));
            offset += u64::from(ty.bytes());
        }
    }
    pieces
}

//! Words that guests read byte by byte.
//!
//! Compilers read a word at an address that need not be a multiple of its size by loads of bytes, which they shift and join. Where a
//! block has all of these, the first of them is made a load of the whole word: it is refused where one of them would be, and then the
//! interpreter makes them one by one. Each byte is a part of the word from then on, and what is made of such parts is one, too, in the
//! order of the bytes or in the other. In the end that is the word itself. What exits want in between they make of the word.

use super::parts::Part;
use super::{Current, Translator};
use crate::groups::{self, Group};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, InstructionData, Opcode, Value};
use pvm_clif::{alu, constant};
use pvm_ops::{Address, BinaryOp, GuestCode, Inst, LoadKind, Operand, Reg, Size};
use pvm_vm::{FaultDetection, READABLE};
use std::collections::{BTreeMap, HashMap};

/// The loads of a word are so near each other, and what joins them, in instructions.
const NEAR: usize = 32;

/// Loads of all bytes of a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Word {
    /// The first of them.
    first: usize,
    last: usize,
    /// Where the word is, behind the register that all of them have.
    offset: i32,
    size: Size,
}

/// Bytes of a word one behind the other, shifted to the left.
#[derive(Clone, Copy, Debug)]
pub(super) struct Bytes {
    /// The word, zero-extended to 64 bits.
    word: Value,
    /// The first of them in memory.
    from: u32,
    len: u32,
    /// Whether that is the highest.
    is_reversed: bool,
    /// By so many bits.
    shift: u32,
    /// Whether bit 31 is repeated above.
    is_signed: bool,
}

impl Bytes {
    /// Both in one, if they are next to each other, in memory as in the value; the other lies above.
    fn below(self, above: Bytes) -> Option<Bytes> {
        if self.word != above.word || self.is_signed || above.shift != self.shift + 8 * self.len {
            return None;
        }
        let can_be = |one: Bytes, reversed: bool| one.len == 1 || one.is_reversed == reversed;
        let both = |from, is_reversed| Bytes {
            from,
            len: self.len + above.len,
            is_reversed,
            is_signed: above.is_signed,
            ..self
        };
        if above.from == self.from + self.len && can_be(self, false) && can_be(above, false) {
            return Some(both(self.from, false));
        }
        let is_reversed = above.from + above.len == self.from && can_be(self, true) && can_be(above, true);
        is_reversed.then(|| both(above.from, true))
    }
}

/// What a block reads byte by byte.
#[derive(Default)]
pub(super) struct Read {
    /// By the instruction that loads a byte.
    words: BTreeMap<usize, Word>,
    /// The values of words, by the first load.
    values: HashMap<usize, Value>,
    bytes: HashMap<Value, Bytes>,
}

impl Read {
    /// Finds the words.
    pub fn new(insts: &[(u32, Inst)]) -> Read {
        let mut words = BTreeMap::new();
        for first in 0..insts.len() {
            if !words.contains_key(&first)
                && let Some((word, loads)) = word_at(insts, first)
                && loads.iter().all(|load| !words.contains_key(load))
            {
                words.extend(loads.into_iter().map(|load| (load, word)));
            }
        }
        Read { words, ..Read::default() }
    }

    /// Whether a load is one, and not of what has been read with a word before.
    pub fn is_load(&self, index: usize) -> bool {
        self.words.get(&index).is_none_or(|word| word.first == index)
    }
}

/// The word of which an instruction loads the first byte that is loaded at all, and where the others are loaded.
fn word_at(insts: &[(u32, Inst)], first: usize) -> Option<(Word, Vec<usize>)> {
    let (base, offset) = byte_at(&insts[first].1)?;
    let mut loads = BTreeMap::new();
    for (index, (_, inst)) in insts.iter().enumerate().skip(first).take(NEAR) {
        if let Some((its, at)) = byte_at(inst)
            && its == base
        {
            loads.entry(at).or_insert(index);
        }
        let is_plain = matches!(
            inst,
            Inst::Load { .. } | Inst::Binary { .. } | Inst::Unary { .. } | Inst::LoadImm { .. } | Inst::CondMove { .. }
        );
        if !is_plain || base.is_some_and(|base| inst.registers().writes & base.bit() != 0) {
            break;
        }
    }
    let of_size = |size: Size| {
        let len = size.bytes() as i32;
        let lowest = (offset.checked_sub(len - 1)?..=offset)
            .find(|&low| (0..len).all(|at| loads.contains_key(&low.wrapping_add(at))))?;
        let members: Vec<usize> = (0..len).map(|at| loads[&lowest.wrapping_add(at)]).collect();
        let is_joined = members.iter().all(|&load| is_joined(insts, load));
        let last = *members.iter().max()?;
        is_joined.then_some((Word { first, last, offset: lowest, size }, members))
    };
    of_size(Size::B8).or_else(|| of_size(Size::B4))
}

/// Where an instruction loads a byte from, without a sign.
fn byte_at(inst: &Inst) -> Option<(Option<Reg>, i32)> {
    match *inst {
        Inst::Load { kind: LoadKind { size: Size::B1, signed: false }, address: Address { base, offset }, .. } => {
            Some((base, offset))
        }
        _ => None,
    }
}

/// Whether what is done first with a byte is to shift it by whole bytes or to join it with others.
fn is_joined(insts: &[(u32, Inst)], load: usize) -> bool {
    let loaded = insts[load].1.registers().writes;
    let user = insts.iter().skip(load + 1).take(NEAR).map(|(_, inst)| inst).find(|inst| {
        let sets = inst.registers();
        (sets.reads | sets.writes) & loaded != 0
    });
    match user {
        Some(Inst::Binary { op: BinaryOp::Shl, rhs: Operand::Imm(by), .. }) => by % 8 == 0,
        Some(Inst::Binary { op: BinaryOp::Or, rhs: Operand::Reg(_), .. }) => true,
        _ => false,
    }
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Makes a load of a byte a part of a word, if it is one.
    pub(super) fn load_of_word(&mut self, current: &mut Current, index: usize, dst: Reg, address: Address) -> bool {
        if self.is_narrow || self.faults.detection == FaultDetection::Checks {
            return false;
        }
        let Some(&Word { first, last, offset, size }) = current.read.words.get(&index) else { return false };
        let from = address.offset.wrapping_sub(offset) as u32;
        let word = match current.read.values.get(&first) {
            Some(&word) => word,
            None => {
                // Where none of the accesses up to the last byte is an exit, what proves them lies before all of them.
                let is_proven = (first..=last)
                    .all(|at| groups::access(&current.insts[at].1).is_none() || current.accesses.proven[at]);
                let low = i64::from(offset);
                let whole = Group { base: address.base, low, high: low + i64::from(size.bytes()), right: READABLE };
                let kind = LoadKind { size, signed: false };
                let word = self.access_of(current, index, whole, is_proven, |this, place| {
                    this.memory.load(this.builder, kind, place)
                });
                current.read.values.insert(first, word);
                word
            }
        };
        let bytes = Bytes { word, from, len: 1, is_reversed: false, shift: 0, is_signed: false };
        let value = self.made_of(bytes);
        current.read.bytes.insert(value, bytes);
        self.write(dst, value);
        self.is_part(dst, Some(Part::Bytes(bytes)));
        true
    }

    /// What shifts bytes of a word, or joins them; `None` if an operation does not.
    pub(super) fn bytes_of_word(&mut self, current: &mut Current, op: BinaryOp, a: Value, b: Value) -> Option<Value> {
        if current.read.values.is_empty() {
            return None;
        }
        let ty = self.builder.func.dfg.value_type(a);
        let first = self.bytes_in(current, a)?;
        let (bytes, value) = match op {
            BinaryOp::Shl => {
                // Guests may have any number there, of which hosts take the lowest bits.
                let by = u32::try_from(constant(self.builder, b)?).ok().filter(|by| by % 8 == 0 && *by < ty.bits())?;
                let bytes = Bytes { shift: first.shift + by, ..first };
                if first.is_signed || bytes.shift + 8 * bytes.len > ty.bits() {
                    return None;
                }
                (bytes, alu::binary(self.builder, op, a, b))
            }
            BinaryOp::Or => {
                let second = self.bytes_in(current, b)?;
                let bytes = first.below(second).or_else(|| second.below(first))?;
                let value = self.made_of(bytes);
                (bytes, if ty == I32 { self.builder.ins().ireduce(I32, value) } else { value })
            }
            _ => return None,
        };
        current.read.bytes.insert(value, bytes);
        Some(value)
    }

    /// What exits make of a value that is bytes of a word.
    pub(super) fn bytes_part(&self, current: &Current, value: Value) -> Option<Part> {
        current.read.bytes.get(&value).map(|&bytes| Part::Bytes(bytes))
    }

    /// The bytes that a value is, or the value of which it is a half or an extension.
    fn bytes_in(&self, current: &Current, value: Value) -> Option<Bytes> {
        let known = |value: Value| current.read.bytes.get(&value).copied();
        if let Some(bytes) = known(value) {
            return Some(bytes);
        }
        let dfg = &self.builder.func.dfg;
        match dfg.insts[dfg.value_def(value).inst()?] {
            InstructionData::Unary { opcode, arg } => {
                let bytes = known(arg)?;
                let end = bytes.shift + 8 * bytes.len;
                match opcode {
                    Opcode::Ireduce if end <= 32 && !bytes.is_signed => Some(bytes),
                    Opcode::Uextend => Some(bytes),
                    Opcode::Sextend => Some(Bytes { is_signed: end == 32, ..bytes }),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Bytes of a word as they are in a register.
    pub(super) fn made_of(&mut self, bytes: Bytes) -> Value {
        let Bytes { word, from, len, is_reversed, shift, is_signed } = bytes;
        let mut value = word;
        if from > 0 {
            value = self.builder.ins().ushr_imm_u(value, i64::from(8 * from));
        }
        value = match len {
            8 => value,
            4 => {
                let half = self.builder.ins().ireduce(I32, value);
                self.builder.ins().uextend(I64, half)
            }
            _ => {
                let mask = self.builder.ins().iconst(I64, (1 << (8 * len)) - 1);
                alu::binary(self.builder, BinaryOp::And, value, mask)
            }
        };
        if is_reversed {
            value = self.builder.ins().bswap(value);
            if len < 8 {
                value = self.builder.ins().ushr_imm_u(value, i64::from(64 - 8 * len));
            }
        }
        if shift > 0 {
            value = self.builder.ins().ishl_imm_u(value, i64::from(shift));
        }
        if is_signed {
            let half = self.builder.ins().ireduce(I32, value);
            value = self.builder.ins().sextend(I64, half);
        }
        value
    }
}

//! Instructions in every form of encoding.

use super::Style;
use super::values::one_in;
use fastrand::Rng;
use pvm_isa::{Format, Opcode};
use pvm_program::Blob;

/// A place in the program that instructions can name before it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label(usize);

/// What an instruction is made of; each format takes what it has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Parts {
    pub a: u8,
    pub b: u8,
    pub d: u8,
    pub x: i32,
    pub y: i32,
    pub wide: u64,
    pub target: Option<Label>,
}

/// A program on the way.
pub(super) struct Emitter<'r> {
    pub rng: &'r mut Rng,
    pub style: Style,
    code: Vec<u8>,
    starts: Vec<u32>,
    labels: Vec<Option<u32>>,
    table: Vec<Label>,
    fixes: Vec<Fix>,
    /// Whether the last instruction ends a block.
    pub block_ended: bool,
}

/// An offset that is filled in at the end.
struct Fix {
    pc: u32,
    at: usize,
    len: usize,
    target: Label,
}

impl<'r> Emitter<'r> {
    pub(super) fn new(rng: &'r mut Rng, style: Style) -> Emitter<'r> {
        Emitter {
            rng,
            style,
            code: Vec::new(),
            starts: Vec::new(),
            labels: Vec::new(),
            table: Vec::new(),
            fixes: Vec::new(),
            block_ended: true,
        }
    }

    pub(super) fn label(&mut self) -> Label {
        self.labels.push(None);
        Label(self.labels.len() - 1)
    }

    /// Puts a label here; mostly the block before it ends first, so that jumps may go here.
    pub(super) fn place(&mut self, label: Label) {
        if !self.block_ended && !one_in(self.rng, 40) {
            self.op(Opcode::Fallthrough, Parts::default());
        }
        self.labels[label.0] = Some(self.code.len() as u32);
    }

    /// The address with which a dynamic jump gets to a label.
    pub(super) fn table_address(&mut self, label: Label) -> u32 {
        let known = self.table.iter().position(|&entry| entry == label).filter(|_| !one_in(self.rng, 8));
        let index = known.unwrap_or_else(|| {
            self.table.push(label);
            self.table.len() - 1
        });
        2 * (index as u32 + 1)
    }

    pub(super) fn table_len(&self) -> usize {
        self.table.len()
    }

    /// Bytes without meaning, the first of them marked as an instruction or not.
    pub(super) fn raw(&mut self, bytes: &[u8], starts: bool) {
        if starts {
            self.starts.push(self.code.len() as u32);
        }
        self.code.extend(bytes);
        self.block_ended = false;
    }

    /// Appends an instruction, if the profile has it.
    pub(super) fn op(&mut self, opcode: Opcode, parts: Parts) {
        let Some(byte) = opcode.byte(self.style.profile) else { return };
        let strange = one_in(self.rng, self.style.strange);
        let Parts { a, b, d, x, y, wide, target } = parts;
        let pc = self.code.len() as u32;
        self.starts.push(pc);
        self.code.push(byte);
        let (a, b) = (self.nibble(a, strange), self.nibble(b, strange));
        match opcode.spec().format {
            Format::None => {}
            Format::Imm => self.imm(x, strange),
            Format::RegImm64 => {
                let junk = if strange { self.rng.u8(..16) << 4 } else { 0 };
                self.code.push(a | junk);
                self.code.extend(wide.to_le_bytes());
            }
            Format::ImmImm => {
                let len = self.stated_len(x, strange);
                let junk = if strange { self.rng.u8(..32) << 3 } else { 0 };
                self.code.push(len | junk);
                self.imm_of(x, len);
                self.imm(y, strange);
            }
            Format::Offset => self.offset(pc, target, strange),
            Format::RegImm => {
                let junk = if strange { self.rng.u8(..16) << 4 } else { 0 };
                self.code.push(a | junk);
                self.imm(x, strange);
            }
            Format::RegImmImm | Format::RegImmOffset => {
                let len = self.stated_len(x, strange);
                let junk = if strange { self.rng.u8(..2) << 7 } else { 0 };
                self.code.push(a | len << 4 | junk);
                self.imm_of(x, len);
                match opcode.spec().format {
                    Format::RegImmImm => self.imm(y, strange),
                    _ => self.offset(pc, target, strange),
                }
            }
            Format::RegReg => self.code.push(d | b << 4),
            Format::RegRegImm => {
                self.code.push(a | b << 4);
                self.imm(x, strange);
            }
            Format::RegRegOffset => {
                self.code.push(a | b << 4);
                self.offset(pc, target, strange);
            }
            Format::RegRegImmImm => {
                let len = self.stated_len(x, strange);
                let junk = if strange { self.rng.u8(..32) << 3 } else { 0 };
                self.code.push(a | b << 4);
                self.code.push(len | junk);
                self.imm_of(x, len);
                self.imm(y, strange);
            }
            Format::RegRegReg => {
                let wide = strange && one_in(self.rng, if self.style.for_peer { 20 } else { 3 });
                let d = if wide { self.rng.u8(..) } else { self.nibble(d, strange) };
                self.code.extend([a | b << 4, d]);
            }
        }
        if strange {
            self.change_length(pc);
        }
        self.block_ended = opcode.spec().meaning.ends_block();
    }

    /// Cuts an instruction short or gives it bytes too many.
    fn change_length(&mut self, pc: u32) {
        let len = self.code.len() - pc as usize;
        match self.rng.u32(..6) {
            0 if len > 1 => {
                self.code.truncate(pc as usize + self.rng.usize(1..len));
                self.fixes.retain(|fix| fix.pc != pc);
            }
            1 | 2 => {
                let most = if one_in(self.rng, 4) { 40 } else { 6 };
                let more = self.rng.usize(1..most);
                for _ in 0..more {
                    self.code.push(self.rng.u8(..));
                }
            }
            _ => {}
        }
    }

    fn nibble(&mut self, register: u8, strange: bool) -> u8 {
        if strange && one_in(self.rng, 4) { self.rng.u8(12..16) } else { register }
    }

    /// The length of an immediate, as an instruction states it: up to 7, where 5 to 7 mean 4.
    fn stated_len(&mut self, value: i32, strange: bool) -> u8 {
        match self.rng.u32(..8) {
            0 if strange => self.rng.u8(..8),
            1 => 4,
            _ => shortest(value) as u8,
        }
    }

    fn imm_of(&mut self, value: i32, stated: u8) {
        self.code.extend(&value.to_le_bytes()[..usize::from(stated).min(4)]);
    }

    fn imm(&mut self, value: i32, strange: bool) {
        let len = match self.rng.usize(..8) {
            0 if strange => self.rng.usize(..5),
            1 => self.rng.usize(shortest(value)..5),
            _ => shortest(value),
        };
        self.code.extend(&value.to_le_bytes()[..len]);
    }

    fn offset(&mut self, pc: u32, target: Option<Label>, strange: bool) {
        let len = match self.rng.usize(..12) {
            0 if strange => self.rng.usize(..5),
            0 => 1,
            1 => 3,
            2 => 4,
            _ => 2,
        };
        let at = self.code.len();
        match target {
            Some(target) => {
                self.code.resize(at + len, 0);
                self.fixes.push(Fix { pc, at, len, target });
            }
            None => (0..len).for_each(|_| self.code.push(self.rng.u8(..))),
        }
    }

    /// The program.
    pub(super) fn finish(mut self) -> Blob {
        let end = self.code.len() as u32;
        let place = |label: Label, labels: &[Option<u32>]| labels[label.0].unwrap_or(end);
        for Fix { pc, at, len, target } in std::mem::take(&mut self.fixes) {
            let offset = place(target, &self.labels).wrapping_sub(pc);
            if let Some(bytes) = self.code.get_mut(at..at + len) {
                bytes.copy_from_slice(&offset.to_le_bytes()[..len]);
            }
        }
        let mut bitmask = vec![0; self.code.len().div_ceil(8)];
        for start in &self.starts {
            bitmask[*start as usize / 8] |= 1 << (start % 8);
        }
        let jump_size = match self.rng.u32(..40) {
            0 => 0,
            1 => 1,
            2 if !self.style.for_peer => 9,
            _ => self.rng.u8(2..5),
        };
        let entries: Vec<u32> = self.table.iter().map(|&label| place(label, &self.labels)).collect();
        let jump_bytes = entries.iter().flat_map(|&entry| {
            let bytes = u64::from(entry).to_le_bytes();
            (0..usize::from(jump_size)).map(move |at| bytes.get(at).copied().unwrap_or(0))
        });
        Blob { jump_count: entries.len() as u64, jump_size, jump_bytes: jump_bytes.collect(), code: self.code, bitmask }
    }
}

/// The fewest bytes whose sign extension is `value`.
fn shortest(value: i32) -> usize {
    (0..4)
        .find(|&len| len == 0 && value == 0 || len > 0 && value << (32 - 8 * len) >> (32 - 8 * len) == value)
        .unwrap_or(4)
}

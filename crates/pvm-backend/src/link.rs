//! From functions to a program blob: entry points, jump table, lengths of jumps.
//!
//! Dynamic jumps go through the jump table (Gray Paper A.4), so it has an entry for each place that one may lead to: functions
//! whose address is taken, the way back from each call, and the tables of `br_table`. Functions come first, so that code
//! pointers are small.
//!
//! A jump is as short as its distance allows. All begin with no bytes of offset and get as many as they need, until nothing
//! grows any more.

use crate::abi::STACK;
use crate::code::{Item, List, Patch};
use crate::error::Problem;
use crate::program::STACK_TOP;
use pvm_isa::{Instruction, Opcode, Operands, Profile};
use pvm_program::Blob;
use std::collections::BTreeMap;

/// Bytes of a program; beyond this, offsets of jumps would not fit.
const CODE_LIMIT: u64 = 1 << 31;

/// A linked program.
pub struct Linked {
    /// Code and jump table.
    pub blob: Blob,
    /// The code pointers of functions that have one.
    pub pointers: BTreeMap<u32, u32>,
    /// Where each function begins.
    pub starts: BTreeMap<u32, u32>,
}

/// Links the lists of functions, by their numbers. `entries` are the functions that are entered at 0, 5, and so on;
/// `addressed` those that get a code pointer in any case.
pub fn link(lists: BTreeMap<u32, List>, entries: &[u32], addressed: &[u32]) -> Result<Linked, Problem> {
    let mut linker = Linker::default();
    linker.entry_points(entries);
    for (number, list) in lists {
        linker.add(number, list);
    }
    linker.make_table(addressed);
    linker.fill_in_constants();
    linker.encode_all()?;
    linker.relax()?;
    Ok(linker.finish())
}

/// The bytes of an instruction that do not change any more, and its target.
struct Piece {
    bytes: Vec<u8>,
    /// The item that it jumps to.
    target: Option<usize>,
    /// Bytes of the offset behind `bytes`.
    offset_len: usize,
    pc: u32,
}

#[derive(Default)]
struct Linker {
    items: Vec<Item>,
    /// Where the labels of an item's function begin in `labels`.
    label_base: Vec<usize>,
    /// The items that labels stand at.
    labels: Vec<usize>,
    /// The first item of each function.
    functions: BTreeMap<u32, usize>,
    /// Items that the jump table leads to.
    table: Vec<usize>,
    /// Places of functions in the jump table.
    pointers: BTreeMap<u32, usize>,
    /// Places of items' return addresses and tables in the jump table.
    places: BTreeMap<usize, usize>,
    pieces: Vec<Piece>,
}

/// The address of a place in the jump table (Gray Paper A.4: each takes two).
fn address(place: usize) -> i32 {
    2 * (place as i32 + 1)
}

impl Linker {
    /// Entry points are five bytes apart. The last of them begins right there, others with a jump to where there is room.
    fn entry_points(&mut self, entries: &[u32]) {
        let start = |function| Item {
            instruction: Instruction {
                opcode: Opcode::LoadImmJump,
                operands: Operands::RegImmOffset { a: STACK, x: STACK_TOP, target: 0 },
            },
            patch: Patch::Function(function),
        };
        let Some((&last, others)) = entries.split_last() else { return };
        for index in 0..others.len() {
            let jump = Item { patch: Patch::WideTarget(others.len() + 1 + index), ..Item::jump(0) };
            self.items.push(jump);
        }
        self.items.push(start(last));
        self.items.extend(others.iter().map(|&function| start(function)));
        self.label_base = vec![0; self.items.len()];
        self.labels = (0..self.items.len()).collect();
    }

    fn add(&mut self, number: u32, list: List) {
        let base = self.items.len();
        let label_base = self.labels.len();
        self.functions.insert(number, base);
        self.labels.extend(list.labels.into_iter().map(|item| item.saturating_add(base)));
        self.label_base.resize(base + list.items.len(), label_base);
        self.items.extend(list.items);
    }

    fn make_table(&mut self, addressed: &[u32]) {
        let taken = self.items.iter().filter_map(|item| match item.patch {
            Patch::CodePointer(function) => Some(function),
            _ => None,
        });
        let mut functions: Vec<u32> = addressed.iter().copied().chain(taken).collect();
        functions.sort_unstable();
        functions.dedup();
        for function in functions {
            self.pointers.insert(function, self.table.len());
            self.table.push(self.functions[&function]);
        }
        for index in 0..self.items.len() {
            match &self.items[index].patch {
                Patch::Call(_) | Patch::CallPointer => {
                    self.places.insert(index, self.table.len());
                    self.table.push(index + 1);
                }
                Patch::Table(entries) => {
                    self.places.insert(index, self.table.len());
                    let base = self.label_base[index];
                    self.table.extend(entries.iter().map(|&label| self.labels[base + label]));
                }
                _ => {}
            }
        }
    }

    /// Fills in what depends on places in the jump table only.
    fn fill_in_constants(&mut self) {
        for index in 0..self.items.len() {
            let place = self.places.get(&index).copied();
            let Item { instruction, patch } = &mut self.items[index];
            let value = match (&*patch, place) {
                (Patch::CodePointer(function), _) => address(self.pointers[function]),
                (Patch::Call(_) | Patch::CallPointer | Patch::Table(_), Some(place)) => address(place),
                _ => continue,
            };
            match &mut instruction.operands {
                Operands::RegImm { x, .. } | Operands::RegImmOffset { x, .. } | Operands::RegRegImmImm { x, .. } => {
                    *x = value;
                }
                _ => {}
            }
        }
    }

    /// Encodes everything but the offsets of jumps, which are the last bytes of instructions.
    fn encode_all(&mut self) -> Result<(), Problem> {
        for (index, item) in self.items.iter().enumerate() {
            let mut bytes = Vec::new();
            item.instruction.encode(Profile::V0_7, 0, &mut bytes)?;
            let label = |label: usize| Some(self.labels[self.label_base[index] + label]);
            let (target, offset_len) = match item.patch {
                Patch::Target(target) => (label(target), 0),
                Patch::WideTarget(target) => (label(target), 4),
                Patch::Call(function) | Patch::Function(function) => (Some(self.functions[&function]), 0),
                _ => (None, 0),
            };
            self.pieces.push(Piece { bytes, target, offset_len, pc: 0 });
        }
        Ok(())
    }

    /// Lengthens jumps until all reach their targets.
    fn relax(&mut self) -> Result<(), Problem> {
        loop {
            let mut pc = 0u64;
            for piece in &mut self.pieces {
                piece.pc = pc as u32;
                pc += (piece.bytes.len() + piece.offset_len) as u64;
                if pc > CODE_LIMIT {
                    return Err(Problem::TooLarge { what: "size of the code", value: pc, limit: CODE_LIMIT });
                }
            }
            let mut grown = false;
            for index in 0..self.pieces.len() {
                let Some(offset) = self.offset(index) else { continue };
                let len = offset_len(offset);
                if len > self.pieces[index].offset_len {
                    self.pieces[index].offset_len = len;
                    grown = true;
                }
            }
            if !grown {
                return Ok(());
            }
        }
    }

    fn offset(&self, index: usize) -> Option<i32> {
        let piece = &self.pieces[index];
        let target = &self.pieces[piece.target?];
        // Both are below the limit.
        Some(target.pc as i32 - piece.pc as i32)
    }

    fn finish(self) -> Linked {
        let mut code = Vec::new();
        let mut bitmask = Vec::new();
        for (index, piece) in self.pieces.iter().enumerate() {
            let at = code.len();
            bitmask.resize(at / 8 + 1, 0);
            bitmask[at / 8] |= 1 << (at % 8);
            code.extend(&piece.bytes);
            if let Some(offset) = self.offset(index) {
                code.extend(&offset.to_le_bytes()[..piece.offset_len]);
            }
        }
        bitmask.resize(code.len().div_ceil(8), 0);
        let pc = |item: usize| self.pieces[item].pc;
        let longest = self.table.iter().map(|&item| pc(item)).max().unwrap_or(0);
        let jump_size =
            if self.table.is_empty() { 0 } else { (32 - longest.leading_zeros()).div_ceil(8).max(1) as usize };
        let jump_bytes = self.table.iter().flat_map(|&item| pc(item).to_le_bytes()[..jump_size].to_vec()).collect();
        let blob = Blob { code, bitmask, jump_count: self.table.len() as u64, jump_size: jump_size as u8, jump_bytes };
        let pointers = self.pointers.iter().map(|(&function, &place)| (function, address(place) as u32)).collect();
        let starts = self.functions.iter().map(|(&function, &item)| (function, pc(item))).collect();
        Linked { blob, pointers, starts }
    }
}

/// The fewest bytes whose sign extension is `offset`.
fn offset_len(offset: i32) -> usize {
    match offset {
        0 => 0,
        -0x80..=0x7f => 1,
        -0x8000..=0x7fff => 2,
        -0x80_0000..=0x7f_ffff => 3,
        _ => 4,
    }
}

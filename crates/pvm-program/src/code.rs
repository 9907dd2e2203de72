//! Code by program counter: instruction boundaries, basic blocks, jump table (Gray Paper A.3 and A.4).

use crate::Blob;
use pvm_isa::{Instruction, MAX_SKIP, Opcode, Profile};
use pvm_ops::{DynamicJumps, Fetched, GuestCode, Inst, Target, Width};

/// The code of a program, ready to be decoded at any program counter.
#[derive(Debug)]
pub struct Code {
    profile: Profile,
    bytes: Vec<u8>,
    /// The bitmask, continued with ones behind the end of the code, so that looking for the next start needs no bound.
    starts: Vec<u8>,
    /// One bit for each code byte: whether a basic block starts there.
    blocks: Vec<u8>,
    jump_table: Vec<u32>,
    /// Every jump-table entry is 0, and there are this many (entries of no bytes).
    zero_jump_entries: u64,
}

/// Bytes of ones behind the bitmask: as many as one look for the next start reads.
const MASK_MARGIN: usize = 8;

impl Code {
    /// The code of `blob`, numbered as in `profile`.
    pub fn new(blob: &Blob, profile: Profile) -> Code {
        let len = blob.code.len();
        let mut starts = blob.bitmask.clone();
        if let Some(last) = starts.last_mut()
            && !len.is_multiple_of(8)
        {
            *last |= 0xff << (len % 8);
        }
        starts.extend([0xff; MASK_MARGIN]);
        let zero_jump_entries = if blob.jump_size == 0 { blob.jump_count } else { 0 };
        let mut code = Code {
            profile,
            bytes: blob.code.clone(),
            starts,
            blocks: vec![0; len.div_ceil(8)],
            jump_table: blob.jump_entries().collect(),
            zero_jump_entries,
        };
        code.find_blocks();
        code
    }

    /// Blocks start at 0 and after each terminator, provided that an instruction with a defined opcode stands there.
    /// An undefined opcode stops the program as `trap` does, but no block starts after it.
    fn find_blocks(&mut self) {
        self.mark_block(0);
        for pc in 0..self.bytes.len() as u32 {
            if self.opcode(pc).is_some_and(|opcode| opcode.spec().meaning.ends_block()) {
                self.mark_block(self.next(pc));
            }
        }
    }

    fn mark_block(&mut self, pc: u32) {
        if self.opcode(pc).is_some() {
            self.blocks[pc as usize / 8] |= 1 << (pc % 8);
        }
    }

    /// The numbering of the code.
    pub fn profile(&self) -> Profile {
        self.profile
    }

    /// The bytes of the code.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether the bitmask has an instruction start at `pc`.
    pub fn starts_instruction(&self, pc: u32) -> bool {
        (pc as usize) < self.bytes.len() && self.starts[pc as usize / 8] >> (pc % 8) & 1 == 1
    }

    /// The opcode at `pc`, if an instruction with a defined one starts there.
    pub fn opcode(&self, pc: u32) -> Option<Opcode> {
        self.starts_instruction(pc).then(|| Opcode::from_byte(self.profile, self.bytes[pc as usize])).flatten()
    }

    /// How many bytes follow the one at `pc` before the next instruction starts, the code ends, or
    /// [`MAX_SKIP`] is reached (Gray Paper A.3: `skip`).
    pub fn skip(&self, pc: u32) -> u32 {
        let from = pc as usize + 1;
        if from >= self.bytes.len() {
            return 0;
        }
        let eight = self.starts[from / 8..].first_chunk().expect("the margin is as long as what is read here");
        (u64::from_le_bytes(*eight) >> (from % 8)).trailing_zeros().min(MAX_SKIP)
    }

    /// The program counter of what follows the instruction at `pc`.
    pub fn next(&self, pc: u32) -> u32 {
        pc.saturating_add(1 + self.skip(pc))
    }

    /// The instruction at `pc`, or `None` where running would be a trap: no start of an instruction, an opcode that the
    /// profile does not define, or outside of the code.
    pub fn instruction(&self, pc: u32) -> Option<Instruction> {
        self.opcode(pc)?;
        Instruction::decode(self.profile, &self.bytes, pc, self.skip(pc))
    }

    /// The program counters of every instruction start that the bitmask has, in order.
    pub fn instruction_starts(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.bytes.len() as u32).filter(|&pc| self.starts_instruction(pc))
    }

    /// The program counters of all block starts, in order.
    pub fn block_starts(&self) -> impl Iterator<Item = u32> + '_ {
        (0..self.bytes.len() as u32).filter(|&pc| self.is_block_start(pc))
    }
}

impl GuestCode for Code {
    fn fetch(&self, pc: u32) -> Fetched {
        let next = self.next(pc);
        let resolve = |target: i64| match u32::try_from(target) {
            Ok(target) if self.is_block_start(target) => Target::Block(target),
            _ => Target::Invalid,
        };
        match self.instruction(pc) {
            Some(instruction) => Fetched { inst: instruction.lower(self.profile, resolve), next },
            None => Fetched { inst: Inst::Trap, next },
        }
    }

    fn is_block_start(&self, pc: u32) -> bool {
        self.blocks.get(pc as usize / 8).is_some_and(|byte| byte >> (pc % 8) & 1 == 1)
    }

    fn dynamic_jumps(&self) -> DynamicJumps<'_> {
        let count = self.zero_jump_entries.max(self.jump_table.len() as u64);
        DynamicJumps::Table { entries: &self.jump_table, count }
    }

    fn width(&self) -> Width {
        Width::W64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(bytes: &[u8], starts: &[u32]) -> Code {
        let mut blob = Blob { code: bytes.to_vec(), bitmask: vec![0; bytes.len().div_ceil(8)], ..Blob::default() };
        for start in starts {
            blob.bitmask[*start as usize / 8] |= 1 << (start % 8);
        }
        Code::new(&blob, Profile::V0_7)
    }

    fn blocks(code: &Code) -> Vec<u32> {
        code.block_starts().collect()
    }

    #[test]
    fn blocks_start_after_terminators_where_a_defined_opcode_stands() {
        // fallthrough, undefined 2, trap, load_imm, trap
        assert_eq!(blocks(&code(&[1, 2, 0, 51, 7, 0], &[0, 1, 2, 3, 5])), [0, 3]);
        assert_eq!(blocks(&code(&[2], &[0])), []);
        assert_eq!(blocks(&code(&[1], &[])), []);
        assert_eq!(blocks(&code(&[], &[])), []);
    }

    #[test]
    fn the_next_instruction_is_at_most_25_bytes_away() {
        let code = code(&[1; 60], &[0, 40]);
        assert_eq!((code.skip(0), code.next(0)), (24, 25));
        assert_eq!((code.skip(16), code.skip(39), code.skip(40)), (23, 0, 19));
        assert_eq!((code.skip(59), code.skip(60), code.skip(u32::MAX)), (0, 0, 0));
        // Landing between instructions is a trap, not a block.
        assert_eq!(blocks(&code), [0]);
        assert_eq!(code.fetch(25).inst, Inst::Trap);
    }

    #[test]
    fn entries_of_no_bytes_are_all_zero() {
        let blob = Blob { jump_count: 3, ..Blob::default() };
        let code = Code::new(&blob, Profile::V0_7);
        assert_eq!(code.dynamic_jumps(), DynamicJumps::Table { entries: &[], count: 3 });
    }
}

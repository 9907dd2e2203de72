//! Program blobs from instructions.

use pvm_isa::{EncodeError, Instruction, Profile};
use pvm_program::Blob;

/// Puts a blob together, instruction by instruction.
#[derive(Clone, Debug)]
pub struct BlobBuilder {
    profile: Profile,
    code: Vec<u8>,
    starts: Vec<u32>,
    jump_table: Vec<u32>,
}

impl BlobBuilder {
    /// An empty blob.
    pub fn new(profile: Profile) -> BlobBuilder {
        BlobBuilder { profile, code: Vec::new(), starts: Vec::new(), jump_table: Vec::new() }
    }

    /// The program counter of what is appended next.
    pub fn pc(&self) -> u32 {
        self.code.len() as u32
    }

    /// Appends an instruction.
    ///
    /// # Errors
    ///
    /// If it cannot be encoded.
    pub fn push(&mut self, instruction: Instruction) -> Result<&mut Self, EncodeError> {
        let pc = self.pc();
        instruction.encode(self.profile, pc, &mut self.code)?;
        self.starts.push(pc);
        Ok(self)
    }

    /// Appends bytes, of which the first is marked as the start of an instruction or not.
    pub fn push_bytes(&mut self, bytes: &[u8], starts: bool) -> &mut Self {
        if starts {
            self.starts.push(self.pc());
        }
        self.code.extend(bytes);
        self
    }

    /// Appends an entry to the jump table.
    pub fn jump_entry(&mut self, pc: u32) -> &mut Self {
        self.jump_table.push(pc);
        self
    }

    /// The blob.
    pub fn finish(&self) -> Blob {
        let mut bitmask = vec![0; self.code.len().div_ceil(8)];
        for start in &self.starts {
            bitmask[*start as usize / 8] |= 1 << (start % 8);
        }
        Blob {
            code: self.code.clone(),
            bitmask,
            jump_count: self.jump_table.len() as u64,
            jump_size: 4,
            jump_bytes: self.jump_table.iter().flat_map(|pc| pc.to_le_bytes()).collect(),
        }
    }
}

//! Bytes to instruction (Gray Paper A.5).

use crate::{Format, Instruction, LAST_REG, Opcode, Operands, Profile};
use pvm_ops::Reg;

impl Instruction {
    /// Decodes the instruction at `pc`, which is followed by `skip` bytes of operands (at most [`crate::MAX_SKIP`]).
    ///
    /// Operands may run past the end of the instruction into the bytes that follow, and past the end of the code into
    /// zeros; that is legal and honoured. `None` if the byte at `pc` is no opcode of the profile, or outside the code.
    #[inline]
    pub fn decode(profile: Profile, code: &[u8], pc: u32, skip: u32) -> Option<Instruction> {
        let rest = code.get(pc as usize..)?;
        let opcode = Opcode::from_byte(profile, *rest.first()?)?;
        let bytes = Bytes::new(rest, pc);
        Some(Instruction { opcode, operands: bytes.operands(opcode.spec().format, skip) })
    }
}

/// An instruction's bytes, continued with zeros behind the end of the code. No operand lies further than 16 bytes.
struct Bytes {
    window: [u8; 16],
    pc: u32,
}

impl Bytes {
    fn new(rest: &[u8], pc: u32) -> Bytes {
        let mut window = [0; 16];
        match rest.first_chunk() {
            Some(chunk) => window = *chunk,
            None => window[..rest.len()].copy_from_slice(rest),
        }
        Bytes { window, pc }
    }

    fn reg_lo(&self) -> Reg {
        Reg::clamped(self.window[1] & 15, LAST_REG)
    }

    fn reg_hi(&self) -> Reg {
        Reg::clamped(self.window[1] >> 4, LAST_REG)
    }

    /// `len` bytes (0 to 4) from `at`, sign-extended.
    fn imm(&self, at: u32, len: u32) -> i32 {
        if len == 0 {
            return 0;
        }
        let at = at as usize;
        let mut four = [0; 4];
        four.copy_from_slice(&self.window[at..at + 4]);
        let unused = 32 - 8 * len;
        i32::from_le_bytes(four) << unused >> unused
    }

    fn target(&self, at: u32, len: u32) -> i64 {
        i64::from(self.pc) + i64::from(self.imm(at, len))
    }

    fn operands(&self, format: Format, skip: u32) -> Operands {
        // What `skip` leaves for an immediate that follows `used` bytes of operands; the lengths that are written into
        // the instruction itself are three bits wide and mean at most four.
        let rest = |used: u32| skip.saturating_sub(used).min(4);
        let stated = |bits: u8| u32::from(bits & 7).min(4);
        let (a, b) = (self.reg_lo(), self.reg_hi());
        match format {
            Format::None => Operands::None,
            Format::Imm => Operands::Imm { x: self.imm(1, rest(0)) },
            Format::RegImm64 => {
                let mut eight = [0; 8];
                eight.copy_from_slice(&self.window[2..10]);
                Operands::RegImm64 { a, x: u64::from_le_bytes(eight) }
            }
            Format::ImmImm => {
                let len = stated(self.window[1]);
                Operands::ImmImm { x: self.imm(2, len), y: self.imm(2 + len, rest(1 + len)) }
            }
            Format::Offset => Operands::Offset { target: self.target(1, rest(0)) },
            Format::RegImm => Operands::RegImm { a, x: self.imm(2, rest(1)) },
            Format::RegImmImm => {
                let len = stated(self.window[1] >> 4);
                Operands::RegImmImm { a, x: self.imm(2, len), y: self.imm(2 + len, rest(1 + len)) }
            }
            Format::RegImmOffset => {
                let len = stated(self.window[1] >> 4);
                Operands::RegImmOffset { a, x: self.imm(2, len), target: self.target(2 + len, rest(1 + len)) }
            }
            Format::RegReg => Operands::RegReg { d: a, a: b },
            Format::RegRegImm => Operands::RegRegImm { a, b, x: self.imm(2, rest(1)) },
            Format::RegRegOffset => Operands::RegRegOffset { a, b, target: self.target(2, rest(1)) },
            Format::RegRegImmImm => {
                let len = stated(self.window[2]);
                Operands::RegRegImmImm { a, b, x: self.imm(3, len), y: self.imm(3 + len, rest(2 + len)) }
            }
            Format::RegRegReg => Operands::RegRegReg { d: Reg::clamped(self.window[2], LAST_REG), a, b },
        }
    }
}

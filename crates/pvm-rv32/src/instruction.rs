//! One instruction, decoded.

use crate::{NonZero, SPECS, Spec};
use pvm_ops::Reg;

/// An instruction with its operands; x0 and zero stand for those that it does not have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instruction {
    /// Its row.
    pub spec: &'static Spec,
    /// The register that is written.
    pub rd: Reg,
    /// The first register that is read.
    pub rs1: Reg,
    /// The second register that is read.
    pub rs2: Reg,
    /// The immediate.
    pub imm: i32,
}

/// Bits that are no instruction: reserved, or of an extension that is not here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Illegal {
    /// The bits, 16 or 32 of them.
    pub bits: u32,
    /// Their length in bytes.
    pub len: u32,
}

impl std::fmt::Display for Illegal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no instruction has the bits {:#0width$x}", self.bits, width = 2 + 2 * self.len as usize)
    }
}

impl std::error::Error for Illegal {}

/// Rows that have the same bits here may be the same instruction; there are few of them.
const fn bucket(bits: u32) -> usize {
    (match bits & 3 {
        3 => 32 | bits >> 2 & 31,
        quadrant => quadrant << 3 | bits >> 13 & 7,
    }) as usize
}

const BUCKETS: usize = 64;
const MOST_IN_BUCKET: usize = 20;

/// The rows of each bucket, in the order of the table, as their numbers plus one; zeros follow.
const ROWS: [[u8; MOST_IN_BUCKET]; BUCKETS] = {
    let mut rows = [[0; MOST_IN_BUCKET]; BUCKETS];
    let mut at = 0;
    while at < SPECS.len() {
        let bucket = bucket(SPECS[at].value);
        let mut place = 0;
        while rows[bucket][place] != 0 {
            place += 1;
        }
        rows[bucket][place] = at as u8 + 1;
        at += 1;
    }
    rows
};

impl Instruction {
    /// The instruction that these bits begin with, and its length in bytes. Of an instruction of 16 bits the upper half does
    /// not matter.
    ///
    /// # Errors
    ///
    /// If they are none.
    pub fn decode(bits: u32) -> Result<(Instruction, u32), Illegal> {
        let len = if bits & 3 == 3 { 4 } else { 2 };
        let bits = if len == 4 { bits } else { bits & 0xffff };
        let rows = ROWS[bucket(bits)].iter().take_while(|&&row| row != 0).map(|&row| &SPECS[usize::from(row) - 1]);
        rows.filter(|spec| bits & spec.mask == spec.value)
            .map(|spec| Instruction::gather(spec, bits))
            .find(Instruction::is_allowed)
            .map(|instruction| (instruction, len))
            .ok_or(Illegal { bits, len })
    }

    fn gather(spec: &'static Spec, bits: u32) -> Instruction {
        let format = &spec.format;
        let [rd, rs1, rs2] = [format.rd, format.rs1, format.rs2].map(|place| place.gather(bits));
        Instruction { spec, rd, rs1, rs2, imm: format.gather(bits) }
    }

    fn is_allowed(&self) -> bool {
        match self.spec.non_zero {
            NonZero::None => true,
            NonZero::Rd => self.rd != Reg::R0,
            NonZero::Rs1 => self.rs1 != Reg::R0,
            NonZero::Rs2 => self.rs2 != Reg::R0,
            NonZero::Imm => self.imm != 0,
        }
    }

    /// The bits of the instruction; `None` if an operand does not fit, or the bits would be those of another instruction.
    pub fn encode(&self) -> Option<u32> {
        let format = &self.spec.format;
        let registers = [(format.rd, self.rd), (format.rs1, self.rs1), (format.rs2, self.rs2)];
        let registers = registers.iter().fold(0, |all, (place, reg)| all | place.scatter(*reg));
        let bits = self.spec.value | registers | format.scatter(self.imm);
        (Instruction::decode(bits).map(|(decoded, _)| decoded) == Ok(*self)).then_some(bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(bits: u32) -> Option<String> {
        Instruction::decode(bits).ok().map(|(instruction, _)| instruction.text(0x1000))
    }

    #[test]
    fn every_short_instruction_comes_back() {
        let mut legal = 0;
        for bits in (0..=0xffff).filter(|bits| bits & 3 != 3) {
            let Ok((instruction, len)) = Instruction::decode(bits) else { continue };
            assert_eq!((instruction.encode(), len), (Some(bits), 2), "{bits:#06x}: {}", instruction.text(0));
            legal += 1;
        }
        // What is left of 3 * 2^14: loads and stores of floats, shifts by 32 and more, operations of 64 bits, reserved.
        assert_eq!(legal, 28_823);
    }

    #[test]
    fn long_instructions_come_back() {
        let mut legal = 0;
        let mut bits = 3_u32;
        // A walk through all values, in steps that change all fields.
        for _ in 0..1_000_000 {
            bits = bits.wrapping_mul(0x2c92_77b5).wrapping_add(0xac56_4b05) | 3;
            let Ok((instruction, len)) = Instruction::decode(bits) else { continue };
            assert_eq!((instruction.encode(), len), (Some(bits), 4), "{bits:#010x}: {}", instruction.text(0));
            legal += 1;
        }
        assert!(legal > 100_000, "{legal}");
        for spec in SPECS {
            assert_eq!(spec.value & !spec.mask, 0, "{}", spec.mnemonic);
        }
    }

    #[test]
    fn reserved_bits_are_illegal() {
        for bits in [0, 0xffff_ffff, 0x0000_9c01, 0x0000_8002, 0x0000_4002, 0x0000_6101, 0x0000_1002, 0x0000_007b] {
            assert_eq!(decoded(bits), None, "{bits:#x}");
        }
    }

    /// What binutils' assembler makes of these instructions.
    #[test]
    fn known_encodings() {
        for (bits, text) in [
            (0x1234_52b7, "lui t0, 0x12345"),
            (0xfe51_8ae3, "beq gp, t0, 0xff4"),
            (0xff9f_f0ef, "jal ra, 0xff8"),
            (0x0040_80e7, "jalr ra, 4(ra)"),
            (0xfe51_ae23, "sw t0, -4(gp)"),
            (0x4032_d293, "srai t0, t0, 3"),
            (0x0ff0_000f, "fence iorw, iorw"),
            (0x0000_100f, "fence.i"),
            (0xc000_2573, "csrrs a0, cycle, zero"),
            (0x3400_d073, "csrrwi zero, mscratch, 1"),
            (0x0e57_a52f, "amoswap.w.aqrl a0, t0, (a5)"),
            (0x1405_a52f, "lr.w.aq a0, (a1)"),
            (0x0808, "c.addi4spn a0, sp, 16"),
            (0x4188, "c.lw a0, 0(a1)"),
            (0x1141, "c.addi sp, -16"),
            (0x7179, "c.addi16sp sp, -48"),
            (0x657d, "c.lui a0, 0x1f"),
            (0x757d, "c.lui a0, 0xfffff"),
            (0x8082, "c.jr ra"),
            (0x9002, "c.ebreak"),
            (0xbff5, "c.j 0xffc"),
            (0xd575, "c.beqz a0, 0xfec"),
            (0xc606, "c.swsp ra, 12(sp)"),
        ] {
            assert_eq!(decoded(bits).as_deref(), Some(text), "{bits:#x}");
        }
    }
}

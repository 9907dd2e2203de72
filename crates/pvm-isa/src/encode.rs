//! Instruction to bytes: the shortest encoding that decodes to the same instruction.

use crate::{Instruction, Operands, Profile};
use pvm_ops::Reg;

/// Why an instruction cannot be encoded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// The profile does not have the instruction.
    #[error("`{mnemonic}` does not exist in profile {profile}")]
    NotInProfile {
        /// The instruction.
        mnemonic: &'static str,
        /// The profile.
        profile: Profile,
    },
    /// The operands are not in the format of the opcode.
    #[error("the operands are not those of `{mnemonic}`")]
    WrongFormat {
        /// The instruction.
        mnemonic: &'static str,
    },
    /// A jump goes further than an offset of 32 bits reaches.
    #[error("the jump target {target} is more than 2^31 bytes away")]
    OutOfReach {
        /// The target.
        target: i64,
    },
}

impl Instruction {
    /// Appends the shortest encoding of the instruction, standing at `pc`, to `out`.
    ///
    /// # Errors
    ///
    /// See [`EncodeError`]; nothing is appended then.
    pub fn encode(&self, profile: Profile, pc: u32, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let spec = self.opcode.spec();
        let mnemonic = spec.mnemonic;
        let byte = self.opcode.byte(profile).ok_or(EncodeError::NotInProfile { mnemonic, profile })?;
        if self.operands.format() != spec.format {
            return Err(EncodeError::WrongFormat { mnemonic });
        }
        let offset = match self.operands.target() {
            Some(target) => target
                .checked_sub(i64::from(pc))
                .and_then(|offset| i32::try_from(offset).ok())
                .ok_or(EncodeError::OutOfReach { target })?,
            None => 0,
        };

        out.push(byte);
        let pair = |low: Reg, high: Reg| low as u8 | (high as u8) << 4;
        match self.operands {
            Operands::None => {}
            Operands::Imm { x } => imm(out, x),
            Operands::RegImm64 { a, x } => {
                out.push(a as u8);
                out.extend(x.to_le_bytes());
            }
            Operands::ImmImm { x, y } => {
                out.push(imm_len(x));
                imm(out, x);
                imm(out, y);
            }
            Operands::Offset { .. } => imm(out, offset),
            Operands::RegImm { a, x } => {
                out.push(a as u8);
                imm(out, x);
            }
            Operands::RegImmImm { a, x, y } => {
                out.push(a as u8 | imm_len(x) << 4);
                imm(out, x);
                imm(out, y);
            }
            Operands::RegImmOffset { a, x, .. } => {
                out.push(a as u8 | imm_len(x) << 4);
                imm(out, x);
                imm(out, offset);
            }
            Operands::RegReg { d, a } => out.push(pair(d, a)),
            Operands::RegRegImm { a, b, x } => {
                out.push(pair(a, b));
                imm(out, x);
            }
            Operands::RegRegOffset { a, b, .. } => {
                out.push(pair(a, b));
                imm(out, offset);
            }
            Operands::RegRegImmImm { a, b, x, y } => {
                out.push(pair(a, b));
                out.push(imm_len(x));
                imm(out, x);
                imm(out, y);
            }
            Operands::RegRegReg { d, a, b } => out.extend([pair(a, b), d as u8]),
        }
        Ok(())
    }
}

/// The fewest bytes whose sign extension is `value`: 0 to 4.
fn imm_len(value: i32) -> u8 {
    (0..4).find(|&len| len == 0 && value == 0 || len > 0 && fits(value, len)).unwrap_or(4)
}

fn fits(value: i32, len: u8) -> bool {
    let unused = 32 - 8 * u32::from(len);
    value << unused >> unused == value
}

fn imm(out: &mut Vec<u8>, value: i32) {
    out.extend(&value.to_le_bytes()[..usize::from(imm_len(value))]);
}

#[cfg(test)]
mod tests {
    use crate::{Format, Instruction, Operands, Profile, SPECS};
    use pvm_ops::Reg;

    const VALUES: [i32; 12] = [0, 1, -1, 127, 128, -128, -129, 0x7fff, 0x8000, 0x7f_ffff, 0x80_0000, i32::MIN];

    fn samples(format: Format) -> Vec<Operands> {
        let (a, b, d) = (Reg::R3, Reg::R12, Reg::R7);
        let mut samples = Vec::new();
        for x in VALUES {
            for y in VALUES {
                let target = i64::from(y) + 100;
                samples.push(match format {
                    Format::None => Operands::None,
                    Format::Imm => Operands::Imm { x },
                    Format::RegImm64 => Operands::RegImm64 { a, x: (i64::from(x) << 31 ^ i64::from(y)) as u64 },
                    Format::ImmImm => Operands::ImmImm { x, y },
                    Format::Offset => Operands::Offset { target },
                    Format::RegImm => Operands::RegImm { a, x },
                    Format::RegImmImm => Operands::RegImmImm { a, x, y },
                    Format::RegImmOffset => Operands::RegImmOffset { a, x, target },
                    Format::RegReg => Operands::RegReg { d, a },
                    Format::RegRegImm => Operands::RegRegImm { a, b, x },
                    Format::RegRegOffset => Operands::RegRegOffset { a, b, target },
                    Format::RegRegImmImm => Operands::RegRegImmImm { a, b, x, y },
                    Format::RegRegReg => Operands::RegRegReg { d, a, b },
                });
            }
        }
        samples
    }

    #[test]
    fn decoding_gives_back_what_was_encoded() {
        for profile in Profile::ALL {
            for spec in SPECS.iter().filter(|spec| spec.opcode.byte(profile).is_some()) {
                for operands in samples(spec.format) {
                    let instruction = Instruction { opcode: spec.opcode, operands };
                    let mut code = vec![0; 100];
                    instruction.encode(profile, 100, &mut code).unwrap();
                    let skip = code.len() as u32 - 101;
                    // What follows must not matter to an instruction that states its own lengths rightly.
                    code.extend([0xa5; 16]);
                    assert_eq!(Instruction::decode(profile, &code, 100, skip), Some(instruction));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let mut out = Vec::new();
        let sbrk = Instruction { opcode: crate::Opcode::Sbrk, operands: Operands::RegReg { d: Reg::R1, a: Reg::R2 } };
        assert!(sbrk.encode(Profile::V0_8, 0, &mut out).is_err());
        let far = Instruction { opcode: crate::Opcode::Jump, operands: Operands::Offset { target: 1 << 31 } };
        assert!(far.encode(Profile::V0_7, 0, &mut out).is_err());
        let mixed = Instruction { opcode: crate::Opcode::Jump, operands: Operands::None };
        assert!(mixed.encode(Profile::V0_7, 0, &mut out).is_err());
        assert!(out.is_empty());
    }
}

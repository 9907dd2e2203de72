//! Instruction to meaning: the bridge from PVM to the vocabulary that interpreter and compiler share.

use crate::{Instruction, Meaning, Operands, Profile};
use pvm_ops::{Address, Inst, Link, Operand, Target};

impl Instruction {
    /// The meaning of the instruction.
    ///
    /// `resolve` says whether a place may be jumped to. Under a profile that validates untaken branches, a branch with
    /// an invalid target is the panic that it always ends in.
    #[inline]
    pub fn lower(&self, profile: Profile, resolve: impl Fn(i64) -> Target) -> Inst {
        let target = || self.operands.target().map_or(Target::Invalid, &resolve);
        match (self.opcode.spec().meaning, self.operands) {
            (Meaning::Trap, _) => Inst::Trap,
            (Meaning::Fallthrough, _) => Inst::Fallthrough,
            (Meaning::Nop, _) => Inst::Nop,

            (Meaning::HostCall, Operands::Imm { x }) => Inst::HostCall { id: x },
            (Meaning::Sbrk, Operands::RegReg { d, a }) => Inst::Sbrk { dst: d, size: a },

            (Meaning::LoadImm, Operands::RegImm64 { a, x }) => Inst::LoadImm { dst: a, value: x },
            (Meaning::LoadImm, Operands::RegImm { a, x }) => Inst::LoadImm { dst: a, value: x as u64 },

            (Meaning::Load(kind), Operands::RegImm { a, x }) => {
                Inst::Load { kind, dst: a, address: Address { base: None, offset: x } }
            }
            (Meaning::Load(kind), Operands::RegRegImm { a, b, x }) => {
                Inst::Load { kind, dst: a, address: Address { base: Some(b), offset: x } }
            }

            (Meaning::Store(size), Operands::ImmImm { x, y }) => {
                Inst::Store { size, value: Operand::Imm(y), address: Address { base: None, offset: x } }
            }
            (Meaning::Store(size), Operands::RegImm { a, x }) => {
                Inst::Store { size, value: Operand::Reg(a), address: Address { base: None, offset: x } }
            }
            (Meaning::Store(size), Operands::RegImmImm { a, x, y }) => {
                Inst::Store { size, value: Operand::Imm(y), address: Address { base: Some(a), offset: x } }
            }
            (Meaning::Store(size), Operands::RegRegImm { a, b, x }) => {
                Inst::Store { size, value: Operand::Reg(a), address: Address { base: Some(b), offset: x } }
            }

            (Meaning::Jump, Operands::Offset { .. }) => Inst::Jump { link: None, target: target() },
            (Meaning::Jump, Operands::RegImmOffset { a, x, .. }) => {
                Inst::Jump { link: Some(Link { dst: a, value: x }), target: target() }
            }
            (Meaning::JumpIndirect, Operands::RegImm { a, x }) => Inst::JumpIndirect { link: None, base: a, offset: x },
            (Meaning::JumpIndirect, Operands::RegRegImmImm { a, b, x, y }) => {
                Inst::JumpIndirect { link: Some(Link { dst: a, value: x }), base: b, offset: y }
            }

            (Meaning::Branch(_), _) if profile.validates_untaken_branches() && target() == Target::Invalid => {
                Inst::Trap
            }
            (Meaning::Branch(cond), Operands::RegImmOffset { a, x, .. }) => {
                Inst::Branch { cond, lhs: a, rhs: Operand::Imm(x), target: target() }
            }
            (Meaning::Branch(cond), Operands::RegRegOffset { a, b, .. }) => {
                Inst::Branch { cond, lhs: a, rhs: Operand::Reg(b), target: target() }
            }

            (Meaning::Unary(op, width), Operands::RegReg { d, a }) => Inst::Unary { op, width, dst: d, src: a },

            (Meaning::Binary(op, width), Operands::RegRegReg { d, a, b }) => {
                Inst::Binary { op, width, dst: d, lhs: Operand::Reg(a), rhs: Operand::Reg(b) }
            }
            (Meaning::Binary(op, width), Operands::RegRegImm { a, b, x }) => {
                Inst::Binary { op, width, dst: a, lhs: Operand::Reg(b), rhs: Operand::Imm(x) }
            }
            (Meaning::BinarySwapped(op, width), Operands::RegRegImm { a, b, x }) => {
                Inst::Binary { op, width, dst: a, lhs: Operand::Imm(x), rhs: Operand::Reg(b) }
            }

            (meaning @ (Meaning::MoveIfZero | Meaning::MoveIfNotZero), operands) => {
                let if_zero = meaning == Meaning::MoveIfZero;
                match operands {
                    Operands::RegRegReg { d, a, b } => {
                        Inst::CondMove { if_zero, dst: d, value: Operand::Reg(a), test: b }
                    }
                    Operands::RegRegImm { a, b, x } => {
                        Inst::CondMove { if_zero, dst: a, value: Operand::Imm(x), test: b }
                    }
                    _ => mismatch(self),
                }
            }

            _ => mismatch(self),
        }
    }
}

/// Only an [`Instruction`] put together by hand can get here; decoding pairs each opcode with its own format, and a test
/// lowers every row.
#[cold]
fn mismatch(instruction: &Instruction) -> ! {
    panic!("the operands do not belong to the opcode: {instruction:?}")
}

#[cfg(test)]
mod tests {
    use crate::{Instruction, Opcode, Profile, SPECS};
    use pvm_ops::{Inst, Target};

    #[test]
    fn every_row_lowers() {
        for profile in Profile::ALL {
            for spec in SPECS {
                let Some(byte) = spec.opcode.byte(profile) else { continue };
                let instruction = Instruction::decode(profile, &[byte, 0x21, 3, 4], 0, 3).unwrap();
                let inst = instruction.lower(profile, |_| Target::Block(0));
                assert_eq!(inst.ends_block(), spec.meaning.ends_block(), "{}", spec.mnemonic);
            }
        }
    }

    #[test]
    fn an_untaken_branch_to_nowhere_is_a_panic_only_under_0_8() {
        let byte = Opcode::BranchEq.byte(Profile::V0_7).unwrap();
        let branch = Instruction::decode(Profile::V0_7, &[byte, 0x21, 3], 0, 2).unwrap();
        assert!(matches!(branch.lower(Profile::V0_7, |_| Target::Invalid), Inst::Branch { .. }));
        assert_eq!(branch.lower(Profile::V0_8, |_| Target::Invalid), Inst::Trap);
    }
}

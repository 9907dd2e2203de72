//! The forms in which the machine has each operation, as data.

use cranelift_codegen::ir::Opcode as Clif;
use pvm_isa::Opcode::{self, *};

/// The instructions for an operation on two values, by width.
#[derive(Clone, Copy, Debug)]
pub struct Forms {
    /// Both operands in registers.
    pub registers: Opcode,
    /// The right operand an immediate.
    pub immediate: Option<Opcode>,
    /// The left operand an immediate.
    pub swapped: Option<Opcode>,
}

const fn forms(registers: Opcode, immediate: Option<Opcode>, swapped: Option<Opcode>) -> Option<Forms> {
    Some(Forms { registers, immediate, swapped })
}

/// The forms of an operation on 32 bits, or on 64.
#[rustfmt::skip]
pub fn of(clif: Clif, wide: bool) -> Option<Forms> {
    match (clif, wide) {
        (Clif::Iadd, false) => forms(Add32, Some(AddImm32), Some(AddImm32)),
        (Clif::Iadd, true)  => forms(Add64, Some(AddImm64), Some(AddImm64)),
        (Clif::Isub, false) => forms(Sub32, None, Some(NegAddImm32)),
        (Clif::Isub, true)  => forms(Sub64, None, Some(NegAddImm64)),
        (Clif::Imul, false) => forms(Mul32, Some(MulImm32), Some(MulImm32)),
        (Clif::Imul, true)  => forms(Mul64, Some(MulImm64), Some(MulImm64)),
        (Clif::Band, _)     => forms(And, Some(AndImm), Some(AndImm)),
        (Clif::Bor, _)      => forms(Or, Some(OrImm), Some(OrImm)),
        (Clif::Bxor, _)     => forms(Xor, Some(XorImm), Some(XorImm)),
        (Clif::Ishl, false) => forms(ShloL32, Some(ShloLImm32), Some(ShloLImmAlt32)),
        (Clif::Ishl, true)  => forms(ShloL64, Some(ShloLImm64), Some(ShloLImmAlt64)),
        (Clif::Ushr, false) => forms(ShloR32, Some(ShloRImm32), Some(ShloRImmAlt32)),
        (Clif::Ushr, true)  => forms(ShloR64, Some(ShloRImm64), Some(ShloRImmAlt64)),
        (Clif::Sshr, false) => forms(SharR32, Some(SharRImm32), Some(SharRImmAlt32)),
        (Clif::Sshr, true)  => forms(SharR64, Some(SharRImm64), Some(SharRImmAlt64)),
        // Rotations to the left by a constant are rotations to the right.
        (Clif::Rotl, false) => forms(RotL32, None, None),
        (Clif::Rotl, true)  => forms(RotL64, None, None),
        (Clif::Rotr, false) => forms(RotR32, Some(RotR32Imm), Some(RotR32ImmAlt)),
        (Clif::Rotr, true)  => forms(RotR64, Some(RotR64Imm), Some(RotR64ImmAlt)),
        (Clif::Udiv, false) => forms(DivU32, None, None),
        (Clif::Udiv, true)  => forms(DivU64, None, None),
        (Clif::Sdiv, false) => forms(DivS32, None, None),
        (Clif::Sdiv, true)  => forms(DivS64, None, None),
        (Clif::Urem, false) => forms(RemU32, None, None),
        (Clif::Urem, true)  => forms(RemU64, None, None),
        (Clif::Srem, false) => forms(RemS32, None, None),
        (Clif::Srem, true)  => forms(RemS64, None, None),
        (Clif::Smin, _)     => forms(Min, None, None),
        (Clif::Smax, _)     => forms(Max, None, None),
        (Clif::Umin, _)     => forms(MinU, None, None),
        (Clif::Umax, _)     => forms(MaxU, None, None),
        _ => None,
    }
}

//! Guest memory as code: every even address may be the beginning of an instruction.

use crate::{Illegal, Instruction};
use pvm_ops::{CodeMemory, DynamicJumps, Fetched, GuestCode, Inst, Reg, Trap, Width};

/// The code in a guest's memory.
#[derive(Debug)]
pub struct Code<'a, M> {
    memory: &'a M,
}

impl<'a, M: CodeMemory> Code<'a, M> {
    /// The code in `memory`.
    pub fn new(memory: &'a M) -> Code<'a, M> {
        Code { memory }
    }

    /// The instruction at `pc`.
    ///
    /// # Errors
    ///
    /// If there is none: the trap, its value, and how many bytes it is about.
    pub fn instruction(&self, pc: u32) -> Result<Instruction, (Trap, u32, u32)> {
        if !pc.is_multiple_of(2) {
            return Err((Trap::MisalignedTarget, pc, 1));
        }
        let parcel = |at: u32, len| match self.memory.fetch(at) {
            Some(bytes) => Ok(u32::from(u16::from_le_bytes(bytes))),
            None => Err((Trap::FetchFault, at, len)),
        };
        let low = parcel(pc, 2)?;
        let bits = match low & 3 {
            3 => low | parcel(pc.wrapping_add(2), 4)? << 16,
            _ => low,
        };
        match Instruction::decode(bits) {
            Ok((instruction, _)) => Ok(instruction),
            Err(Illegal { bits, len }) => Err((Trap::IllegalInstruction, bits, len)),
        }
    }
}

impl<M: CodeMemory> GuestCode for Code<'_, M> {
    fn fetch(&self, pc: u32) -> Fetched {
        match self.instruction(pc) {
            Ok(instruction) => Fetched { inst: instruction.lower(pc), next: pc.wrapping_add(instruction.spec.bytes()) },
            Err((trap, value, len)) => Fetched { inst: Inst::Raise { trap, value }, next: pc.wrapping_add(len) },
        }
    }

    fn is_block_start(&self, pc: u32) -> bool {
        pc.is_multiple_of(2)
    }

    fn dynamic_jumps(&self) -> DynamicJumps<'_> {
        DynamicJumps::Direct
    }

    /// Calls leave the return address in one of two registers (volume I, 2.5.1).
    fn is_return(&self, pc: u32) -> bool {
        let links = [Reg::R1, Reg::R5];
        matches!(self.fetch(pc).inst, Inst::JumpIndirect { link: None, base, .. } if links.contains(&base))
    }

    fn width(&self) -> Width {
        Width::W32
    }
}

/// The number of a trap in `mcause` (volume II, 3.1.15).
pub const fn cause(trap: Trap) -> u32 {
    match trap {
        Trap::MisalignedTarget => 0,
        Trap::FetchFault => 1,
        Trap::IllegalInstruction => 2,
        Trap::Breakpoint => 3,
        Trap::MisalignedLoad => 4,
        Trap::LoadFault => 5,
        Trap::MisalignedStore => 6,
        Trap::StoreFault => 7,
    }
}

//! Random code without jumps.

use super::emitter::Emitter;
use super::roles::Roles;
use fastrand::Rng;
use pvm_rv32::{Instruction, Meaning, Place, SPECS, Spec};

/// A case that is being written.
#[derive(Debug)]
pub(super) struct Writer<'a> {
    pub rng: &'a mut Rng,
    pub out: &'a mut Emitter,
    pub roles: Roles,
    /// Calls of functions that are written later: where, and which.
    pub calls: Vec<(usize, Instruction, usize)>,
    /// Whether this is a function: it has no calls, and another counter.
    pub in_function: bool,
    /// Whether the code changes itself. Few cases do: engines spend most of their time on those.
    pub changes: bool,
}

/// How often an instruction is tried that may not suit.
const TRIES: u32 = 16;

impl Writer<'_> {
    /// An instruction of a row that `suits`, its operands by chance.
    pub fn random(&mut self, suits: impl Fn(&Spec) -> bool) -> Option<Instruction> {
        let rows: Vec<&Spec> = SPECS.iter().filter(|spec| suits(spec)).collect();
        for _ in 0..TRIES {
            let spec = rows[self.rng.usize(..rows.len())];
            let mut bits = self.rng.u32(..) & !spec.mask | spec.value;
            if self.rng.u8(0..4) == 0 {
                // Immediates whose bits are all the same.
                bits = if self.rng.bool() { spec.value } else { !spec.mask | spec.value };
            }
            let Ok((instruction, _)) = Instruction::decode(bits) else { continue };
            if instruction.spec != spec {
                continue;
            }
            let Some(instruction) = self.roles.assign(self.rng, instruction) else { continue };
            if instruction.encode().is_some() {
                return Some(instruction);
            }
        }
        None
    }

    /// Computes something.
    pub fn arithmetic(&mut self) {
        let found =
            self.random(|spec| matches!(spec.meaning, Meaning::Binary(..) | Meaning::LoadUpper | Meaning::AddUpper));
        if let Some(instruction) = found {
            self.out.put(instruction);
        }
    }

    /// A constant at which arithmetic turns, or one by chance.
    pub fn constant(&mut self) {
        let rd = self.roles.destination(self.rng);
        let value = match self.rng.u8(0..4) {
            0 => 1 << self.rng.u32(0..32),
            1 => (1_u32 << self.rng.u32(0..32)).wrapping_sub(1),
            2 => u32::MAX << self.rng.u32(0..32),
            _ => self.rng.u32(..),
        };
        self.out.constant(rd, value);
    }

    /// Reads or writes memory by one of the pointers.
    pub fn access(&mut self) {
        let found = self.random(|spec| matches!(spec.meaning, Meaning::Load(_) | Meaning::Store(_)));
        let Some(instruction) = found else { return };
        let rs1 = match instruction.spec.format.rs1 {
            Place::Full(_) => self.roles.pointers[self.rng.usize(0..4)],
            Place::Short(_) => self.roles.pointers[self.rng.usize(1..4)],
            // The stack pointer.
            _ => instruction.rs1 as u8,
        };
        let instruction = Instruction { rs1: super::emitter::reg(rs1), ..instruction };
        if instruction.encode().is_some() {
            self.out.put(instruction);
        }
    }

    /// Reads or writes memory where a register says, within the data.
    pub fn computed_access(&mut self) {
        let (index, from) = (self.roles.destination(self.rng), self.rng.u8(0..32));
        if index == 0 {
            return;
        }
        let pointer = self.roles.pointers[self.rng.usize(0..4)];
        self.out.op("andi", index, from, 0, self.rng.i32(0..0x400));
        self.out.op("add", index, index, pointer, 0);
        let found = self.random(|spec| {
            let is_access = matches!(spec.meaning, Meaning::Load(_) | Meaning::Store(_));
            is_access && matches!(spec.format.rs1, Place::Full(_))
        });
        let Some(instruction) = found else { return };
        self.out.put(Instruction { rs1: super::emitter::reg(index), imm: instruction.imm / 2, ..instruction });
    }

    /// Atomic operations. A reservation is always used up before anything else is written, as engines differ in what ends one.
    pub fn atomic(&mut self) {
        let aligned = self.roles.aligned();
        let [address, other] = [0, 1].map(|_| aligned[self.rng.usize(0..3)]);
        let at = |instruction: Instruction, rs1| Instruction { rs1: super::emitter::reg(rs1), ..instruction };
        let is_reservation = self.rng.u8(0..3) == 0;
        if !is_reservation {
            if let Some(instruction) = self.random(|spec| matches!(spec.meaning, Meaning::Atomic(_))) {
                self.out.put(at(instruction, address));
            }
            return;
        }
        let reserve = self.random(|spec| spec.meaning == Meaning::LoadReserved);
        let store = self.random(|spec| spec.meaning == Meaning::StoreConditional);
        let (Some(reserve), Some(store)) = (reserve, store) else { return };
        self.out.put(at(reserve, address));
        for _ in 0..self.rng.u8(0..3) {
            self.arithmetic();
        }
        // Mostly where it is reserved.
        let to = if self.rng.u8(0..4) == 0 { other } else { address };
        self.out.put(at(store, to));
        if self.rng.u8(0..4) == 0 {
            self.out.put(at(store, to));
        }
    }

    /// Moves the stack pointer and back, as only one short instruction does it.
    pub fn stack(&mut self) {
        let by = self.rng.i32(2..32) * 16;
        self.out.op("c.addi16sp", 0, 0, 0, -by);
        self.out.op("c.swsp", 0, 0, self.rng.u8(0..32), self.rng.i32(0..64) * 4);
        self.out.op("c.addi16sp", 0, 0, 0, by - 16);
        self.out.op("c.addi16sp", 0, 0, 0, 16);
    }
}

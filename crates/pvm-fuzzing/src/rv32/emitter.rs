//! Code, instruction by instruction.

use pvm_ops::Reg;
use pvm_rv32::{Instruction, SPECS, Spec};

/// Code that is being written, from an address on.
#[derive(Debug)]
pub(super) struct Emitter {
    pub code: Vec<u8>,
    base: u32,
}

/// The row of this name.
pub(super) fn spec(mnemonic: &str) -> &'static Spec {
    SPECS.iter().find(|spec| spec.mnemonic == mnemonic).expect("a name in the table")
}

/// The register of this number.
pub(super) fn reg(number: u8) -> Reg {
    Reg::wrapping(number)
}

impl Emitter {
    pub fn new(base: u32) -> Emitter {
        Emitter { code: Vec::new(), base }
    }

    /// The address of the first byte.
    pub fn base(&self) -> u32 {
        self.base
    }

    /// The address of what is written next.
    pub fn here(&self) -> u32 {
        self.base.wrapping_add(self.code.len() as u32)
    }

    /// Writes an instruction that is known to have an encoding.
    pub fn put(&mut self, instruction: Instruction) {
        let bits = instruction.encode();
        let bits = bits.unwrap_or_else(|| panic!("{}, immediate {:#x}", instruction.text(0), instruction.imm));
        self.bits(bits, instruction.spec.bytes());
    }

    pub fn bits(&mut self, bits: u32, len: u32) {
        self.code.extend(&bits.to_le_bytes()[..len as usize]);
    }

    /// Writes the instruction of this name; operands that it does not have are ignored.
    pub fn op(&mut self, mnemonic: &str, rd: u8, rs1: u8, rs2: u8, imm: i32) {
        self.put(instruction(mnemonic, rd, rs1, rs2, imm));
    }

    /// Sets a register to a constant.
    pub fn constant(&mut self, rd: u8, value: u32) {
        let low = (value as i32) << 20 >> 20;
        let high = value.wrapping_sub(low as u32);
        self.op("lui", rd, 0, 0, high as i32);
        self.op("addi", rd, rd, 0, low);
    }

    /// Leaves room for an instruction of this length, and returns where.
    pub fn hole(&mut self, len: u32) -> usize {
        let at = self.code.len();
        self.code.resize(at + len as usize, 0);
        at
    }

    /// Writes an instruction into a hole, with the way from there to here as its immediate. `false` if that is too far.
    pub fn patch_to_here(&mut self, hole: usize, instruction: Instruction) -> bool {
        self.patch_to(hole, instruction, self.here())
    }

    /// The same with the way to `target`.
    pub fn patch_to(&mut self, hole: usize, instruction: Instruction, target: u32) -> bool {
        let from = self.base.wrapping_add(hole as u32);
        let imm = target.wrapping_sub(from) as i32;
        let Some(bits) = (Instruction { imm, ..instruction }).encode() else { return false };
        let len = instruction.spec.bytes() as usize;
        self.code[hole..hole + len].copy_from_slice(&bits.to_le_bytes()[..len]);
        true
    }
}

/// The instruction of this name with these operands. Registers that have no place in it are those that it always has.
pub(super) fn instruction(mnemonic: &str, rd: u8, rs1: u8, rs2: u8, imm: i32) -> Instruction {
    let spec = spec(mnemonic);
    let (template, _) = Instruction::decode(some_bits(spec)).expect("a row has instructions");
    let place = |number, place, fixed| if is_free(place) { reg(number) } else { fixed };
    Instruction {
        spec,
        rd: place(rd, spec.format.rd, template.rd),
        rs1: place(rs1, spec.format.rs1, template.rs1),
        rs2: place(rs2, spec.format.rs2, template.rs2),
        imm: if spec.format.imm.is_empty() { template.imm } else { imm },
    }
}

/// Bits of an instruction of this row, with operands that are not zero.
fn some_bits(spec: &Spec) -> u32 {
    let ones = if spec.bytes() == 4 { u32::MAX } else { 0xffff };
    spec.value | (!spec.mask & ones)
}

/// Whether an instruction says which register is in this place.
pub(super) fn is_free(place: pvm_rv32::Place) -> bool {
    matches!(place, pvm_rv32::Place::Full(_) | pvm_rv32::Place::Short(_))
}

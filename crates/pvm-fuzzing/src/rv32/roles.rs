//! Which registers a case may use for what.

use super::emitter::{is_free, reg};
use fastrand::Rng;
use pvm_ops::Reg;
use pvm_rv32::{Instruction, Place};

/// The roles of registers in one case.
#[derive(Clone, Debug)]
pub(super) struct Roles {
    /// Points to where results go; never touched.
    pub keep: u8,
    /// Point into the middle of the data; never written. The first is the stack pointer, the second is odd, the others are
    /// multiples of four.
    pub pointers: [u8; 4],
    /// The counters of loops, one for each depth; the last is that of functions. Never written by anything else.
    pub counters: [u8; 3],
    /// Holds the address to return to, within functions and where they are called.
    pub link: u8,
}

impl Roles {
    pub fn new(rng: &mut Rng) -> Roles {
        let keep = rng.u8(3..8);
        let fourth = rng.u8(10..16);
        Roles { keep, pointers: [2, 8, 9, fourth], counters: [31, 30, 29], link: 1 }
    }

    /// The pointers that are multiples of four.
    pub fn aligned(&self) -> [u8; 3] {
        [self.pointers[0], self.pointers[2], self.pointers[3]]
    }

    /// Whether any instruction may write the register.
    pub fn is_writable(&self, register: u8) -> bool {
        register != self.keep
            && register != self.link
            && !self.pointers.contains(&register)
            && !self.counters.contains(&register)
    }

    /// A register that may be written.
    pub fn destination(&self, rng: &mut Rng) -> u8 {
        self.some(rng, 0..32)
    }

    fn some(&self, rng: &mut Rng, numbers: std::ops::Range<u8>) -> u8 {
        loop {
            let number = rng.u8(numbers.clone());
            if self.is_writable(number) {
                return number;
            }
        }
    }

    /// Gives an instruction registers by chance: any that are read, and one that may be written. `None` if it always writes
    /// one that may not be.
    pub fn assign(&self, rng: &mut Rng, instruction: Instruction) -> Option<Instruction> {
        let format = &instruction.spec.format;
        let read = |rng: &mut Rng, place, fixed| match place {
            Place::Full(_) => reg(rng.u8(0..32)),
            Place::Short(_) => reg(rng.u8(8..16)),
            _ => fixed,
        };
        let rd = match format.rd {
            Place::Full(_) => reg(self.some(rng, 0..32)),
            Place::Short(_) => reg(self.some(rng, 8..16)),
            Place::Fixed(fixed) if !self.is_writable(fixed as u8) => return None,
            _ => instruction.rd,
        };
        let mut rs1 = read(rng, format.rs1, instruction.rs1);
        let mut rs2 = read(rng, format.rs2, instruction.rs2);
        // Registers that are the same are what goes wrong.
        match rng.u8(0..8) {
            0 => rs1 = self.same(format.rs1, rd).unwrap_or(rs1),
            1 => rs2 = self.same(format.rs2, rd).unwrap_or(rs2),
            2 => rs2 = self.same(format.rs2, rs1).unwrap_or(rs2),
            _ => {}
        }
        // Short instructions have one field for the destination and an operand.
        if is_free(format.rd) && format.rd == format.rs1 {
            rs1 = rd;
        }
        Some(Instruction { rd, rs1, rs2, ..instruction })
    }

    fn same(&self, place: Place, register: Reg) -> Option<Reg> {
        let is_short = (8..16).contains(&register.index());
        match place {
            Place::Full(_) => Some(register),
            Place::Short(_) if is_short => Some(register),
            _ => None,
        }
    }
}

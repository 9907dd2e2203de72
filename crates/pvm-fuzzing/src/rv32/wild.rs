//! Wild cases: code that may trap, jump anywhere, and read and write anywhere.

use super::batch::{DATA_SIZE, initial_registers, pointers, segment};
use super::body::Writer;
use super::emitter::{Emitter, reg};
use super::roles::Roles;
use fastrand::Rng;
use pvm_ops::Access;
use pvm_program::{Executable, MemoryImage};
use pvm_rv32::{Instruction, Meaning, Place, Spec};

const CODE: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;

/// The case of a seed: a program, and the registers that it starts with. It need not end.
pub fn wild(seed: u64) -> (Executable, [u32; 32]) {
    let rng = &mut Rng::with_seed(seed);
    let roles = Roles::new(rng);
    let mut registers = initial_registers(rng, &roles, DATA);
    // Results go nowhere; the pointers point into this program's data.
    for (register, value) in roles.pointers.iter().zip(pointers(DATA)) {
        registers[usize::from(*register)] = value;
    }
    // Some registers point to pages and their edges, into code, and to nowhere.
    for register in 1..32_u8 {
        if roles.is_writable(register) && rng.u8(0..3) == 0 {
            let near = [CODE, CODE + 0x1000, DATA, DATA + 0x1000, DATA + 0x2000, 0, u32::MAX][rng.usize(0..7)];
            registers[usize::from(register)] = near.wrapping_add_signed(rng.i32(-8..64));
        }
    }
    let mut out = Emitter::new(CODE);
    let (chunks, wildness, changes) = (rng.usize(1..12), rng.u8(0..4), rng.u8(0..8) == 0);
    let mut writer = Writer { rng, out: &mut out, roles, calls: Vec::new(), in_function: false, changes };
    for _ in 0..chunks {
        let count = writer.rng.usize(1..6);
        writer.items(count, 0, 0);
        for _ in 0..writer.rng.u8(0..=wildness) {
            writer.wild_item();
        }
    }
    writer.out.op("ecall", 0, 0, 0, 0);
    writer.functions();
    let is_writable = rng.u8(0..4) > 0;
    let code_access = if is_writable { Access::ReadWriteExecute } else { Access::ReadExecute };
    let data: Vec<u8> = (0..DATA_SIZE).map(|_| rng.u8(..)).collect();
    let data_access = if rng.u8(0..4) == 0 { Access::ReadWriteExecute } else { Access::ReadWrite };
    let mut segments = vec![segment(CODE, code_access, out.code, 0), segment(DATA, data_access, data, 0)];
    if rng.bool() {
        // A page that may be read only, behind the data.
        segments.push(segment(DATA + 0x2000, Access::Read, vec![0x13; 64], 0));
    }
    let image = MemoryImage { segments, heap: None };
    let end = DATA + 0x3000;
    let executable = Executable { image, entry: CODE, end, symbols: Vec::new(), program_headers: None, flags: 1 };
    (executable, registers)
}

impl Writer<'_> {
    fn wild_item(&mut self) {
        let is_access = |spec: &Spec| {
            let is_atomic =
                matches!(spec.meaning, Meaning::Atomic(_) | Meaning::LoadReserved | Meaning::StoreConditional);
            is_atomic || matches!(spec.meaning, Meaning::Load(_) | Meaning::Store(_))
        };
        match self.rng.u8(0..12) {
            // Any base.
            0..4 => {
                if let Some(instruction) = self.random(is_access) {
                    self.out.put(instruction);
                }
            }
            // Any jump.
            4..6 => {
                let is_jump = |spec: &Spec| matches!(spec.meaning, Meaning::JumpRegister | Meaning::Branch(_));
                if let Some(instruction) = self.random(is_jump) {
                    self.out.put(Instruction { imm: (instruction.imm % 128) & !1, ..instruction });
                }
            }
            // A jump into this code, at any place.
            6..8 => {
                let base = self.rng.u8(5..8);
                if self.roles.is_writable(base) {
                    let length = self.out.code.len() as u32 + 64;
                    let target = CODE + self.rng.u32(0..length);
                    self.out.constant(base, target);
                    self.out.op("jalr", 0, base, 0, 0);
                }
            }
            8 => self.out.op(["ebreak", "ecall", "c.ebreak"][self.rng.usize(0..3)], 0, 0, 0, 0),
            // A store into this code, with or without a fence.
            9 => {
                let base = self.rng.u8(5..8);
                if self.roles.is_writable(base) {
                    let length = self.out.code.len() as u32 + 64;
                    self.out.constant(base, CODE + self.rng.u32(0..length));
                    let value = self.rng.u8(0..32);
                    self.out.op(["sb", "sh", "sw"][self.rng.usize(0..3)], 0, base, value, 0);
                    if self.rng.bool() {
                        self.out.op("fence.i", 0, 0, 0, 0);
                    }
                }
            }
            // Any register may become anything.
            10 => {
                let anything = |spec: &Spec| matches!(spec.meaning, Meaning::Binary(..) | Meaning::LoadUpper);
                if let Some(instruction) = self.random(anything)
                    && matches!(instruction.spec.format.rd, Place::Full(_))
                {
                    let rd = reg(self.rng.u8(1..32));
                    if let Some(bits) = (Instruction { rd, ..instruction }).encode() {
                        self.out.bits(bits, instruction.spec.bytes());
                    }
                }
            }
            // Any bits.
            _ => {
                let (bits, len) = (self.rng.u32(..), if self.rng.bool() { 4 } else { 2 });
                self.out.bits(bits, len);
            }
        }
    }
}

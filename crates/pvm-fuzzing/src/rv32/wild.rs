//! Wild cases: code that may trap, jump anywhere, read and write anywhere, and change itself.

use super::batch::{DATA_SIZE, initial_registers, pointers};
use super::body::Writer;
use super::case::{Area, Case};
use super::emitter::{Emitter, reg};
use super::roles::Roles;
use super::script::Places;
use fastrand::Rng;
use pvm_gas::GasModel;
use pvm_ops::{Access, PAGE_SIZE};
use pvm_rv32::{Instruction, Meaning, Place, Spec};

/// Where code is: a page that is usual, the lowest one, the middle of the address space, its end.
const CODE: [u32; 8] = [0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000, 0x1_0000, 0, 0x8000_0000, 0xffff_f000];
/// Where data is.
const DATA: [u32; 6] = [0x2_0000, 0x2_0000, 0x2_0000, 0x2_0000, 0x7fff_f000, 0xffff_c000];

/// The case of a seed. It need not end, if instructions are not paid for ([`super::Tiers::tame`]).
pub fn wild(seed: u64) -> Case {
    let rng = &mut Rng::with_seed(seed);
    let (gas_model, count_instructions) = match rng.u8(..8) {
        0 => (GasModel::None, false),
        1 => (GasModel::None, true),
        2 => (GasModel::Instruction, true),
        _ => (GasModel::Instruction, false),
    };
    let machine_mode = rng.u8(..8) == 0;
    let roles = Roles::new(rng);
    let page = CODE[rng.usize(..CODE.len())];
    // Programs whose segments overlap are refused.
    let data =
        Some(DATA[rng.usize(..DATA.len())]).filter(|data| page.wrapping_sub(*data) != PAGE_SIZE).unwrap_or(DATA[0]);
    // Often across the end of a page.
    let code = page + if rng.u8(..3) == 0 { PAGE_SIZE - 2 * rng.u32(1..64) } else { 0 };
    let registers = registers(rng, &roles, code, data);
    let mut out = Emitter::new(code);
    let handler = machine_mode.then(|| out.handler(rng));
    let pc = out.here();
    if let Some(handler) = handler.filter(|_| rng.u8(..4) > 0) {
        out.set_handler(handler);
    }
    match rng.u8(..4) {
        0 => out.stream(rng, machine_mode),
        _ => structured(rng, &mut out, roles),
    }
    let areas = areas(rng, code, &out.code, data);
    let places = Places { areas: &areas, code: code..code.wrapping_add(out.code.len() as u32) };
    let script = places.script(rng);
    let gas = if rng.u8(..4) == 0 { rng.u64(..40) } else { rng.u64(..800) };
    let note = String::new();
    Case { note, gas_model, count_instructions, machine_mode, areas, pc, gas, registers, script }
}

/// Registers: pointers point into the data, some others to pages and their edges, into code, and to nowhere.
fn registers(rng: &mut Rng, roles: &Roles, code: u32, data: u32) -> [u32; 32] {
    let mut registers = initial_registers(rng, roles, data);
    for (register, value) in roles.pointers.iter().zip(pointers(data)) {
        registers[usize::from(*register)] = value;
    }
    for register in 1..32_u8 {
        if roles.is_writable(register) && rng.u8(0..3) == 0 {
            let page = code / PAGE_SIZE * PAGE_SIZE;
            let places = [code, page, data, data, data + 0x1000, data + 0x2000, 0, u32::MAX];
            registers[usize::from(register)] = places[rng.usize(..8)].wrapping_add_signed(rng.i32(-8..64));
        }
    }
    registers
}

/// Memory: the code, which may be writable or not, and the data, which may be executable.
fn areas(rng: &mut Rng, code: u32, bytes: &[u8], data: u32) -> Vec<Area> {
    let code_access = if rng.u8(..4) > 0 { Access::ReadWriteExecute } else { Access::ReadExecute };
    let data_access = if rng.u8(..4) == 0 { Access::ReadWriteExecute } else { Access::ReadWrite };
    let mut areas = Area::around(code, code_access, bytes);
    let seed: [u8; 64] = std::array::from_fn(|_| rng.u8(..));
    let random: Vec<u8> = (0..DATA_SIZE).map(|at| seed[at as usize % 61] ^ (at >> 6) as u8).collect();
    areas.extend(Area::around(data, data_access, &random));
    if rng.bool() {
        // A page that may be read only, behind the data.
        areas.extend(Area::around(data + 0x2000, Access::Read, &[0x13; 64]));
    }
    areas.sort_by_key(|area| area.address);
    areas
}

/// Code with branches, loops and calls, between which anything may happen.
fn structured(rng: &mut Rng, out: &mut Emitter, roles: Roles) {
    let (chunks, wildness, changes) = (rng.usize(1..4), rng.u8(0..4), rng.u8(0..8) == 0);
    let mut writer = Writer { rng, out, roles, calls: Vec::new(), in_function: false, changes };
    for _ in 0..chunks {
        let count = writer.rng.usize(1..6);
        writer.items(count, 0, 0);
        for _ in 0..writer.rng.u8(0..=wildness) {
            writer.wild_item();
        }
    }
    writer.out.op("ecall", 0, 0, 0, 0);
    writer.functions();
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
                    let target = self.out.base().wrapping_add(self.rng.u32(0..length));
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
                    let place = self.out.base().wrapping_add(self.rng.u32(0..length));
                    self.out.constant(base, place);
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

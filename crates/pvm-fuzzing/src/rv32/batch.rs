//! Many tame cases in one program, which writes what came of each to standard output.
//!
//! A driver sets the data and all registers, jumps to a case, and stores all registers and a hash of the data when the case
//! has jumped back. It comes and goes as functions return, to places that no compiler knows ahead, so that no case is compiled
//! together with what comes before and after it. That takes a register: x1 has the address of the case at its start, and is not
//! observed at its end. Between cases nothing is left but code that has changed itself.

use super::body::Writer;
use super::emitter::{Emitter, instruction};
use super::roles::Roles;
use fastrand::Rng;
use pvm_ops::Access;
use pvm_program::{Executable, MemoryImage, Segment};

/// Words that a case writes: the hash in place of x0, then registers; that of x1 stays zero.
pub const RESULT_WORDS: usize = 32;

/// Where the parts of the program are.
const CODE: u32 = 0x1_0000;
/// Three words: the registers of the next case, where the results of this one go, and where cases jump to in the end.
const STATE: u32 = 0x30_0000;
const DATA: u32 = 0x40_0000;
const TEMPLATE: u32 = 0x50_0000;
const REGISTERS: u32 = 0x60_0000;
const RESULTS: u32 = 0x70_0000;

/// Bytes of data: an offset of twelve bits both ways from the pointers, and some more.
pub(super) const DATA_SIZE: u32 = 4160;

/// The system calls of Linux.
const WRITE: u32 = 64;
const EXIT: u32 = 93;

/// A program with many cases.
#[derive(Debug)]
pub struct Batch {
    /// The program.
    pub executable: Executable,
    /// How many cases there are.
    pub cases: usize,
}

/// How the pointers point into the data.
pub(super) fn pointers(data: u32) -> [u32; 4] {
    [data + 2048, data + 2053, data + 2060, data + 2064]
}

impl Batch {
    /// The cases with these seeds.
    pub fn new(seeds: &[u64]) -> Batch {
        let mut out = Emitter::new(CODE);
        let driver = Driver::emit(&mut out);
        let mut registers = Vec::new();
        for (index, &seed) in seeds.iter().enumerate() {
            let rng = &mut Rng::with_seed(seed);
            let roles = Roles::new(rng);
            let mut initial = initial_registers(rng, &roles, RESULTS + (index * RESULT_WORDS * 4) as u32);
            // In place of x0: where the case begins.
            initial[0] = out.here();
            registers.extend(initial);
            emit_case(&mut out, rng, roles);
        }
        // The last one ends the program.
        registers.extend([&[out.here()][..], &[0; RESULT_WORDS - 1]].concat());
        let size = (seeds.len() * RESULT_WORDS * 4) as u32;
        for (number, first, second, third) in [(WRITE, 1, RESULTS, size), (EXIT, 0, 0, 0)] {
            for (register, value) in [(17, number), (10, first), (11, second), (12, third)] {
                out.constant(register, value);
            }
            out.op("ecall", 0, 0, 0, 0);
        }
        // The same for all batches, so that a case is the same in each.
        let rng = &mut Rng::with_seed(1);
        let template: Vec<u8> = (0..DATA_SIZE).map(|_| rng.u8(..)).collect();
        let registers: Vec<u8> = registers.iter().flat_map(|value: &u32| value.to_le_bytes()).collect();
        let segments = vec![
            segment(CODE, Access::ReadWriteExecute, out.code, 0),
            segment(
                STATE,
                Access::ReadWrite,
                [REGISTERS, RESULTS, driver.end_of_case].map(u32::to_le_bytes).concat(),
                0,
            ),
            segment(DATA, Access::ReadWrite, Vec::new(), DATA_SIZE),
            segment(TEMPLATE, Access::Read, template, 0),
            segment(REGISTERS, Access::Read, registers, 0),
            segment(RESULTS, Access::ReadWrite, Vec::new(), size),
        ];
        let image = MemoryImage { segments, heap: None };
        let end = RESULTS + size;
        let executable =
            Executable { image, entry: driver.entry, end, symbols: Vec::new(), program_headers: None, flags: 1 };
        Batch { executable, cases: seeds.len() }
    }
}

/// A segment with this content, or of this size.
pub(super) fn segment(address: u32, access: Access, mut data: Vec<u8>, size: u32) -> Segment {
    let size = (data.len() as u32).max(size).max(1).next_multiple_of(4096);
    if !access.is_writable() {
        // QEMU would write the zeros behind the content, and may not.
        data.resize(size as usize, 0);
    }
    Segment { name: "generated", address, size, access, data: data.into() }
}

/// Registers by chance, with values at which arithmetic turns among them, and those that have roles.
pub(super) fn initial_registers(rng: &mut Rng, roles: &Roles, results: u32) -> [u32; 32] {
    let mut registers = [0; 32];
    for register in &mut registers[1..] {
        *register = match rng.u8(0..6) {
            0 => rng.u32(0..64),
            1 => 1 << rng.u32(0..32),
            2 => (1_u32 << rng.u32(0..32)).wrapping_neg(),
            3 => 0x8000_0000_u32.wrapping_add_signed(rng.i32(-2..2)),
            _ => rng.u32(..),
        };
    }
    for (register, value) in roles.pointers.iter().zip(pointers(DATA)) {
        registers[usize::from(*register)] = value;
    }
    registers[usize::from(roles.keep)] = results;
    registers
}

/// The driver's places.
struct Driver {
    /// Where the program starts.
    entry: u32,
    /// Where cases jump to in the end.
    end_of_case: u32,
}

impl Driver {
    fn emit(out: &mut Emitter) -> Driver {
        let entry = out.here();
        emit_reset(out);
        out.constant(5, STATE);
        out.op("lw", 1, 5, 0, 0);
        out.op("addi", 6, 1, 0, 4 * RESULT_WORDS as i32);
        out.op("sw", 0, 5, 6, 0);
        for register in 2..32 {
            out.op("lw", register, 1, 0, i32::from(register) * 4);
        }
        out.op("lw", 1, 1, 0, 0);
        out.op("jalr", 0, 1, 0, 0);
        let end_of_case = out.here();
        out.constant(1, STATE);
        out.op("lw", 1, 1, 0, 4);
        for register in 2..32 {
            out.op("sw", 0, 1, register, i32::from(register) * 4);
        }
        emit_hash(out);
        out.constant(5, STATE);
        out.op("addi", 1, 1, 0, 4 * RESULT_WORDS as i32);
        out.op("sw", 0, 5, 1, 4);
        let again = out.hole(4);
        let is_near = out.patch_to(again, instruction("jal", 0, 0, 0, 0), entry);
        assert!(is_near, "the driver is short");
        Driver { entry, end_of_case }
    }
}

fn emit_case(out: &mut Emitter, rng: &mut Rng, roles: Roles) {
    let count = rng.usize(1..40);
    let changes = rng.u8(0..64) == 0;
    let mut writer = Writer { rng, out, roles, calls: Vec::new(), in_function: false, changes };
    writer.items(count, 0, 0);
    writer.out.constant(1, STATE);
    writer.out.op("lw", 1, 1, 0, 8);
    writer.out.op("jalr", 0, 1, 0, 0);
    writer.functions();
}

/// Copies the template into the data.
fn emit_reset(out: &mut Emitter) {
    out.constant(5, TEMPLATE);
    out.constant(6, DATA);
    out.constant(7, DATA_SIZE / 4);
    let head = out.here();
    out.op("lw", 10, 5, 0, 0);
    out.op("sw", 0, 6, 10, 0);
    out.op("addi", 5, 5, 0, 4);
    out.op("addi", 6, 6, 0, 4);
    out.op("addi", 7, 7, 0, -1);
    let hole = out.hole(4);
    out.patch_to(hole, instruction("bne", 0, 7, 0, 0), head);
}

/// Stores a hash of the data where x1 points to.
fn emit_hash(out: &mut Emitter) {
    out.constant(6, DATA);
    out.constant(7, DATA_SIZE / 4);
    out.constant(11, 0);
    let head = out.here();
    out.op("lw", 5, 6, 0, 0);
    out.op("slli", 12, 11, 0, 5);
    out.op("sub", 11, 12, 11, 0);
    out.op("add", 11, 11, 5, 0);
    out.op("addi", 6, 6, 0, 4);
    out.op("addi", 7, 7, 0, -1);
    let hole = out.hole(4);
    out.patch_to(hole, instruction("bne", 0, 7, 0, 0), head);
    out.op("sw", 0, 1, 11, 0);
}

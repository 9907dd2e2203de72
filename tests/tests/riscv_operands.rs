//! Every RISC-V instruction, with registers that are the same and that differ, and values at which arithmetic turns: what the
//! interpreter does, compiled code does.

use pvm_ops::Reg;
use pvm_program::Executable;
use pvm_runtime::{Access, Config, Engine, Exit, FaultDetection, GasModel, Instance, Jit, Module, Options};
use pvm_rv32::{Instruction, Meaning, Place, SPECS, Spec};

const BASE: u32 = 0x1_0000;
/// Where the instruction stands: calls of the environment are all around it.
const AT: u32 = BASE + 0x400;
/// Two pages, the second of which may only be read; nothing is behind.
const DATA: u32 = 0x2_0000;

const VALUES: [u32; 14] = [
    0,
    1,
    u32::MAX,
    31,
    33,
    0x7fff_ffff,
    0x8000_0000,
    0x1234_5678,
    0xffff_ff80,
    DATA + 0x10,
    DATA + 0x0ffe,
    DATA + 0x1ffd,
    AT + 8,
    AT + 0x103,
];

fn immediates(spec: &Spec) -> &'static [i32] {
    match spec.meaning {
        _ if spec.format.imm.is_empty() => &[0],
        Meaning::Control(..) => &[0xc00, 0xc01, 0xc02, 0xc80, 0xc81, 0xc82, 0x300, 0x340, 0x001],
        Meaning::LoadUpper | Meaning::AddUpper => &[0x1000, -4096, 0x1_f000, i32::MIN],
        Meaning::Jump | Meaning::Branch(_) => &[2, 4, -2, 16, -64, 0],
        _ => &[0, 4, 16, -1, 31, 2047, -2048],
    }
}

/// The registers of an instruction, in the ways in which they can be the same.
const ALIASES: [[u8; 3]; 7] =
    [[10, 11, 12], [10, 10, 11], [10, 11, 10], [10, 11, 11], [10, 10, 10], [0, 11, 12], [10, 0, 0]];

/// The encodings of a row.
fn encodings(spec: &'static Spec) -> Vec<u32> {
    let mut all = Vec::new();
    for numbers in ALIASES {
        let [rd, rs1, rs2] = numbers.map(Reg::wrapping);
        let place = |place, reg| match place {
            Place::Absent => Reg::R0,
            Place::Fixed(fixed) => fixed,
            _ => reg,
        };
        let format = &spec.format;
        let rd = place(format.rd, rd);
        let rs1 = if format.rs1 == format.rd { rd } else { place(format.rs1, rs1) };
        let rs2 = place(format.rs2, rs2);
        all.extend(immediates(spec).iter().filter_map(|&imm| Instruction { spec, rd, rs1, rs2, imm }.encode()));
    }
    all.sort_unstable();
    all.dedup();
    all
}

struct Guest(Instance);

impl Guest {
    fn new(engine: &Engine, bits: u32) -> Guest {
        // c.nop behind a short one.
        let bits = if bits & 3 == 3 { bits } else { bits & 0xffff | 1 << 16 };
        Guest::with_code(engine, &bits.to_le_bytes())
    }

    fn with_code(engine: &Engine, instructions: &[u8]) -> Guest {
        let mut code: Vec<u8> = 0x0000_0073_u32.to_le_bytes().repeat(0x200);
        code[(AT - BASE) as usize..][..instructions.len()].copy_from_slice(instructions);
        let executable = Executable::flat(&code, BASE).expect("it is small");
        let options = Options { gas_model: Some(GasModel::Instruction), profile: None };
        let module = Module::from_executable(engine, executable, options).expect("the model fits");
        let mut instance = Instance::new(&module, &[]).expect("there is memory");
        instance.memory_mut().map(DATA, 0x2000, Access::ReadWrite).expect("there is memory");
        let bytes: Vec<u8> = (0..0x2000_u32).map(|at| ((at * 0x9d) >> 3) as u8).collect();
        instance.memory_mut().write(DATA, &bytes).expect("it is writable");
        instance.memory_mut().protect(DATA + 0x1000, 0x1000, Access::Read).expect("it is there");
        Guest(instance)
    }

    fn observe(&mut self, values: [u32; 2], writes: bool) -> (Exit, u32, u64, [u64; 32], Vec<u8>) {
        self.observe_until(8, values, writes)
    }

    fn observe_until(&mut self, gas: u64, values: [u32; 2], writes: bool) -> (Exit, u32, u64, [u64; 32], Vec<u8>) {
        let Guest(instance) = self;
        instance.set_pc(AT);
        instance.set_gas(gas);
        let registers = instance.all_registers_mut();
        for (number, register) in registers.iter_mut().enumerate() {
            *register = number as u64 * 0x0101_0101;
        }
        // The registers of the instruction, and the one that short ones imply.
        (registers[10], registers[11], registers[12]) = (values[0].into(), values[0].into(), values[1].into());
        registers[2] = values[0].into();
        let exit = instance.run();
        let mut data = vec![0; if writes { 0x2000 } else { 0 }];
        instance.memory().read(DATA, &mut data).expect("it is readable");
        (exit, instance.pc(), instance.gas(), *instance.all_registers(), data)
    }
}

/// The interpreter, and compiled code whose refused accesses are detected in either way.
fn engines() -> (Engine, [Engine; 2]) {
    let engine = |jit, faults| {
        let config = Config { jit, jit_threshold: 0, fault_detection: faults, ..Config::default() };
        Engine::new(&config).expect("there is a compiler")
    };
    let compiled = [FaultDetection::best(), FaultDetection::Checks].map(|faults| engine(Jit::Cranelift, faults));
    (engine(Jit::Off, FaultDetection::Checks), compiled)
}

#[test]
fn every_row_does_the_same_on_both_tiers() {
    let (reference, others) = engines();
    for spec in SPECS {
        let encodings = encodings(spec);
        assert!(!encodings.is_empty(), "{} has no encoding here", spec.mnemonic);
        for bits in encodings {
            let mut expected = Guest::new(&reference, bits);
            let mut found = others.each_ref().map(|engine| Guest::new(engine, bits));
            let text = Instruction::decode(bits).expect("it was encoded").0.text(AT);
            let writes = matches!(spec.meaning, Meaning::Store(_) | Meaning::Atomic(_) | Meaning::StoreConditional);
            for rs1 in VALUES {
                // What is read once is not worth all pairs.
                let step = if spec.format.rs2.is_register() { 1 } else { 5 };
                for rs2 in VALUES.into_iter().step_by(step) {
                    let expected = expected.observe([rs1, rs2], writes);
                    for found in &mut found {
                        let found = found.observe([rs1, rs2], writes);
                        assert!(expected.4 == found.4, "{text} of {rs1:#x} and {rs2:#x}: memory differs");
                        let (expected, found) =
                            ((&expected.0, expected.1, expected.2, expected.3), (&found.0, found.1, found.2, found.3));
                        assert_eq!(expected, found, "{text} of {rs1:#x} and {rs2:#x}");
                    }
                }
            }
            let compiled: u64 = found.iter().map(|guest| guest.0.module().compile_stats().instructions).sum();
            assert!(compiled > 0, "{text} was not compiled");
        }
    }
}

/// A mnemonic, three registers and an immediate.
type Line = (&'static str, u8, u8, u8, i32);

/// What compilers write with several instructions and the translator makes one of, or puts off, as (mnemonic, rd, rs1, rs2,
/// immediate). Each ends with a load by x13 that may be refused, and what it finds there.
const SEQUENCES: [&[Line]; 26] = [
    &[("add", 13, 11, 12, 0), ("sltu", 14, 13, 11, 0)],
    &[("add", 11, 11, 12, 0), ("sltu", 14, 11, 12, 0)],
    &[("add", 13, 11, 12, 0), ("add", 11, 13, 0, 0), ("sltu", 12, 11, 12, 0)],
    &[("addi", 13, 11, 0, 1), ("sltu", 14, 13, 11, 0)],
    &[("addi", 13, 11, 0, -2), ("sltu", 11, 13, 11, 0)],
    &[("sub", 13, 11, 12, 0), ("sltu", 14, 11, 13, 0)],
    &[("sltu", 13, 11, 12, 0), ("sltu", 14, 0, 11, 0), ("sltiu", 15, 12, 0, 1), ("slti", 16, 11, 0, 0)],
    &[("sltiu", 13, 11, 0, 31), ("sltiu", 14, 11, 0, -1), ("sltiu", 15, 11, 0, 0)],
    &[("mul", 14, 11, 12, 0), ("mulhu", 13, 11, 12, 0), ("mulh", 15, 12, 11, 0), ("mulhsu", 16, 11, 12, 0)],
    &[("mulhsu", 14, 11, 12, 0), ("mul", 13, 12, 11, 0), ("mulhsu", 15, 12, 11, 0)],
    &[("mul", 14, 11, 12, 0), ("add", 15, 11, 0, 0), ("addi", 11, 0, 0, 9), ("mulhu", 13, 15, 12, 0)],
    &[
        ("mul", 13, 11, 12, 0),
        ("add", 14, 12, 0, 0),
        ("lb", 15, 13, 0, 0),
        ("mulhu", 13, 14, 11, 0),
        ("mul", 12, 11, 14, 0),
    ],
    &[("divu", 14, 11, 12, 0), ("remu", 13, 11, 12, 0), ("rem", 15, 11, 12, 0), ("div", 16, 11, 12, 0)],
    &[("rem", 14, 11, 12, 0), ("remu", 15, 12, 11, 0), ("div", 13, 11, 12, 0), ("divu", 16, 11, 12, 0)],
    &[("div", 11, 11, 12, 0), ("rem", 13, 11, 12, 0), ("divu", 14, 12, 12, 0), ("remu", 12, 12, 12, 0)],
    &[("slli", 13, 11, 0, 16), ("srli", 14, 13, 0, 16), ("srai", 15, 13, 0, 16)],
    &[("slli", 13, 11, 0, 24), ("srai", 13, 13, 0, 24), ("slli", 14, 12, 0, 24), ("srli", 14, 14, 0, 24)],
    &[("slli", 14, 11, 0, 7), ("srli", 15, 11, 0, 25), ("or", 13, 14, 15, 0)],
    &[("slli", 14, 11, 0, 7), ("srli", 15, 12, 0, 25), ("or", 13, 14, 15, 0)],
    &[
        ("srli", 14, 11, 0, 1),
        ("slli", 15, 12, 0, 31),
        ("or", 13, 14, 15, 0),
        ("xor", 16, 14, 15, 0),
        ("add", 17, 14, 15, 0),
    ],
    &[
        ("srli", 14, 11, 0, 7),
        ("slli", 15, 11, 0, 25),
        ("xor", 13, 14, 15, 0),
        ("lb", 16, 12, 0, 0),
        ("addi", 11, 0, 0, 3),
    ],
    &[("sw", 0, 11, 12, 0), ("sh", 0, 11, 11, 2), ("lw", 13, 11, 0, 0), ("sb", 0, 12, 11, 0), ("lw", 14, 11, 0, 0)],
    &[("sw", 0, 11, 12, 4), ("sw", 0, 11, 11, 8), ("lw", 11, 11, 0, 4), ("lw", 13, 11, 0, 4), ("lw", 14, 11, 0, 4)],
    &[
        ("slli", 13, 11, 0, 2),
        ("add", 13, 13, 12, 0),
        ("lw", 13, 13, 0, 4),
        ("add", 14, 11, 12, 0),
        ("lbu", 14, 14, 0, -1),
    ],
    &[
        ("andi", 14, 11, 0, 24),
        ("slli", 14, 14, 0, 3),
        ("add", 14, 12, 14, 0),
        ("sw", 0, 14, 11, 8),
        ("lh", 14, 14, 0, 8),
    ],
    &[("lui", 13, 0, 0, 0x1_f000), ("addi", 13, 13, 0, 0x7fc), ("lbu", 14, 11, 0, 0), ("lh", 15, 12, 0, 0)],
];

fn encode(&(name, rd, rs1, rs2, imm): &Line) -> [u8; 4] {
    let spec = SPECS.iter().find(|spec| spec.mnemonic == name).expect("a name in the table");
    let [rd, rs1, rs2] = [rd, rs1, rs2].map(Reg::wrapping);
    let place = |place, reg| if place == Place::Absent { Reg::R0 } else { reg };
    let (rd, rs1, rs2) = (place(spec.format.rd, rd), place(spec.format.rs1, rs1), place(spec.format.rs2, rs2));
    Instruction { spec, rd, rs1, rs2, imm }.encode().expect("operands that fit").to_le_bytes()
}

#[test]
fn sequences_do_the_same_on_both_tiers() {
    let (reference, others) = engines();
    for sequence in SEQUENCES {
        let last = ("lw", 17, 13, 0, 0);
        let code: Vec<u8> = sequence.iter().chain([&last]).flat_map(encode).collect();
        let mut expected = Guest::with_code(&reference, &code);
        let mut found = others.each_ref().map(|engine| Guest::with_code(engine, &code));
        for (rs1, rs2) in VALUES.into_iter().flat_map(|rs1| VALUES.map(|rs2| (rs1, rs2))) {
            let expected = expected.observe([rs1, rs2], true);
            for found in &mut found {
                let found = found.observe([rs1, rs2], true);
                assert!(expected == found, "{sequence:?} of {rs1:#x} and {rs2:#x}");
            }
        }
        let compiled: u64 = found.iter().map(|guest| guest.0.module().compile_stats().instructions).sum();
        assert!(compiled > 0, "{sequence:?} was not compiled");
    }
}

/// Loops that copy from where x11 points to where x12 does, or fill memory there, in ways that compilers for 32 bits have: with an
/// index, with more than one access per round.
const MOVES: [&[Line]; 4] = [
    &[
        ("addi", 14, 12, 0, 152),
        ("lw", 15, 11, 0, 0),
        ("lw", 16, 11, 0, 4),
        ("sw", 0, 12, 15, 0),
        ("sw", 0, 12, 16, 4),
        ("addi", 11, 11, 0, 8),
        ("addi", 12, 12, 0, 8),
        ("bne", 0, 12, 14, -24),
    ],
    &[
        ("addi", 14, 12, 0, 150),
        ("lh", 15, 11, 0, 0),
        ("sh", 0, 12, 15, 0),
        ("lhu", 16, 11, 0, 2),
        ("addi", 11, 11, 0, 4),
        ("sh", 0, 12, 16, 2),
        ("addi", 12, 12, 0, 4),
        ("bltu", 0, 12, 14, -24),
    ],
    &[
        ("addi", 14, 0, 0, 101),
        ("addi", 15, 0, 0, 0),
        ("add", 16, 11, 15, 0),
        ("lb", 17, 16, 0, 0),
        ("add", 16, 15, 12, 0),
        ("addi", 15, 15, 0, 1),
        ("sb", 0, 16, 17, 3),
        ("blt", 0, 15, 14, -20),
    ],
    &[
        ("addi", 14, 12, 0, 160),
        ("sh", 0, 12, 10, 0),
        ("sh", 0, 12, 13, 2),
        ("sh", 0, 12, 11, 4),
        ("sh", 0, 12, 0, 6),
        ("addi", 12, 12, 0, 8),
        ("bne", 0, 12, 14, -20),
    ],
];

#[test]
fn loops_that_move_memory_do_the_same_on_both_tiers() {
    let (reference, others) = engines();
    let places = [0x10, 0x30, 0x31, 0x4e, 0x100, 0xf71, 0xf80, 0xfe0, 0x0fff, 0x1f60, 0x1fc0, 0x1fd0, 0x1ffe]
        .map(|at| DATA + at);
    for sequence in MOVES {
        let code: Vec<u8> = sequence.iter().flat_map(encode).collect();
        let mut expected = Guest::with_code(&reference, &code);
        let mut found = others.each_ref().map(|engine| Guest::with_code(engine, &code));
        for (from, to) in places.into_iter().flat_map(|from| places.map(|to| (from, to))) {
            for gas in [0, 1, 29, 57, 61, 62, 63, 64, 65, 66, 67, 68, 69, 70, 111, 150, 194, 10_000] {
                let expected = expected.observe_until(gas, [from, to], true);
                for found in &mut found {
                    let found = found.observe_until(gas, [from, to], true);
                    assert!(expected == found, "{sequence:?} from {from:#x} to {to:#x}, gas {gas}");
                }
            }
        }
    }
}

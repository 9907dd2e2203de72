//! Every instruction, with every way in which its registers can coincide and every immediate and register value at which
//! arithmetic turns: the interpreter and compiled code must agree on everything.

use pvm_fuzzing::operands::{A, B, VALUES, all};
use pvm_fuzzing::{BlobBuilder, Guest, Pages, Setup, first_difference};
use pvm_gas::GasModel;
use pvm_isa::{Instruction, Meaning, Opcode, Operands, Profile, SPECS, Spec};
use pvm_program::Blob;
use pvm_runtime::{Access, Config, Engine, Exit, FaultDetection, Jit, OptLevel};

const PAGES: [Pages; 3] = [
    Pages { address: 0x20000, size: 0x2000, access: Access::ReadWrite },
    Pages { address: 0x22000, size: 0x1000, access: Access::Read },
    Pages { address: 0xffff_f000, size: 0x1000, access: Access::ReadWrite },
];

/// Addresses, or offsets from zero: within pages, across their edges, in the lowest 64 KiB, at the end of the space.
const ADDRESSES: [i32; 14] = [
    0, 0xfffd, 0x1_fffc, 0x2_0000, 0x2_0ff9, 0x2_1ff8, 0x2_1fff, 0x2_2000, 0x2_2ffd, 0x2_3000, -0x1001, -0x1000, -8, -1,
];

/// Offsets and dynamic jump addresses that are tried with every base register value, too.
const BASES: [u64; 12] = [
    0,
    2,
    3,
    4,
    6,
    0x2_0010,
    0x2_1ffb,
    0xffff_0000,
    0x1234_5678_ffff_0000,
    0xffff_fff0,
    0xdead_beef_0002_0ff0,
    u64::MAX,
];

struct Engines {
    interpreter: Engine,
    compilers: Vec<Engine>,
}

fn engines() -> Engines {
    let engine = |config| Engine::new(&Config { jit_threshold: 0, count_instructions: true, ..config }).unwrap();
    let compiler = |opt_level, fault_detection| engine(Config { opt_level, fault_detection, ..Config::default() });
    Engines {
        interpreter: engine(Config { jit: Jit::Off, ..Config::default() }),
        compilers: vec![
            compiler(OptLevel::None, FaultDetection::best()),
            compiler(OptLevel::Speed, FaultDetection::best()),
            compiler(OptLevel::None, FaultDetection::Checks),
        ],
    }
}

/// The instruction under test, a trap behind it, and two blocks to jump to. The first of them can be jumped to
/// dynamically at address 2; address 4 leads into the middle of an instruction.
fn program(profile: Profile, opcode: Opcode, operands: Operands) -> (Blob, [i64; 3]) {
    let load =
        |value| Instruction { opcode: Opcode::LoadImm, operands: Operands::RegImm { a: pvm_ops::Reg::R3, x: value } };
    let trap = Instruction { opcode: Opcode::Trap, operands: Operands::None };
    let mut builder = BlobBuilder::new(profile);
    builder.push(Instruction { opcode, operands }).unwrap().push(trap).unwrap();
    let first = builder.pc();
    builder.push(load(1)).unwrap().push(trap).unwrap();
    let second = builder.pc();
    builder.push(load(2)).unwrap().push(trap).unwrap();
    builder.jump_entry(first).jump_entry(first + 1);
    (builder.finish(), [first, second, second + 1].map(i64::from))
}

/// The jump targets of a program with this instruction, which do not depend on what they are.
fn targets(profile: Profile, spec: &Spec) -> Vec<i64> {
    let operands = all(spec, &[20], &ADDRESSES)[0];
    let (_, targets) = program(profile, spec.opcode, operands);
    [targets.as_slice(), &[0, 1, -7, 1 << 30]].concat()
}

/// Values for the two registers that operands read.
fn register_values(spec: &Spec, operands: Operands) -> Vec<(u64, u64)> {
    let is_address = spec.meaning.accesses_memory() || spec.meaning == Meaning::JumpIndirect;
    let one_is_enough = match operands {
        Operands::RegRegReg { a, b, .. } | Operands::RegRegOffset { a, b, .. } => a == b,
        _ => true,
    };
    let mut values = Vec::new();
    if is_address {
        values.extend(BASES.map(|base| (base, base)));
        values.extend(BASES.map(|base| (0xa5a5_5a5a_8001_7ffe, base)));
    } else if one_is_enough {
        values.extend(VALUES.map(|value| (value, value)));
        values.extend(VALUES.map(|value| (0x5555, value)));
    } else {
        values.extend(VALUES.iter().flat_map(|&a| VALUES.map(|b| (a, b))));
    }
    values
}

fn check(engines: &Engines, profile: Profile, spec: &Spec, gas_model: GasModel) -> u64 {
    let mut native = 0;
    for operands in all(spec, &targets(profile, spec), &ADDRESSES) {
        let (blob, _) = program(profile, spec.opcode, operands);
        let guest = |engine| Guest::new(engine, &blob, profile, gas_model, &PAGES);
        let mut expected = guest(&engines.interpreter);
        let mut found: Vec<_> = engines.compilers.iter().map(guest).collect();
        let mut out_of_gas = false;
        for (a, b) in register_values(spec, operands) {
            let mut registers: [u64; 13] = std::array::from_fn(|index| 0x0101_0101_0101_0101 * index as u64);
            registers[A.index()] = a;
            registers[B.index()] = b;
            // A jump to its own block goes on until the gas is used up.
            let setup = Setup { registers, pc: 0, gas: 20 };
            let want = expected.run(&setup);
            out_of_gas |= want.exit == Exit::OutOfGas;
            for guest in &mut found {
                let got = guest.run(&setup);
                let context = || format!("{profile} {gas_model} {} {operands:?} {a:#x} {b:#x}", spec.mnemonic);
                if let Some(difference) = first_difference(&want, &got) {
                    panic!("{}: {difference}", context());
                }
                if matches!(spec.meaning, Meaning::Store(_)) {
                    assert_eq!(expected.memory(), guest.memory(), "{}", context());
                }
            }
        }
        native += found.iter().map(|guest| guest.instance().stats().instructions_native).sum::<u64>();
        // Only refused accesses and the end of the gas are left to the interpreter.
        let may_interpret = spec.meaning.accesses_memory() || out_of_gas;
        if !may_interpret {
            assert!(found.iter().all(|guest| guest.instance().stats().instructions_interpreted == 0), "{operands:?}");
        }
    }
    native
}

#[test]
fn every_instruction_agrees_per_instruction() {
    let engines = engines();
    for spec in SPECS.iter().filter(|spec| spec.opcode.byte(Profile::Draft).is_some()) {
        assert!(check(&engines, Profile::Draft, spec, GasModel::Instruction) > 0, "{} was compiled", spec.mnemonic);
    }
}

#[test]
fn control_flow_and_memory_agree_in_every_model_and_profile() {
    let engines = engines();
    for profile in Profile::ALL {
        for gas_model in [GasModel::Block, GasModel::Pipeline] {
            for spec in SPECS.iter().filter(|spec| spec.opcode.byte(profile).is_some()) {
                let meaning = spec.meaning;
                if meaning.ends_block() || meaning.accesses_memory() || meaning == Meaning::HostCall {
                    check(&engines, profile, spec, gas_model);
                }
            }
        }
    }
}

/// What the tests above assume of themselves.
#[test]
fn the_program_under_test_reaches_its_blocks() {
    let engines = engines();
    let operands = Operands::RegImm { a: A, x: 0 };
    let (blob, targets) = program(Profile::V0_7, Opcode::JumpInd, operands);
    let mut guest = Guest::new(&engines.interpreter, &blob, Profile::V0_7, GasModel::Instruction, &PAGES);
    let mut run = |address| {
        let mut registers = [0; 13];
        registers[A.index()] = address;
        guest.run(&Setup { registers, pc: 0, gas: 20 })
    };
    assert_eq!((run(2).registers[3], i64::from(run(2).pc) > targets[0]), (1, true));
    assert_eq!((run(4).exit, run(4).pc), (Exit::Panic, 0));
    assert_eq!(run(0x1_ffff_0000).exit, Exit::Halt);
}

/// Both halves of a product, which are computed together, in either order and with results in place of factors.
#[test]
fn halves_of_products_agree() {
    use pvm_ops::Reg::{R2, R3};
    let engines = engines();
    let multiplications = [Opcode::Mul64, Opcode::MulUpperUU, Opcode::MulUpperSS, Opcode::MulUpperSU];
    let pairs = multiplications.iter().flat_map(|&one| multiplications.map(|other| (one, other)));
    let mut programs = Vec::new();
    for (first, second) in pairs {
        for (d, second_factors) in [(R2, (A, B)), (R2, (B, A)), (R2, (A, A)), (A, (A, B)), (B, (B, A))] {
            programs.push([(first, d, A, B), (second, R3, second_factors.0, second_factors.1)]);
        }
    }
    for program in programs {
        let instruction = |(opcode, d, a, b)| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
        agree(&engines, &program.map(instruction));
    }
}

/// Two shifts that make a rotation, or move bits from one value to another, and such that do not, put together in each way.
#[test]
fn shifts_that_are_joined_agree() {
    use pvm_ops::Reg::{R2, R3, R4};
    let engines = engines();
    let shift = |opcode, a, b, x| Instruction { opcode, operands: Operands::RegRegImm { a, b, x } };
    let joins = [Opcode::Or, Opcode::Xor, Opcode::Add32, Opcode::Add64];
    let all_by = |bits, [shl, shr]: [Opcode; 2], amounts: &[i32]| {
        for (&left, join) in amounts.iter().flat_map(|left| joins.map(|join| (left, join))) {
            for (right, of) in [(bits - left, A), (bits - 1 - left, A), (bits - left, B)] {
                let joined = Instruction { opcode: join, operands: Operands::RegRegReg { d: R4, a: R2, b: R3 } };
                agree(&engines, &[shift(shl, R2, A, left), shift(shr, R3, of, right), joined]);
                agree(&engines, &[shift(shr, R2, of, right), shift(shl, R3, A, left), joined]);
            }
        }
    };
    all_by(32, [Opcode::ShloLImm32, Opcode::ShloRImm32], &Vec::from_iter(0..=32));
    all_by(64, [Opcode::ShloLImm64, Opcode::ShloRImm64], &[0, 1, 2, 31, 32, 33, 62, 63, 64]);
}

/// Two shifts by what a register says and by the rest of it, which make a rotation, and such that do not.
#[test]
fn rotations_by_a_register_agree() {
    use pvm_ops::Reg::{R2, R3, R4, R5};
    let engines = engines();
    let of_three = |opcode, d, a, b| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
    let of_imm = |opcode, a, b, x| Instruction { opcode, operands: Operands::RegRegImm { a, b, x } };
    let shifts = [[Opcode::ShloL32, Opcode::ShloR32], [Opcode::ShloL64, Opcode::ShloR64]];
    let rests = [(Opcode::NegAddImm32, [0, 32, 64, -32, 31, 16]), (Opcode::NegAddImm64, [0, 32, 64, -64, 63, 1])];
    let ways = shifts.iter().flat_map(|shift| rests.map(|(rest, amounts)| (shift, rest, amounts)));
    for ((&[shl, shr], rest, amounts), join) in ways.flat_map(|way| [Opcode::Or, Opcode::Xor].map(|join| (way, join))) {
        for (amount, of) in amounts.into_iter().flat_map(|amount| [(amount, A), (amount, B)]) {
            let [left, right] = [of_three(shl, R2, A, B), of_three(shr, R3, of, R4)];
            let rest = of_imm(rest, R4, B, amount);
            agree(&engines, &[rest, left, right, of_three(join, R5, R2, R3)]);
            agree(&engines, &[left, rest, right, of_three(join, R3, R3, R2)]);
            let [left, right] = [of_three(shr, R2, A, B), of_three(shl, R3, of, R4)];
            agree(&engines, &[rest, left, right, of_three(join, R5, R2, R3)]);
        }
    }
}

/// The greater of a value and its opposite, or of what is none.
#[test]
fn absolute_values_agree() {
    use pvm_ops::Reg::{R2, R3, R4};
    let engines = engines();
    let of_three = |opcode, d, a, b| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
    let of_imm = |opcode, a, b, x| Instruction { opcode, operands: Operands::RegRegImm { a, b, x } };
    let values =
        [of_three(Opcode::Add32, R2, A, B), of_three(Opcode::Sub64, R2, A, B), of_imm(Opcode::AndImm, R2, A, 0xffff)];
    let opposites = [Opcode::NegAddImm32, Opcode::NegAddImm64].map(|opcode| [0, 1].map(|x| of_imm(opcode, R3, R2, x)));
    for (value, opposite) in
        values.iter().flat_map(|value| opposites.as_flattened().iter().map(move |other| (value, other)))
    {
        for (a, b) in [(R2, R3), (R3, R2), (A, R3), (R3, R3)] {
            for opcode in [Opcode::Max, Opcode::MaxU, Opcode::Min] {
                agree(&engines, &[*value, *opposite, of_three(opcode, R4, a, b)]);
            }
        }
    }
}

/// Operations of 32 bits on values that are small enough for a sign not to be extended, or not quite.
#[test]
fn operations_on_small_values_agree() {
    use pvm_ops::Reg::{R2, R3, R4};
    let engines = engines();
    let of_three = |opcode, d, a, b| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
    let of_imm = |opcode, a, b, x| Instruction { opcode, operands: Operands::RegRegImm { a, b, x } };
    let small = |to, from, bits| {
        [of_imm(Opcode::ShloRImm64, to, from, 64 - bits), of_imm(Opcode::SharRImm64, to, from, 63 - bits)]
    };
    let sums = [(29, 29), (30, 8), (30, 30), (31, 1), (31, 31), (32, 2), (33, 33)];
    let products = [(8, 8), (15, 15), (14, 16), (15, 16), (16, 16), (30, 1), (31, 1)];
    for (opcodes, sizes) in [(&[Opcode::Add32, Opcode::Sub32][..], sums), (&[Opcode::Mul32], products)] {
        for (first, second) in sizes.into_iter().flat_map(|(first, second)| {
            small(R2, A, first).into_iter().flat_map(move |one| small(R3, B, second).map(|other| (one, other)))
        }) {
            for &opcode in opcodes {
                agree(&engines, &[first, second, of_three(opcode, R4, R2, R3), of_three(Opcode::Add64, R2, R4, R3)]);
            }
        }
    }
    for value in (0..=34).flat_map(|bits| small(R2, A, bits.max(1))) {
        for (opcode, x) in [
            (Opcode::AddImm32, 0),
            (Opcode::AddImm32, -1),
            (Opcode::NegAddImm32, 0),
            (Opcode::ShloLImm32, 1),
            (Opcode::ShloLImm32, 12),
            (Opcode::ShloLImm32, 33),
            (Opcode::SharRImm32, 0),
            (Opcode::SharRImm32, 5),
            (Opcode::SharRImm32, 37),
            (Opcode::MulImm32, -3),
        ] {
            agree(&engines, &[value, of_imm(opcode, R3, R2, x), of_three(Opcode::Add64, R4, R3, B)]);
        }
    }
}

/// Two shifts that keep the lower bits of a value, or extend them, scale them, or do nothing of the kind.
#[test]
fn shifts_to_and_fro_agree() {
    use pvm_ops::Reg::{R2, R3, R4, R5};
    let engines = engines();
    let shift = |opcode, a, b, x| Instruction { opcode, operands: Operands::RegRegImm { a, b, x } };
    let half = Instruction { opcode: Opcode::Add32, operands: Operands::RegRegReg { d: R3, a: A, b: B } };
    for left in [8, 16, 24, 31, 32, 33, 47, 48, 56, 63] {
        for right in (left - 5..=left + 1).filter(|right| (0..64).contains(right)) {
            for fro in [Opcode::ShloRImm64, Opcode::SharRImm64, Opcode::ShloRImm32, Opcode::SharRImm32] {
                let to = if matches!(fro, Opcode::ShloRImm64 | Opcode::SharRImm64) {
                    Opcode::ShloLImm64
                } else {
                    Opcode::ShloLImm32
                };
                agree(&engines, &[shift(to, R2, A, left), shift(fro, R2, R2, right)]);
                agree(&engines, &[half, shift(to, R2, R3, left), shift(fro, R3, R2, right)]);
            }
        }
    }
    // By constants that are no amounts.
    let constant = |a, x| Instruction { opcode: Opcode::LoadImm64, operands: Operands::RegImm64 { a, x } };
    let shift = |opcode, d, a, b| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
    let join = shift(Opcode::Or, R3, R2, R3);
    let amounts = [32, 62, 1 << 63, (1 << 63) + 32, (1 << 63) - 1, u64::MAX, u64::MAX - 31];
    for (left, right) in amounts.iter().flat_map(|&left| amounts.map(|right| (left, right))) {
        let constants = [constant(R4, left), constant(R5, right)];
        let to = shift(Opcode::ShloL64, R2, A, R4);
        agree(&engines, &[&constants[..], &[to, shift(Opcode::ShloR64, R2, R2, R5)]].concat());
        agree(&engines, &[&constants[..], &[to, shift(Opcode::ShloR64, R3, A, R5), join]].concat());
    }
}

/// A value that is corrected by another one or not, as one comparison decides or either of two, of the value and of others.
#[test]
fn corrections_agree() {
    use pvm_ops::Reg::{R2, R3, R4, R5};
    let engines = engines();
    let of_three = |opcode, d, a, b| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
    let of_imm = |opcode, a, b, x| Instruction { opcode, operands: Operands::RegRegImm { a, b, x } };
    let values = [Opcode::Add64, Opcode::Sub64, Opcode::Sub32];
    let compared = [(R2, A), (A, R2), (A, B), (B, A)];
    let tests: Vec<_> = compared.iter().flat_map(|&one| compared.map(|other| (one, other))).collect();
    for (value, &(one, other)) in values.iter().flat_map(|&value| tests.iter().map(move |test| (value, test))) {
        for (choice, last) in [
            (of_imm(Opcode::CmovIzImm, R5, R3, 0), of_three(Opcode::Add64, R2, R2, R5)),
            (of_imm(Opcode::CmovIzImm, R5, R3, 0), of_three(Opcode::Add64, R5, R5, R2)),
            (of_imm(Opcode::CmovNzImm, R5, R3, 0), of_three(Opcode::Add64, R2, R5, R2)),
            (of_imm(Opcode::CmovIzImm, R5, R3, 0), of_three(Opcode::Sub64, R2, R2, R5)),
            (of_imm(Opcode::CmovNzImm, R5, R3, 0), of_three(Opcode::Sub64, R2, R5, R2)),
            (of_imm(Opcode::CmovIzImm, R5, R3, 1), of_three(Opcode::Add32, R2, R2, R5)),
            (of_three(Opcode::CmovIz, R5, A, R3), of_three(Opcode::Add64, R2, R2, R5)),
        ] {
            let amount = of_imm(Opcode::AddImm64, R5, B, 3);
            let (start, first) = (of_three(value, R2, A, B), of_three(Opcode::SetLtU, R3, one.0, one.1));
            agree(&engines, &[start, first, amount, choice, last]);
            let second = of_three(Opcode::SetLtS, R4, other.0, other.1);
            for join in [Opcode::Or, Opcode::And] {
                let joined = of_three(join, R3, R3, R4);
                agree(&engines, &[start, first, second, joined, amount, choice, last]);
            }
        }
    }
}

/// Sums and differences whose carry or borrow is added or subtracted, to and from what was there and what is made for it, and what exits
/// see of all that: a store that is refused, before or behind.
#[test]
fn carries_agree() {
    use pvm_ops::Reg::{R2, R3, R4, R5, R6};
    let engines = engines();
    let of_three = |opcode, d, a, b| Instruction { opcode, operands: Operands::RegRegReg { d, a, b } };
    let load = |a, x| Instruction { opcode: Opcode::LoadImm, operands: Operands::RegImm { a, x } };
    let refused = Instruction { opcode: Opcode::StoreIndU8, operands: Operands::RegRegImm { a: A, b: A, x: 0x100 } };
    let above = [None, Some((A, B)), Some((B, R2)), Some((R3, A))];
    let results = [(R4, R4, R3), (R4, R3, R4), (R3, R4, R3), (R3, R3, R4), (R5, R4, R3), (R2, R4, R3), (A, B, R3)];
    // What is added or subtracted may be a constant, in r6.
    for (other, constant) in [(B, None), (R6, Some(0)), (R6, Some(-1))] {
        for (op, compared) in [
            (Opcode::Add64, (R2, A)),
            (Opcode::Add64, (R2, other)),
            (Opcode::Add64, (A, R2)),
            (Opcode::Sub64, (A, other)),
            (Opcode::Sub64, (R2, A)),
        ] {
            let low = of_three(op, R2, A, other);
            let flag = of_three(Opcode::SetLtU, R3, compared.0, compared.1);
            let ways = results.iter().flat_map(|result| above.map(|above| (result, above)));
            for (&(to, a, b), above) in ways {
                for behind in 0..4 {
                    let mut program: Vec<_> = constant.map(|constant| load(R6, constant)).into_iter().collect();
                    program.extend([low, flag]);
                    if behind == 3 {
                        program.push(refused);
                    }
                    program.extend(above.map(|(a, b)| of_three(op, R4, a, b)));
                    program.push(of_three(op, to, a, b));
                    match behind {
                        1 => program.push(refused),
                        2 => program.extend([refused, load(R3, 7)]),
                        _ => {}
                    }
                    agree(&engines, &program);
                }
            }
        }
    }
}

/// Runs the instructions with all pairs of values in two registers.
fn agree(engines: &Engines, program: &[Instruction]) {
    let mut builder = BlobBuilder::new(Profile::V0_7);
    for instruction in program {
        builder.push(*instruction).unwrap();
    }
    builder.push(Instruction { opcode: Opcode::Trap, operands: Operands::None }).unwrap();
    let blob = builder.finish();
    let guest = |engine| Guest::new(engine, &blob, Profile::V0_7, GasModel::Instruction, &PAGES);
    let mut expected = guest(&engines.interpreter);
    let mut found: Vec<_> = engines.compilers.iter().map(guest).collect();
    for (a, b) in VALUES.iter().flat_map(|&a| VALUES.map(|b| (a, b))) {
        let mut registers = [0; 13];
        (registers[A.index()], registers[B.index()]) = (a, b);
        let setup = Setup { registers, pc: 0, gas: 20 };
        let want = expected.run(&setup);
        for guest in &mut found {
            let difference = first_difference(&want, &guest.run(&setup));
            assert!(difference.is_none(), "{program:?} {a:#x} {b:#x}: {}", difference.unwrap());
        }
    }
}

//! The law of this crate: assembling the disassembly of a program gives the program.

use pvm_asm::{assemble, disassemble};
use pvm_isa::{Format as OperandFormat, Instruction, Operands, Profile, SPECS};
use pvm_ops::Reg;
use pvm_program::{Blob, Format, PolkaVmFile, Program, Section, natural};

mod support;
use support::Random;

fn chance(random: &mut Random, of: u64) -> bool {
    random.below(of) == 0
}

fn bytes(random: &mut Random, len: u64) -> Vec<u8> {
    (0..len).map(|_| random.next() as u8).collect()
}

#[track_caller]
fn check(format: Format, bytes: &[u8], profile: Profile) -> String {
    let program = Program::parse_as(format, bytes).unwrap_or_else(|error| panic!("{format} {bytes:02x?}: {error}"));
    let text = disassemble(&program, profile);
    match assemble(&text) {
        Ok(again) => assert!(again == bytes, "{bytes:02x?}\n{again:02x?}\n{text}"),
        Err(error) => panic!("{error}\n{text}"),
    }
    text
}

fn raw(blob: &Blob) -> Vec<u8> {
    let mut bytes = Vec::new();
    blob.encode(&mut bytes);
    bytes
}

/// A blob in which every instruction starts where `starts` says.
fn blob(code: Vec<u8>, starts: &[usize]) -> Blob {
    let mut bitmask = vec![0; code.len().div_ceil(8)];
    for start in starts {
        bitmask[start / 8] |= 1 << (start % 8);
    }
    Blob { code, bitmask, ..Blob::default() }
}

const EDGES: [i32; 14] =
    [0, 1, -1, 127, 128, -128, -129, 0x7fff, 0x8000, 0x7f_ffff, 0x80_0000, i32::MAX, i32::MIN, 0x2_0000];

fn operands(format: OperandFormat, x: i32, y: i32, regs: [Reg; 3], pc: i64) -> Operands {
    let [a, b, d] = regs;
    let target = pc + i64::from(y);
    match format {
        OperandFormat::None => Operands::None,
        OperandFormat::Imm => Operands::Imm { x },
        OperandFormat::RegImm64 => Operands::RegImm64 { a, x: (i64::from(x) << 32 ^ i64::from(y)) as u64 },
        OperandFormat::ImmImm => Operands::ImmImm { x, y },
        OperandFormat::Offset => Operands::Offset { target },
        OperandFormat::RegImm => Operands::RegImm { a, x },
        OperandFormat::RegImmImm => Operands::RegImmImm { a, x, y },
        OperandFormat::RegImmOffset => Operands::RegImmOffset { a, x, target },
        OperandFormat::RegReg => Operands::RegReg { d, a },
        OperandFormat::RegRegImm => Operands::RegRegImm { a, b, x },
        OperandFormat::RegRegOffset => Operands::RegRegOffset { a, b, target },
        OperandFormat::RegRegImmImm => Operands::RegRegImmImm { a, b, x, y },
        OperandFormat::RegRegReg => Operands::RegRegReg { d, a, b },
    }
}

#[test]
fn every_instruction_with_edge_operands_is_written_as_text() {
    for profile in Profile::ALL {
        for spec in SPECS.iter().filter(|spec| spec.opcode.byte(profile).is_some()) {
            let (mut code, mut starts) = (Vec::new(), Vec::new());
            for (index, x) in EDGES.into_iter().enumerate() {
                for y in EDGES {
                    let regs = [index, index + 5, index + 9].map(|number| Reg::wrapping(number as u8 % 13));
                    let pc = code.len();
                    let operands = operands(spec.format, x, y, regs, pc as i64);
                    let instruction = Instruction { opcode: spec.opcode, operands };
                    starts.push(pc);
                    instruction.encode(profile, pc as u32, &mut code).unwrap();
                }
            }
            let text = check(Format::Raw, &raw(&blob(code, &starts)), profile);
            assert!(!text.contains(".inst") && !text.contains(".bytes"), "{text}");
        }
    }
}

/// Code of any bytes, with a bitmask of any bits or of about every third.
fn soup(random: &mut Random, max: u64) -> (Vec<u8>, Vec<u8>) {
    let len = random.below(max);
    let mut code = bytes(random, len);
    let mut bitmask = bytes(random, len.div_ceil(8));
    if chance(random, 2) {
        bitmask.iter_mut().for_each(|byte| *byte &= random.next() as u8);
    }
    // Small operands, so that many instructions are in their shortest form.
    if chance(random, 2) {
        code.iter_mut().filter(|byte| **byte < 60).for_each(|byte| *byte %= 13);
    }
    if !len.is_multiple_of(8)
        && let Some(last) = bitmask.last_mut()
    {
        *last &= (1 << (len % 8)) - 1;
    }
    (code, bitmask)
}

/// Code of whole instructions, many of them jumps to and fro at distances where the length of an offset changes.
fn program(random: &mut Random, profile: Profile) -> (Vec<u8>, Vec<u8>) {
    let (mut code, mut starts) = (Vec::new(), Vec::new());
    let specs: Vec<_> = SPECS.iter().filter(|spec| spec.opcode.byte(profile).is_some()).collect();
    let mut jumps: Vec<_> = specs.clone();
    jumps.retain(|spec| matches!(spec.format, OperandFormat::Offset | OperandFormat::RegRegOffset));
    for _ in 0..random.below(120) {
        let from = if chance(random, 2) { &jumps } else { &specs };
        let spec = from[random.below(from.len() as u64) as usize];
        let x = EDGES[random.below(14) as usize];
        let y = match random.below(3) {
            0 => random.below(9) as i32 + 124,
            1 => -(random.below(9) as i32) - 124,
            _ => random.below(300) as i32 - 150,
        };
        let regs = [0; 3].map(|_| Reg::wrapping(random.below(13) as u8));
        let pc = code.len();
        let operands = operands(spec.format, x, y, regs, pc as i64);
        starts.push(pc);
        Instruction { opcode: spec.opcode, operands }.encode(profile, pc as u32, &mut code).unwrap();
        if chance(random, 20) {
            code.push(random.next() as u8);
        }
    }
    let blob = blob(code, &starts);
    (blob.code, blob.bitmask)
}

fn random_blob(random: &mut Random, profile: Profile) -> Blob {
    let (code, bitmask) = if chance(random, 2) { soup(random, 150) } else { program(random, profile) };
    let jump_size = match random.below(8) {
        0 => random.next() as u8,
        1 => 0,
        _ => random.below(10) as u8,
    };
    let jump_count = match (jump_size, random.below(4)) {
        (0, 0) => random.next(),
        (_, 1) => 0,
        _ => random.below(6),
    };
    let mut jump_bytes = Vec::new();
    if jump_size > 0 {
        for _ in 0..jump_count {
            let mut entry = bytes(random, u64::from(jump_size));
            if chance(random, 2) {
                entry[1..].fill(0);
            }
            jump_bytes.extend(entry);
        }
    }
    Blob { code, bitmask, jump_count, jump_size, jump_bytes }
}

fn random_data(random: &mut Random) -> Vec<u8> {
    let len = random.below(200);
    let mut data = if chance(random, 2) { Vec::new() } else { bytes(random, len) };
    if let Some(half) = data.get_mut(40..150) {
        half.fill(0);
    }
    data
}

fn polkavm(random: &mut Random, blob: &Blob) -> Vec<u8> {
    let mut sections = Vec::new();
    let mut section = |id, payload| sections.push(Section { id, payload });
    let (ro, rw) = (random_data(random), random_data(random));
    if chance(random, 3) {
        section(200, random_data(random));
    }
    let mut config = Vec::new();
    for size in [300, 4096, random.below(1 << 20)] {
        natural::encode(size, &mut config);
    }
    section(1, config);
    section(2, ro);
    section(3, rw);
    if chance(random, 2) {
        section(4, [&[2][..], &[0, 0, 0, 0, 1, 0, 0, 0], b"a\n#"].concat());
        section(5, [&[1, random.below(100) as u8, 5][..], b"ma\"in"].concat());
    }
    section(6, raw(blob));
    for _ in 0..random.below(3) {
        section(128, random_data(random));
    }
    let mut bytes = Vec::new();
    PolkaVmFile::encode([0, 2, 3][random.below(3) as usize], &sections, &mut bytes);
    bytes
}

fn standard(random: &mut Random, blob: &Blob, metadata: bool) -> Vec<u8> {
    let program = pvm_program::StandardProgram {
        ro_data: random_data(random),
        rw_data: random_data(random),
        heap_pages: random.next() as u16,
        stack_size: random.below(1 << 24) as u32,
        blob: blob.clone(),
    };
    let mut bytes = if metadata { with_metadata(random) } else { Vec::new() };
    program.encode(&mut bytes).unwrap();
    bytes
}

fn with_metadata(random: &mut Random) -> Vec<u8> {
    let metadata = random_data(random);
    let mut bytes = Vec::new();
    natural::encode(metadata.len() as u64, &mut bytes);
    bytes.extend(metadata);
    bytes
}

#[test]
fn any_program_of_any_container_comes_back() {
    let mut random = Random(0x1234_5678_9abc_def1);
    let mut count = 0;
    for round in 0..12_000 {
        let profile = Profile::ALL[round % 3];
        let blob = random_blob(&mut random, profile);
        let (format, bytes) = match round % 5 {
            0 => (Format::Raw, raw(&blob)),
            1 => (Format::Raw, [with_metadata(&mut random), raw(&blob)].concat()),
            2 => (Format::Standard, standard(&mut random, &blob, false)),
            3 => (Format::Jam, standard(&mut random, &blob, true)),
            _ => (Format::PolkaVm, polkavm(&mut random, &blob)),
        };
        // Some are refused: metadata without a blob behind it, opcodes that a `.polkavm` file may not use.
        if Program::parse_as(format, &bytes).is_ok() {
            check(format, &bytes, profile);
            count += 1;
        }
    }
    assert!(count > 10_000, "{count}");
}

#[test]
fn programs_at_the_limits_come_back() {
    let huge_table = Blob { jump_count: u64::MAX, ..Blob::default() };
    let wide_entries =
        Blob { jump_count: 2, jump_size: 255, jump_bytes: [vec![0; 255], vec![0xff; 255]].concat(), ..Blob::default() };
    let gap = blob(vec![0x33; 300], &[40, 299]);
    let unmarked = blob(vec![1; 9], &[]);
    for blob in [Blob::default(), huge_table, wide_entries, gap, unmarked] {
        check(Format::Raw, &raw(&blob), Profile::V0_7);
    }
}

#[test]
fn jumps_that_could_be_shorter_keep_their_lengths() {
    // With two bytes instead of three, the jump would lead 127 bytes forward, which is what two bytes can say.
    let mut code = vec![1; 300];
    code[100..103].copy_from_slice(&[40, 128, 0]);
    let starts = (0..300).filter(|pc| ![101, 102].contains(pc));
    let text = check(Format::Raw, &raw(&blob(code.clone(), &starts.collect::<Vec<_>>())), Profile::V0_7);
    assert!(text.contains("jump 228"), "{text}");
    // Two jumps over each other, each long only because the other one is.
    code[100..103].copy_from_slice(&[40, 129, 0]);
    code[200..203].copy_from_slice(&[40, 0x7f, 0xff]);
    code[71] = 0;
    let starts = (0..300).filter(|pc| ![101, 102, 201, 202].contains(pc));
    let text = check(Format::Raw, &raw(&blob(code, &starts.collect::<Vec<_>>())), Profile::V0_7);
    assert!(text.contains("jump 229") && text.contains("jump 71"), "{text}");
}

#[test]
fn entry_points_are_readable() {
    let text = check(Format::Raw, &[0, 0, 11, 40, 10, 0, 0, 0, 40, 5, 0, 0, 0, 0, 0x21, 4], Profile::V0_7);
    assert!(text.contains(".jump_wide L10"), "{text}");
}

/// Programs of the test suites, where the variable `PVM_VECTORS` names their folder: every `"program": [bytes]` in JSON
/// files, and every service at the head of a host-call trace.
#[test]
fn programs_of_the_suites_come_back() {
    let Ok(root) = std::env::var("PVM_VECTORS") else { return };
    for (folder, profile) in [("pvm", Profile::V0_7), ("gas-0.8", Profile::Draft)] {
        for file in texts(&format!("{root}/{folder}")) {
            let Some((_, rest)) = file.split_once("\"program\":") else { continue };
            let list = rest.split(['[', ']']).nth(1).unwrap_or_default();
            let bytes: Vec<u8> = list.split(',').filter_map(|byte| byte.trim().parse().ok()).collect();
            check(Format::Raw, &bytes, profile);
        }
    }
    for file in texts(&format!("{root}/jip6")) {
        let Some((_, rest)) = file.split_once("program 0x") else { continue };
        let hex = rest.split_whitespace().next().unwrap_or_default();
        let bytes: Vec<u8> = hex
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        check(Program::parse(&bytes).unwrap().format, &bytes, Profile::V0_7);
    }
}

fn texts(folder: &str) -> Vec<String> {
    let files = std::fs::read_dir(folder).unwrap();
    files.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect()
}

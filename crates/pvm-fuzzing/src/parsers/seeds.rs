//! Small valid inputs for each parser.

use super::Parser;
use crate::{Case, random, rv32};
use fastrand::Rng;
use pvm_program::{
    Blob, Executable, Format, PolkaVmFile, Program, Section, StandardProgram, Symbol, SymbolKind, natural,
};

/// How many each parser gets.
const COUNT: usize = 120;

/// Valid inputs.
pub(super) fn seeds(rng: &mut Rng, parser: Parser) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    while seeds.len() < COUNT {
        let case = random::case(rng.u64(..));
        if case.program.len() > 600 {
            continue;
        }
        let Some(blob) = case.blob() else { continue };
        let seed = match parser {
            Parser::Program => {
                let format = Format::ALL[rng.usize(..4)];
                program(rng, format, &blob)
            }
            Parser::Container(format) => program(rng, format, &blob),
            Parser::Blob => case.program,
            Parser::Elf => executable(rng),
            Parser::Natural => {
                let mut bytes = Vec::new();
                natural::encode(rng.u64(..) >> rng.u32(..64), &mut bytes);
                bytes
            }
            Parser::Vector => vector(rng, &case).into_bytes(),
            Parser::Trace => trace(rng, &case).into_bytes(),
            Parser::Assembly => match seeds.len() {
                0 => SOURCE.as_bytes().to_vec(),
                _ => {
                    let format = Format::ALL[rng.usize(..4)];
                    let bytes = program(rng, format, &blob);
                    let Ok(program) = Program::parse_as(format, &bytes) else { continue };
                    pvm_asm::disassemble(&program, case.profile).into_bytes()
                }
            },
        };
        // A `.polkavm` file may not use all opcodes, and some blobs look like blobs behind metadata.
        let is_valid = match parser {
            Parser::Program => Program::parse(&seed).is_ok(),
            Parser::Container(format) => Program::parse_as(format, &seed).is_ok(),
            _ => true,
        };
        if is_valid {
            seeds.push(seed);
        }
    }
    seeds
}

/// A program with a few symbols.
fn executable(rng: &mut Rng) -> Vec<u8> {
    // A file may not have the last page.
    let mut all = std::iter::repeat_with(|| rv32::wild(rng.u64(..)).executable());
    let mut executable = all.find(|one| Executable::parse(&one.encode()).is_ok()).expect("most may be a file");
    let names = ["_start", "main", "tohost", "begin_signature", "x"];
    executable.symbols = (0..rng.usize(..6))
        .map(|at| Symbol {
            name: names[rng.usize(..names.len())].to_owned(),
            address: at as u32 * 0x100,
            size: rng.u32(..64),
            kind: [SymbolKind::Function, SymbolKind::Object, SymbolKind::Label][rng.usize(..3)],
            is_global: rng.bool(),
        })
        .collect();
    executable.encode()
}

fn data(rng: &mut Rng) -> Vec<u8> {
    (0..rng.usize(..40)).map(|at| if at % 7 < 4 { 0 } else { rng.u8(..) }).collect()
}

fn program(rng: &mut Rng, format: Format, blob: &Blob) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut raw = Vec::new();
    blob.encode(&mut raw);
    if format == Format::Jam || format == Format::Raw && rng.bool() {
        let mut metadata = data(rng);
        metadata.push(1);
        natural::encode(metadata.len() as u64, &mut bytes);
        bytes.extend(metadata);
    }
    match format {
        Format::Raw => bytes.extend(raw),
        Format::Jam | Format::Standard => {
            let program = StandardProgram {
                ro_data: data(rng),
                rw_data: data(rng),
                heap_pages: rng.u16(..20),
                stack_size: rng.u32(..20_000),
                blob: blob.clone(),
            };
            program.encode(&mut bytes).expect("small areas fit");
        }
        Format::PolkaVm => {
            let mut config = Vec::new();
            for size in [100, 4096, 8192] {
                natural::encode(size, &mut config);
            }
            let sections = [
                Section { id: 1, payload: config },
                Section { id: 2, payload: data(rng) },
                Section { id: 3, payload: data(rng) },
                Section { id: 4, payload: [&[2, 0, 0, 0, 0, 1, 0, 0, 0][..], b"abc"].concat() },
                Section { id: 5, payload: b"\x01\x00\x04main".to_vec() },
                Section { id: 6, payload: raw },
                Section { id: 200, payload: data(rng) },
            ];
            PolkaVmFile::encode([0, 2, 3][rng.usize(..3)], &sections, &mut bytes);
        }
    }
    bytes
}

fn vector(rng: &mut Rng, case: &Case) -> String {
    let Case { program, registers, pc, .. } = case;
    let start = format!(
        r#""name": "seed", "program": {program:?}, "initial-regs": {registers:?}, "initial-pc": {pc}, "initial-gas": 1000,
        "initial-page-map": [{{"address": 131072, "length": 4096, "is-writable": true}}],
        "initial-memory": [{{"address": 131072, "contents": [1, 2, 3]}}]"#
    );
    match rng.bool() {
        true => format!(
            r#"{{{start}, "expected-status": "page-fault", "expected-page-fault-address": 65536,
            "expected-regs": {registers:?}, "expected-pc": 3, "expected-gas": 990,
            "expected-memory": [{{"address": 131072, "contents": [9]}}]}}"#
        ),
        false => format!(
            r#"{{{start}, "block-gas-costs": {{"0": 12, "17": 3}}, "steps": [{{"kind": "run"}},
            {{"kind": "map", "address": 65536, "length": 4096, "is_writable": false}},
            {{"kind": "write", "address": 65536, "contents": [7]}}, {{"kind": "set-reg", "reg": 7, "value": 5}},
            {{"kind": "assert", "status": "halt", "gas": 5, "pc": 2, "regs": {registers:?}, "memory": []}}]}}"#
        ),
    }
}

fn trace(rng: &mut Rng, case: &Case) -> String {
    let hex: String = case.program.iter().map(|byte| format!("{byte:02x}")).collect();
    let mut text =
        format!("12:00 program 0x{hex}\nmemwrite 0x20000 len=2 <- 0x0102\nstart pc=5 gas=1000 r07=0x20000 r08=0x9\n");
    for call in 0..rng.u32(..4) {
        text += &format!(
            "ecalli={call} pc={call} gas=900 r01=0xfefe0000\nmemread 0x20000 len=3 -> 0x010203\n\
             memwrite 0x20010 len=1 <- 0xff\nsetreg r07 <- 0x{call:x}\nsetgas <- 880\n"
        );
    }
    text += ["HALT pc=6 gas=80\n", "OOG pc=6 gas=0 r00=0x1\n", "PANIC=3 pc=6 gas=7\n", ""][rng.usize(..4)];
    text
}

/// A source with some of everything.
const SOURCE: &str = r#"
.format jam
.profile 0.7
.info "name", "1.0", "MIT", "author"
.metadata "more\x00"
.stack 4096
.heap_pages 2
.equ SIZE, (end - start) * 2 + 'a'
.rodata
start:  .u8 1, 2, SIZE - 100
        .u32 start
        .hex "0a0b" 0c0d
end:    .align 8
        .zero 5
.rwdata
buffer: .ascii "hello\n"
.text
        .jump_table 2
        .jump_entry entry
        .jump_wide entry
        .inst 0x64, 0x78
        .bytes 1, 2
entry:  load_imm a0, buffer           # a comment
loop:   add_imm_64 a0, a0, -1
        store_ind_u8 a0, [a1 - 1]
        branch_lt_u_imm a0, 10, loop
        load_imm_jump ra, @back, loop
back:   load_imm_64 t0, 0x123456789abcdef0
        ecalli 100
        jump_ind ra, 0
"#;

//! `docs/isa.md` is written from the instruction table. `BLESS=1 cargo test -p pvm-tests --test isa_table` writes it anew.

use pvm_isa::{Discount, Format, Latency, Meaning, Profile, SPECS, Spec, Unit};
use std::fmt::Write;

const HEAD: &str = "\
# The instruction set

This page is written from the instruction table (`crates/pvm-isa/src/table.rs`) by the test `isa_table`, which fails when
the two differ.

Opcodes are given for the profiles 0.7 (Gray Paper 0.7.2), draft (0.7 with `unlikely`, as the draft gas vectors use it) and
0.8. Registers are named as in the Gray Paper: A, B and D; X and Y are immediates, sign-extended to 64 bits; `@` is a jump
target. Results of 32-bit operations are sign-extended. No arithmetic instruction traps: division by zero gives all ones,
the remainder by zero is the dividend, and the signed overflow gives the dividend with remainder zero.

The cost columns belong to the pipeline gas model: latency in cycles, decode slots (`+1` where the destination is none of
the sources that the instruction could share it with), and execution units. In the other models every instruction costs 1.

| 0.7 | draft | 0.8 | instruction | operands | effect | latency | decode | units |
|---:|---:|---:|---|---|---|---:|---|---|
";

fn operands(format: Format) -> &'static str {
    match format {
        Format::None => "",
        Format::Imm => "X",
        Format::RegImm64 => "A, X (8 bytes)",
        Format::ImmImm => "X, Y",
        Format::Offset => "@",
        Format::RegImm => "A, X",
        Format::RegImmImm => "A, X, Y",
        Format::RegImmOffset => "A, X, @",
        Format::RegReg => "D, A",
        Format::RegRegImm => "A, B, X",
        Format::RegRegOffset => "A, B, @",
        Format::RegRegImmImm => "A, B, X, Y",
        Format::RegRegReg => "D, A, B",
    }
}

fn effect(spec: &Spec) -> String {
    let (dst, lhs, rhs) = match spec.format {
        Format::RegRegImm => ("A", "B", "X"),
        _ => ("D", "A", "B"),
    };
    let address = match spec.format {
        Format::RegRegImm => "B + X",
        Format::RegImmImm => "A + X",
        _ => "X",
    };
    let value = match spec.format {
        Format::ImmImm | Format::RegImmImm => "Y",
        _ => "A",
    };
    match spec.meaning {
        Meaning::Trap => "panic".into(),
        Meaning::Fallthrough => "nothing; ends the block".into(),
        Meaning::Nop => "nothing".into(),
        Meaning::HostCall => "host call X".into(),
        Meaning::Sbrk => "D = former end of the heap, which grows by A bytes; 0 if it cannot".into(),
        Meaning::LoadImm => "A = X".into(),
        Meaning::Load(kind) => {
            let sign = if kind.signed { "signed" } else { "unsigned" };
            format!("A = {} bytes at {address}, {sign}", kind.size.bytes())
        }
        Meaning::Store(size) => format!("{} bytes at {address} = {value}", size.bytes()),
        Meaning::Jump if spec.format == Format::RegImmOffset => "A = X; jump to @".into(),
        Meaning::Jump => "jump to @".into(),
        Meaning::JumpIndirect if spec.format == Format::RegRegImmImm => {
            "A = X; jump to the address B + Y (the former B)".into()
        }
        Meaning::JumpIndirect => "jump to the address A + X".into(),
        Meaning::Branch(cond) => {
            let rhs = if spec.format == Format::RegImmOffset { "X" } else { "B" };
            format!("jump to @ if {cond:?}(A, {rhs})")
        }
        Meaning::Unary(op, width) => format!("D = {op:?}(A), {} bits", width.bits()),
        Meaning::Binary(op, width) => format!("{dst} = {op:?}({lhs}, {rhs}), {} bits", width.bits()),
        Meaning::BinarySwapped(op, width) => format!("{dst} = {op:?}({rhs}, {lhs}), {} bits", width.bits()),
        Meaning::MoveIfZero => format!("{dst} = {} if {} is zero", if dst == "A" { rhs } else { lhs }, "B"),
        Meaning::MoveIfNotZero => format!("{dst} = {} if {} is not zero", if dst == "A" { rhs } else { lhs }, "B"),
    }
}

fn row(spec: &Spec) -> String {
    let byte = |profile| spec.opcode.byte(profile).map_or(String::new(), |byte| byte.to_string());
    let latency = match spec.cost.latency {
        Latency::Cycles(cycles) => cycles.to_string(),
        Latency::Memory => "memory".into(),
        Latency::Branch => "1 or 20".into(),
    };
    let more = if spec.cost.extra == Discount::Flat { "" } else { "+1" };
    let units = match spec.cost.unit {
        Unit::None => "",
        Unit::Alu => "ALU",
        Unit::TwoAlu => "2 ALU",
        Unit::Load => "ALU, load",
        Unit::Store => "ALU, store",
        Unit::Mul => "ALU, multiplier",
        Unit::Div => "ALU, divider",
    };
    format!(
        "| {} | {} | {} | `{}` | {} | {} | {latency} | {}{more} | {units} |",
        byte(Profile::V0_7),
        byte(Profile::Draft),
        byte(Profile::V0_8),
        spec.mnemonic,
        operands(spec.format),
        effect(spec),
        spec.cost.decode,
    )
}

#[test]
fn the_page_is_what_the_table_says() {
    let mut page = HEAD.to_owned();
    for spec in SPECS {
        writeln!(page, "{}", row(spec)).unwrap();
    }
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/isa.md");
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, &page).unwrap();
    }
    let written = std::fs::read_to_string(path).unwrap_or_default();
    assert!(written == page, "docs/isa.md is not up to date: BLESS=1 cargo test -p pvm-tests --test isa_table");
}

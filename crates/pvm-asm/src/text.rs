//! Parts of the text: operands by format, numbers, data.

use crate::listing::Style;
use pvm_isa::{Instruction, Operands};
use std::fmt::Write;

/// An instruction with its operands, in the order in which the assembler reads them.
pub(crate) fn operands(instruction: Instruction, place: impl Fn(i64) -> String) -> String {
    let spec = instruction.opcode.spec();
    let memory = spec.meaning.accesses_memory();
    let imm = |value: i32| number(i64::from(value));
    let rest = match instruction.operands {
        Operands::None => return spec.mnemonic.to_owned(),
        Operands::Imm { x } => imm(x),
        Operands::RegImm64 { a, x } => format!("{a}, {x:#x}"),
        Operands::ImmImm { x, y } => format!("{}, {}", address(x), imm(y)),
        Operands::Offset { target } => place(target),
        Operands::RegImm { a, x } if memory => format!("{a}, {}", address(x)),
        Operands::RegImm { a, x } => format!("{a}, {}", imm(x)),
        Operands::RegImmImm { a, x, y } => format!("{}, {}", based(a, x), imm(y)),
        Operands::RegImmOffset { a, x, target } => format!("{a}, {}, {}", imm(x), place(target)),
        Operands::RegReg { d, a } => format!("{d}, {a}"),
        Operands::RegRegImm { a, b, x } if memory => format!("{a}, {}", based(b, x)),
        Operands::RegRegImm { a, b, x } => format!("{a}, {b}, {}", imm(x)),
        Operands::RegRegOffset { a, b, target } => format!("{a}, {b}, {}", place(target)),
        Operands::RegRegImmImm { a, b, x, y } => format!("{a}, {b}, {}, {}", imm(x), imm(y)),
        Operands::RegRegReg { d, a, b } => format!("{d}, {a}, {b}"),
    };
    format!("{} {rest}", spec.mnemonic)
}

/// A number: small ones in decimal, others in hexadecimal.
pub(crate) fn number(value: i64) -> String {
    let magnitude = value.unsigned_abs();
    let sign = if value < 0 { "-" } else { "" };
    if magnitude < 4096 { format!("{sign}{magnitude}") } else { format!("{sign}{magnitude:#x}") }
}

fn address(value: i32) -> String {
    format!("[{:#x}]", value as u32)
}

fn based(base: pvm_ops::Reg, offset: i32) -> String {
    match i64::from(offset) {
        0 => format!("[{base}]"),
        positive @ 1.. => format!("[{base} + {}]", number(positive)),
        negative => format!("[{base} - {}]", number(-negative)),
    }
}

/// Bytes as a string literal.
pub(crate) fn quoted(bytes: &[u8]) -> String {
    let mut text = String::from("\"");
    for &byte in bytes {
        match byte {
            b'"' | b'\\' => text.extend(['\\', char::from(byte)]),
            b' '..=b'~' => text.push(char::from(byte)),
            _ => {
                let _ = write!(text, "\\x{byte:02x}");
            }
        }
    }
    text.push('"');
    text
}

/// Bytes in a row of a data section.
const ROW: usize = 32;

/// The content of a data section, with the address of each row if the section has one.
pub(crate) fn data_lines(out: &mut String, data: &[u8], address: Option<u32>, style: Style) {
    let is_zero = |row: &[u8]| style == Style::Friendly && row.iter().all(|&byte| byte == 0);
    let mut offset = 0;
    while offset < data.len() {
        let rest = &data[offset..];
        let zeros: usize = rest.chunks(ROW).take_while(|row| is_zero(row)).map(<[u8]>::len).sum();
        let taken = if zeros > ROW { zeros } else { rest.len().min(ROW) };
        if zeros > ROW {
            let _ = write!(out, "    .zero {zeros}");
        } else {
            out.push_str("    .hex ");
            for byte in &rest[..taken] {
                let _ = write!(out, "{byte:02x}");
            }
        }
        match address {
            Some(address) => {
                let _ = writeln!(out, " # {:#x}", u64::from(address) + offset as u64);
            }
            None => out.push('\n'),
        }
        offset += taken;
    }
}

//! What is in a RISC-V program.

use super::text::Lines;
use super::{Area, LISTED, areas};
use crate::Io;
use anyhow::Result;
use pvm_host::escape;
use pvm_program::{Executable, FLOAT_ABI, SymbolKind};
use pvm_rv32::Instruction;
use serde::Serialize;

/// What is in it, with the names that it has in JSON.
#[derive(Debug, Serialize)]
struct Info {
    kind: &'static str,
    file_bytes: usize,
    format: &'static str,
    isa: &'static str,
    entry: u32,
    memory: Vec<Area>,
    code_bytes: usize,
    instructions: usize,
    basic_blocks: usize,
    symbols: Vec<SymbolInfo>,
    /// Whether arguments are passed in floating-point registers, which there are none of.
    needs_floats: bool,
}

#[derive(Debug, Serialize)]
struct SymbolInfo {
    name: String,
    address: u32,
    size: u32,
    kind: &'static str,
}

/// Shows what is in a RISC-V program, a file of such a format and so many bytes.
pub fn print(
    executable: &Executable,
    format: &'static str,
    file_bytes: usize,
    is_json: bool,
    io: &mut Io<'_>,
) -> Result<()> {
    let info = Info::new(executable, format, file_bytes);
    match is_json {
        true => io.print(serde_json::to_string(&info)? + "\n"),
        false => io.print(info.text()),
    }
}

impl Info {
    fn new(executable: &Executable, format: &'static str, file_bytes: usize) -> Info {
        let symbol = |symbol: &pvm_program::Symbol| SymbolInfo {
            name: symbol.name.clone(),
            address: symbol.address,
            size: symbol.size,
            kind: match symbol.kind {
                SymbolKind::Function => "function",
                SymbolKind::Object => "object",
                SymbolKind::Label => "label",
            },
        };
        let code: Vec<&[u8]> = executable
            .image
            .segments
            .iter()
            .filter(|segment| segment.access.is_executable())
            .map(|segment| &segment.data[..])
            .collect();
        let counts = code.iter().map(|bytes| count(bytes));
        let (instructions, ends) = counts.fold((0, 0), |(a, b), (c, d)| (a + c, b + d));
        Info {
            kind: "program",
            file_bytes,
            format,
            isa: "RV32IMAC",
            entry: executable.entry,
            memory: areas(&executable.image),
            code_bytes: code.iter().map(|bytes| bytes.len()).sum(),
            instructions,
            basic_blocks: ends + 1,
            symbols: executable.symbols.iter().map(symbol).collect(),
            needs_floats: executable.flags & FLOAT_ABI != 0,
        }
    }

    fn text(&self) -> String {
        let mut out = Lines::default();
        out.field("format", format!("{} ({}), {} bytes", self.format, self.isa, self.file_bytes));
        out.field("entry", format!("{:#010x}", self.entry));
        self.memory.iter().for_each(|area| out.area(area));
        let (code, instructions, blocks) = (self.code_bytes, self.instructions, self.basic_blocks);
        out.field("code", format!("{code} bytes, about {instructions} instructions in {blocks} basic blocks"));
        for symbol in self.symbols.iter().take(LISTED) {
            let name = escape(symbol.name.as_bytes());
            out.field("symbol", format!("{:#010x}  {:>6}  {:<8}  {name}", symbol.address, symbol.size, symbol.kind));
        }
        let more = self.symbols.len().saturating_sub(LISTED);
        if more > 0 {
            out.field("", format!("… and {more} more (--json lists all)"));
        }
        if self.needs_floats {
            out.field("warning", "it passes arguments in floating-point registers, which there are none of".to_owned());
        }
        out.into_text()
    }
}

/// How many instructions there are when bytes are read as code from the first on, and how many of them end a block. Data among
/// the code counts, too, as far as it looks like instructions.
fn count(bytes: &[u8]) -> (usize, usize) {
    let (mut instructions, mut ends, mut at) = (0, 0, 0);
    while at + 2 <= bytes.len() {
        let available = (bytes.len() - at).min(4);
        let word = bytes[at..at + available].iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
        match Instruction::decode(word) {
            Ok((instruction, len)) if len as usize <= available => {
                instructions += 1;
                ends += usize::from(instruction.lower(0).ends_block());
                at += len as usize;
            }
            _ => at += 2,
        }
    }
    (instructions, ends)
}

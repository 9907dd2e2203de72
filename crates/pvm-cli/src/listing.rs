//! RISC-V programs as text: an instruction a line, in the manner of `objdump`.

use crate::Io;
use anyhow::Result;
use pvm_host::escape;
use pvm_program::{Executable, Segment};
use pvm_rv32::Instruction;
use std::fmt::Write;

/// Prints the executable segments of a program.
pub fn print(executable: &Executable, io: &mut Io<'_>) -> Result<()> {
    for segment in executable.image.segments.iter().filter(|segment| segment.access.is_executable()) {
        io.print(format!("{} from {:#010x}:\n", segment.name, segment.address))?;
        code(executable, segment, io)?;
    }
    Ok(())
}

fn code(executable: &Executable, segment: &Segment, io: &mut Io<'_>) -> Result<()> {
    let first = executable.symbols.partition_point(|symbol| symbol.address < segment.address);
    let mut symbols = executable.symbols[first..].iter().peekable();
    let mut at = 0;
    while at < segment.data.len() {
        let pc = segment.address + at as u32;
        let mut text = String::new();
        while let Some(symbol) = symbols.next_if(|symbol| symbol.address <= pc) {
            // Writing to a string does not fail.
            let _ = writeln!(text, "\n{:08x} <{}>:", symbol.address, escape(symbol.name.as_bytes()));
        }
        let (line, len) = line(&segment.data[at..], pc);
        text += &line;
        io.print(text)?;
        at += len;
    }
    Ok(())
}

/// The text of what begins these bytes, and its length. Runs of zeros, of which there is no instruction, are put together.
fn line(bytes: &[u8], pc: u32) -> (String, usize) {
    let zeros = bytes.iter().take_while(|&&byte| byte == 0).count() & !3;
    if zeros >= 16 {
        return (format!("{pc:8x}:\t...\t\t{zeros} zeros\n"), zeros);
    }
    let word = |len: usize| bytes[..len].iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
    let available = bytes.len().min(4);
    if available < 2 {
        return (format!("{pc:8x}:\t{:02x}      \t.byte {:#04x}\n", bytes[0], bytes[0]), 1);
    }
    match Instruction::decode(word(available)) {
        Ok((instruction, len)) if len as usize <= available => {
            let (len, digits) = (len as usize, 2 * len as usize);
            (format!("{pc:8x}:\t{:0digits$x}{:pad$}\t{}\n", word(len), "", instruction.text(pc), pad = 8 - digits), len)
        }
        _ => (format!("{pc:8x}:\t{:04x}    \t.hword {:#06x}\n", word(2), word(2)), 2),
    }
}

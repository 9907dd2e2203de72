//! The text of a program.
//!
//! An instruction is written as such only if the assembler would make exactly its bytes of it; everything else is
//! written as bytes, with the places where the bitmask starts an instruction. So no program is beyond the text.

use crate::text::{data_lines, number, operands, quoted};
use pvm_isa::{Instruction, MAX_SKIP, Operands, Profile};
use pvm_program::{Blob, Format, Program, ZONE_SIZE};
use std::fmt::Write;

/// How places in the code are written, and data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Style {
    /// With labels, and long runs of zeros in short.
    Friendly,
    /// With program counters: nothing is left to the assembler.
    Literal,
}

/// The text of `program`.
pub(crate) fn listing(program: &Program, profile: Profile, style: Style) -> String {
    let mut lister = Lister { blob: &program.blob, profile, style, labels: Vec::new(), out: String::new() };
    if style == Style::Friendly {
        lister.find_labels(program);
    }
    lister.header(program);
    let polkavm = program.polkavm();
    for section in polkavm.map_or(&[][..], |(_, sections)| sections) {
        if section.id == CODE_SECTION {
            lister.code(program);
        } else {
            let _ = writeln!(lister.out, "\n.section {}", section.id);
            data_lines(&mut lister.out, &section.payload, None, style);
        }
    }
    if polkavm.is_none() {
        lister.data(program);
        lister.code(program);
    }
    lister.out
}

/// The section of a `.polkavm` file that is the code.
const CODE_SECTION: u8 = 6;
/// Opcode and four bytes of offset.
const WIDE_JUMP_LEN: usize = 5;

struct Lister<'p> {
    blob: &'p Blob,
    profile: Profile,
    style: Style,
    /// Program counters that have labels, in order.
    labels: Vec<u32>,
    out: String,
}

// Writing into a string cannot fail.
impl Lister<'_> {
    fn header(&mut self, program: &Program) {
        let _ = writeln!(self.out, ".format {}", program.format);
        let _ = writeln!(self.out, ".profile {}", self.profile);
        if let Some((isa, _)) = program.polkavm() {
            let _ = writeln!(self.out, ".isa {isa}");
        }
        for chunk in program.metadata.iter().flat_map(|metadata| metadata.chunks(64)) {
            let _ = writeln!(self.out, ".metadata {}", quoted(chunk));
        }
    }

    fn data(&mut self, program: &Program) {
        if !matches!(program.format, Format::Jam | Format::Standard) {
            return;
        }
        let Some(program) = program.standard() else { return };
        let _ = writeln!(self.out, ".stack {}\n.heap_pages {}", program.stack_size, program.heap_pages);
        let rw_at = 2 * ZONE_SIZE + (program.ro_data.len() as u32).next_multiple_of(ZONE_SIZE);
        for (name, data, address) in [(".rodata", &program.ro_data, ZONE_SIZE), (".rwdata", &program.rw_data, rw_at)] {
            if !data.is_empty() {
                let _ = writeln!(self.out, "\n{name}");
                data_lines(&mut self.out, data, Some(address), self.style);
            }
        }
    }

    fn code(&mut self, program: &Program) {
        self.jump_table();
        self.out.push_str("\n.text\n");
        let len = self.blob.code.len() as u32;
        let mut pc = 0;
        while pc < len {
            let end = (pc + 1..len).find(|&next| self.blob.starts_instruction(next)).unwrap_or(len);
            self.label(program, pc);
            self.run(pc, end);
            pc = end;
        }
    }

    fn label(&mut self, program: &Program, pc: u32) {
        for export in program.exports.iter().filter(|export| export.pc == pc) {
            let _ = writeln!(self.out, "# {:?}", export.name);
        }
        if self.labels.binary_search(&pc).is_ok() {
            let _ = writeln!(self.out, "L{pc}:");
        }
    }

    /// The bytes from `pc` up to the next start of an instruction.
    fn run(&mut self, pc: u32, end: u32) {
        let bytes = &self.blob.code[pc as usize..end as usize];
        let mut directive = if self.blob.starts_instruction(pc) { ".inst" } else { ".bytes" };
        if let Some(text) = self.instruction(pc, end) {
            let _ = write!(self.out, "    {text:<40} # {pc}:");
            for byte in bytes {
                let _ = write!(self.out, " {byte:02x}");
            }
            self.out.push('\n');
            return;
        }
        for (index, chunk) in bytes.chunks(16).enumerate() {
            let chunk: Vec<String> = chunk.iter().map(|byte| format!("0x{byte:02x}")).collect();
            let text = format!("{directive} {}", chunk.join(", "));
            let _ = writeln!(self.out, "    {text:<40} # {}", pc as usize + 16 * index);
            directive = ".bytes";
        }
    }

    /// The text of the instruction at `pc` if assembling it gives exactly the bytes up to `end`.
    fn instruction(&self, pc: u32, end: u32) -> Option<String> {
        let instruction = self.decode(pc, end)?;
        let bytes = &self.blob.code[pc as usize..end as usize];
        let place = |target: i64| match self.is_needlessly_long(instruction, pc) {
            true => target.to_string(),
            false => self.place(target),
        };
        let mut encoded = Vec::new();
        instruction.encode(self.profile, pc, &mut encoded).ok()?;
        if encoded == bytes {
            return Some(operands(instruction, place));
        }
        // Entry points begin with a jump of five bytes, whatever the distance.
        match instruction.operands {
            Operands::Offset { target } if bytes.len() == WIDE_JUMP_LEN => {
                Some(format!(".jump_wide {}", place(target)))
            }
            _ => None,
        }
    }

    /// Whether a jump forward is so long only because it is so long: one byte shorter, it would have a shorter way and
    /// need no more. The assembler would make that of a label, so the place must be a number.
    fn is_needlessly_long(&self, instruction: Instruction, pc: u32) -> bool {
        let len = |pc| {
            let mut encoded = Vec::new();
            instruction.encode(self.profile, pc, &mut encoded).map(|()| encoded.len())
        };
        let forward = instruction.operands.target().is_some_and(|target| target > i64::from(pc));
        forward && len(pc + 1).ok() < len(pc).ok()
    }

    fn decode(&self, pc: u32, end: u32) -> Option<Instruction> {
        let skip = (end - pc - 1).min(MAX_SKIP);
        let starts = self.blob.starts_instruction(pc);
        starts.then(|| Instruction::decode(self.profile, &self.blob.code, pc, skip)).flatten()
    }

    /// A place in the code: its label, or else the program counter.
    fn place(&self, target: i64) -> String {
        let label = u32::try_from(target).ok().filter(|pc| self.labels.binary_search(pc).is_ok());
        label.map_or_else(|| target.to_string(), |pc| format!("L{pc}"))
    }

    fn jump_table(&mut self) {
        let blob = self.blob;
        match blob.jump_size {
            0 if blob.jump_count == 0 => return,
            0 => {
                let _ = writeln!(self.out, "\n.jump_table 0, {}", blob.jump_count);
                return;
            }
            size => {
                let _ = writeln!(self.out, "\n.jump_table {size}");
            }
        }
        for (index, entry) in blob.jump_bytes.chunks_exact(usize::from(blob.jump_size)).enumerate() {
            let text = match entry_value(entry) {
                Some(value) => {
                    let value = i64::try_from(value).map_or_else(|_| value.to_string(), |value| self.place(value));
                    format!(".jump_entry {value}")
                }
                None => format!(".jump_bytes {}", entry.iter().map(|byte| format!("{byte:02x}")).collect::<String>()),
            };
            let _ = writeln!(self.out, "    {text:<40} # address {}", number(2 * (index as i64 + 1)));
        }
    }

    /// Labels stand where instructions start and something leads to: jumps, the jump table, exports.
    fn find_labels(&mut self, program: &Program) {
        let blob = self.blob;
        let mut labels: Vec<u32> = program.exports.iter().map(|export| export.pc).collect();
        let len = blob.code.len() as u32;
        let mut end = len;
        for pc in (0..len).rev().filter(|&pc| blob.starts_instruction(pc)) {
            let target = self.decode(pc, end).and_then(|instruction| instruction.operands.target());
            labels.extend(target.and_then(|target| u32::try_from(target).ok()));
            end = pc;
        }
        labels.extend(blob.jump_entries());
        labels.retain(|&pc| blob.starts_instruction(pc));
        labels.sort_unstable();
        labels.dedup();
        self.labels = labels;
    }
}

/// The value of a jump-table entry, if eight bytes hold it.
fn entry_value(entry: &[u8]) -> Option<u64> {
    let (low, high) = entry.split_at(entry.len().min(8));
    let mut eight = [0; 8];
    eight[..low.len()].copy_from_slice(low);
    high.iter().all(|&byte| byte == 0).then_some(u64::from_le_bytes(eight))
}

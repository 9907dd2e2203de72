//! Accesses by the segment register on x86-64.
//!
//! Cranelift writes no segment prefixes. It is given addresses as guests have them, and marks the instructions that use
//! them ([`WATCHED`], [`TRIPWIRE`]); prefixes put before these make the addresses relative to the base of GS.
//!
//! Without its prefixes such an instruction would access the host's memory. So code is only taken if each instruction that
//! accesses memory other than the stack is marked ([`Audit`]).

use crate::compact::Prefix;
use cranelift_codegen::MachTrap;
use iced_x86::{Instruction, Mnemonic, OpKind, Register};
use pvm_clif::{TRIPWIRE, WATCHED};

/// Relative to the base of GS.
const GS: u8 = 0x65;
/// Modulo 2^32: registers count with their low halves only.
const ADDRESS_32: u8 = 0x67;

/// The prefixes of the instructions that are marked, by where they are.
pub(crate) fn prefixes(traps: &[MachTrap]) -> Vec<Prefix> {
    let prefix = |trap: &MachTrap| {
        let bytes: &[u8] = match trap.code {
            WATCHED => &[GS, ADDRESS_32],
            TRIPWIRE => &[GS],
            _ => return None,
        };
        Some(Prefix { at: trap.offset as usize, bytes })
    };
    let mut prefixes: Vec<_> = traps.iter().filter_map(prefix).collect();
    prefixes.sort_unstable_by_key(|prefix| prefix.at);
    prefixes.dedup_by_key(|prefix| prefix.at);
    prefixes
}

/// Looks for accesses that are not marked.
pub(crate) struct Audit {
    /// Where marked instructions are, ascending.
    marked: Vec<u32>,
    /// The register that the last instruction has set to the address of a branch table.
    table: Option<Register>,
}

impl Audit {
    /// An audit of code of which Cranelift says this.
    pub(crate) fn new(traps: &[MachTrap]) -> Audit {
        let mut marked: Vec<u32> = traps.iter().map(|trap| trap.offset).collect();
        marked.sort_unstable();
        Audit { marked, table: None }
    }

    /// Whether the next instruction of the code is fine.
    pub(crate) fn allows(&mut self, instruction: &Instruction) -> bool {
        let table = self.table.take();
        let is_address = matches!(instruction.mnemonic(), Mnemonic::Lea | Mnemonic::Nop);
        if is_address && instruction.is_ip_rel_memory_operand() {
            self.table = Some(instruction.op0_register());
        }
        let accesses = (0..instruction.op_count()).any(|op| instruction.op_kind(op) == OpKind::Memory);
        if !accesses || is_address || instruction.is_ip_rel_memory_operand() {
            return true;
        }
        let is_stack = instruction.memory_base() == Register::RSP && instruction.memory_index() == Register::None;
        let is_table = instruction.mnemonic() == Mnemonic::Movsxd && Some(instruction.memory_base()) == table;
        is_stack || is_table || self.marked.binary_search(&(instruction.ip() as u32)).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use iced_x86::{Decoder, DecoderOptions};

    fn audit(code: &[u8], marked: &[u32]) -> Option<u64> {
        let mut audit = Audit { marked: marked.to_vec(), table: None };
        Decoder::new(64, code, DecoderOptions::NONE).iter().find(|one| !audit.allows(one)).map(|one| one.ip())
    }

    #[test]
    fn accesses_must_be_marked() {
        // mov rax, [rsp + 8]; mov rax, [rbx]; nop [rax]
        let code = [0x48, 0x8b, 0x44, 0x24, 0x08, 0x48, 0x8b, 0x03, 0x0f, 0x1f, 0x00];
        assert_eq!(audit(&code, &[5]), None);
        assert_eq!(audit(&code, &[]), Some(5));
        // mov [rsp + rax], rcx
        assert_eq!(audit(&[0x48, 0x89, 0x0c, 0x04], &[]), Some(0), "it may lead anywhere");
        // add [rax], rcx
        assert_eq!(audit(&[0x48, 0x01, 0x08], &[]), Some(0));
        // lea rax, [rip]; movsxd rcx, [rax + 4 * rcx]; movsxd rcx, [rax + 4 * rcx]
        let code = [0x48, 0x8d, 0x05, 0, 0, 0, 0, 0x48, 0x63, 0x0c, 0x88, 0x48, 0x63, 0x0c, 0x88];
        assert_eq!(audit(&code, &[]), Some(11), "only the first is known to be in the table");
    }
}

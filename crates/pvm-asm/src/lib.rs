//! PVM assembler and disassembler.
//!
//! [`disassemble`] writes any program as text, [`assemble`] reads it, and what comes out is the same file byte for byte,
//! however strange the program is. Both follow the instruction table of `pvm-isa`: there is code for each operand format
//! and none for single instructions.
//!
//! ```
//! let bytes = pvm_asm::assemble("
//! .format raw
//!         load_imm a0, 0
//! loop:   add_imm_64 a0, a0, 1        # the destination comes first
//!         branch_lt_u_imm a0, 10, loop
//!         jump_ind ra, 0
//! ").unwrap();
//! let program = pvm_program::Program::parse(&bytes).unwrap();
//! let text = pvm_asm::disassemble(&program, pvm_isa::Profile::V0_7);
//! assert!(text.contains("branch_lt_u_imm r7, 10, L2"));
//! assert_eq!(pvm_asm::assemble(&text), Ok(bytes));
//! ```
//!
//! # Syntax
//!
//! One statement on a line, labels before it (`name:`), comments after `#` or `;`. Names, labels and constants share one
//! space; they consist of letters, digits, `_`, `.` and `$`. Registers are `r0` to `r12`, or by their use `ra sp t0-t2
//! s0-s1 a0-a5`.
//!
//! Operands stand in this order: destination, sources, immediates, target; in a store the value is first. Addresses stand
//! in brackets.
//!
//! ```text
//! add_64 r9, r7, r8          load_u8 r7, [0x20000]          jump label
//! add_imm_64 r7, r8, 5       load_ind_u64 r7, [r8 + 16]     branch_eq_imm r7, 5, label
//! move_reg r7, r8            store_ind_u8 r7, [r8 - 1]      branch_lt_u r7, r8, label
//! load_imm_64 r7, 0x1234     store_imm_u8 [0x20000], 5      load_imm_jump r0, @back, label
//! ecalli 100                 store_imm_ind_u32 [r7 + 8], 5  load_imm_jump_ind r0, r7, @back, 0
//! ```
//!
//! A number is an expression of `10`, `0x0a`, `0b1010`, `'a'`, names, `+ - *` and parentheses. A label in the code is its
//! program counter, a label in data its guest address. `@label` is the address with which `jump_ind` gets to a label in
//! the code; the label gets an entry in the jump table unless it has one.
//!
//! | directive | meaning |
//! |---|---|
//! | `.format F` | the container: `jam` (if nothing is said), `spi`, `raw` or `polkavm` |
//! | `.profile P` | the numbering of opcodes: `0.7` (if nothing is said), `draft` or `0.8` |
//! | `.metadata BYTES` | metadata; more of it is appended |
//! | `.info "NAME", "VERSION", "LICENCE", "AUTHOR" …` | metadata in the usual form |
//! | `.stack N`, `.heap_pages N` | stack size in bytes, zeroed pages after the read-write data |
//! | `.rodata`, `.rwdata`, `.text` | what follows goes there; a source begins in `.text` |
//! | `.u8` `.u16` `.u32` `.u64` `E, …` | numbers in data |
//! | `.hex BYTES`, `.ascii BYTES`, `.zero N`, `.align N` | bytes in data |
//! | `.equ NAME, E` | a constant; it may use constants defined above and any labels |
//! | `.jump_table SIZE` | bytes in an entry of the jump table; `.jump_table 0, COUNT` for entries of none |
//! | `.jump_entry E, …`, `.jump_bytes BYTES` | entries of the jump table, before those of `@label` |
//! | `.jump_wide E` | a `jump` that always takes five bytes, so that the next entry point is at 5 |
//! | `.inst B, …` | bytes in the code, the first of them marked as an instruction start |
//! | `.bytes B, …` | bytes in the code that are not marked; they belong to the instruction before |
//! | `.isa N`, `.section ID`, `.export NAME, E` | `.polkavm`: ISA byte, a section as bytes, an entry point |
//!
//! `BYTES` are strings (with `\n \r \t \0 \\ \" \xNN`) and rows of hexadecimal digits.
#![forbid(unsafe_code)]

mod directive;
mod error;
mod expr;
mod field;
mod layout;
mod listing;
mod operands;
mod output;
mod source;
mod statement;
mod symbols;
mod text;
mod token;

pub use error::{AsmError, AsmProblem};

use listing::{Style, listing};
use pvm_isa::Profile;
use pvm_program::Program;

/// Assembles a source to the bytes of a program file, in the container that the source asks for.
///
/// # Errors
///
/// With the place of the first mistake.
pub fn assemble(source: &str) -> Result<Vec<u8>, AsmError> {
    output::write(&source::Source::parse(source)?)
}

/// The text of a program, its opcodes read as in `profile`. [`assemble`] makes the same file of it.
///
/// Instructions are written with labels. In rare programs the assembler would choose a shorter jump than the program has
/// although both fit (two jumps that span each other at the edge of an encoding); the text of such a program has program
/// counters instead.
pub fn disassemble(program: &Program, profile: Profile) -> String {
    let text = listing(program, profile, Style::Friendly);
    let mut bytes = Vec::new();
    let encoded = program.encode(&mut bytes);
    if encoded.is_ok() && assemble(&text).as_ref() == Ok(&bytes) {
        return text;
    }
    listing(program, profile, Style::Literal)
}

//! RISC-V, 32 bits: the instruction table and everything that follows from it.
//!
//! Each instruction of I, M, A, C, Zicsr and Zifencei is a row of plain data, in the convention of the `riscv-opcodes`
//! repository: bits that are fixed (`mask`, `value`), where operands are ([`Format`]), what it does ([`Meaning`]). There is
//! no code per instruction.
//!
//! | module | what it does |
//! |---|---|
//! | `table` | the rows |
//! | `format` | where operands are in an instruction, and how to take them out and put them in |
//! | `meaning` | what instructions do |
//! | `instruction` | one instruction: decode, encode |
//! | `lower` | from an instruction to the vocabulary that interpreter and compiler share |
//! | `code` | guest memory as code |
//! | `text` | an instruction as `objdump` writes it |
//!
//! ```
//! use pvm_rv32::Instruction;
//!
//! let (instruction, len) = Instruction::decode(0xfff5_0513)?;
//! assert_eq!((instruction.text(0).as_str(), len), ("addi a0, a0, -1", 4));
//! assert_eq!(instruction.encode(), Some(0xfff5_0513));
//! # Ok::<(), pvm_rv32::Illegal>(())
//! ```
//!
//! Sources: The RISC-V Instruction Set Manual, volume I (unprivileged), 20240411: chapters 2 (RV32I), 5 (Zifencei), 6
//! (Zicsr), 12 (M), 13 (A), 26 (C), 35 (instruction listings).
#![forbid(unsafe_code)]

mod code;
mod format;
mod instruction;
mod lower;
mod meaning;
mod table;
mod text;

pub use code::{Code, cause};
pub use format::{Format, Piece, Place};
pub use instruction::{Illegal, Instruction};
pub use meaning::{Meaning, Source};
pub use table::{Extension, NonZero, SPECS, Spec};
pub use text::register_name;

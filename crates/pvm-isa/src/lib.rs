//! The PVM instruction set: one table and what follows from it.
//!
//! [`table`](Opcode) has a row for every instruction: its opcode byte in each [`Profile`], mnemonic, [`Format`],
//! [`Meaning`] and [`Cost`]. Decoder, encoder, lowering, assembler, disassembler, gas models, test generators and the
//! table in `docs/` are all ordinary functions over these rows; adding an instruction is adding a row.
//!
//! ```
//! use pvm_isa::{Instruction, Opcode, Operands, Profile};
//! use pvm_ops::Reg;
//!
//! let add = Instruction {
//!     opcode: Opcode::Add64,
//!     operands: Operands::RegRegReg { d: Reg::R9, a: Reg::R7, b: Reg::R8 },
//! };
//! let mut code = Vec::new();
//! add.encode(Profile::V0_7, 0, &mut code).unwrap();
//! assert_eq!(code, [200, 0x87, 9]);
//! assert_eq!(Instruction::decode(Profile::V0_7, &code, 0, 2), Some(add));
//! ```
#![forbid(unsafe_code)]

mod cost;
mod decode;
mod encode;
mod format;
mod instruction;
mod lower;
mod meaning;
mod profile;
mod table;

pub use cost::{Cost, Discount, Latency, Unit};
pub use encode::EncodeError;
pub use format::Format;
pub use instruction::{Instruction, Operands};
pub use meaning::Meaning;
pub use profile::Profile;
pub use table::{Opcode, SPECS, Spec};

/// The highest register; higher numbers in an encoding mean this one (Gray Paper A.5).
pub const LAST_REG: pvm_ops::Reg = pvm_ops::Reg::R12;

/// How many registers the machine has.
pub const REG_COUNT: usize = 13;

/// The longest run of bytes between two instruction starts, the opcode byte not counted (Gray Paper A.3: `skip`).
pub const MAX_SKIP: u32 = 24;

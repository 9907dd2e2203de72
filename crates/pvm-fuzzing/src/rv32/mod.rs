//! Random programs for RISC-V, and QEMU as a second opinion on them.
//!
//! | module | what it is for |
//! |---|---|
//! | `emitter` | instructions by name, places that are known later |
//! | `roles` | which registers a program may use for what |
//! | `body` | random code: what is computed |
//! | `flow` | random code: branches, loops, calls, jumps, code that changes itself |
//! | `wild` | code that may trap |
//! | `batch` | many cases in one program, which writes what came of each |
//! | `qemu` | a batch on QEMU and on our engines |
//!
//! A *tame* case ends by itself, traps nowhere and does not depend on time, so that many of them can be put into one program
//! that any engine runs. A *wild* one may do anything.

mod batch;
mod body;
mod emitter;
mod flow;
mod qemu;
mod roles;
mod wild;

pub use batch::{Batch, RESULT_WORDS};
pub use qemu::{Disagreement, Oracle};
pub use wild::wild;

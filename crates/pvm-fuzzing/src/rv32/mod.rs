//! Random programs for RISC-V, interpreted and compiled, and QEMU as a second opinion on them.
//!
//! | module | what it is for |
//! |---|---|
//! | `emitter` | instructions by name, places that are known later |
//! | `roles` | which registers a program may use for what |
//! | `body` | random code: what is computed |
//! | `flow` | random code: branches, loops, calls, jumps, code that changes itself |
//! | `stream` | random code without structure; handlers of traps |
//! | `wild`, `script` | cases: code that may trap, and what the host does then |
//! | `case`, `play` | a case as a file; playing it on an engine |
//! | `tiers` | a case interpreted and compiled |
//! | `shrink` | the smallest case that still differs |
//! | `batch` | many cases in one program, which writes what came of each |
//! | `qemu` | a batch on QEMU and on our engines |
//!
//! A *tame* case ends by itself, traps nowhere and does not depend on time, so that many of them can be put into one program
//! that any engine runs. A *wild* one may do anything.

mod batch;
mod body;
mod case;
mod emitter;
mod flow;
mod idioms;
mod play;
mod qemu;
mod roles;
mod script;
mod shrink;
mod stream;
mod tiers;
mod wild;

pub use batch::{Batch, RESULT_WORDS};
pub use case::{Action, Answer, Area, Case, Step};
pub use play::Stop;
pub use qemu::{Disagreement, Oracle};
pub use shrink::shrink;
pub use tiers::{Difference, Report, Tiers};
pub use wild::wild;

//! From guest basic blocks to Cranelift IR.
//!
//! The unit of compilation is a *region*: basic blocks that lead to each other, in one Cranelift function, with guest
//! registers as SSA values.
//!
//! | module | question it answers |
//! |---|---|
//! | [`Blocks`] | which blocks does the code have, and where does each lead? |
//! | `explore` | the same, where blocks are not known ahead |
//! | [`Region`] | which blocks are compiled together, and where can they be entered? |
//! | `checkpoints` | where is gas compared, and with how much? |
//! | `constants` | which dynamic jumps are direct ones, seen with what comes before? |
//! | `counters` | what is foreseen in a loop, as it follows from what counts its rounds? |
//! | `graph` | how do the blocks of a region lead to each other, and which are written several times? |
//! | `groups` | which memory accesses share one check of page rights? |
//! | `parking` | which registers stay on the stack while a loop runs? |
//! | `proven` | which memory accesses cannot be refused? |
//! | `uses` | what do blocks do with registers, and which are still of use? |
//! | `returns` | where is a dynamic jump likely to go? |
//! | [`translate`] | what is the IR of a region? |
//! | [`Exit`] | why does compiled code return? |
//! | [`Mark`] | which machine code belongs to which guest access? |
//!
//! Compiled code never decides a rare case. A failed check, of gas or of page rights, leaves the function with every
//! register, the gas and the program counter as they were before the instruction concerned, and the interpreter, which
//! is exact, goes on from there.
#![forbid(unsafe_code)]

mod blocks;
mod checkpoints;
mod constants;
mod counters;
mod exit;
mod explore;
mod graph;
mod groups;
#[cfg(test)]
mod listing;
mod loops;
mod mark;
mod parking;
mod proven;
mod region;
mod returns;
mod translate;
mod uses;

pub use blocks::{Block, BlockId, Blocks, Ending};
pub use exit::Exit;
pub use mark::Mark;
pub use region::Region;
pub use translate::{Faults, Metering, signature, translate};

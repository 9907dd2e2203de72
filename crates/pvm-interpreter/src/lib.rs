//! The reference interpreter.
//!
//! It is the first tier of the engine, the place where compiled code goes for everything rare, and the oracle that tests
//! compare compiled code with. It is exact in every exit: program counter, registers, gas and memory are what the
//! specification says, in all gas models.
//!
//! Code is translated once, ahead of time, into [`Cells`]: twenty bytes for each instruction, in the order of the code,
//! with operands decoded, jump targets resolved and the gas of the rest of the block beside it. Running is a chain of
//! *handlers*, functions that do one instruction, or several that often follow one another, and call the next one's: no
//! allocation, no look-up of any kind between blocks.
//!
//! | module | what it does |
//! |---|---|
//! | `build` | translates code into cells, all of it ahead |
//! | `learn` | translates code that the guest comes to, and forgets code that has changed |
//! | `places` | where the guest has come to |
//! | `decode` | one instruction as a cell |
//! | `cell` | cells; the list of operations |
//! | `step` | what single instructions do |
//! | `handlers` | how they go on: steps, ends of blocks, and several in one |
//! | `pairs` | which operations are done together; the table of handlers |
//! | `machine` | what handlers share |
//! | `run` | starting handlers, again and again, until something stops the guest; low gas |
//! | `hotness` | counts of blocks |
//!
//! Where every address may be the start of an instruction (RISC-V), code is translated as the guest comes to it, in *runs*
//! ([`Cells::learn`]), and translated again when it has changed ([`Cells::forget`]).
//!
//! # Gas
//!
//! Gas is charged by *segment*, a run of instructions that is entered only at known places: entering at an instruction
//! charges [`cell`](Cells)'s cost from there to the end of the segment. In the per-instruction model a segment ends
//! after each host call, as the host may look at the gas, and what was charged for instructions that a fault keeps from
//! running is paid back. If the gas does not suffice for a segment, its instructions run one by one until it is used up.
//! In the block models a segment is a basic block and is paid whole or not at all.
#![forbid(unsafe_code)]

mod build;
mod cell;
mod decode;
mod handlers;
mod hotness;
mod learn;
mod machine;
mod pairs;
mod places;
mod run;
mod step;

pub use build::Cells;
pub use hotness::Hotness;
pub use run::Stop;

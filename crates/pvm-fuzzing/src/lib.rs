//! Generators and oracles for tests.
//!
//! | module | what it is for |
//! |---|---|
//! | [`BlobBuilder`] | programs from instructions |
//! | [`operands`] | every form of operands of a format, with values at which arithmetic turns |
//! | [`Guest`], [`Setup`] | running one guest on several engines and comparing all that can be observed |
//! | [`Case`], [`play`] | a program, its start and what its host does at each stop, as a file; playing it on an engine |
//! | [`random`] | structured random cases |
//! | [`Engines`] | the oracle: a case on the interpreter, on compiled code, and on the `polkavm` crate |
//! | [`Interrupter`] | a thread that interrupts guests, which must not be seen |
//! | [`Quirk`] | where `polkavm` is known to differ, and what becomes of such cases |
//! | [`parsers`] | inputs for the parsers, and what must hold of the outcome |
//! | [`clif`] | random functions through the PVM back end, against Cranelift's interpreter |
//! | [`wasm`] | random WebAssembly modules through the compiler, against `wasmi` |
//! | [`rv32`] | random RISC-V programs, and QEMU as a second opinion on them |
//! | [`shrink`] | the smallest case that still differs |
#![forbid(unsafe_code)]

mod build;
mod case;
pub mod clif;
mod compare;
mod differential;
mod interrupter;
mod names;
pub mod operands;
mod ours;
pub mod parsers;
mod peer;
mod play;
mod quirks;
pub mod random;
mod relocate;
pub mod rv32;
mod setting;
mod shrink;
pub mod wasm;

pub use build::BlobBuilder;
pub use case::{Action, Case, Page, Step};
pub use compare::{Guest, Observation, Pages, Setup, first_difference};
pub use differential::{Difference, Engines, PeerReport, Report};
pub use interrupter::Interrupter;
pub use ours::Ours;
pub use peer::{Peer, PeerEngine};
pub use play::{Machine, Stop, Stopped, play};
pub use quirks::Quirk;
pub use setting::Setting;
pub use shrink::shrink;

//! Cranelift IR for the meanings of `pvm-ops`.
//!
//! [`alu`] is the twin of `pvm_ops`' `eval`: the same operations, as IR. [`GuestMemory`] is the one place that computes
//! guest addresses and checks the rights of pages. Every front end emits through these two, so that each corner case is
//! decided once. [`idioms`] are sequences of guests that take fewer instructions on hosts.
#![forbid(unsafe_code)]

pub mod alu;
mod constant;
mod division;
pub mod extend;
pub mod idioms;
mod magnitude;
mod memory;

pub use constant::constant;
pub use magnitude::magnitude;
pub use memory::{GuestMemory, HOST, Host, NEAR_TRIPWIRE, Place, Rights, TRIPWIRE, WATCHED};

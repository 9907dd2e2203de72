//! What the measuring programs share: kernels, the engines that run them, clocks, a generator of large programs, and the
//! reading of a process's memory.
//!
//! | program | what it measures |
//! |---|---|
//! | `compare` | steady speed of kernels in C on every engine, beside native code |
//! | `footprint` | time and memory for an instance, and what it takes to use one |
//! | `growth` | preparing and compiling of programs from 1 KB to 10 MB |
//! | `plots` | nothing: it draws what the others have printed as JSON |
//! | `cargo bench` | the parts, with Criterion |

pub mod child;
pub mod clock;
pub mod contender;
pub mod embedding;
pub mod generator;
#[cfg(feature = "peers")]
pub mod javm_peer;
pub mod kernel;
pub mod measure;
pub mod native;
pub mod ours;
pub mod polkavm_peer;
pub mod report;
pub mod resident;
pub mod riscv;
#[cfg(feature = "peers")]
pub mod wasmi_peer;
#[cfg(feature = "peers")]
pub mod wasmtime_peer;

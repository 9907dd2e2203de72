//! From Cranelift IR to machine code that runs.
//!
//! * [`Compiler`] turns a region into a function in executable memory, through a JIT module of its own, so that each
//!   region can be freed alone.
//! * [`CodeCache`] keeps the compiled regions of one program: which program counters can be entered, how much code there
//!   is, and what compiling it took.
//! * [`Profiler`] tells profilers of the host what compiled code is called.

mod backoff;
mod cache;
mod compact;
mod compiler;
mod effects;
#[cfg(target_os = "linux")]
mod jitdump;
mod landings;
mod profile;
mod saved;
mod segment;
mod spared;
mod table;

pub use cache::{Attempt, CodeCache, Costs, Reach, Request, Settings};
pub use compiler::{CompileError, Compiler, OptLevel};
pub use profile::{Profiler, Profiling};
pub use table::{HeldPlace, Place, RegionId};

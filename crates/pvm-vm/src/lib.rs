//! What touches the machine directly: guest memory, executable memory, and the way into compiled code.
//!
//! This crate is the one home of `unsafe`. Each block says why it holds, checkable on one screen; everything that is
//! public here is safe to use, but for [`CompiledFunction::new`], whose caller vouches for machine code.
//!
//! | module | what it holds |
//! |---|---|
//! | [`Memory`] | 2^32 bytes of guest address space with a right for each page |
//! | [`Template`], `image` | what many guests begin with |
//! | [`are_confused`] | pages whose lines the processor confuses |
//! | [`Pool`] | address space of guests that are gone, for the next |
//! | `code_pages` | code in guest memory, and what of it has changed |
//! | [`Context`] | what compiled code finds through its one pointer argument |
//! | [`CodeMemory`], [`CompiledFunction`] | pages of machine code, never writable and executable at once |
//! | `answering` | host calls that are answered without leaving compiled code |
//! | `bulk` | memory copied and filled, for loops of compiled code that do so |
//! | [`Announcement`] | a mapping by which profilers find a file |
//! | [`return_large_allocations`] | a setting of the heap |
//! | [`release_code`] | the process's own code, as far as it is in memory |
//! | [`CompileStats`] | what compiling has made |
//! | [`FaultDetection`], [`Landing`] | what happens when the host refuses an access to compiled code |
//!
//! On x86-64 Linux compiled code finds guest memory by a segment register (`segment`).

mod bulk;
mod code_pages;
mod compile_stats;
mod confusion;
mod context;
#[cfg_attr(not(feature = "jit"), allow(dead_code))] // nothing watches without compiled code
mod faults;
mod heap;
mod image;
mod interrupter;
mod limits;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod mapping;
mod memory;
mod pool;
mod ranges;
mod reservation;
mod rights;
#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
#[cfg_attr(not(feature = "jit"), allow(dead_code))] // as above
mod segment;
mod space;
mod tables;
mod template;
mod text;
mod typed;

#[cfg(feature = "jit")]
mod announcement;
#[cfg(feature = "jit")]
mod answering;
#[cfg(feature = "jit")]
mod code_memory;

#[cfg(feature = "jit")]
pub use announcement::Announcement;
#[cfg(feature = "jit")]
pub use answering::{Answer, Answers, Ended, Host, LastAnswer};
#[cfg(feature = "jit")]
pub use code_memory::{CodeMemory, CompiledFunction};
pub use compile_stats::CompileStats;
pub use confusion::are_confused;
pub use context::Context;
pub use faults::{FaultDetection, Landing, install_handler};
pub use heap::return_large_allocations;
pub use interrupter::Interrupter;
pub use memory::{Memory, MemoryError, READABLE, WRITABLE};
pub use pool::Pool;
pub use reservation::{INTERRUPT_OFFSET, TRIPWIRE_OFFSET};
pub use template::Template;
pub use text::release_code;

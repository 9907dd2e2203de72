//! The compiler from WebAssembly to PVM programs.
//!
//! [`compile()`] makes a JAM service of a module; [`Linked`] is what it is built on, and takes several modules.
//!
//! ```text
//!   modules ──> resolve ──> layout ──> translate (pvm-wasm-frontend) ──> pvm-backend ──> standard program
//!               imports     places      IR of what the entries reach       PVM code
//! ```
//!
//! | module | what it decides |
//! |---|---|
//! | `imports` | what stands for imports that no module has: the import map and the intrinsics |
//! | `resolve` | what each import of each module is, or that it is nothing |
//! | `layout` | where everything is in guest memory |
//! | `image` | what is in memory at first, and which of it the program file holds |
//! | `start` | the code that brings instances into being |
//! | `entry` | the code between the conventions of the Gray Paper and functions of modules |
//! | `program` | the whole: functions are translated as they are reached |
#![forbid(unsafe_code)]

mod compile;
mod entry;
mod error;
mod image;
mod imports;
mod layout;
mod options;
mod program;
mod resolve;
mod start;

pub use compile::{Compiled, compile, is_wat};
pub use entry::{EntryPoint, Form};
pub use error::{CompileError, LinkError, Unresolved};
pub use imports::{Action, ImportMap, ImportMapError};
pub use options::Options;
pub use program::{Linked, link};
pub use pvm_wasm_frontend::{Bounds, Extern, Level, Module, WasmError};
pub use pvm_wasm_frontend::{Extent, GlobalPlace, Initial, Instance, ValType};
pub use resolve::{Unit, check_imports};

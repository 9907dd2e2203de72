//! From WebAssembly to Cranelift IR.
//!
//! | module | what it knows |
//! |---|---|
//! | [`Module`] | a module, validated and read into tables; [`Level`] says which version of the standard it may use |
//! | [`Instance`] | where everything that a module names is in guest memory: whoever links decides that beforehand |
//! | [`Functions`] | the numbers of the functions of a program, given when they are first mentioned |
//! | [`translate()`] | one function body as IR |
//! | [`Helper`] | the loops behind `memory.copy` and its like, as functions of their own |
//!
//! The standard meant is WebAssembly 2.0 without vectors. Every trap is a trap of the IR; `docs/wasm.md` says how memory
//! accesses are checked. Values of floating-point types are kept as bits, and what would compute with them traps (`float`).
#![forbid(unsafe_code)]

mod build;
mod error;
mod features;
mod functions;
mod helpers;
mod instance;
mod module;
mod parse;
mod translate;
mod usage;

pub use build::{build_function, while_loop};
pub use error::{Problem, WasmError};
pub use features::Level;
pub use functions::{FunctionKey, Functions};
pub use helpers::Helper;
pub use instance::{
    ADDED, Bounds, Callee, Constant, Extent, GlobalPlace, HostAction, Initial, Instance, MemoryPlace, SegmentPlace,
    TablePlace, function_name, load_entry, reference, signature, word,
};
pub use module::{
    Data, DataKind, Element, ElementKind, Export, Extern, Global, Import, ImportKind, Limits, Module, Table,
};
pub use translate::{translate, translate_import};
pub use usage::Usage;
pub use wasmparser::{FuncType, GlobalType, RefType, ValType};

/// The size of a page of linear memory.
pub const WASM_PAGE: u32 = 1 << 16;

/// The size of an entry of a table, and of everything else that is kept in a cell.
pub const CELL: u32 = 8;

//! What can be chosen.

use crate::ImportMap;
use pvm_wasm_frontend::{Bounds, Level};

/// The largest stack.
pub(crate) const MAX_STACK: u32 = 1 << 24;

/// What can be chosen when a module is compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// How memory accesses are checked.
    pub bounds: Bounds,
    /// The version of the standard.
    pub level: Level,
    /// How far a memory can grow, in bytes, if its own maximum is not less.
    pub max_memory: u32,
    /// How far a table can grow, in entries, if its own maximum is not less.
    pub max_table: u32,
    /// The size of the stack in bytes.
    pub stack_size: u32,
    /// What stands for imports.
    pub imports: ImportMap,
    /// Modules whose exports stand for imports of the same name, as bytes or as text.
    pub adapters: Vec<Vec<u8>>,
    /// The export that the program begins with, if it is not one of the usual names.
    pub entry: Option<String>,
    /// A host call that is made before an instruction that computes with floating-point numbers traps, for whoever wants
    /// to tell these traps from others.
    pub float_call: Option<u32>,
    /// The metadata of the service file.
    pub metadata: Vec<u8>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            bounds: Bounds::Strict,
            level: Level::V2,
            max_memory: 64 << 20,
            max_table: 1 << 16,
            stack_size: 64 << 10,
            imports: ImportMap::default(),
            adapters: Vec::new(),
            entry: None,
            float_call: None,
            metadata: Vec::new(),
        }
    }
}

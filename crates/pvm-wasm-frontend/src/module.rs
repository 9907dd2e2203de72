//! A module, read into tables.

use crate::instance::Constant;
use std::collections::BTreeMap;
use wasmparser::{FuncType, FunctionBody, GlobalType, RefType};

/// A valid module.
#[derive(Clone, Debug, Default)]
pub struct Module<'a> {
    /// Its name, if it says one.
    pub name: Option<&'a str>,
    /// Function types.
    pub types: Vec<FuncType>,
    /// What it imports, in order.
    pub imports: Vec<Import<'a>>,
    /// The type of each function, imported ones first.
    pub functions: Vec<u32>,
    /// How many of the functions are imported.
    pub imported_functions: u32,
    /// Bodies of the functions that are not imported.
    pub bodies: Vec<FunctionBody<'a>>,
    /// Tables, imported ones first.
    pub tables: Vec<Table>,
    /// How many of the tables are imported.
    pub imported_tables: u32,
    /// The memory.
    pub memory: Option<Limits>,
    /// Whether the memory is imported.
    pub imports_memory: bool,
    /// Globals, imported ones first.
    pub globals: Vec<Global>,
    /// How many of the globals are imported.
    pub imported_globals: u32,
    /// What it exports, in order.
    pub exports: Vec<Export<'a>>,
    /// The start function.
    pub start: Option<u32>,
    /// Element segments.
    pub elements: Vec<Element>,
    /// Data segments.
    pub data: Vec<Data<'a>>,
    /// Names of functions, from the section for that.
    pub function_names: BTreeMap<u32, &'a str>,
}

/// An import.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Import<'a> {
    /// The module it is from.
    pub module: &'a str,
    /// Its name there.
    pub name: &'a str,
    /// What it is.
    pub kind: ImportKind,
}

/// What an import is, with its number among those of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportKind {
    /// A function.
    Function(u32),
    /// A table.
    Table(u32),
    /// The memory.
    Memory,
    /// A global.
    Global(u32),
}

/// Something that a module has, by number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extern {
    /// A function.
    Function(u32),
    /// A table.
    Table(u32),
    /// The memory.
    Memory,
    /// A global.
    Global(u32),
}

/// An export.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Export<'a> {
    /// Its name.
    pub name: &'a str,
    /// What it is.
    pub item: Extern,
}

/// How large a memory or table is: in pages or entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// At first.
    pub minimum: u64,
    /// At most.
    pub maximum: Option<u64>,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Table {
    /// What its entries refer to.
    pub element: RefType,
    /// Its size.
    pub limits: Limits,
}

/// A global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Global {
    /// Its type, and whether it can change.
    pub ty: GlobalType,
    /// Its value at first; imported ones have none.
    pub initial: Option<Constant>,
}

/// A data segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Data<'a> {
    /// When it is used.
    pub kind: DataKind,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// When a data segment is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DataKind {
    /// Written to memory at the start.
    Active {
        /// Where.
        offset: Constant,
    },
    /// By instructions.
    Passive,
}

/// An element segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Element {
    /// When it is used.
    pub kind: ElementKind,
    /// Its references.
    pub items: Vec<Constant>,
}

/// When an element segment is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ElementKind {
    /// Written to a table at the start.
    Active {
        /// The table.
        table: u32,
        /// Where.
        offset: Constant,
    },
    /// By instructions.
    Passive,
    /// Never: it declares which functions have references.
    Declared,
}

impl Module<'_> {
    /// The type of a function.
    pub fn function_type(&self, function: u32) -> &FuncType {
        &self.types[self.functions[function as usize] as usize]
    }

    /// What has this name among the exports.
    pub fn export(&self, name: &str) -> Option<Extern> {
        self.exports.iter().find(|export| export.name == name).map(|export| export.item)
    }

    /// What messages call a function: its name, a name under which it is exported, or its number.
    pub fn describe(&self, function: u32) -> String {
        if let Some(name) = self.function_names.get(&function) {
            return format!("function {function} `{name}`");
        }
        let export = self.exports.iter().find(|export| export.item == Extern::Function(function));
        match export {
            Some(export) => format!("function {function} (exported as `{}`)", export.name),
            None => format!("function {function}"),
        }
    }
}

//! Why a module was not compiled.

use pvm_wasm_frontend::WasmError;

/// A module that cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CompileError {
    /// The module is refused.
    #[error(transparent)]
    Wasm(#[from] WasmError),
    /// An adapter module is refused.
    #[error("adapter module {number}: {error}")]
    Adapter {
        /// Which, counted from 1.
        number: usize,
        /// Why.
        error: WasmError,
    },
    /// Text that is not WebAssembly.
    #[error("{0}")]
    Text(String),
    /// Imports do not fit.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// Something is larger than a PVM program can be.
    #[error("{what}: {value} is more than the limit of {limit}{advice}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// The limit.
        limit: u64,
        /// What to do, where something can be done.
        advice: &'static str,
    },
    /// There is nowhere to begin.
    #[error("{0}")]
    Entry(String),
    /// The back end refuses the code.
    #[error(transparent)]
    Backend(#[from] pvm_backend::CompileError),
}

/// Imports that do not fit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Imports that are nothing.
    #[error(
        "unknown import{}:{}\n  give each a meaning with `--import NAME=trap|nop|NUMBER|ecalli:NUMBER`, a file of such \
         lines (`--imports FILE`), or an adapter module (`--adapter FILE`)",
        if .0.len() == 1 { "" } else { "s" },
        .0.iter().map(|import| format!("\n    {import}")).collect::<String>()
    )]
    Unresolved(Vec<Unresolved>),
    /// An import is something else than is asked for.
    #[error("incompatible import type: `{module}.{name}` is asked to be {expected}, but it is {found}")]
    Type {
        /// The module it is from.
        module: String,
        /// Its name.
        name: String,
        /// What is asked for.
        expected: String,
        /// What there is.
        found: String,
    },
    /// What stands for an import cannot do so.
    #[error("`{module}.{name}`: {problem}")]
    Action {
        /// The module it is from.
        module: String,
        /// Its name.
        name: String,
        /// Why.
        problem: String,
    },
}

/// An import that is nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{module}.{name}`: {kind}")]
pub struct Unresolved {
    /// The module it is from.
    pub module: String,
    /// Its name.
    pub name: String,
    /// What it should be.
    pub kind: String,
}

//! Why a module was refused.

use std::fmt;

/// A module that cannot be compiled: what is wrong, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct WasmError {
    /// What is wrong.
    pub problem: Problem,
    /// The function it is in, by name or number.
    pub function: Option<String>,
    /// The offset in the module's bytes.
    pub offset: Option<u64>,
}

impl fmt::Display for WasmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.problem)?;
        match (&self.function, self.offset) {
            (Some(function), Some(offset)) => write!(f, " (in {function}, at byte {offset:#x} of the module)"),
            (Some(function), None) => write!(f, " (in {function})"),
            (None, Some(offset)) => write!(f, " (at byte {offset:#x} of the module)"),
            (None, None) => Ok(()),
        }
    }
}

/// What is wrong with a module.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not valid.
    #[error("the module is not valid: {0}")]
    Invalid(String),
    /// It uses a part of the standard that is not supported.
    #[error("{feature} are not supported: {advice}")]
    Unsupported {
        /// The part.
        feature: &'static str,
        /// What to do.
        advice: &'static str,
    },
    /// Something is larger than it may be.
    #[error("{what}: {value} is more than the limit of {limit}")]
    TooLarge {
        /// What it is.
        what: &'static str,
        /// How large it is.
        value: u64,
        /// The limit.
        limit: u64,
    },
    /// A use of an intrinsic that has no translation.
    #[error("{0}")]
    Intrinsic(String),
}

impl Problem {
    /// The problem of a module as a whole.
    pub fn of_module(self) -> WasmError {
        WasmError { problem: self, function: None, offset: None }
    }

    /// The problem at an offset.
    pub fn at(self, offset: u64) -> WasmError {
        WasmError { problem: self, function: None, offset: Some(offset) }
    }
}

impl From<wasmparser::BinaryReaderError> for WasmError {
    fn from(error: wasmparser::BinaryReaderError) -> WasmError {
        Problem::Invalid(error.message().to_owned()).at(error.offset())
    }
}

//! Why a vector was refused.

/// A vector that is not valid: which field, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {problem}", if path.is_empty() { "vector" } else { path.as_str() })]
pub struct VectorError {
    /// The field, as in `steps[2].memory[0].address`; empty for the file as a whole.
    pub path: String,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a field.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It is not JSON, or JSON of another type.
    #[error("{0}")]
    Json(String),
    /// It must be there and is not.
    #[error("missing")]
    Missing,
    /// No such field is known.
    #[error("unknown field")]
    Unknown,
    /// It is there twice.
    #[error("given twice")]
    Twice,
    /// No step of this kind is known.
    #[error("unknown kind of step {0:?}")]
    StepKind(String),
    /// No status of this name is known.
    #[error("unknown status {0:?}")]
    Status(String),
    /// A gas model that is none.
    #[error("{0:?} is no gas model (instruction, block, pipeline, none)")]
    GasModel(String),
    /// There is no such register.
    #[error("there is no register {0}")]
    Register(u64),
    /// An area of memory does not end below 2^32.
    #[error("{length} bytes at {address:#x} do not end below 2^32")]
    Range {
        /// The first byte.
        address: u32,
        /// How many bytes.
        length: u64,
    },
    /// Pages that are no whole pages.
    #[error("{length} bytes at {address:#x} are no whole pages")]
    Pages {
        /// The first byte.
        address: u32,
        /// How many bytes.
        length: u64,
    },
}

//! Why a trace was refused.

/// A trace that is not valid: which line, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct TraceError {
    /// The line, from 1; the last one if something is missing.
    pub line: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a trace.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Bytes that are not text.
    #[error("not UTF-8")]
    NotUtf8,
    /// A number that is none.
    #[error("{field} is not a number")]
    NotANumber {
        /// What the number is for.
        field: &'static str,
    },
    /// A number that its field cannot hold.
    #[error("{field} is more than the limit of {limit}")]
    TooLarge {
        /// What the number is for.
        field: &'static str,
        /// The greatest number that is allowed.
        limit: u64,
    },
    /// Bytes that are no pairs of hexadecimal digits.
    #[error("the bytes are not pairs of hexadecimal digits")]
    NotHex,
    /// There are not as many bytes as the record says.
    #[error("the record says {stated} bytes and has {found}")]
    Length {
        /// The record's `len`.
        stated: u64,
        /// Bytes that are there.
        found: u64,
    },
    /// Bytes that do not end below 2^32.
    #[error("{length} bytes at {address:#x} do not end below 2^32")]
    Range {
        /// The address of the first.
        address: u32,
        /// How many bytes.
        length: u64,
    },
    /// A register is given twice.
    #[error("register {register} is given twice")]
    Twice {
        /// The register.
        register: u8,
    },
    /// A record is in the wrong place.
    #[error("`{record}` may not come {place}")]
    Misplaced {
        /// The record's name.
        record: &'static str,
        /// Where it is.
        place: &'static str,
    },
    /// A record that must be there is not.
    #[error("the trace ends without `{record}`")]
    Missing {
        /// The record's name.
        record: &'static str,
    },
}

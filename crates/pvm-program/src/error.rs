//! Why a program was refused.

/// A program file that is not valid: which part, where, and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field} at byte {offset}: {problem}")]
pub struct LoadError {
    /// The part of the file.
    pub field: &'static str,
    /// Its offset in the input, in bytes.
    pub offset: usize,
    /// What is wrong.
    pub problem: Problem,
}

/// What is wrong with a part of a program file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The input ends too early.
    #[error("{need} bytes are needed, {have} are left")]
    Truncated {
        /// Bytes that the field claims.
        need: u64,
        /// Bytes that are left.
        have: u64,
    },
    /// A number is not in its shortest encoding.
    #[error("the number {value} is not in its shortest encoding")]
    NotCanonical {
        /// The number.
        value: u64,
    },
    /// A value is above its limit.
    #[error("{value} is more than the limit of {limit}")]
    TooLarge {
        /// The value.
        value: u64,
        /// The greatest value that is allowed.
        limit: u64,
    },
    /// Something follows where the input should end.
    #[error("{count} bytes too many")]
    Trailing {
        /// How many bytes.
        count: u64,
    },
    /// Unused bits are not zero.
    #[error("the unused high bits of the last byte are not zero")]
    Padding,
    /// The file does not begin as its format does.
    #[error("the file does not begin with {expected}")]
    Magic {
        /// What it should begin with.
        expected: &'static str,
    },
    /// A field that says that the file is for something else.
    #[error("{value} ({meaning}) instead of {expected}")]
    Mismatch {
        /// What is there.
        value: u64,
        /// What that means.
        meaning: &'static str,
        /// What should be there.
        expected: &'static str,
    },
    /// Two areas of memory have bytes in common.
    #[error("the area from {start:#x} to {end:#x} overlaps the one from {other_start:#x} to {other_end:#x}")]
    Overlap {
        /// The first byte.
        start: u64,
        /// The byte behind the last one.
        end: u64,
        /// The first byte of the other area.
        other_start: u64,
        /// The byte behind its last one.
        other_end: u64,
    },
    /// An address that leads nowhere.
    #[error("{address:#x} is not {place}")]
    Address {
        /// The address.
        address: u64,
        /// Where it should lead.
        place: &'static str,
    },
    /// A part is there twice or in the wrong place.
    #[error("section {id} is out of order")]
    SectionOrder {
        /// The section's number.
        id: u8,
    },
    /// A part of a kind that is not known and may not be left out.
    #[error("section {id} is not known")]
    SectionUnknown {
        /// The section's number.
        id: u8,
    },
    /// A part that must be there is not.
    #[error("missing")]
    Missing,
    /// Text that is not UTF-8.
    #[error("not UTF-8")]
    NotUtf8,
    /// The program is for another machine.
    #[error("{what} is not supported")]
    Unsupported {
        /// What is not supported.
        what: &'static str,
    },
}

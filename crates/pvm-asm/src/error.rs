//! Why a source was refused, and where.

use pvm_isa::EncodeError;
use pvm_program::LoadError;

/// A place in the source; both numbers count from one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) line: u32,
    pub(crate) column: u32,
}

impl Place {
    pub(crate) fn error(self, problem: AsmProblem) -> AsmError {
        AsmError { line: self.line, column: self.column, problem }
    }
}

/// A source that cannot be assembled.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {problem}")]
pub struct AsmError {
    /// The line, counted from one.
    pub line: u32,
    /// The column in characters, counted from one.
    pub column: u32,
    /// What is wrong there.
    pub problem: AsmProblem,
}

/// What is wrong with a place in the source.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AsmProblem {
    /// A character that no statement has.
    #[error("the character {0:?} means nothing here")]
    Character(char),
    /// A string or character literal that does not end on its line.
    #[error("the quote is not closed before the line ends")]
    Unclosed,
    /// An unknown escape sequence.
    #[error("unknown escape; there are \\n \\r \\t \\0 \\\\ \\\" \\' and \\xNN")]
    Escape,
    /// Something else than the statement needs.
    #[error("expected {expected}, found {found}")]
    Expected {
        /// What would have been right.
        expected: &'static str,
        /// What is there.
        found: String,
    },
    /// A word that begins as a number but is none.
    #[error("`{0}` is not a number; write 10, 0x0a, 0b1010 or 'a'")]
    Number(String),
    /// A word that is no pairs of hexadecimal digits.
    #[error("`{0}` is not a row of bytes; write two hexadecimal digits for each")]
    HexBytes(String),
    /// A statement that begins with an unknown word.
    #[error("there is no instruction `{0}`")]
    Mnemonic(String),
    /// An unknown directive.
    #[error("there is no directive `{0}`")]
    Directive(String),
    /// A name without definition.
    #[error("`{0}` is not defined; make it a label or define it with .equ")]
    Undefined(String),
    /// A name that is defined twice.
    #[error("`{name}` is already defined in line {line}")]
    Duplicate {
        /// The name.
        name: String,
        /// Where it was defined first.
        line: u32,
    },
    /// A constant that uses one that is defined below it, or itself.
    #[error("the constant `{0}` must be defined above the constants that use it")]
    ConstantBelow(String),
    /// A name that cannot be defined.
    #[error("`{0}` names a register; choose another name")]
    Reserved(String),
    /// A value outside of its field.
    #[error("{value} does not fit {field} ({low} to {high})")]
    Range {
        /// The value.
        value: i128,
        /// The field.
        field: &'static str,
        /// The least value that fits.
        low: i128,
        /// The greatest value that fits.
        high: i128,
    },
    /// A computation that left 128 bits.
    #[error("the value of the expression is too large")]
    Overflow,
    /// Parentheses within parentheses without end.
    #[error("the expression is nested too deeply")]
    Nesting,
    /// A value that depends on the layout where the layout depends on it.
    #[error("the value must be known here: use numbers and constants that .equ defined above, no labels")]
    NotConstant,
    /// `@name` where the name is no label in the code.
    #[error("`@{0}` needs a label in .text")]
    NotCode(String),
    /// A statement in a section where it cannot stand.
    #[error("this belongs into {0}")]
    WrongSection(&'static str),
    /// A directive that the container has no place for.
    #[error("`{directive}` has no meaning in a program of the format {format}")]
    NotInFormat {
        /// The directive.
        directive: &'static str,
        /// The container.
        format: &'static str,
    },
    /// Data of an unreasonable size.
    #[error("more than {0} bytes of .zero and .align")]
    TooLong(u64),
    /// Instruction lengths that depend on each other without end.
    #[error("the lengths of instructions do not settle; write a constant instead of a difference of labels")]
    Unsettled,
    /// An instruction that cannot be encoded.
    #[error(transparent)]
    Encode(#[from] EncodeError),
    /// A program that its container refuses.
    #[error("the program is not valid: {0}")]
    Invalid(#[from] LoadError),
    /// A blob whose metadata make it look like another blob.
    #[error("with this metadata the blob would be taken for another one; use the format jam, or no metadata")]
    Ambiguous,
}

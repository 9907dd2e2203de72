//! Why a program cannot be compiled.

use pvm_isa::EncodeError;
use pvm_program::LoadError;

/// What the back end refuses: where, and why. No input that Cranelift's verifier accepts leads to anything worse.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct CompileError {
    /// The function, by the name that it was given, if the problem lies in one.
    pub function: Option<String>,
    /// What is wrong.
    pub problem: Problem,
}

impl std::fmt::Display for CompileError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.function {
            Some(name) => write!(f, "function {name}: {}", self.problem),
            None => self.problem.fmt(f),
        }
    }
}

/// What is wrong with a program or one of its functions.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// Cranelift's verifier refuses the function.
    #[error("not valid IR: {0}")]
    Invalid(String),
    /// An instruction, or the types that it is used with.
    #[error("`{instruction}` is not supported: {reason}")]
    Unsupported {
        /// The instruction as text.
        instruction: String,
        /// What of it is not supported.
        reason: &'static str,
    },
    /// The type of a parameter or result of the function.
    #[error("values of type {0} are not supported in signatures")]
    SignatureType(String),
    /// A number of a function that does not exist.
    #[error("function number {number} does not exist, there are {count}")]
    NoSuchFunction {
        /// The number.
        number: u32,
        /// How many functions there are.
        count: usize,
    },
    /// A call whose signature is not that of the called function.
    #[error("a call of {callee} does not have its signature")]
    CallSignature {
        /// The called function.
        callee: String,
    },
    /// An entry point with parameters or results other than two numbers.
    #[error("an entry point takes two values of type i64 and returns two")]
    EntrySignature,
    /// A size that is above its limit.
    #[error("{what}: {value} is more than the limit of {limit}")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// Its size.
        value: u64,
        /// The greatest size that is allowed.
        limit: u64,
    },
    /// A code pointer is to be written outside of the data.
    #[error("the code pointer at {address:#x} lies outside of the program's data")]
    PointerOutside {
        /// Its address.
        address: u32,
    },
    /// The register allocator gave up, or made a mistake that its checker found.
    #[error("register allocation: {0}")]
    Registers(String),
    /// An instruction has no encoding.
    #[error("{0}")]
    Encoding(#[from] EncodeError),
    /// The parts do not make a program.
    #[error("{0}")]
    Program(#[from] LoadError),
}

impl Problem {
    /// The error of this problem in the function `name`.
    pub(crate) fn within(self, name: &str) -> CompileError {
        CompileError { function: Some(name.to_owned()), problem: self }
    }
}

impl From<Problem> for CompileError {
    fn from(problem: Problem) -> CompileError {
        CompileError { function: None, problem }
    }
}

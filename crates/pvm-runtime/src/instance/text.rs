//! Exits in words.

use super::Exit;
use std::fmt::{self, Display, Formatter};

impl Display for Exit {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Exit::Halt => f.write_str("halt"),
            Exit::Panic => f.write_str("panic"),
            Exit::PageFault { address } => write!(f, "page fault at {address:#x}"),
            Exit::HostCall { id } => write!(f, "host call {id} that nobody answers"),
            Exit::OutOfGas => f.write_str("out of gas"),
            Exit::Interrupted => f.write_str("interrupted"),
            Exit::Ecall => f.write_str("environment call that nobody answers"),
            Exit::Trap { trap, value } => write!(f, "{trap} ({value:#x})"),
        }
    }
}

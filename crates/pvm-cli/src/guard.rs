//! Internal errors: a panic of ours ends in an apology and an exit code of its own.

use crate::exit;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook};

/// Runs the program; if it panics, says so and returns exit code 70.
pub fn guarded(run: impl FnOnce() -> u8) -> u8 {
    set_hook(Box::new(|info| {
        // The backtrace is for us, and only when asked for.
        let trace = std::backtrace::Backtrace::capture();
        let _ = writeln!(
            std::io::stderr(),
            "pvmrun: internal error: {info}\n\
             This is a mistake in pvmrun, not in what it was given. We are sorry. Please report it, with the command\n\
             line and the input."
        );
        if trace.status() == std::backtrace::BacktraceStatus::Captured {
            let _ = writeln!(std::io::stderr(), "{trace}");
        }
    }));
    caught(run)
}

fn caught(run: impl FnOnce() -> u8) -> u8 {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or(exit::INTERNAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_an_internal_error() {
        assert_eq!(caught(|| panic!("only a test")), 70);
        assert_eq!(caught(|| 3), 3);
    }
}

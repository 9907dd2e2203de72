//! Exit codes. Scripts rely on them, so they never change.

use crate::Io;
use anyhow::Result;
use clap::error::ErrorKind;

/// The program halted, or the verb did what it should.
pub const HALT: u8 = 0;
/// A failed test or a bad input.
pub const FAILED: u8 = 1;
/// Wrong usage.
pub const USAGE: u8 = 2;
/// An internal error: ours, never the guest's.
pub const INTERNAL: u8 = 70;
/// The program panicked.
pub const PANIC: u8 = 111;
/// A page fault.
pub const PAGE_FAULT: u8 = 112;
/// Out of gas.
pub const OUT_OF_GAS: u8 = 113;
/// A host call that nobody serves.
pub const HOST_CALL: u8 = 114;
/// The time was up.
pub const TIMEOUT: u8 = 115;

/// An error in how the program was called, as opposed to what is in its inputs.
#[derive(Debug)]
pub struct Usage(pub String);

impl std::fmt::Display for Usage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

/// Such an error.
pub fn usage(text: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Usage(text.into()))
}

/// Prints what clap has to say: help and version on standard output, errors on standard error.
pub fn message(message: &clap::Error, io: &mut Io<'_>) -> u8 {
    let text = message.render();
    let is_answer = matches!(message.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    let has_colour = if is_answer { io.out_has_colour } else { io.err_has_colour };
    let text = if has_colour { text.ansi().to_string() } else { text.to_string() };
    if is_answer {
        let printed = io.print(text).map(|()| HALT);
        return finish(printed, io);
    }
    io.note(text.trim_end());
    USAGE
}

/// The exit code of a verb that is done. An error is printed.
pub fn finish(result: Result<u8>, io: &mut Io<'_>) -> u8 {
    match result.and_then(|code| io.flush().map(|()| code)) {
        Ok(code) => code,
        Err(error) => {
            io.complain("error", &format!("{error:#}"));
            if error.is::<Usage>() { USAGE } else { FAILED }
        }
    }
}

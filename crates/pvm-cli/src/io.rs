//! The streams that the program reads and writes.

use anyhow::{Context, Result};
use std::io::{ErrorKind, Read, Write};

/// Standard input, output and error, and what is known of them.
pub struct Io<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub out: &'a mut dyn Write,
    /// Whether what is written there may have colour.
    pub out_has_colour: bool,
    /// Standard error.
    pub err: &'a mut dyn Write,
    /// Whether what is written there may have colour.
    pub err_has_colour: bool,
    /// Whether somebody watches standard error.
    pub err_is_terminal: bool,
}

impl Io<'_> {
    /// Writes to standard output. That nobody reads it any more is no error.
    pub(crate) fn print(&mut self, bytes: impl AsRef<[u8]>) -> Result<()> {
        ignore_broken_pipe(self.out.write_all(bytes.as_ref()))
    }

    /// Writes out what is buffered.
    pub(crate) fn flush(&mut self) -> Result<()> {
        ignore_broken_pipe(self.out.flush())
    }

    /// Writes a line to standard error. There is nobody to tell that it failed.
    pub(crate) fn note(&mut self, line: &str) {
        let _ = writeln!(self.err, "{line}");
    }

    /// Writes an error or a warning to standard error.
    pub(crate) fn complain(&mut self, kind: &str, text: &str) {
        let (on, off) = if self.err_has_colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(self.err, "{on}{kind}{off}: {text}");
    }
}

fn ignore_broken_pipe(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        result => result.context("standard output cannot be written"),
    }
}

//! Messages that guests log (JIP-1).

use crate::escape;
use std::fmt::{self, Display, Formatter};

/// The longest message that is copied from a guest, in bytes; longer ones are cut off.
pub const MAX_MESSAGE: usize = 64 << 10;
/// The longest target that is copied from a guest, in bytes.
pub const MAX_TARGET: usize = 1 << 10;

/// How much a message matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// 0: a fatal error.
    Fatal,
    /// 1: a warning.
    Warn,
    /// 2: important information.
    Info,
    /// 3: helpful information.
    Debug,
    /// 4 and everything above: pedantic information.
    Trace,
}

impl Level {
    /// The level with this number.
    pub const fn from_number(number: u64) -> Level {
        match number {
            0 => Level::Fatal,
            1 => Level::Warn,
            2 => Level::Info,
            3 => Level::Debug,
            _ => Level::Trace,
        }
    }

    /// Its name, as logs have it.
    pub const fn name(self) -> &'static str {
        match self {
            Level::Fatal => "FATAL",
            Level::Warn => "WARN",
            Level::Info => "INFO",
            Level::Debug => "DEBUG",
            Level::Trace => "TRACE",
        }
    }
}

/// A message. The bytes are the guest's and may be anything; [`Display`] gives them as one harmless line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogMessage {
    /// How much it matters.
    pub level: Level,
    /// The part of the guest that it comes from, at most [`MAX_TARGET`] bytes.
    pub target: Option<Vec<u8>>,
    /// The message, at most [`MAX_MESSAGE`] bytes.
    pub message: Vec<u8>,
    /// Whether target or message were longer and have been cut off.
    pub is_cut: bool,
}

impl Display for LogMessage {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(self.level.name())?;
        if let Some(target) = &self.target {
            write!(f, " {}:", escape(target))?;
        }
        write!(f, " {}", escape(&self.message))?;
        if self.is_cut { f.write_str(" …") } else { Ok(()) }
    }
}

/// Takes what guests log. Any closure that takes a message is one.
pub trait LogSink {
    /// Takes a message.
    fn log(&mut self, message: &LogMessage);
}

impl<F: FnMut(&LogMessage)> LogSink for F {
    fn log(&mut self, message: &LogMessage) {
        self(message);
    }
}

//! The calls of JAM that need nothing but the machine: `gas` (Gray Paper B.6) and `log` (JIP-1).
//!
//! Both have the same numbers in 0.7 and 0.8. Any other number is unknown here, and is answered as the Gray Paper has it:
//! it costs as much as a known one and gives [`WHAT`]. `log` costs and gives the same, so that a program cannot tell
//! whether somebody listens. (The older text of JIP-1 says that it costs nothing.)

use crate::{Caller, Host, Level, LogMessage, LogSink, MAX_MESSAGE, MAX_TARGET, Outcome};

/// The number of the call that tells the gas left.
pub const GAS: u64 = 0;
/// The number of the call that logs a message.
pub const LOG: u64 = 100;
/// What a call costs.
pub const COST: u64 = 10;
/// The result of an unknown call: 2^64 - 2.
pub const WHAT: u64 = u64::MAX - 1;

/// A host that serves `gas` and `log`.
#[derive(Debug)]
pub struct Jam<S> {
    sink: S,
}

impl<S: LogSink> Jam<S> {
    /// A host that hands messages to `sink`.
    pub const fn new(sink: S) -> Jam<S> {
        Jam { sink }
    }

    /// Nothing is logged of a message that the guest itself could not read.
    fn log(&mut self, caller: &mut Caller<'_>) {
        let [level, target_at, target_len, message_at, message_len] =
            [7, 8, 9, 10, 11].map(|number| caller.register(number));
        let has_target = (target_at, target_len) != (0, 0);
        let target = match has_target {
            true => caller.read(target_at, target_len, MAX_TARGET),
            false => None,
        };
        if has_target && target.is_none() {
            return;
        }
        let Some(message) = caller.read(message_at, message_len, MAX_MESSAGE) else { return };
        let is_cut = target_len > MAX_TARGET as u64 || message_len > MAX_MESSAGE as u64;
        self.sink.log(&LogMessage { level: Level::from_number(level), target, message, is_cut });
    }
}

impl<S: LogSink> Host for Jam<S> {
    fn call(&mut self, caller: &mut Caller<'_>, id: u64) -> Outcome {
        if let Err(out_of_gas) = caller.charge(COST) {
            return out_of_gas;
        }
        if id == LOG {
            self.log(caller);
        }
        let result = if id == GAS { caller.gas() } else { WHAT };
        caller.set_register(7, result);
        Outcome::Resume
    }
}

//! The calls of JAM that need nothing but the machine: `gas` (Gray Paper B.6) and `log` (JIP-1).
//!
//! Both have the same numbers in 0.7 and 0.8. Any other number is unknown here, and is answered as the Gray Paper has it:
//! it costs as much as a known one and gives [`WHAT`]. `log` costs and gives the same, so that a program cannot tell
//! whether somebody listens. (The older text of JIP-1 says that it costs nothing.)

use crate::{Caller, Host, Level, LogMessage, LogSink, MAX_MESSAGE, MAX_TARGET, Outcome};
use pvm_runtime::Exit;

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
}

impl<S: LogSink> Host for Jam<S> {
    fn call(&mut self, caller: &mut Caller<'_>, id: u64) -> Outcome {
        match answer(caller, id) {
            Ok(message) => {
                message.iter().for_each(|message| self.sink.log(message));
                Outcome::Resume
            }
            Err(exit) => Outcome::Stop(exit),
        }
    }
}

/// Answers a call; gives what is logged. `Err` if the guest cannot pay.
pub(crate) fn answer(caller: &mut Caller<'_>, id: u64) -> Result<Option<LogMessage>, Exit> {
    caller.charge(COST)?;
    let message = if id == LOG { message(caller) } else { None };
    let result = if id == GAS { caller.gas() } else { WHAT };
    caller.set_register(7, result);
    Ok(message)
}

/// What the guest logs, unless it could not read that itself.
fn message(caller: &mut Caller<'_>) -> Option<LogMessage> {
    let [level, target_at, target_len, at, len] = [7, 8, 9, 10, 11].map(|number| caller.register(number));
    let target = match (target_at, target_len) {
        (0, 0) => None,
        _ => Some(caller.read(target_at, target_len, MAX_TARGET)?),
    };
    let message = caller.read(at, len, MAX_MESSAGE)?;
    let is_cut = target_len > MAX_TARGET as u64 || len > MAX_MESSAGE as u64;
    Some(LogMessage { level: Level::from_number(level), target, message, is_cut })
}

//! `gas` and `log`, and the answer to unknown calls.

use crate::jam::{COST, GAS, LOG, WHAT};
use crate::{Level, LogMessage, MAX_MESSAGE, MAX_TARGET};
use pvm_runtime::{Caller, Linker};

/// Links `gas` and `log`, and answers all calls that are not linked otherwise with [`WHAT`]. What guests log goes to `log`.
pub fn link_machine<T: 'static>(linker: &mut Linker<T>, log: fn(&mut T, &LogMessage)) {
    linker.func(GAS, |caller| {
        caller.charge(COST)?;
        let gas = caller.gas();
        caller.set_result(gas);
        Ok(())
    });
    linker.func(LOG, move |caller| {
        caller.charge(COST)?;
        if let Some(message) = message(caller) {
            log(caller.data_mut(), &message);
        }
        caller.set_result(WHAT);
        Ok(())
    });
    linker.func_other(|caller, _| {
        caller.charge(COST)?;
        caller.set_result(WHAT);
        Ok(())
    });
}

/// What the guest logs, unless it could not read that itself.
fn message<T>(caller: &Caller<'_, T>) -> Option<LogMessage> {
    let [level, target_at, target_len, at, len] = [0, 1, 2, 3, 4].map(|index| caller.argument(index));
    let target = match (target_at, target_len) {
        (0, 0) => None,
        _ => Some(beginning(caller, target_at, target_len, MAX_TARGET)?),
    };
    let message = beginning(caller, at, len, MAX_MESSAGE)?;
    let is_cut = target_len > MAX_TARGET as u64 || len > MAX_MESSAGE as u64;
    Some(LogMessage { level: Level::from_number(level), target, message, is_cut })
}

/// The first bytes of a range that the guest may read.
fn beginning<T>(caller: &Caller<'_, T>, at: u64, len: u64, most: usize) -> Option<Vec<u8>> {
    if len == 0 {
        return Some(Vec::new());
    }
    caller.memory().check_readable(u32::try_from(at).ok()?, len).ok()?;
    caller.read_vec(at, len.min(most as u64)).ok()
}

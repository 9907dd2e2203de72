//! `gas` and `log`, and the answer to unknown calls.

use crate::jam::{self, GAS, LOG};
use crate::{Caller, LogMessage};
use pvm_runtime::Linker;

/// Links `gas` and `log`, and answers all calls that are not linked otherwise with [`crate::WHAT`], as [`crate::Jam`] does. What
/// guests log goes to `log`.
pub fn link_machine<T: 'static>(linker: &mut Linker<T>, log: fn(&mut T, &LogMessage)) {
    let answer = move |caller: &mut pvm_runtime::Caller<'_, T>, number| {
        let message = jam::answer(&mut Caller::new(caller.instance_mut(), false), number)?;
        message.iter().for_each(|message| log(caller.data_mut(), message));
        Ok(())
    };
    for number in [GAS, LOG] {
        linker.func(number, move |caller| answer(caller, number));
    }
    linker.func_other(answer);
}

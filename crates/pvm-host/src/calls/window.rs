//! The window of a value that a guest asks for: from an offset, so many bytes, to a place in its memory.

use super::{NONE, answer, panic};
use pvm_runtime::{Caller, HostResult};

/// Where the guest wants which part of a value.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    pub to: u64,
    pub offset: u64,
    pub len: u64,
}

impl Window {
    /// From three arguments of the call, the first of which has this index.
    pub fn from_arguments<T>(caller: &Caller<'_, T>, index: usize) -> Window {
        let [to, offset, len] = [0, 1, 2].map(|k| caller.argument(index + k));
        Window { to, offset, len }
    }

    /// Copies the part that there is of the value and gives its whole length; or says that there is none. Both ends are cut to
    /// the value (Gray Paper B.6: f and l).
    pub fn give<T>(self, caller: &mut Caller<'_, T>, value: Option<&[u8]>) -> HostResult {
        let Some(value) = value else { return answer(caller, NONE) };
        let rest = &value[usize::try_from(self.offset).unwrap_or(usize::MAX).min(value.len())..];
        let part = &rest[..usize::try_from(self.len).unwrap_or(usize::MAX).min(rest.len())];
        if caller.write(self.to, part).is_err() {
            return panic();
        }
        answer(caller, value.len() as u64)
    }
}

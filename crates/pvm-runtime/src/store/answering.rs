//! Host calls that machine code makes by itself, and goes on behind them.

use super::Parts;
use crate::instance::Exit;
use crate::{Caller, HostResult, Linker, RunError};
use pvm_vm::{Answer, Context, Host, Memory};
use std::ops::ControlFlow;
use std::panic::resume_unwind;
use std::sync::Arc;

impl<T> Host for Parts<T> {
    #[inline]
    fn guest(&mut self) -> (&mut Context, &mut Memory) {
        self.instance.context_and_memory()
    }
}

impl<T> Parts<T> {
    /// A host function, as machine code calls it.
    pub(crate) fn answer(
        function: Arc<impl Fn(&mut Caller<'_, T>, u64) -> HostResult + Send + Sync + 'static>,
    ) -> Answer<Parts<T>> {
        Answer::new(move |parts: &mut Parts<T>, number| {
            let mut caller = Caller::new(parts);
            let result = function(&mut caller, number);
            let left_at = caller.left_at;
            match result {
                Ok(()) => parts.instance.goes_on(left_at),
                Err(stop) => {
                    parts.stop = Some((number, stop));
                    false
                }
            }
        })
    }

    /// Runs until something stops the guest, a call among others that is not answered yet, or it breaks off with the result of
    /// the run.
    #[inline]
    pub(super) fn resume(&mut self, linker: &Linker<T>) -> ControlFlow<Result<Exit, RunError>, Exit> {
        let Some(place) = self.instance.place_behind_call() else {
            return ControlFlow::Continue(self.instance.resume());
        };
        let answers = linker.answers(self.instance.module(), &mut self.named_answers);
        let (exit, answered) = place.run_answered(self, &answers);
        match (answered, self.stop.take()) {
            (Some(Err(panic)), _) => resume_unwind(panic),
            (Some(Ok(())), Some((number, stop))) => ControlFlow::Break(stop.into_result(number)),
            // The call was answered, and left the guest so that machine code could not go on with it.
            (Some(Ok(())), None) => ControlFlow::Continue(self.instance.resume()),
            (None, _) => ControlFlow::Continue(self.instance.resume_from(exit)),
        }
    }
}

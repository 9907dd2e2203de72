//! Runs that are awaited: a wrapper over the resumable exit, without a thread for the guest and for any executor.

use super::{Parts, Pause, Store};
use crate::linker::Function;
use crate::{Caller, Exit, RunError};
use std::future::poll_fn;
use std::task::Poll;
use std::time::{Duration, Instant};

/// How long an awaited run goes on until others have their turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slice {
    /// For some time. A thread of the engine watches it.
    Time(Duration),
    /// For some gas; a run that is not metered is not cut. Where the cuts are depends on nothing but the program.
    Gas(u64),
}

impl<T: Send> Store<T> {
    /// Has [`Store::run_async`] give way to other tasks of its executor now and then, or not.
    pub fn set_slice(&mut self, slice: Option<Slice>) {
        self.slice = slice;
    }

    /// Runs as [`Store::run`] does, and waits for asynchronous host functions, and after each slice, if slices are set, until
    /// the executor comes back.
    ///
    /// If the future is dropped while a host function is waited for, that function is not finished, and the guest stays at
    /// its call; a run that is resumed goes on behind it. Calls from host functions into the guest do not wait: they end
    /// with [`RunError::Asynchronous`] if they would have to.
    ///
    /// # Errors
    ///
    /// If a host function fails.
    pub async fn run_async(&mut self) -> Result<Exit, RunError> {
        let linker = self.parts.linker.clone();
        loop {
            let parts = &mut self.parts;
            let Some(exit) = parts.run_slice(self.deadline, self.slice)? else {
                yield_now().await;
                continue;
            };
            let (number, stopped) = match parts.pause(exit, &linker) {
                Pause::Exit(exit) => return Ok(exit),
                Pause::Call(number, Function::Immediate { function, .. }) => {
                    (number, function(&mut Caller::new(parts), number))
                }
                Pause::Call(number, Function::Asynchronous(function)) => {
                    (number, function(&mut Caller::new(parts), number).await)
                }
            };
            if let Err(stop) = stopped {
                return stop.into_result(number);
            }
        }
    }
}

impl<T> Parts<T> {
    /// Runs the guest until it stops; `None` if only its slice is over.
    fn run_slice(&mut self, deadline: Option<Instant>, slice: Option<Slice>) -> Result<Option<Exit>, RunError> {
        let end_of_slice = match slice {
            Some(Slice::Time(time)) => Instant::now().checked_add(time),
            _ => None,
        };
        let _alarm = self.alarm(deadline.into_iter().chain(end_of_slice).min())?;
        let gas = match slice {
            Some(Slice::Gas(gas)) => gas,
            _ => u64::MAX,
        };
        let exit = self.instance.run_for(gas);
        let is_overdue = || deadline.is_some_and(|deadline| deadline <= Instant::now());
        let is_slice_over = exit == Some(Exit::Interrupted)
            && end_of_slice.is_some()
            && !self.instance.memory().was_requested()
            && !is_overdue();
        Ok(exit.filter(|_| !is_slice_over))
    }
}

/// Lets other tasks of the executor run.
async fn yield_now() {
    let mut has_yielded = false;
    poll_fn(|context| {
        if std::mem::replace(&mut has_yielded, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

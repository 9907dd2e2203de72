//! A limit to the time of a run.

use pvm_runtime::InterruptHandle;
use std::io;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

/// A thread that interrupts a run after some time, unless it is dropped before.
#[derive(Debug)]
pub struct Watchdog {
    alive: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Watchdog {
    /// Interrupts the run that `handle` belongs to when `after` has passed.
    ///
    /// # Errors
    ///
    /// If the host has no thread for it.
    pub fn start(handle: InterruptHandle, after: Duration) -> io::Result<Watchdog> {
        let (alive, watched) = channel::<()>();
        let thread = Builder::new().name("watchdog".to_owned()).spawn(move || {
            if watched.recv_timeout(after) == Err(RecvTimeoutError::Timeout) {
                handle.interrupt();
            }
        })?;
        Ok(Watchdog { alive: Some(alive), thread: Some(thread) })
    }
}

impl Drop for Watchdog {
    fn drop(&mut self) {
        drop(self.alive.take());
        if let Some(thread) = self.thread.take() {
            // It only ends by itself, and has nothing to say.
            let _ = thread.join();
        }
    }
}

//! Deadlines: one thread of an engine, started when the first is set, interrupts runs whose time is up.

use pvm_vm::Interrupter;
use std::collections::BTreeMap;
use std::io;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};
use std::time::Instant;

/// The deadlines of an engine's runs.
#[derive(Debug, Default)]
pub(crate) struct Timer {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    /// What to interrupt, by when, and a number that tells runs with the same deadline apart.
    alarms: BTreeMap<(Instant, u64), Interrupter>,
    last_number: u64,
    /// When the thread wakes by itself. It is only woken for what comes before.
    wakes_at: Option<Instant>,
    is_closed: bool,
}

impl Shared {
    /// Nothing can panic while the queue is locked, so it is as it should be.
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Interrupts what is due, and sleeps until the next is.
    fn watch(&self) {
        let mut queue = self.queue();
        while !queue.is_closed {
            let now = Instant::now();
            while let Some(alarm) = queue.alarms.first_entry().filter(|alarm| alarm.key().0 <= now) {
                alarm.remove().time_is_up();
            }
            queue.wakes_at = queue.alarms.keys().next().map(|&(at, _)| at);
            queue = match queue.wakes_at {
                Some(at) => {
                    let waited = self.changed.wait_timeout(queue, at.saturating_duration_since(now));
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
            };
        }
    }
}

/// A deadline that is watched as long as this lives ([`crate::Instance::interrupt_after`]). Once it is dropped it interrupts
/// nothing any more.
#[derive(Debug)]
pub struct Alarm {
    shared: Arc<Shared>,
    key: (Instant, u64),
    interrupter: Interrupter,
}

impl Drop for Alarm {
    fn drop(&mut self) {
        // It goes off while the queue is locked, or not at all.
        if self.shared.queue().alarms.remove(&self.key).is_none() {
            self.interrupter.withdraw();
        }
    }
}

impl Timer {
    /// Has the runs that `interrupter` belongs to interrupted at a time.
    ///
    /// # Errors
    ///
    /// If the host has no thread for it.
    pub(crate) fn set(&self, interrupter: Interrupter, at: Instant) -> io::Result<Alarm> {
        self.start()?;
        let mut queue = self.shared.queue();
        queue.last_number += 1;
        let key = (at, queue.last_number);
        queue.alarms.insert(key, interrupter.clone());
        if queue.wakes_at.is_none_or(|wakes_at| at < wakes_at) {
            self.shared.changed.notify_one();
        }
        Ok(Alarm { shared: Arc::clone(&self.shared), key, interrupter })
    }

    fn start(&self) -> io::Result<()> {
        let mut thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.is_none() {
            let shared = Arc::clone(&self.shared);
            *thread = Some(Builder::new().name("pvm-timer".to_owned()).spawn(move || shared.watch())?);
        }
        Ok(())
    }
}

impl Drop for Timer {
    fn drop(&mut self) {
        self.shared.queue().is_closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.get_mut().unwrap_or_else(PoisonError::into_inner).take() {
            // It only ends by itself, and has nothing to say.
            let _ = thread.join();
        }
    }
}

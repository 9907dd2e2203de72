//! A thread that interrupts guests at random moments.
//!
//! One thread serves all guests of a fuzzer: starting one for each run would take longer than the run.

use fastrand::Rng;
use pvm_runtime::InterruptHandle;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// The thread. It sleeps while there is nobody to interrupt, and ends when this is dropped.
#[derive(Debug)]
pub struct Interrupter {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct Shared {
    victims: Mutex<Victims>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Victims {
    handles: Vec<(u64, InterruptHandle)>,
    next: u64,
    /// How often all of them have been interrupted.
    rounds: u64,
    is_over: bool,
}

/// For so many rounds without a victim the thread stays awake: the next one comes soon, and waking up takes longer than
/// it runs.
const LINGER: u32 = 200;

/// A victim waits no longer than that for the thread to be at work.
const PATIENCE: Duration = Duration::from_millis(2);

/// A guest is interrupted now and then as long as this lives.
#[derive(Debug)]
pub struct Disturbance {
    shared: Arc<Shared>,
    number: u64,
}

impl Interrupter {
    /// Starts the thread.
    ///
    /// # Panics
    ///
    /// If the host has no more threads.
    pub fn new() -> Interrupter {
        let shared = Arc::<Shared>::default();
        let for_thread = Arc::clone(&shared);
        let thread = thread::Builder::new().name("interrupter".to_owned()).spawn(move || for_thread.work());
        Interrupter { shared, thread: Some(thread.expect("a thread can be started")) }
    }

    /// Begins to interrupt a guest. Returns when the thread is at work, unless that takes long.
    pub fn disturb(&self, handle: InterruptHandle) -> Disturbance {
        let mut victims = self.shared.lock();
        let number = victims.next;
        victims.next += 1;
        victims.handles.push((number, handle));
        let rounds = victims.rounds;
        drop(victims);
        self.shared.changed.notify_one();
        let started = Instant::now();
        while self.shared.lock().rounds == rounds && started.elapsed() < PATIENCE {
            thread::yield_now();
        }
        Disturbance { shared: Arc::clone(&self.shared), number }
    }
}

impl Default for Interrupter {
    fn default() -> Interrupter {
        Interrupter::new()
    }
}

impl Drop for Interrupter {
    fn drop(&mut self) {
        self.shared.lock().is_over = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Drop for Disturbance {
    fn drop(&mut self) {
        self.shared.lock().handles.retain(|(number, _)| *number != self.number);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Victims> {
        self.victims.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn work(&self) {
        let mut rng = Rng::new();
        let mut idle = 0;
        loop {
            let nobody = |victims: &mut Victims| victims.handles.is_empty() && !victims.is_over && idle == LINGER;
            let mut victims = self.changed.wait_while(self.lock(), nobody).unwrap_or_else(PoisonError::into_inner);
            if victims.is_over {
                return;
            }
            idle = if victims.handles.is_empty() { idle + 1 } else { 0 };
            victims.rounds += 1;
            for (_, handle) in &victims.handles {
                handle.interrupt();
            }
            drop(victims);
            pause(&mut rng);
        }
    }
}

/// From nothing to several microseconds: a case spends no longer than that in machine code, so that sleeping would be too
/// slow, and giving way to other threads, too.
fn pause(rng: &mut Rng) {
    let most = 1 << rng.u32(1..9);
    for _ in 0..rng.u32(..most) {
        std::hint::spin_loop();
    }
}

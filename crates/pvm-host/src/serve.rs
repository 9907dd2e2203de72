//! Running a guest with a host.

use crate::{Caller, Effects};
use pvm_runtime::{Exit, Instance};

/// Answers host calls.
pub trait Host {
    /// Answers the call with this number.
    fn call(&mut self, caller: &mut Caller<'_>, id: u64) -> Outcome;
}

/// How a run goes on after a host call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guest goes on after the call.
    Resume,
    /// The run ends with this exit; the program counter stays that of the call.
    Stop(Exit),
}

/// Sees what goes on between guest and host.
pub trait Observer {
    /// The guest has called its host, which has not done anything yet.
    fn called(&mut self, instance: &Instance, id: u64);

    /// The host has answered.
    fn answered(&mut self, instance: &Instance, effects: Effects, outcome: Outcome);
}

/// Runs a guest until something stops it that is no host call, or a host call that has no answer: without a host, the
/// first one.
pub fn run(instance: &mut Instance, mut host: Option<&mut dyn Host>, mut observer: Option<&mut dyn Observer>) -> Exit {
    loop {
        let exit = instance.run();
        let Exit::HostCall { id } = exit else { return exit };
        if let Some(observer) = &mut observer {
            observer.called(instance, id);
        }
        let Some(host) = &mut host else { return exit };
        let mut caller = Caller::new(instance, observer.is_some());
        let outcome = host.call(&mut caller, id);
        let effects = caller.into_effects();
        if let Some(observer) = &mut observer {
            observer.answered(instance, effects, outcome);
        }
        if let Outcome::Stop(exit) = outcome {
            return exit;
        }
    }
}

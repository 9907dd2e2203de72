//! Stores: a guest with its host.

mod abi;
#[cfg(feature = "cranelift")]
mod answering;
mod asynchronous;
mod call;
mod error;
mod invocation;

pub use asynchronous::Slice;
pub use call::Entry;
pub use error::{CallError, RunError};
pub use invocation::{Completion, Invocation};

use crate::linker::Function;
#[cfg(feature = "cranelift")]
use crate::linker::NamedAnswers;
use crate::timer::Alarm;
use crate::{Caller, Exit, HostStop, Instance, InstanceError, InterruptHandle, Linker, Module};
pub(crate) use abi::Abi;
use std::ops::ControlFlow;
use std::time::Instant;

/// A guest, the host functions that it can call, and the host's data for it.
///
/// Guests of these instruction sets are not linked with one another, so that a store has one. The
/// [`Instance`] is reached by [`Store::instance`].
#[derive(Debug)]
pub struct Store<T> {
    parts: Parts<T>,
    deadline: Option<Instant>,
    slice: Option<Slice>,
}

/// What host functions get to see of a store.
#[derive(Debug)]
pub(crate) struct Parts<T> {
    pub instance: Instance,
    pub data: T,
    linker: Linker<T>,
    /// How many calls into the guest are going on.
    pub depth: u32,
    /// What machine code calls by itself, where host functions have names.
    #[cfg(feature = "cranelift")]
    named_answers: Option<NamedAnswers<T>>,
    /// What a host function has returned that machine code has called by this number, if that ends the run.
    #[cfg(feature = "cranelift")]
    stop: Option<(u64, HostStop)>,
}

/// Why machine code and interpreter have given control back.
enum Pause<'l, T> {
    /// The run ends.
    Exit(Exit),
    /// The guest has called this function.
    Call(u64, &'l Function<T>),
}

impl<T> Store<T> {
    /// A guest at the start of its program, without arguments and gas.
    ///
    /// # Errors
    ///
    /// As [`Instance::new`].
    pub fn new(module: &Module, linker: &Linker<T>, data: T) -> Result<Store<T>, InstanceError> {
        Ok(Store::from_instance(Instance::new(module, &[])?, linker, data))
    }

    /// A store for an instance, whatever its state.
    pub fn from_instance(instance: Instance, linker: &Linker<T>, data: T) -> Store<T> {
        let parts = Parts {
            instance,
            data,
            linker: linker.clone(),
            depth: 0,
            #[cfg(feature = "cranelift")]
            named_answers: None,
            #[cfg(feature = "cranelift")]
            stop: None,
        };
        Store { parts, deadline: None, slice: None }
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.parts.instance
    }

    /// The instance, to be changed.
    pub fn instance_mut(&mut self) -> &mut Instance {
        &mut self.parts.instance
    }

    /// The host's data.
    pub fn data(&self) -> &T {
        &self.parts.data
    }

    /// The host's data, to be changed.
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.parts.data
    }

    /// The instance and the host's data.
    pub fn into_parts(self) -> (Instance, T) {
        (self.parts.instance, self.parts.data)
    }

    /// A handle that stops a run from another thread, within a millisecond while guest code runs. A host function is not
    /// stopped: the guest stops when it returns.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        self.parts.instance.interrupt_handle()
    }

    /// Has every run stop with [`Exit::Interrupted`] at a time, or none. A thread of the engine watches the time; it is started
    /// with the first run that has a deadline.
    pub fn set_deadline(&mut self, deadline: Option<Instant>) {
        self.deadline = deadline;
    }

    /// Runs until something stops the guest that no host function answers, and says what. It can be resumed: the guest
    /// goes on behind the call if it was one.
    ///
    /// A host function that panics leaves the guest at its call, and everything else as it is: whoever catches the panic can
    /// go on with the store.
    ///
    /// # Errors
    ///
    /// If a host function fails.
    pub fn run(&mut self) -> Result<Exit, RunError> {
        let _alarm = self.parts.alarm(self.deadline)?;
        self.parts.run()
    }
}

impl<T> Parts<T> {
    /// What watches a deadline, if there is one.
    fn alarm(&self, deadline: Option<Instant>) -> Result<Option<Alarm>, RunError> {
        let Some(at) = deadline else { return Ok(None) };
        let alarm = self.instance.module().engine().timer().set(self.instance.interrupter(), at);
        alarm.map(Some).map_err(RunError::Timer)
    }

    pub(crate) fn run(&mut self) -> Result<Exit, RunError> {
        let linker = self.linker.clone();
        let result = self.serve(&linker);
        self.instance.let_go();
        result
    }

    /// Runs, and answers calls. Meanwhile machine code is held, so that the way back into it is short.
    fn serve(&mut self, linker: &Linker<T>) -> Result<Exit, RunError> {
        loop {
            let exit = match self.resume(linker) {
                ControlFlow::Continue(exit) => exit,
                ControlFlow::Break(result) => return result,
            };
            match self.pause(exit, linker) {
                Pause::Exit(exit) => return Ok(exit),
                Pause::Call(number, Function::Asynchronous(_)) => return Err(RunError::Asynchronous { number }),
                Pause::Call(number, Function::Immediate { function, .. }) => {
                    match function(&mut Caller::new(self), number) {
                        Ok(()) => {}
                        Err(stop) => return stop.into_result(number),
                    }
                }
            }
        }
    }

    #[cfg(not(feature = "cranelift"))]
    fn resume(&mut self, _: &Linker<T>) -> ControlFlow<Result<Exit, RunError>, Exit> {
        ControlFlow::Continue(self.instance.resume())
    }

    #[inline]
    fn pause<'l>(&self, exit: Exit, linker: &'l Linker<T>) -> Pause<'l, T> {
        let number = match exit {
            Exit::HostCall { id } => id,
            Exit::Ecall => u64::from(self.instance.all_registers()[abi::ECALL_NUMBER] as u32),
            other => return Pause::Exit(other),
        };
        match linker.find(self.instance.module(), number) {
            Some(function) => Pause::Call(number, function),
            None => Pause::Exit(exit),
        }
    }
}

impl HostStop {
    /// What becomes of a run that a host function with this number has ended.
    fn into_result(self, number: u64) -> Result<Exit, RunError> {
        match self {
            HostStop::Exit(exit) => Ok(exit),
            HostStop::Error(source) => Err(RunError::Host { number, source }),
        }
    }
}

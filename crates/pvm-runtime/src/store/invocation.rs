//! Invocations of whole programs with bytes as arguments: Ψ_M (Gray Paper A.8).

use super::{Entry, Store};
use crate::{CallError, Exit};

/// What came of an invocation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invocation {
    /// The gas that it took.
    pub gas_used: u64,
    /// How it ended.
    pub completion: Completion,
}

/// How an invocation ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The program has halted with this output.
    Output(Vec<u8>),
    /// The program has panicked, or accessed a page that it may not access.
    Panic,
    /// The gas was not enough.
    OutOfGas,
}

impl<T> Store<T> {
    /// Runs a PVM program from its start: with fresh memory, these argument bytes, at an entry point, with so much gas.
    /// Host functions are answered by the linker; the host's data stays from one invocation to the next.
    ///
    /// # Errors
    ///
    /// If the program is not for the PVM or has no such entry, the arguments are not for it, the host fails, or something
    /// stops the run that is no end, such as a call that no function answers: [`CallError::Stopped`].
    pub fn invoke<'e>(
        &mut self,
        entry: impl Into<Entry<'e>>,
        gas: u64,
        arguments: &[u8],
    ) -> Result<Invocation, CallError> {
        let module = self.parts.instance.module();
        if module.code().is_none() {
            return Err(CallError::NotPvm);
        }
        let pc = entry.into().resolve(module)?;
        let instance = &mut self.parts.instance;
        instance.reset(arguments)?;
        instance.set_pc(pc);
        instance.set_gas(gas);
        let completion = match self.run()? {
            Exit::Halt => Completion::Output(self.parts.instance.output()),
            Exit::Panic | Exit::PageFault { .. } | Exit::Trap { .. } => Completion::Panic,
            Exit::OutOfGas => Completion::OutOfGas,
            exit @ (Exit::HostCall { .. } | Exit::Ecall | Exit::Interrupted) => {
                return Err(CallError::Stopped(exit));
            }
        };
        Ok(Invocation { gas_used: gas.saturating_sub(self.parts.instance.gas()), completion })
    }
}

//! The `polkavm` crate.

use super::{Action, Embedded, HOST_CALLS};
use crate::clock::Processes;
use crate::contender::GAS;
use crate::kernel::Kernel;
use crate::polkavm_peer::{self, Gas};
use anyhow::{Result, anyhow, bail};
use polkavm::{BackendKind, Engine, InterruptKind, Module, RawInstance, Reg, SandboxKind};
use std::hint::black_box;
use std::rc::Rc;

/// The `polkavm` crate with a kernel.
pub struct Polkavm {
    engine: Rc<Engine>,
    module: Module,
    gas: Gas,
    processes: Processes,
}

impl Polkavm {
    /// With this back end: its sandbox if it compiles.
    ///
    /// # Errors
    ///
    /// If the host does not let it run, or it refuses the program.
    pub fn new(kernel: &Kernel, backend: BackendKind, sandbox: Option<SandboxKind>) -> Result<Polkavm> {
        let engine = polkavm_peer::engine(backend, sandbox)?;
        let gas = if sandbox.is_some() { Gas::Block } else { Gas::Instruction };
        let module = polkavm_peer::module(&engine, &kernel.pvm()?.file, gas)?;
        let processes = if sandbox == Some(SandboxKind::Linux) { Processes::Descendants } else { Processes::Own };
        Ok(Polkavm { engine, module, gas, processes })
    }
}

impl Embedded for Polkavm {
    type Guest = RawInstance;

    fn processes(&self) -> Processes {
        self.processes
    }

    fn make(&self) -> Result<RawInstance> {
        polkavm_peer::call(&self.module, 1)
    }

    fn run(&self, instance: &mut RawInstance) -> Result<()> {
        match instance.run()? {
            InterruptKind::Finished => Ok(()),
            interrupt => bail!("stopped by {interrupt:?}"),
        }
    }

    fn reset(&self, instance: &mut RawInstance) -> Option<Result<()>> {
        let result = instance.reset_memory().map_err(Into::into);
        Some(result.and_then(|()| polkavm_peer::prepare(&self.module, instance, 1)))
    }

    fn host_calls(&self) -> Result<Action> {
        let file = polkavm::program::assemble(None, HOST_CALLS).map_err(|error| anyhow!(error))?;
        let module = polkavm_peer::module(&self.engine, &file, self.gas)?;
        let mut instance = module.instantiate()?;
        let mut sum = 0u64;
        Ok(Box::new(move |count| {
            polkavm_peer::prepare(&module, &mut instance, count)?;
            instance.set_gas(GAS);
            loop {
                match instance.run()? {
                    InterruptKind::Ecalli(0) => sum = sum.wrapping_add(instance.reg(Reg::A0)),
                    InterruptKind::Finished => break,
                    interrupt => bail!("stopped by {interrupt:?}"),
                }
            }
            black_box(sum);
            Ok(())
        }))
    }
}

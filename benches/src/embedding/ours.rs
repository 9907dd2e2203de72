//! This engine.

use super::{Action, Embedded, HOST_CALLS};
use crate::contender::GAS;
use crate::kernel::Kernel;
use crate::ours::ARGUMENT;
use anyhow::{Result, anyhow, bail};
use pvm_program::Program;
use pvm_runtime::{Access, Config, Engine, Exit, Instance, Linker, Module, Options, Store};

/// Where 16 MiB are written.
const BLOCK: u32 = 0x4000_0000;

/// This engine with a kernel.
pub struct Ours {
    module: Module,
    entry: u32,
}

impl Ours {
    /// With these settings.
    ///
    /// # Errors
    ///
    /// If there is no such program, or no such engine on this host.
    pub fn new(kernel: &Kernel, config: &Config) -> Result<Ours> {
        let pvm = kernel.pvm()?;
        let module = Module::from_program(&Engine::new(config)?, pvm.program.clone(), Options::default());
        // The peers compile everything, too.
        module.compile_all();
        Ok(Ours { module, entry: pvm.entry })
    }
}

impl Embedded for Ours {
    type Guest = Instance;

    fn make(&self) -> Result<Instance> {
        Ok(Instance::new(&self.module, &[])?)
    }

    fn run(&self, instance: &mut Instance) -> Result<()> {
        instance.set_gas(GAS as u64);
        instance.set_pc(self.entry);
        instance.registers_mut()[ARGUMENT] = 1;
        match instance.run() {
            Exit::Halt => Ok(()),
            exit => bail!("stopped by {exit:?} at {}", instance.pc()),
        }
    }

    fn reset(&self, instance: &mut Instance) -> Option<Result<()>> {
        Some(instance.reset(&[]).map_err(Into::into))
    }

    fn host_calls(&self) -> Result<Action> {
        let file = polkavm::program::assemble(None, HOST_CALLS).map_err(|error| anyhow!(error))?;
        let module = Module::from_program(self.module.engine(), Program::parse(&file)?, Options::default());
        let mut linker = Linker::<u64>::new();
        linker.func(0, |caller| {
            *caller.data_mut() += caller.argument(0);
            Ok(())
        });
        let mut store = Store::new(&module, &linker, 0)?;
        Ok(Box::new(move |count| {
            store.instance_mut().set_gas(GAS as u64);
            store.call(crate::kernel::ENTRY, &[count])?;
            Ok(())
        }))
    }

    fn fork(&self) -> Result<Option<Action>> {
        let mut instance = self.make()?;
        instance.memory_mut().map(BLOCK, 16 << 20, Access::ReadWrite)?;
        instance.memory_mut().write(BLOCK, &vec![7; 16 << 20]).map_err(|fault| anyhow!("{fault:?}"))?;
        let (snapshot, module) = (instance.snapshot(), self.module.clone());
        Ok(Some(Box::new(move |count| {
            for _ in 0..count {
                Instance::from_snapshot(&module, &snapshot)?;
            }
            Ok(())
        })))
    }
}

//! The `polkavm` crate, through its public interface.

use crate::clock::{Processes, Stopwatch};
use crate::contender::{Contender, GAS, Guest, Runner, Sample};
use crate::kernel::{ENTRY, Kernel};
use anyhow::{Result, anyhow, bail};
use polkavm::{
    BackendKind, Config, Engine, GasMeteringKind, InterruptKind, Module, ModuleConfig, ProgramBlob, RawInstance, Reg,
    SandboxKind,
};
use std::rc::Rc;

/// How gas is charged.
#[derive(Clone, Copy)]
pub enum Gas {
    /// Not at all.
    None,
    /// Per block, checked when it is entered; what the recompiler can do.
    Block,
    /// Per instruction; what only the interpreter can do.
    Instruction,
}

/// Its recompiler in both sandboxes, where the host lets them run, and its interpreter.
pub fn contenders() -> Result<Vec<Contender>> {
    let mut contenders = Vec::new();
    let sandboxes = [
        ("polkavm-process-gas", "polkavm-process-none", SandboxKind::Linux),
        ("polkavm-generic-gas", "polkavm-generic-none", SandboxKind::Generic),
    ];
    for (metered, unmetered, sandbox) in sandboxes {
        match engine(BackendKind::Compiler, Some(sandbox)) {
            Ok(engine) => {
                let processes = if sandbox == SandboxKind::Linux { Processes::Descendants } else { Processes::Own };
                contenders.push(contender(metered, 1, &engine, Gas::Block, processes));
                contenders.push(contender(unmetered, 1, &engine, Gas::None, processes));
            }
            Err(error) => eprintln!("polkavm's {sandbox} sandbox does not run here: {error}"),
        }
    }
    let engine = engine(BackendKind::Interpreter, None)?;
    contenders.push(contender("polkavm-interp-gas", 20, &engine, Gas::Instruction, Processes::Own));
    contenders.push(contender("polkavm-interp-none", 20, &engine, Gas::None, Processes::Own));
    Ok(contenders)
}

/// An engine of this kind.
///
/// # Errors
///
/// If the host does not let it run.
pub fn engine(backend: BackendKind, sandbox: Option<SandboxKind>) -> Result<Rc<Engine>> {
    let mut config = Config::new();
    config.set_backend(Some(backend));
    config.set_sandbox(sandbox);
    config.set_allow_experimental(true);
    Ok(Rc::new(Engine::new(&config)?))
}

fn contender(name: &'static str, share: u64, engine: &Rc<Engine>, gas: Gas, processes: Processes) -> Contender {
    let engine = Rc::clone(engine);
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        let module = module(&engine, &kernel.pvm()?.file, gas)?;
        Ok(Box::new(move |n| run(&module, n, processes)))
    };
    Contender { name, guest: Guest::Pvm, share, prepare: Box::new(prepare) }
}

/// Compiles a `.polkavm` container.
///
/// # Errors
///
/// If it is refused.
pub fn module(engine: &Engine, file: &[u8], gas: Gas) -> Result<Module> {
    let mut config = ModuleConfig::new();
    config.set_gas_metering((!matches!(gas, Gas::None)).then_some(GasMeteringKind::Sync));
    config.set_per_instruction_metering(matches!(gas, Gas::Instruction));
    let blob = ProgramBlob::parse(file.into()).map_err(|error| anyhow!("{error:?}"))?;
    Ok(Module::from_blob(engine, &config, blob)?)
}

/// An instance whose next run is `kernel(n)`.
///
/// # Errors
///
/// If there is no such export, or the host has no room.
pub fn call(module: &Module, n: u64) -> Result<RawInstance> {
    let mut instance = module.instantiate()?;
    prepare(module, &mut instance, n)?;
    instance.set_gas(GAS);
    Ok(instance)
}

/// Has the next run of an instance be `kernel(n)`.
///
/// # Errors
///
/// If there is no such export.
pub fn prepare(module: &Module, instance: &mut RawInstance, n: u64) -> Result<()> {
    let export = module.exports().find(|export| export.symbol().as_bytes() == ENTRY.as_bytes());
    let entry = export.ok_or_else(|| anyhow!("no export named `{ENTRY}`"))?.program_counter();
    instance.prepare_call_untyped(entry, &[n]);
    Ok(())
}

fn run(module: &Module, n: u64, processes: Processes) -> Result<Sample> {
    let mut instance = call(module, n)?;
    let stopwatch = Stopwatch::start(processes);
    let interrupt = instance.run()?;
    let time = stopwatch.elapsed();
    match interrupt {
        InterruptKind::Finished => Ok(Sample { time, result: instance.reg(Reg::A0) }),
        interrupt => bail!("stopped by {interrupt:?} at {:?}", instance.program_counter()),
    }
}

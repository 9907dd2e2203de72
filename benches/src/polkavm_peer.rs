//! The `polkavm` crate, through its public interface.

use crate::contender::{Contender, GAS};
use anyhow::{Result, anyhow, bail};
use polkavm::program::InstructionSetKind;
use polkavm::{
    BackendKind, Config, Engine, GasMeteringKind, InterruptKind, Module, ModuleConfig, ProgramBlob, ProgramCounter,
    ProgramParts, Reg,
};
use pvm_program::Program;
use std::time::Instant;

/// Its interpreter, metering as we do; and its recompiler where the host lets it run, which meters blocks.
pub fn contenders(program: &Program) -> Result<Vec<Contender>> {
    let mut contenders = vec![contender("polkavm-interp", BackendKind::Interpreter, program)?];
    if BackendKind::Compiler.is_supported()
        && let Ok(recompiler) = contender("polkavm-recomp", BackendKind::Compiler, program)
    {
        contenders.push(recompiler);
    }
    Ok(contenders)
}

/// A standard program in polkavm's own container. Both put data at the same addresses; stacks differ, and so does the
/// stack pointer.
fn blob(program: &Program) -> Result<ProgramBlob> {
    let standard = program.standard().ok_or_else(|| anyhow!("not a standard program"))?;
    let mut code = Vec::new();
    standard.blob.encode(&mut code);
    let mut parts = ProgramParts::empty(InstructionSetKind::Latest64);
    parts.ro_data_size = standard.ro_data.len() as u32;
    parts.rw_data_size = standard.rw_data.len().next_multiple_of(4096) as u32 + 4096 * u32::from(standard.heap_pages);
    parts.stack_size = standard.stack_size.max(4096);
    parts.ro_data = standard.ro_data.into();
    parts.rw_data = standard.rw_data.into();
    parts.code_and_jump_table = code.into();
    ProgramBlob::from_parts(parts).map_err(|error| anyhow!("polkavm: {error:?}"))
}

fn contender(name: &str, backend: BackendKind, program: &Program) -> Result<Contender> {
    let mut config = Config::new();
    config.set_backend(Some(backend));
    config.set_allow_experimental(true);
    let engine = Engine::new(&config)?;
    let mut module_config = ModuleConfig::new();
    module_config.set_gas_metering(Some(GasMeteringKind::Sync));
    module_config.set_per_instruction_metering(backend == BackendKind::Interpreter);
    let module = Module::from_blob(&engine, &module_config, blob(program)?)?;
    let top = module.default_sp();
    let run = move || {
        let mut instance = module.instantiate()?;
        instance.set_reg(Reg::RA, 0xffff_0000);
        instance.set_reg(Reg::SP, top);
        instance.set_gas(GAS);
        instance.set_next_program_counter(ProgramCounter(0));
        let start = Instant::now();
        let interrupt = instance.run()?;
        let time = start.elapsed();
        if !matches!(interrupt, InterruptKind::Finished) {
            bail!("stopped by {interrupt:?} at {:?}", instance.program_counter());
        }
        let (address, len) = (instance.reg(Reg::A0), instance.reg(Reg::A1));
        let result = instance.read_memory(address as u32, len as u32)?;
        Ok((time, result))
    };
    Ok(Contender { name: name.to_owned(), run: Box::new(run) })
}

//! From options to an engine, and to the way a program is read.

use crate::args::{EngineArgs, FaultArg, JitArg, ProfileArg, ReadArgs};
use crate::exit::usage;
use anyhow::{Context, Result};
use pvm_isa::Profile;
use pvm_program::Program;
use pvm_runtime::{Config, Engine, FaultDetection, Jit, Options};

/// What the threshold is for RISC-V programs by default. They have more code, which takes longer to compile than that of the
/// PVM: programs like Lua and SQLite take 0.65 to 0.85 of the time that they take with a thousand, and kernels the same. With more,
/// such programs gain, but regions of some kernels begin in worse places.
const RISCV_THRESHOLD: u32 = 5_000;

/// The engine that the options describe.
pub fn engine(args: &EngineArgs, count_instructions: bool) -> Result<Engine> {
    engine_with(args, count_instructions, Config::default().jit_threshold)
}

/// The same for a RISC-V program.
pub fn riscv_engine(args: &EngineArgs, count_instructions: bool) -> Result<Engine> {
    engine_with(args, count_instructions, RISCV_THRESHOLD)
}

fn engine_with(args: &EngineArgs, count_instructions: bool, default_threshold: u32) -> Result<Engine> {
    let jit_threshold = args.jit_threshold.unwrap_or(default_threshold);
    let mut config = Config {
        jit: jit(args.jit)?,
        jit_threshold,
        count_instructions,
        make_room: pvm_vm::release_code,
        ..Config::default()
    };
    if let Some(detection) = args.fault_detection {
        config.fault_detection = match detection {
            FaultArg::Signals => FaultDetection::Signals,
            FaultArg::Checks => FaultDetection::Checks,
        };
    }
    if let Some(limit) = args.region_limit {
        config.region_limit = limit.max(1);
    }
    if let Some(limit) = args.max_memory {
        config.memory_limit = limit;
    }
    if config.jit == Jit::Off && args.profile != ProfileArg::Off {
        tracing::warn!("--profile has no effect: nothing is compiled");
    }
    configure_compiler(&mut config, args);
    Engine::new(&config).context("no engine can be set up")
}

#[cfg(feature = "cranelift")]
fn configure_compiler(config: &mut Config, args: &EngineArgs) {
    config.opt_level = match args.opt_level {
        crate::args::OptArg::None => pvm_runtime::OptLevel::None,
        crate::args::OptArg::Speed => pvm_runtime::OptLevel::Speed,
    };
    config.profiling = match args.profile {
        ProfileArg::Off => pvm_runtime::Profiling::Off,
        ProfileArg::PerfMap => pvm_runtime::Profiling::PerfMap,
        ProfileArg::JitDump => pvm_runtime::Profiling::JitDump,
    };
}

#[cfg(not(feature = "cranelift"))]
fn configure_compiler(_: &mut Config, args: &EngineArgs) {
    tracing::debug!(?args.opt_level, "nothing is compiled in this build");
}

#[cfg(feature = "cranelift")]
fn jit(jit: JitArg) -> Result<Jit> {
    Ok(match jit {
        JitArg::Cranelift => Jit::Cranelift,
        JitArg::Off => Jit::Off,
    })
}

#[cfg(not(feature = "cranelift"))]
fn jit(jit: JitArg) -> Result<Jit> {
    match jit {
        JitArg::Cranelift => {
            Err(usage("`--jit=cranelift`: this pvmrun was built without Cranelift and only interprets (`--jit=off`)"))
        }
        JitArg::Off => Ok(Jit::Off),
    }
}

/// The opcode numbering of a program. `otherwise` goes with the kind of file that it is in.
///
/// A `.polkavm` container says it. Only for ISA byte 3 there is a choice: linkers have written the 0.7 and the 0.8
/// numbering under it.
pub fn profile(program: &Program, args: &ReadArgs, otherwise: Option<Profile>) -> Profile {
    let Some((isa, _)) = program.polkavm() else {
        return args.isa.or(otherwise).unwrap_or_default();
    };
    let stated = program.profile.unwrap_or_default();
    match args.isa {
        Some(Profile::V0_7) if isa == 3 => Profile::V0_7,
        Some(asked) if asked != stated => {
            tracing::warn!("--isa={asked} has no effect: the file says that it is {stated} (ISA byte {isa})");
            stated
        }
        _ => stated,
    }
}

/// The options of a module.
pub fn options(program: &Program, read: &ReadArgs, engine: &EngineArgs, otherwise: Option<Profile>) -> Options {
    Options { profile: Some(profile(program, read, otherwise)), gas_model: engine.gas_model }
}

/// The program with another stack size.
pub fn with_stack_size(program: Program, size: u64) -> Result<Program> {
    let Some(mut standard) = program.standard() else {
        return Err(usage(format!("--stack-size: a {} program says itself where its stack is", program.format)));
    };
    let limit = (1 << 24) - 1;
    standard.stack_size = u32::try_from(size)
        .ok()
        .filter(|&size| size <= limit)
        .with_context(|| format!("--stack-size: {size} bytes are more than the limit of {limit} (2^24 - 1)"))?;
    let mut bytes = Vec::new();
    match program.metadata {
        Some(metadata) => pvm_program::ServiceFile { metadata, program: standard }.encode(&mut bytes),
        None => standard.encode(&mut bytes),
    }
    .context("--stack-size")?;
    Program::parse_as(program.format, &bytes).context("--stack-size")
}

//! WebAssembly on the command line: `pvmrun compile`, and compiling what `run` and the others are given.

use crate::args::{BoundsArg, CompileArgs, LevelArg, WasmArgs};
use crate::exit::usage;
use crate::{Io, exit, input};
use anyhow::{Context, Result, bail};
use pvm_program::{Metadata, Program};
use pvm_wasm::{Bounds, ImportMap, Level, Options};
use std::path::{Path, PathBuf};

/// The part of a limit on memory that is left for other things than linear memory that grows: the stack, and arguments of
/// the greatest length, copied.
const RESERVE: u64 = 40 << 20;

/// What is chosen beside [`WasmArgs`].
#[derive(Clone, Debug, Default)]
pub struct Choices {
    /// The export to begin with.
    pub entry: Option<String>,
    /// The size of the stack.
    pub stack_size: Option<u64>,
    /// How far a memory may grow.
    pub max_memory: Option<u64>,
    /// The name in the metadata.
    pub name: Option<String>,
}

impl Choices {
    /// What options of `run` mean for a module: the limit on memory is one on all of it.
    pub fn of_run(entry: Option<&String>, stack_size: Option<u64>, max_memory: Option<u64>) -> Choices {
        Choices {
            // That one has a program counter of its own.
            entry: entry.filter(|entry| *entry != "accumulate").cloned(),
            stack_size,
            max_memory: max_memory.map(|limit| limit.saturating_sub(RESERVE)),
            name: None,
        }
    }
}

/// `pvmrun compile`.
pub fn compile_file(args: &CompileArgs, io: &mut Io<'_>) -> Result<u8> {
    let bytes = input::read(&args.input, io)?;
    let output = output(args)?;
    let choices = Choices {
        entry: args.entry.clone(),
        stack_size: Some(args.stack_size),
        max_memory: Some(args.max_memory),
        name: args.name.clone(),
    };
    let file = compile(&bytes, &args.input, &args.wasm, &choices, io).with_context(|| input::name(&args.input))?;
    if output.as_os_str() == "-" {
        io.print(file)?;
        return Ok(exit::HALT);
    }
    std::fs::write(&output, &file).with_context(|| output.display().to_string())?;
    tracing::info!(path = %output.display(), bytes = file.len(), "written");
    Ok(exit::HALT)
}

/// Compiles a module that is to be run or looked at.
pub fn program(bytes: &[u8], path: &Path, args: &WasmArgs, choices: &Choices, io: &mut Io<'_>) -> Result<Program> {
    let file = compile(bytes, path, args, choices, io)?;
    Ok(Program::parse(&file)?)
}

/// Compiles a module to the bytes of a service.
fn compile(bytes: &[u8], path: &Path, args: &WasmArgs, choices: &Choices, io: &mut Io<'_>) -> Result<Vec<u8>> {
    let mut options = options(args, io)?;
    options.entry = choices.entry.clone();
    if let Some(size) = choices.stack_size {
        options.stack_size = u32::try_from(size)
            .ok()
            .filter(|&size| (1..=1 << 24).contains(&size))
            .with_context(|| format!("--stack-size: {size} bytes are not between 1 and 16 MiB"))?;
    }
    if let Some(size) = choices.max_memory {
        options.max_memory = u32::try_from(size).unwrap_or(u32::MAX);
    }
    options.metadata = metadata(choices.name.as_deref(), path);
    let compiled = pvm_wasm::compile(bytes, &options)?;
    for note in &compiled.notes {
        io.complain("note", note);
    }
    let mut file = Vec::new();
    compiled.service.encode(&mut file)?;
    Ok(file)
}

/// The options that all verbs have.
fn options(args: &WasmArgs, io: &mut Io<'_>) -> Result<Options> {
    let mut imports = ImportMap::default();
    for path in &args.imports {
        let name = || format!("--imports: {}", path.display());
        let text = String::from_utf8(input::read(path, io).context("--imports")?).with_context(name)?;
        imports.extend(ImportMap::parse(&text).with_context(name)?);
    }
    for line in &args.import {
        let map = ImportMap::parse(line).map_err(|_| {
            usage(format!("--import: `{line}` is not NAME=trap, NAME=nop, NAME=NUMBER or NAME=ecalli:NUMBER"))
        })?;
        imports.extend(map);
    }
    let adapters = args.adapter.iter().map(|path| input::read(path, io)).collect::<Result<_>>().context("--adapter")?;
    Ok(Options { bounds: bounds(args.bounds), level: level(args.wasm), imports, adapters, ..Options::default() })
}

fn bounds(bounds: BoundsArg) -> Bounds {
    match bounds {
        BoundsArg::Strict => Bounds::Strict,
        BoundsArg::Guard => Bounds::Guard,
    }
}

/// The version of the standard.
pub fn level(level: LevelArg) -> Level {
    match level {
        LevelArg::V1 => Level::V1,
        LevelArg::V2 => Level::V2,
    }
}

/// Metadata in the usual form.
fn metadata(name: Option<&str>, path: &Path) -> Vec<u8> {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).filter(|stem| stem != "-");
    let metadata = Metadata {
        name: name.map(str::to_owned).or(stem).unwrap_or_default(),
        version: String::new(),
        license: String::new(),
        authors: Vec::new(),
    };
    metadata.encode()
}

/// Where the program goes.
fn output(args: &CompileArgs) -> Result<PathBuf> {
    if let Some(path) = &args.output {
        return Ok(path.clone());
    }
    if args.input.as_os_str() == "-" {
        return Ok("-".into());
    }
    let path = args.input.with_extension("jam");
    if path == args.input {
        bail!("{}: the program would replace its own module; say where it goes with -o", path.display());
    }
    Ok(path)
}

//! `pvmrun asm`.

use crate::args::AsmArgs;
use crate::{Io, exit, input};
use anyhow::{Context, Result, anyhow, bail};
use pvm_program::{Format, Program};
use std::path::PathBuf;

/// Makes a program from assembly.
pub fn asm(args: &AsmArgs, io: &mut Io<'_>) -> Result<u8> {
    let source = input::read(&args.source, io)?;
    let name = || input::name(&args.source);
    let source = String::from_utf8(source).context("assembly is UTF-8 text").with_context(name)?;
    let bytes = pvm_asm::assemble(&source).map_err(|error| anyhow!("{}: {error}", name()))?;
    let path = output(args, &bytes)?;
    if path.as_os_str() == "-" {
        io.print(bytes)?;
        return Ok(exit::HALT);
    }
    std::fs::write(&path, &bytes).with_context(|| path.display().to_string())?;
    tracing::info!(path = %path.display(), bytes = bytes.len(), "written");
    Ok(exit::HALT)
}

/// Where the program goes.
fn output(args: &AsmArgs, bytes: &[u8]) -> Result<PathBuf> {
    if let Some(path) = &args.output {
        return Ok(path.clone());
    }
    if args.source.as_os_str() == "-" {
        return Ok("-".into());
    }
    let extension = match Program::parse(bytes).map(|program| program.format) {
        Ok(Format::Jam) => "jam",
        Ok(Format::Standard) => "spi",
        Ok(Format::PolkaVm) => "polkavm",
        Ok(Format::Raw) | Err(_) => "pvm",
    };
    let path = args.source.with_extension(extension);
    if path == args.source {
        bail!("{}: the program would replace its own assembly; say where it goes with -o", path.display());
    }
    Ok(path)
}

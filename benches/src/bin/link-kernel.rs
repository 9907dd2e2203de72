//! Turns a RISC-V ELF file into a `.polkavm` container with the `polkavm-linker` crate, in the opcode numbering of 0.7.

use anyhow::{Context, Result, anyhow};
use clap::Parser;
use polkavm_linker::{Config, TargetInstructionSet, program_from_elf};
use std::path::PathBuf;

/// Link a guest kernel.
#[derive(Parser)]
struct Arguments {
    /// An ELF file, linked with its relocations kept.
    elf: PathBuf,
    /// Where the `.polkavm` container goes.
    output: PathBuf,
}

fn main() -> Result<()> {
    let Arguments { elf, output } = Arguments::parse();
    let bytes = std::fs::read(&elf).with_context(|| elf.display().to_string())?;
    let mut config = Config::default();
    config.set_strip(true);
    let program = program_from_elf(config, TargetInstructionSet::ReviveV1, &bytes)
        .map_err(|error| anyhow!("{}: {error}", elf.display()))?;
    std::fs::write(&output, program).with_context(|| output.display().to_string())
}

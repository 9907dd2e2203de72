//! `pvmrun disasm`.

use crate::args::DisasmArgs;
use crate::{Io, exit, input, setup};
use anyhow::{Context, Result};

/// Prints a program as assembly.
pub fn disasm(args: &DisasmArgs, io: &mut Io<'_>) -> Result<u8> {
    let (_, input) = input::load(&args.program, &args.read, io)?;
    let (program, otherwise) =
        input.program(&args.program, &args.read, io).with_context(|| input::name(&args.program))?;
    let profile = setup::profile(&program, &args.read, otherwise);
    io.print(pvm_asm::disassemble(&program, profile))?;
    Ok(exit::HALT)
}

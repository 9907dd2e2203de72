//! `pvmrun disasm`.

use crate::args::DisasmArgs;
use crate::input::Input;
use crate::{Io, exit, input, listing, setup};
use anyhow::{Context, Result};

/// Prints a program as assembly, a RISC-V program as a listing.
pub fn disasm(args: &DisasmArgs, io: &mut Io<'_>) -> Result<u8> {
    let (_, input) = input::load(&args.program, &args.read, io)?;
    if let Input::Executable(executable) = input {
        listing::print(&executable, io)?;
        return Ok(exit::HALT);
    }
    let (program, otherwise) =
        input.program(&args.program, &args.read, io).with_context(|| input::name(&args.program))?;
    let profile = setup::profile(&program, &args.read, otherwise);
    io.print(pvm_asm::disassemble(&program, profile))?;
    Ok(exit::HALT)
}

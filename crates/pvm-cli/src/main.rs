//! `pvmrun`, the program: arguments and streams go to [`pvm_cli`], the exit code comes back.
#![forbid(unsafe_code)]

use anstream::{AutoStream, ColorChoice};
use pvm_cli::{Io, guarded, pvmrun};
use std::io::{BufWriter, IsTerminal, Write, stderr, stdin, stdout};
use std::process::ExitCode;

fn main() -> ExitCode {
    pvm_vm::return_large_allocations();
    let code = guarded(|| {
        let has_colour = |choice| choice != ColorChoice::Never;
        let mut out = BufWriter::new(stdout().lock());
        let mut io = Io {
            input: &mut stdin().lock(),
            out_has_colour: has_colour(AutoStream::choice(&stdout())),
            out: &mut out,
            err_has_colour: has_colour(AutoStream::choice(&stderr())),
            err_is_terminal: stderr().is_terminal(),
            err: &mut stderr(),
        };
        let code = pvmrun(std::env::args_os(), &mut io);
        // `pvmrun` has flushed; whatever is left could not be written.
        let _ = out.flush();
        code
    });
    ExitCode::from(code)
}

//! The command-line program `pvmrun`, as a library that it is a thin wrapper of: [`pvmrun`] takes arguments and streams
//! and gives an exit code, so that tests can call it, too.
//!
//! | module | what it does |
//! |---|---|
//! | `args`, `units` | the command line |
//! | `io`, `exit`, `guard`, `log` | streams, exit codes, internal errors, logging |
//! | `input` | reading files and telling what they are |
//! | `setup` | from options to engine and module |
//! | `run`, `test`, `disasm`, `asm`, `info`, `wasm` | the verbs |
//! | `listing` | RISC-V programs as text |
//! | `stats` | what `--stats` prints |
#![forbid(unsafe_code)]

mod args;
mod asm;
mod disasm;
mod exit;
mod guard;
mod info;
mod input;
mod io;
mod listing;
mod log;
mod run;
mod setup;
mod stats;
mod test;
mod units;
#[cfg(feature = "wasm")]
mod wasm;

pub use guard::guarded;
pub use io::Io;

use args::{Parsed, Verb};
use std::ffi::OsString;

/// Does what the arguments say, the first of which is the name of the program, and returns the exit code.
pub fn pvmrun(arguments: impl IntoIterator<Item = OsString>, io: &mut Io<'_>) -> u8 {
    let cli = match args::parse(arguments.into_iter().collect()) {
        Parsed::Cli(cli) => cli,
        Parsed::Message(message) => return exit::message(&message, io),
    };
    log::start(cli.verbose, io.err_has_colour);
    let result = match &cli.verb {
        Verb::Run(args) => run::run(args, io),
        Verb::Test(args) => test::test(args, io),
        Verb::Disasm(args) => disasm::disasm(args, io),
        Verb::Asm(args) => asm::asm(args, io),
        Verb::Info(args) => info::info(args, io),
        #[cfg(feature = "wasm")]
        Verb::Compile(args) => wasm::compile_file(args, io),
    };
    exit::finish(result, io)
}

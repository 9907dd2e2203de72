//! What `--help` says beyond the options.

/// The exit codes.
pub const EXIT_CODES: &str = "\
Exit codes:
    0  halt, or all tests passed      113  out of gas
    1  failed test, or bad input      114  unserved host call
    2  wrong usage                    115  timeout
  111  panic, or trap of RISC-V        70  internal error of pvmrun
  112  page fault                       n  a RISC-V program called exit(n)";

/// What can be done.
pub const EXAMPLES: &str = "\
Examples:
  pvmrun add.jam 0x0100000002000000     run a program with argument data
  pvmrun --entry accumulate --gas 100000 --json service.jam @arguments.bin
  pvmrun --stats --jit-threshold 0 prime.polkavm
  pvmrun --dir data hello.elf one two   run a RISC-V program with arguments
  pvmrun test conformance/              all vectors and traces in a folder
  pvmrun disasm add.jam | less          the program as assembly
  pvmrun info add.jam                   what is in it, what its code costs

A file is recognised by its content: JAM service, standard program, program
blob, .polkavm container, RISC-V executable (static ELF, 32 bits), PVM test
vector (JSON), host-call trace.
`-` stands for standard input.";

/// What `run` needs to have said.
pub const RUN_EXAMPLES: &str = "\
What the program returns is printed as one line of hexadecimal digits. Only
standard programs (jam, spi) return something: the bytes that r7 and r8 name
as address and length, if all of them are readable.

A vector runs from its initial state, a trace is replayed and compared; both
with the opcodes and the gas model that go with them. A .polkavm container
says itself which opcodes it has; with ISA byte 3, --isa=0.7 is heeded.

A RISC-V program runs as under Linux: with arguments and environment on its
stack, standard streams, and files below the folders of --dir only. Its output
is passed through; with --json standard output is in the JSON, as hexadecimal
digits. One with a symbol `tohost` is taken for a test for a bare machine: it
runs in machine mode until it writes its result there.

Examples:
  pvmrun run add.jam 0x0100000002000000
  pvmrun --timeout 2s --max-memory 64M untrusted.jam
  pvmrun --trace run.trace service.jam && pvmrun test run.trace";

/// What `test` needs to have said.
pub const TEST_HELP: &str = "\
PVM vectors run with per-block gas, gas vectors with the pipeline model and
`draft` opcodes, traces with per-instruction gas (pipeline under 0.8), unless
options say otherwise. RISC-V programs pass if they call exit(0), or, with a
symbol `tohost`, in machine mode, if they write 1 there. Every file in a folder must be one of these, whatever it
is called; one that is not is a failure. A skip list has on each line the end
of a path and a reason; `#` begins a comment line, and an entry that matches
nothing is an error.

Examples:
  pvmrun test vectors/                      compiled when hot
  pvmrun test --jit=off vectors/ run.trace  interpreted
  pvmrun test --jit-threshold 0 vectors/    compiled before the first run

Exit codes: 0 all passed, 1 a failure or a bad input, 2 wrong usage,
70 internal error of pvmrun";

/// What `compile` needs to have said.
#[cfg(feature = "wasm")]
pub const COMPILE_HELP: &str = "\
An entry point takes nothing, or the offset and length of the arguments (i32,
i32), which are copied into linear memory; it gives i64 (offset of the result
in the low half, its length in the high half), (i32, i32), or nothing, with the
result in exported globals result_ptr and result_len. docs/wasm.md has more.

Examples:
  pvmrun compile service.wasm -o service.jam
  pvmrun compile --import 'env.log=ecalli:100' --import 'env.*=trap' in.wat
  pvmrun in.wat 0x0500000007000000      compile and run in one step";

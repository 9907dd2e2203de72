//! What tests of the back end share: IR as text, programs that call a function, running them.
#![allow(dead_code)] // each test uses a part

use cranelift_codegen::ir::{Function, UserFuncName};
use pvm_backend::{Compiled, Options, Source, compile};
use pvm_fuzzing::clif;
pub use pvm_fuzzing::clif::Outcome;
use pvm_program::{Program, ServiceFile};
use pvm_runtime::{Config, Engine, Instance, Jit, Module};

/// The functions in a text; function `u0:N` becomes number N.
pub fn parse(text: &str) -> Vec<Function> {
    let mut functions = cranelift_reader::parse_functions(text).unwrap_or_else(|error| panic!("{error}"));
    functions.sort_by_key(|function| match &function.name {
        UserFuncName::User(name) => name.index,
        UserFuncName::Testcase(name) => panic!("functions are called u0:N: {name}"),
    });
    functions
}

/// A program that calls the first function of a text with its arguments.
pub fn program(text: &str) -> Source {
    clif::program(parse(text))
}

/// Compiles a text.
pub fn compiled(text: &str) -> Compiled {
    compile(&program(text), &Options::default()).unwrap_or_else(|error| panic!("{error}"))
}

/// The bytes of a service file with the program.
pub fn encode(compiled: &Compiled) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = ServiceFile { metadata: Vec::new(), program: compiled.program.clone() };
    file.encode(&mut bytes).expect("the compiler has checked that it can be encoded");
    bytes
}

/// An instance of a program.
pub fn instance(compiled: &Compiled, args: &[i64], gas: u64) -> Instance {
    let engine = Engine::new(&Config::default()).unwrap();
    let module = Module::new(&engine, &encode(compiled), Default::default()).unwrap();
    let arguments: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
    let mut instance = Instance::new(&module, &arguments).unwrap();
    instance.set_gas(gas);
    instance
}

/// Compiles the functions in a text and runs number 0.
pub fn run_text(text: &str, args: &[i64]) -> Outcome {
    clif::run(&compiled(text), args, Jit::Off)
}

/// The code of a program as text.
pub fn listing(compiled: &Compiled) -> String {
    let program = Program::parse(&encode(compiled)).unwrap();
    pvm_asm::disassemble(&program, pvm_isa::Profile::V0_7)
}

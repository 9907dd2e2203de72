//! What tests of the back end share: IR as text, programs that call a function, running them.
#![allow(dead_code)] // each test uses a part

use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, MemFlagsData, Signature, UserFuncName, types};
use cranelift_codegen::ir::{ExtFuncData, ExternalName, UserExternalName};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use pvm_backend::{Compiled, Data, Options, Source, Unit, compile};
use pvm_program::{Format, Program, ServiceFile};
use pvm_runtime::{Config, Engine, Exit, Instance, Module};

/// Where results are written: the beginning of the read-write data.
pub const RESULTS: i64 = 0x20000;
/// Where programs may keep data of their own.
pub const SCRATCH: i64 = 0x21000;

/// The functions in a text; function `u0:N` becomes number N.
pub fn parse(text: &str) -> Vec<Unit> {
    let mut functions = cranelift_reader::parse_functions(text).unwrap_or_else(|error| panic!("{error}"));
    functions.sort_by_key(|function| match &function.name {
        UserFuncName::User(name) => name.index,
        UserFuncName::Testcase(name) => panic!("functions are called u0:N: {name}"),
    });
    functions.into_iter().enumerate().map(|(index, function)| unit(index, function)).collect()
}

/// A function with a name for messages.
pub fn unit(index: usize, function: Function) -> Unit {
    Unit { name: format!("f{index}"), function }
}

/// A program of these functions, entered by one that reads the parameters of function 0 from the arguments, eight bytes
/// each, and writes its results to [`RESULTS`].
pub fn program(mut units: Vec<Unit>) -> Source {
    let entry = entry(&units[0].function.signature, units.len() as u32);
    let number = units.len() as u32;
    units.push(Unit { name: "entry".into(), function: entry });
    let data = Data { heap_pages: 2, ..Data::default() };
    Source { functions: units, entries: vec![number], data }
}

fn entry(signature: &Signature, index: u32) -> Function {
    let mut own = Signature::new(CallConv::Fast);
    own.params.extend([AbiParam::new(types::I64); 2]);
    own.returns.extend([AbiParam::new(types::I64); 2]);
    let mut function = Function::with_name_signature(UserFuncName::user(0, index), own);
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let block = builder.create_block();
    builder.append_block_params_for_function_params(block);
    builder.switch_to_block(block);
    builder.seal_block(block);
    let from = builder.block_params(block)[0];
    let flags = MemFlagsData::trusted();
    let mut args = Vec::new();
    for (index, param) in signature.params.iter().enumerate() {
        args.push(builder.ins().load(param.value_type, flags, from, 8 * index as i32));
    }
    let callee = call_reference(builder.func, 0, signature.clone());
    let call = builder.ins().call(callee, &args);
    let to = builder.ins().iconst(types::I64, RESULTS);
    let results = builder.inst_results(call).to_vec();
    for (index, &result) in results.iter().enumerate() {
        let wide = match builder.func.dfg.value_type(result) {
            types::I64 => result,
            _ => builder.ins().sextend(types::I64, result),
        };
        builder.ins().store(flags, wide, to, 8 * index as i32);
    }
    let len = builder.ins().iconst(types::I64, 8 * results.len() as i64);
    builder.ins().return_(&[to, len]);
    builder.finalize(pvm_backend::frontend_config());
    function
}

/// A reference to function `index`.
pub fn call_reference(func: &mut Function, index: u32, signature: Signature) -> cranelift_codegen::ir::FuncRef {
    let name = func.declare_imported_user_function(UserExternalName { namespace: 0, index });
    let signature = func.import_signature(signature);
    func.import_function(ExtFuncData { name: ExternalName::user(name), signature, colocated: true, patchable: false })
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// With results, sign-extended.
    Values(Vec<i64>),
    /// With a trap.
    Trap,
    /// In some other way, which is always a mistake.
    Other(Exit),
}

/// The bytes of a service file with the program.
pub fn encode(compiled: &Compiled) -> Vec<u8> {
    let mut bytes = Vec::new();
    let file = ServiceFile { metadata: Vec::new(), program: compiled.program.clone() };
    file.encode(&mut bytes).expect("the compiler has checked that it can be encoded");
    bytes
}

/// An instance of a program, and its gas.
pub fn instance(compiled: &Compiled, args: &[i64], gas: u64) -> Instance {
    let engine = Engine::new(&Config::default()).unwrap();
    let program = Program::parse(&encode(compiled)).unwrap();
    assert_eq!(program.format, Format::Jam);
    let module = Module::from_program(&engine, program, Default::default());
    let arguments: Vec<u8> = args.iter().flat_map(|arg| arg.to_le_bytes()).collect();
    let mut instance = Instance::new(&module, &arguments).unwrap();
    instance.set_gas(gas);
    instance
}

/// Runs a program on arguments.
pub fn run(compiled: &Compiled, args: &[i64]) -> Outcome {
    let mut instance = instance(compiled, args, 100_000_000);
    match instance.run() {
        Exit::Halt => {
            let output = instance.output();
            Outcome::Values(output.chunks(8).map(|word| i64::from_le_bytes(word.try_into().unwrap())).collect())
        }
        Exit::Panic => Outcome::Trap,
        exit => Outcome::Other(exit),
    }
}

/// Compiles the functions in a text and runs number 0.
pub fn run_text(text: &str, args: &[i64]) -> Outcome {
    run(&compile(&program(parse(text)), &Options::default()).unwrap_or_else(|error| panic!("{error}")), args)
}

/// The code of a program as text.
pub fn listing(compiled: &Compiled) -> String {
    let program = Program::parse(&encode(compiled)).unwrap();
    pvm_asm::disassemble(&program, pvm_isa::Profile::V0_7)
}

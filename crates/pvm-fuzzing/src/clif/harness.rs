//! Programs that call a function with given arguments, and running them.

use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, Function, InstBuilder, MemFlagsData, Signature, UserExternalName,
    UserFuncName, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use pvm_backend::{Compiled, Data, Source, Unit};
use pvm_program::{Program, ServiceFile};
use pvm_runtime::{Config, Engine, Exit, Instance, Jit, Module, Options};

/// Where results are written: the beginning of the read-write data.
pub const RESULTS: i64 = 0x20000;

/// A program of these functions, entered by one that reads the parameters of function 0 from the arguments, eight bytes
/// each, and writes its results to [`RESULTS`], sign-extended.
pub fn program(functions: Vec<Function>) -> Source {
    let number = functions.len() as u32;
    let entry = entry(&functions[0].signature, number);
    let units = functions.into_iter().chain([entry]).enumerate();
    let units = units.map(|(index, function)| Unit { name: format!("f{index}"), function }).collect();
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
    let params = signature.params.iter().enumerate();
    let load = |(index, param): (usize, &AbiParam)| builder.ins().load(param.value_type, flags, from, 8 * index as i32);
    let args: Vec<_> = params.map(load).collect();
    let callee = reference(builder.func, 0, signature.clone());
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
pub fn reference(func: &mut Function, index: u32, signature: Signature) -> FuncRef {
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

/// Runs a program on arguments, in the interpreter or compiled.
pub fn run(compiled: &Compiled, arguments: &[i64], jit: Jit) -> Outcome {
    let config = Config { jit, jit_threshold: 0, ..Config::default() };
    let engine = Engine::new(&config).expect("the configuration is valid");
    let mut bytes = Vec::new();
    let file = ServiceFile { metadata: Vec::new(), program: compiled.program.clone() };
    file.encode(&mut bytes).expect("the compiler has checked that it can be encoded");
    let program = Program::parse(&bytes).expect("what is encoded can be read");
    let module = Module::from_program(&engine, program, Options::default());
    let arguments: Vec<u8> = arguments.iter().flat_map(|argument| argument.to_le_bytes()).collect();
    let mut instance = Instance::new(&module, &arguments).expect("there is memory for a small program");
    instance.set_gas(1 << 32);
    match instance.run() {
        Exit::Halt => {
            let words = instance.output();
            let words = words.chunks(8).map(|word| i64::from_le_bytes(word.try_into().unwrap_or_default()));
            Outcome::Values(words.collect())
        }
        Exit::Panic => Outcome::Trap,
        exit => Outcome::Other(exit),
    }
}

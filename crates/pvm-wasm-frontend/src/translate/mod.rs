//! One function body as IR.
//!
//! The body is valid, so types need no looking at: the operand stack holds values of the IR, locals are its variables,
//! and each structured instruction is a [`control::Frame`] with the block that branches to it lead to. Instructions that
//! cannot be reached are skipped.

mod bulk;
mod call;
mod checks;
mod control;
mod float;
mod loops;
mod memory;
mod numeric;
mod range;
mod short;
mod table;
mod variable;

pub(crate) use float::is_arithmetic;

use crate::build::finish;
use crate::functions::{FunctionKey, Functions};
use crate::instance::{Callee, Instance, signature, word};
use crate::{Problem, WasmError};
use checks::Checks;
use control::Frame;
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{
    AliasRegionData, Block, FuncRef, Function, InstBuilder, MemFlagsData, Opcode, SigRef, SourceLoc, TrapCode,
    UserFuncName, Value,
};
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use loops::LoopLocals;
use std::collections::HashMap;
use wasmparser::{FunctionBody, Operator};

/// The most values that the IR of one function may have. A function of the largest size that the standard's limits allow
/// stays far below it, unless it multiplies parameters of blocks.
const MAX_VALUES: u64 = 1 << 22;

/// The trap of everything that traps: PVM knows only one kind.
const TRAP: TrapCode = TrapCode::unwrap_user(1);

/// Translates function `function` of an instance, which must be one that its module defines.
///
/// # Errors
///
/// If it gets too large, or uses an intrinsic in a way that cannot be translated.
pub fn translate(
    instance: &Instance<'_>,
    function: u32,
    functions: &mut Functions,
    context: &mut FunctionBuilderContext,
) -> Result<Function> {
    let module = instance.module;
    let body = &module.bodies[(function - module.imported_functions) as usize];
    let key = FunctionKey::Wasm { instance: instance.number, function };
    define(instance, key, function, functions, context, |translator, entry| {
        translator.declare_locals(entry, body)?;
        translator.enter_function(module.function_type(function));
        translator.body(body)
    })
}

/// Translates an imported function that stands for something else, as a function: for tables and references.
///
/// # Errors
///
/// If it is an intrinsic that cannot be called so.
pub fn translate_import(
    instance: &Instance<'_>,
    function: u32,
    functions: &mut Functions,
    context: &mut FunctionBuilderContext,
) -> Result<Function> {
    let key = FunctionKey::Import { instance: instance.number, function };
    let Callee::Host(action) = instance.callee(function) else { unreachable!("it is not defined by a module") };
    define(instance, key, function, functions, context, |translator, entry| {
        let ty = instance.module.function_type(function);
        let arguments = translator.builder.block_params(entry).to_vec();
        translator.host(action, ty, &arguments)?;
        if translator.is_reachable {
            let results = translator.pop_many(ty.results().len());
            translator.builder.ins().return_(&results);
        }
        Ok(())
    })
}

/// Builds a function of an instance: `body` is given the entry block.
fn define(
    instance: &Instance<'_>,
    key: FunctionKey,
    function: u32,
    functions: &mut Functions,
    context: &mut FunctionBuilderContext,
    body: impl FnOnce(&mut Translator<'_, '_>, Block) -> Result<()>,
) -> Result<Function> {
    let number = functions.number(key);
    let ty = instance.module.function_type(function);
    let mut ir = Function::with_name_signature(UserFuncName::user(0, number), signature(ty));
    let mut builder = FunctionBuilder::new(&mut ir, context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    builder.seal_block(entry);
    let regions = Regions::new(&mut builder);
    let mut translator = Translator {
        builder,
        instance,
        functions,
        regions,
        stack: Vec::new(),
        frames: Vec::new(),
        locals: Vec::new(),
        is_reachable: true,
        unreachable_depth: 0,
        checks: Checks::default(),
        loops: Vec::new(),
        loops_begun: 0,
        callees: HashMap::new(),
        signatures: HashMap::new(),
    };
    match body(&mut translator, entry) {
        Ok(()) => {
            finish(translator.builder);
            Ok(ir)
        }
        Err(error) => {
            // Half a function cannot be finalised, so the context is of no further use.
            drop(translator);
            *context = FunctionBuilderContext::new();
            Err(WasmError { function: Some(instance.module.describe(function)), ..error })
        }
    }
}

/// How the parts of guest memory are accessed. Accesses to different parts do not meet, and no access traps, as all are
/// checked.
struct Regions {
    /// The linear memory.
    memory: MemFlagsData,
    /// Tables.
    tables: MemFlagsData,
    /// Globals.
    globals: MemFlagsData,
    /// Sizes.
    sizes: MemFlagsData,
    /// Sizes that never change while functions run.
    settled: MemFlagsData,
}

impl Regions {
    fn new(builder: &mut FunctionBuilder<'_>) -> Regions {
        let mut region = |user_id, name: &'static str| {
            let data = AliasRegionData { user_id, description: name.into() };
            let region = builder.func.dfg.alias_regions.insert(data);
            MemFlagsData::new().with_notrap().with_alias_region(Some(region))
        };
        let sizes = region(4, "sizes");
        Regions {
            memory: region(1, "memory"),
            tables: region(2, "tables"),
            globals: region(3, "globals"),
            sizes,
            settled: sizes.with_readonly().with_can_move(),
        }
    }
}

struct Translator<'a, 'b> {
    builder: FunctionBuilder<'b>,
    instance: &'a Instance<'a>,
    functions: &'a mut Functions,
    regions: Regions,
    /// The operand stack.
    stack: Vec<Value>,
    frames: Vec<Frame>,
    locals: Vec<Variable>,
    is_reachable: bool,
    /// How many structured instructions have begun where nothing is reached.
    unreachable_depth: u32,
    checks: Checks,
    /// The locals of all loops, and how many loops have begun.
    loops: Vec<LoopLocals>,
    loops_begun: usize,
    callees: HashMap<u32, FuncRef>,
    signatures: HashMap<u32, SigRef>,
}

type Result<T> = std::result::Result<T, WasmError>;

impl Translator<'_, '_> {
    fn body(&mut self, body: &FunctionBody<'_>) -> Result<()> {
        self.loops = loops::scan(body)?;
        let mut operators = body.get_operators_reader()?;
        let start = body.range().start;
        while !operators.eof() {
            let offset = operators.original_position();
            // Where a function is within the module is for messages; 32 bits are enough within a body.
            self.builder.set_srcloc(SourceLoc::new((offset - start) as u32));
            let operator = operators.read()?;
            self.operator(&operator).map_err(|error| WasmError { offset: error.offset.or(Some(offset)), ..error })?;
            let values = self.builder.func.dfg.num_values() as u64;
            if values > MAX_VALUES {
                let what = "values in the translation of one function";
                return Err(Problem::TooLarge { what, value: values, limit: MAX_VALUES }.at(offset));
            }
        }
        Ok(())
    }

    /// Parameters, then locals, which begin as zero.
    fn declare_locals(&mut self, entry: Block, body: &FunctionBody<'_>) -> Result<()> {
        for value in self.builder.block_params(entry).to_vec() {
            let local = self.builder.declare_var(self.builder.func.dfg.value_type(value));
            self.builder.def_var(local, value);
            self.locals.push(local);
        }
        for group in body.get_locals_reader()? {
            let (count, ty) = group?;
            let zero = self.builder.ins().iconst(word(ty), 0);
            for _ in 0..count {
                let local = self.builder.declare_var(word(ty));
                self.builder.def_var(local, zero);
                self.locals.push(local);
            }
        }
        Ok(())
    }

    /// One instruction. Each family looks whether it is one of its own.
    fn operator(&mut self, operator: &Operator<'_>) -> Result<()> {
        if self.control(operator)? || !self.is_reachable {
            self.checks.effect();
            return Ok(());
        }
        if self.variable(operator) || self.numeric(operator) || self.memory(operator) {
            return Ok(());
        }
        self.checks.effect();
        let is_known = self.bulk(operator) || self.table(operator) || self.float(operator) || self.call(operator)?;
        match is_known {
            true => Ok(()),
            // Validation lets no others through.
            false => Err(Problem::Invalid(format!("the instruction {operator:?} is not known")).of_module()),
        }
    }

    fn push(&mut self, value: Value) {
        self.stack.push(value);
    }

    fn pop(&mut self) -> Value {
        self.stack.pop().expect("the body is valid")
    }

    fn pop_pair(&mut self) -> (Value, Value) {
        let second = self.pop();
        (self.pop(), second)
    }

    /// The topmost operands, in the order in which they were pushed.
    fn pop_many(&mut self, count: usize) -> Vec<Value> {
        self.stack.split_off(self.stack.len() - count)
    }

    /// The instruction always traps: what follows is not reached.
    fn trap(&mut self) {
        self.builder.ins().trap(TRAP);
        self.is_reachable = false;
    }

    /// A comparison's result as an operand.
    fn push_flag(&mut self, flag: Value) {
        let value = self.builder.ins().uextend(I32, flag);
        self.push(value);
    }

    /// The operand as the condition of a branch or a choice: the comparison that it comes from, if it does.
    fn pop_condition(&mut self) -> Value {
        let value = self.pop();
        let dfg = &self.builder.func.dfg;
        let Some(inst) = dfg.value_def(value).inst() else { return value };
        match dfg.insts[inst].opcode() {
            Opcode::Uextend => dfg.inst_args(inst)[0],
            _ => value,
        }
    }
}

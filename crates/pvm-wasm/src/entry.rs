//! Entry points: the code between the conventions of the Gray Paper and functions of modules.
//!
//! A program is started with the address and length of its arguments in registers 7 and 8, and leaves the address and
//! length of its result there (Gray Paper A.7). Arguments are copied to the end of the linear memory, which is grown for
//! them; without arguments it is not.

use crate::error::CompileError;
use crate::layout::GAP_PAGES;
use crate::start::{TRAP, call, call_routine, load_cell, load_extent, store_cell};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{AbiParam, Function, InstBuilder, MemFlagsData, Signature, Value};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext};
use pvm_wasm_frontend::{
    ADDED, CELL, Extent, Extern, FuncType, FunctionKey, Functions, GlobalPlace, Instance, Module, ValType, WASM_PAGE,
    build_function, word,
};

/// Bytes that are kept free behind the arguments. AssemblyScript's allocator writes to the last bytes of the memory that
/// it finds.
const BEHIND_ARGUMENTS: i64 = 16;

/// Bytes that a round of the loop copies that copies arguments: no more than are free behind them.
const ROUND: i64 = 16;

/// A way into a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EntryPoint {
    /// A trap: nothing begins here.
    Trap,
    /// All instances come into being, then a function of the first is called with the arguments of the program.
    Service {
        /// The function.
        function: u32,
        /// How it takes arguments and gives results.
        form: Form,
    },
    /// Puts memory into its first state, where the program file does not do so.
    Prepare,
    /// Brings an instance into being.
    Instantiate(usize),
    /// Calls a function of an instance. Arguments are in cells, and results come into the same cells.
    Invoke {
        /// The instance.
        unit: usize,
        /// The function.
        function: u32,
    },
}

/// How a function takes the arguments of a program and gives its result.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// It has two parameters: the offset of the arguments in linear memory, and their length.
    pub takes_arguments: bool,
    /// Where its result is.
    pub result: ResultForm,
}

/// Where the result of a program is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResultForm {
    /// There is none.
    Nothing,
    /// One number of 64 bits has the offset in the low half and the length in the high half.
    Packed,
    /// Two numbers: offset and length.
    Pair,
    /// The offset and the length are in these globals.
    Globals(u32, u32),
}

impl Form {
    /// The form of a function that is to be an entry point.
    ///
    /// # Errors
    ///
    /// If its type is none of those that are known.
    pub fn of(module: &Module<'_>, function: u32) -> Result<Form, CompileError> {
        let ty = module.function_type(function);
        let takes_arguments = match ty.params() {
            [] => false,
            [ValType::I32, ValType::I32] => true,
            _ => return Err(unknown_form(module, function, ty)),
        };
        let globals = || {
            let global = |name| match module.export(name) {
                Some(Extern::Global(index)) => {
                    (module.globals[index as usize].ty.content_type == ValType::I32).then_some(index)
                }
                _ => None,
            };
            Some((global("result_ptr")?, global("result_len")?))
        };
        let result = match (ty.results(), globals()) {
            ([ValType::I64], _) => ResultForm::Packed,
            ([ValType::I32, ValType::I32], _) => ResultForm::Pair,
            ([], Some((offset, length))) => ResultForm::Globals(offset, length),
            ([], None) => ResultForm::Nothing,
            _ => return Err(unknown_form(module, function, ty)),
        };
        Ok(Form { takes_arguments, result })
    }
}

fn unknown_form(module: &Module<'_>, function: u32, ty: &FuncType) -> CompileError {
    let list = |types: &[ValType]| types.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    CompileError::Entry(format!(
        "{} has the type ({}) -> ({}); an entry point takes nothing or (i32, i32), the offset and length of the arguments, \
         and gives i64 (offset in the low half, length in the high half), (i32, i32), or nothing, with the result in \
         exported globals `result_ptr` and `result_len`",
        module.describe(function),
        list(ty.params()),
        list(ty.results())
    ))
}

/// What entries are made of.
pub(crate) struct Entries<'a, 'm> {
    pub instances: &'a [Instance<'m>],
    /// Cells for arguments and results.
    pub scratch: u32,
    /// There is something to prepare.
    pub has_copies: bool,
    /// For each instance, whether there is something to do to bring it into being.
    pub has_start: Vec<bool>,
}

impl Entries<'_, '_> {
    /// The function behind an entry point: of arguments and their length, to a result and its length.
    pub fn build(
        &self,
        entry: &EntryPoint,
        number: u32,
        functions: &mut Functions,
        context: &mut FunctionBuilderContext,
    ) -> Function {
        let mut signature = Signature::new(CallConv::Fast);
        signature.params = vec![AbiParam::new(I64); 2];
        signature.returns = vec![AbiParam::new(I64); 2];
        build_function(number, signature, context, |builder, params| {
            let nothing = |builder: &mut FunctionBuilder<'_>| [builder.ins().iconst(I64, 0); 2];
            let result = match *entry {
                EntryPoint::Trap => {
                    builder.ins().trap(TRAP);
                    return;
                }
                EntryPoint::Service { function, form } => {
                    self.service(builder, functions, function, form, [params[0], params[1]])
                }
                EntryPoint::Prepare => {
                    call_routine(builder, functions, FunctionKey::Prepare);
                    nothing(builder)
                }
                EntryPoint::Instantiate(unit) => {
                    call_routine(builder, functions, FunctionKey::Instantiate(unit as u32));
                    nothing(builder)
                }
                EntryPoint::Invoke { unit, function } => {
                    self.invoke(builder, functions, unit, function);
                    nothing(builder)
                }
            };
            builder.ins().return_(&result);
        })
    }

    fn service(
        &self,
        builder: &mut FunctionBuilder<'_>,
        functions: &mut Functions,
        function: u32,
        form: Form,
        arguments: [Value; 2],
    ) -> [Value; 2] {
        if self.has_copies {
            call_routine(builder, functions, FunctionKey::Prepare);
        }
        // Whom others import from comes first: adapters, then the module itself.
        for unit in (0..self.instances.len()).rev().filter(|&unit| self.has_start[unit]) {
            call_routine(builder, functions, FunctionKey::Instantiate(unit as u32));
        }
        let instance = &self.instances[0];
        let parameters = match form.takes_arguments {
            true => copy_arguments(builder, instance, self.has_start.contains(&true), arguments).to_vec(),
            false => Vec::new(),
        };
        let results = call(builder, functions, instance, function, &parameters);
        let [offset, length] = match form.result {
            ResultForm::Nothing => [builder.ins().iconst(I64, 0); 2],
            ResultForm::Packed => {
                let low = builder.ins().ireduce(I32, results[0]);
                [builder.ins().sextend(I64, low), builder.ins().sshr_imm_u(results[0], 32)]
            }
            ResultForm::Pair => [builder.ins().sextend(I64, results[0]), builder.ins().sextend(I64, results[1])],
            ResultForm::Globals(offset, length) => [offset, length].map(|global| {
                let value = global_value(builder, instance.globals[global as usize]);
                builder.ins().sextend(I64, value)
            }),
        };
        place_result(builder, instance, offset, length)
    }

    fn invoke(&self, builder: &mut FunctionBuilder<'_>, functions: &mut Functions, unit: usize, function: u32) {
        let instance = &self.instances[unit];
        let ty = instance.module.function_type(function);
        let cells = || (0..).map(|index| self.scratch + index * CELL);
        let arguments: Vec<Value> =
            ty.params().iter().zip(cells()).map(|(&ty, cell)| load_cell(builder, word(ty), cell)).collect();
        let results = call(builder, functions, instance, function, &arguments);
        for (result, cell) in results.into_iter().zip(cells()) {
            let result = match builder.func.dfg.value_type(result) {
                I32 => builder.ins().uextend(I64, result),
                _ => result,
            };
            store_cell(builder, result, cell);
        }
    }
}

/// Copies the arguments to the end of the linear memory, which is grown for it, and gives their offset and length.
fn copy_arguments(
    builder: &mut FunctionBuilder<'_>,
    instance: &Instance<'_>,
    is_grown: bool,
    [address, length]: [Value; 2],
) -> [Value; 2] {
    let short_length = builder.ins().ireduce(I32, length);
    let Some(memory) = instance.memory else {
        // Without a memory they cannot be read, only counted.
        return [builder.ins().iconst(I32, 0), short_length];
    };
    let (Extent::Settled(cell) | Extent::Growing(cell)) = memory.size else {
        unreachable!("a memory that takes arguments has a cell for its size")
    };
    let (grow, after) = (builder.create_block(), builder.create_block());
    let offset = builder.append_block_param(after, I32);
    let size = match is_grown {
        true => load_cell(builder, I32, cell),
        false => builder.ins().iconst(I32, i64::from(memory.minimum)),
    };
    builder.ins().brif(length, grow, &[], after, &[size.into()]);

    builder.switch_to_block(grow);
    let page = i64::from(WASM_PAGE);
    let gap = i64::from(GAP_PAGES) * page;
    let bytes = builder.ins().iadd_imm_s(length, gap + page - 1 + BEHIND_ARGUMENTS);
    let bytes = builder.ins().band_imm_s(bytes, -page);
    let bytes = builder.ins().ireduce(I32, bytes);
    let grown = builder.ins().iadd(size, bytes);
    store_cell(builder, grown, cell);
    if matches!(memory.size, Extent::Growing(_)) {
        let pages = builder.ins().ushr_imm_u(bytes, i64::from(WASM_PAGE.trailing_zeros()));
        store_cell(builder, pages, cell + ADDED);
    }
    let begin = builder.ins().iadd_imm_s(size, gap);
    let to = builder.ins().uextend(I64, begin);
    let to = builder.ins().iadd_imm_s(to, i64::from(memory.base));
    copy_words(builder, address, to, length);
    builder.ins().jump(after, &[begin.into()]);

    builder.switch_to_block(after);
    [offset, short_length]
}

/// Copies at least one byte, in rounds of [`ROUND`] bytes. What is behind them is copied, too: arguments have pages of
/// their own, which end in zeros, and there is room behind the target.
fn copy_words(builder: &mut FunctionBuilder<'_>, from: Value, to: Value, length: Value) {
    let flags = MemFlagsData::new().with_notrap();
    let end = builder.ins().iadd(from, length);
    let (round, done) = (builder.create_block(), builder.create_block());
    let at = [from, to].map(|_| builder.append_block_param(round, I64));
    builder.ins().jump(round, &[from.into(), to.into()]);
    builder.switch_to_block(round);
    for word in (0..ROUND).step_by(8) {
        let value = builder.ins().load(I64, flags, at[0], word as i32);
        builder.ins().store(flags, value, at[1], word as i32);
    }
    let next = at.map(|at| builder.ins().iadd_imm_s(at, ROUND));
    let goes_on = builder.ins().icmp(IntCC::UnsignedLessThan, next[0], end);
    builder.ins().brif(goes_on, round, &next.map(Into::into), done, &[]);
    builder.switch_to_block(done);
}

/// The address of a result in linear memory. One that is not inside is a trap. Both numbers are sign-extended, as registers
/// hold them, so that those above 2^31, which no memory has, are greater than all others.
fn place_result(
    builder: &mut FunctionBuilder<'_>,
    instance: &Instance<'_>,
    offset: Value,
    length: Value,
) -> [Value; 2] {
    let Some(memory) = instance.memory else {
        return [builder.ins().iconst(I64, 0); 2];
    };
    let size = load_extent(builder, memory.size);
    let size = builder.ins().sextend(I64, size);
    let room = builder.ins().isub(size, offset);
    for (value, most) in [(offset, size), (length, room)] {
        let is_outside = builder.ins().icmp(IntCC::UnsignedGreaterThan, value, most);
        builder.ins().trapnz(is_outside, TRAP);
    }
    [builder.ins().iadd_imm_s(offset, i64::from(memory.base)), length]
}

fn global_value(builder: &mut FunctionBuilder<'_>, place: GlobalPlace) -> Value {
    match place {
        GlobalPlace::Constant(pvm_wasm_frontend::Initial::Bits(bits)) => {
            builder.ins().iconst(I32, i64::from(bits as u32))
        }
        GlobalPlace::Constant(pvm_wasm_frontend::Initial::Function { .. }) => unreachable!("its type is i32"),
        GlobalPlace::Cell(cell) => load_cell(builder, I32, cell),
    }
}

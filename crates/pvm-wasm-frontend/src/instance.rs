//! Where everything is that a module names, and how it looks there.
//!
//! Everything is kept in cells of eight bytes, values of 32 bits in the low half. A reference to a function is its code
//! pointer in the low half and the number of its type in the high half, so that a table entry has all that
//! `call_indirect` needs; null is zero, and types count from one. A reference to something of the host is any other number.

use crate::functions::{FunctionKey, Functions};
use crate::{CELL, Module};
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{
    AbiParam, ExtFuncData, ExternalName, FuncRef, InstBuilder, MemFlagsData, SigRef, Signature, Type, UserExternalName,
    Value,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::FunctionBuilder;
use wasmparser::{FuncType, ValType};

/// How memory accesses are checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Bounds {
    /// Against the memory's size, as the standard says.
    #[default]
    Strict,
    /// Against the most that the memory can grow to.
    Guard,
}

/// A module of a program, with places for everything that it names.
#[derive(Clone, Debug)]
pub struct Instance<'a> {
    /// Its number in the program.
    pub number: u32,
    /// The module.
    pub module: &'a Module<'a>,
    /// What each imported function is.
    pub imports: Vec<Callee>,
    /// The number of each type; equal types have equal numbers, in all modules of the program.
    pub types: Vec<u32>,
    /// The memory.
    pub memory: Option<MemoryPlace>,
    /// Tables.
    pub tables: Vec<TablePlace>,
    /// Globals.
    pub globals: Vec<GlobalPlace>,
    /// Data segments.
    pub data: Vec<SegmentPlace>,
    /// Element segments.
    pub elements: Vec<SegmentPlace>,
    /// How memory accesses are checked.
    pub bounds: Bounds,
    /// The host call that is made before the trap of an instruction that computes with floating-point numbers.
    pub float_call: Option<u32>,
    /// The cell with the second result of the last host call that keeps it.
    pub second_result: u32,
}

/// What is called for a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A function that some module of the program defines.
    Defined {
        /// The instance.
        instance: u32,
        /// The number in the module.
        function: u32,
    },
    /// Something that is done in its place.
    Host(HostAction),
}

/// What is done in place of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostAction {
    /// A trap.
    Trap,
    /// The arguments are dropped and the results are this.
    Constant(i64),
    /// The host call of this number.
    HostCall(u32),
    /// The host call whose number is the first argument, a constant.
    HostCallByArgument {
        /// Its second result is kept.
        keeps_second: bool,
    },
    /// The second result that was kept last.
    SecondResult,
    /// The address of a byte of linear memory, as the host wants it.
    Address,
}

/// How large something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Extent {
    /// Always this.
    Constant(u32),
    /// What the cell at this address holds, from before the first function runs on.
    Settled(u32),
    /// What the cell at this address holds now. It never gets less.
    Growing(u32),
}

/// How far behind a memory's size, in the same cell, the number of pages is that were added to it for arguments.
pub const ADDED: u32 = 4;

/// A linear memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MemoryPlace {
    /// The address of its first byte.
    pub base: u32,
    /// Its size in bytes.
    pub size: Extent,
    /// Its size in bytes at first.
    pub minimum: u32,
    /// Its size in bytes at most, and what there is room for.
    pub maximum: u32,
    /// The pages that `memory.grow` goes to, beside those that were added for arguments.
    pub limit: u32,
}

/// A table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TablePlace {
    /// The address of its first entry.
    pub base: u32,
    /// How many entries it has.
    pub size: Extent,
    /// How many entries it has at most, and there is room for.
    pub maximum: u32,
}

/// A global.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GlobalPlace {
    /// It never changes.
    Constant(Initial),
    /// A cell at this address.
    Cell(u32),
}

/// A passive segment. A segment that is used up has the length zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SegmentPlace {
    /// The address of its first byte.
    pub base: u32,
    /// Its length, in bytes or entries.
    pub length: Extent,
}

/// What a constant expression says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Constant {
    /// A number, or null.
    Bits(u64),
    /// A reference to a function of the module.
    Function(u32),
    /// The value of a global of the module, which is imported and never changes.
    Global(u32),
}

/// The value of a constant expression.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Initial {
    /// A number, or null.
    Bits(u64),
    /// A reference to a function of the program.
    Function {
        /// The function.
        key: FunctionKey,
        /// The number of its type.
        ty: u32,
    },
}

impl Instance<'_> {
    /// What is called for a function of the module.
    pub fn callee(&self, function: u32) -> Callee {
        match self.imports.get(function as usize) {
            Some(callee) => *callee,
            None => Callee::Defined { instance: self.number, function },
        }
    }

    /// The number of a function's type.
    pub fn type_of(&self, function: u32) -> u32 {
        self.types[self.module.functions[function as usize] as usize]
    }

    /// A reference to a function of the module.
    pub fn reference_to(&self, function: u32) -> Initial {
        let key = match self.callee(function) {
            Callee::Defined { instance, function } => FunctionKey::Wasm { instance, function },
            Callee::Host(_) => FunctionKey::Import { instance: self.number, function },
        };
        Initial::Function { key, ty: self.type_of(function) }
    }
}

/// The IR's type for a type of WebAssembly: floating-point numbers are bits, references are cells.
pub fn word(ty: ValType) -> Type {
    match ty {
        ValType::I32 | ValType::F32 => I32,
        _ => I64,
    }
}

/// The IR's signature for a function type.
pub fn signature(ty: &FuncType) -> Signature {
    let mut signature = Signature::new(CallConv::Fast);
    signature.params = ty.params().iter().map(|&ty| AbiParam::new(word(ty))).collect();
    signature.returns = ty.results().iter().map(|&ty| AbiParam::new(word(ty))).collect();
    signature
}

/// Names a function in the IR. Namespace 0 is the program's functions, 1 is host calls.
pub fn function_name(builder: &mut FunctionBuilder<'_>, namespace: u32, index: u32, signature: SigRef) -> FuncRef {
    let name = builder.func.declare_imported_user_function(UserExternalName { namespace, index });
    builder.import_function(ExtFuncData {
        name: ExternalName::user(name),
        signature,
        colocated: true,
        patchable: false,
    })
}

/// The reference that a constant expression says, as a value.
pub fn reference(builder: &mut FunctionBuilder<'_>, functions: &mut Functions, initial: Initial) -> Value {
    match initial {
        Initial::Bits(bits) => builder.ins().iconst(I64, bits as i64),
        Initial::Function { key, ty } => {
            let signature = builder.import_signature(signature(functions.type_of(ty)));
            let function = function_name(builder, 0, functions.number(key), signature);
            let code = builder.ins().func_addr(I64, function);
            let ty = builder.ins().iconst(I64, i64::from(ty) << 32);
            builder.ins().bor(code, ty)
        }
    }
}

/// The entry of a table, or another cell that `index` counts from `base`.
pub fn load_entry(builder: &mut FunctionBuilder<'_>, flags: MemFlagsData, base: u32, index: Value) -> Value {
    let at = builder.ins().imul_imm_s(index, i64::from(CELL));
    builder.ins().load(I64, flags, at, base as i32)
}

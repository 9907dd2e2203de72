//! Calls, and what is done in place of calls to the host.

use super::{Result, TRAP, Translator};
use crate::functions::FunctionKey;
use crate::instance::{Callee, HostAction, function_name, signature, word};
use crate::{CELL, Problem};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{AbiParam, FuncRef, InstBuilder, InstructionData, Opcode, SigRef, Signature, Type, Value};
use cranelift_codegen::isa::CallConv;
use wasmparser::{FuncType, Operator};

/// How many arguments and results a host call has room for: registers 7 to 12, and 7 and 8.
const HOST_ARGUMENTS: usize = 6;
const HOST_RESULTS: usize = 2;

impl Translator<'_, '_> {
    pub(super) fn call(&mut self, operator: &Operator<'_>) -> Result<bool> {
        match *operator {
            Operator::Call { function_index } => {
                let module = self.instance.module;
                let ty = module.function_type(function_index);
                let arguments = self.pop_many(ty.params().len());
                match self.instance.callee(function_index) {
                    Callee::Defined { instance, function } => {
                        let callee = self.function(FunctionKey::Wasm { instance, function }, function_index);
                        let call = self.builder.ins().call(callee, &arguments);
                        self.stack.extend_from_slice(self.builder.inst_results(call));
                    }
                    Callee::Host(action) => self.host(action, ty, &arguments)?,
                }
            }
            Operator::CallIndirect { type_index, table_index } => self.call_indirect(type_index, table_index),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// An entry has the number of its type beside the code pointer: null has none, so one comparison is enough.
    fn call_indirect(&mut self, ty: u32, table: u32) {
        let table = self.instance.tables[table as usize];
        let index = self.pop();
        let index = self.table_index(table, index);
        let at = self.builder.ins().imul_imm_s(index, i64::from(CELL));
        let found = self.builder.ins().load(I32, self.regions.tables, at, table.base as i32 + 4);
        let expected = i64::from(self.instance.types[ty as usize]);
        let differs = self.builder.ins().icmp_imm_s(IntCC::NotEqual, found, expected);
        self.builder.ins().trapnz(differs, TRAP);
        let code = self.builder.ins().uload32(self.regions.tables, at, table.base as i32);
        let function_type = &self.instance.module.types[ty as usize];
        let arguments = self.pop_many(function_type.params().len());
        let signature = self.signature(ty);
        let call = self.builder.ins().call_indirect(signature, code, &arguments);
        self.stack.extend_from_slice(self.builder.inst_results(call));
    }

    fn function(&mut self, key: FunctionKey, function: u32) -> FuncRef {
        if let Some(&callee) = self.callees.get(&function) {
            return callee;
        }
        let signature = self.signature(self.instance.module.functions[function as usize]);
        let number = self.functions.number(key);
        let callee = function_name(&mut self.builder, 0, number, signature);
        self.callees.insert(function, callee);
        callee
    }

    fn signature(&mut self, ty: u32) -> SigRef {
        let builder = &mut self.builder;
        let types = &self.instance.module.types;
        *self.signatures.entry(ty).or_insert_with(|| builder.import_signature(signature(&types[ty as usize])))
    }

    /// Does what stands for a host function.
    pub(super) fn host(&mut self, action: HostAction, ty: &FuncType, arguments: &[Value]) -> Result<()> {
        match action {
            HostAction::Trap => self.trap(),
            HostAction::Constant(value) => {
                for &result in ty.results() {
                    let bits = if word(result) == I32 { i64::from(value as u32) } else { value };
                    let value = self.builder.ins().iconst(word(result), bits);
                    self.push(value);
                }
            }
            HostAction::HostCall(number) => {
                let results = self.host_call(number, arguments, ty.results().len());
                self.push_results(ty, &results);
            }
            HostAction::HostCallByArgument { keeps_second } => {
                let number = self.host_call_number(arguments)?;
                let results = self.host_call(number, &arguments[1..], HOST_RESULTS);
                if keeps_second {
                    let at = self.absolute();
                    let cell = self.instance.second_result as i32;
                    self.builder.ins().store(self.regions.globals, results[1], at, cell);
                }
                self.push_results(ty, &results[..ty.results().len().min(1)]);
            }
            HostAction::SecondResult => {
                let at = self.absolute();
                let cell = self.instance.second_result as i32;
                let value = self.builder.ins().load(I64, self.regions.globals, at, cell);
                self.push_results(ty, &[value]);
            }
            HostAction::Address => {
                let offset = self.wide(arguments[0]);
                let base = self.instance.memory.map_or(0, |memory| memory.base);
                let address = self.builder.ins().iadd_imm_s(offset, i64::from(base));
                self.push_results(ty, &[address]);
            }
        }
        Ok(())
    }

    pub(super) fn host_call(&mut self, number: u32, arguments: &[Value], results: usize) -> Vec<Value> {
        debug_assert!(arguments.len() <= HOST_ARGUMENTS && results <= HOST_RESULTS, "checked when linking");
        let arguments: Vec<Value> = arguments.iter().map(|&argument| self.wide(argument)).collect();
        let mut signature = Signature::new(CallConv::Fast);
        signature.params = vec![AbiParam::new(I64); arguments.len()];
        signature.returns = vec![AbiParam::new(I64); results];
        let signature = self.builder.import_signature(signature);
        let callee = function_name(&mut self.builder, 1, number, signature);
        let call = self.builder.ins().call(callee, &arguments);
        self.builder.inst_results(call).to_vec()
    }

    /// The number of a host call is part of the instruction, so it must be known here.
    fn host_call_number(&self, arguments: &[Value]) -> Result<u32> {
        let dfg = &self.builder.func.dfg;
        let constant = dfg.value_def(arguments[0]).inst().and_then(|inst| match dfg.insts[inst] {
            InstructionData::UnaryImm { opcode: Opcode::Iconst, imm } => u32::try_from(imm.bits()).ok(),
            _ => None,
        });
        constant.ok_or_else(|| {
            Problem::Intrinsic("the number of a host call must be a constant of 32 bits where it is called".into())
                .of_module()
        })
    }

    /// An argument as a register holds it. Those of 32 bits are addresses and lengths, which have no sign.
    fn wide(&mut self, value: Value) -> Value {
        match self.builder.func.dfg.value_type(value) {
            I32 => self.builder.ins().uextend(I64, value),
            _ => value,
        }
    }

    fn push_results(&mut self, ty: &FuncType, values: &[Value]) {
        for (&value, &result) in values.iter().zip(ty.results()) {
            let value = self.narrow(word(result), value);
            self.push(value);
        }
    }

    fn narrow(&mut self, ty: Type, value: Value) -> Value {
        if ty == I32 { self.builder.ins().ireduce(I32, value) } else { value }
    }
}

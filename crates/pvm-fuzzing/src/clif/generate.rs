//! Random functions.
//!
//! Function 0 has a piece of memory in its frame and calls function 1 with its address; each function may call those after
//! it, so that recursion does not occur, and loops count down. Variables hold what statements compute.

use super::expressions::{TYPES, random_type};
use super::harness::reference;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::{
    AbiParam, BlockArg, BlockCall, Function, InstBuilder, JumpTableData, MemFlagsData, Signature, StackSlotData,
    StackSlotKind, TrapCode, Type, UserFuncName, Value, types,
};
use cranelift_codegen::isa::CallConv;
use cranelift_frontend::{FunctionBuilder, FunctionBuilderContext, Variable};
use fastrand::Rng;

/// Bytes of memory that functions share; a power of two.
pub const MEMORY: i64 = 128;

/// A random program: functions that call one another by their index.
pub fn functions(rng: &mut Rng) -> Vec<Function> {
    let count = 2 + rng.usize(..3);
    let signatures: Vec<Signature> = (0..count).map(|index| signature(index, rng)).collect();
    let budget = *rng.choice(&[5, 20, 60, 150]).expect("it has elements");
    (0..count).map(|index| function(index, &signatures, budget, rng)).collect()
}

fn signature(index: usize, rng: &mut Rng) -> Signature {
    let mut signature = Signature::new(CallConv::Fast);
    // Mostly few, sometimes more than there are registers.
    let mut count = || if rng.u8(..4) == 0 { rng.usize(..24) } else { rng.usize(..6) };
    let (params, returns) = (count(), count().max(1));
    if index > 0 {
        signature.params.push(AbiParam::new(types::I64));
    }
    signature.params.extend((0..params).map(|_| AbiParam::new(random_type(rng))));
    signature.returns.extend((0..returns).map(|_| AbiParam::new(random_type(rng))));
    signature
}

fn function(index: usize, signatures: &[Signature], budget: u32, rng: &mut Rng) -> Function {
    let name = UserFuncName::user(0, index as u32);
    let mut function = Function::with_name_signature(name, signatures[index].clone());
    let mut context = FunctionBuilderContext::new();
    let mut builder = FunctionBuilder::new(&mut function, &mut context);
    let entry = builder.create_block();
    builder.append_block_params_for_function_params(entry);
    builder.switch_to_block(entry);
    let params = builder.block_params(entry).to_vec();
    let slot = builder.create_sized_stack_slot(StackSlotData::new(StackSlotKind::ExplicitSlot, MEMORY as u32, 3));
    let memory = if index == 0 { builder.ins().stack_addr(types::I64, slot, 0) } else { params[0] };
    let mut generator =
        Generator { builder, rng, signatures, index, memory, variables: Vec::new(), budget, loops: Vec::new() };
    if index == 0 {
        generator.clear_memory();
    }
    generator.variables(&params);
    generator.statements(3);
    if index == 0 {
        generator.call(1);
    }
    generator.finish();
    generator.builder.seal_all_blocks();
    generator.builder.finalize(pvm_backend::frontend_config());
    function
}

pub(super) struct Generator<'f, 'r> {
    pub builder: FunctionBuilder<'f>,
    pub rng: &'r mut Rng,
    signatures: &'r [Signature],
    index: usize,
    /// The address of the memory.
    pub memory: Value,
    pub variables: Vec<(Variable, Type)>,
    /// Statements that may still be made.
    budget: u32,
    /// Where `break` and `continue` of the loops around lead to.
    loops: Vec<[cranelift_codegen::ir::Block; 2]>,
}

impl Generator<'_, '_> {
    fn clear_memory(&mut self) {
        for offset in (0..MEMORY).step_by(8) {
            let word = self.rng.i64(..);
            let word = self.builder.ins().iconst(types::I64, word);
            self.builder.ins().store(MemFlagsData::new(), word, self.memory, offset as i32);
        }
    }

    /// Makes variables of the parameters, and some more.
    fn variables(&mut self, params: &[Value]) {
        let first = usize::from(self.index > 0);
        for &param in &params[first..] {
            let ty = self.builder.func.dfg.value_type(param);
            self.variable(ty, param);
        }
        let more = if self.rng.u8(..3) == 0 { self.rng.usize(4..30) } else { 4 };
        for index in 0..more {
            let ty = TYPES[index % TYPES.len()];
            let value = self.constant(ty);
            self.variable(ty, value);
        }
    }

    fn variable(&mut self, ty: Type, value: Value) {
        let variable = self.builder.declare_var(ty);
        self.builder.def_var(variable, value);
        self.variables.push((variable, ty));
    }

    fn statements(&mut self, depth: u32) {
        let count = self.rng.u32(1..12);
        for _ in 0..count {
            if self.budget == 0 {
                return;
            }
            self.budget -= 1;
            match self.rng.u8(..20) {
                0 | 1 if depth > 0 => self.branch(depth - 1),
                2 if depth > 0 => self.counted_loop(depth - 1),
                3 if depth > 0 => self.switch(depth - 1),
                4 if self.index + 1 < self.signatures.len() => {
                    let callee = self.rng.usize(self.index + 1..self.signatures.len());
                    self.call(callee);
                }
                5 => self.trap(),
                6..=8 => self.store(),
                9 if !self.loops.is_empty() => self.leave_loop(),
                10 if self.rng.u8(..6) == 0 => self.early_return(),
                _ => self.assign(),
            }
        }
    }

    fn assign(&mut self) {
        let (variable, ty) = *self.rng.choice(&self.variables).expect("there are variables");
        let value = self.expression(ty, 3);
        self.builder.def_var(variable, value);
    }

    /// A value to branch on.
    fn condition(&mut self) -> Value {
        let ty = random_type(self.rng);
        match self.rng.u8(..4) {
            0 => self.expression(ty, 1),
            _ => self.comparison(ty, 1),
        }
    }

    fn branch(&mut self, depth: u32) {
        let condition = self.condition();
        let [then, otherwise, end] = [(); 3].map(|()| self.builder.create_block());
        if self.rng.u8(..4) == 0 {
            self.builder.set_cold_block(otherwise);
        }
        self.builder.ins().brif(condition, then, &[], otherwise, &[]);
        for block in [then, otherwise] {
            self.builder.switch_to_block(block);
            if self.rng.u8(..3) > 0 {
                self.statements(depth);
            }
            self.builder.ins().jump(end, &[]);
        }
        self.builder.switch_to_block(end);
    }

    /// A loop that counts down from a small number.
    fn counted_loop(&mut self, depth: u32) {
        let ty = *self.rng.choice(&[types::I32, types::I64]).expect("it has elements");
        let rounds = self.rng.i64(1..6);
        let rounds = self.builder.ins().iconst(ty, rounds);
        let counter = self.builder.declare_var(ty);
        self.builder.def_var(counter, rounds);
        let [head, next, end] = [(); 3].map(|()| self.builder.create_block());
        self.builder.ins().jump(head, &[]);
        self.builder.switch_to_block(head);
        let at_the_top = self.rng.bool();
        if at_the_top {
            let body = self.builder.create_block();
            let count = self.builder.use_var(counter);
            self.builder.ins().brif(count, body, &[], end, &[]);
            self.builder.switch_to_block(body);
        }
        self.loops.push([next, end]);
        self.statements(depth);
        self.loops.pop();
        self.builder.ins().jump(next, &[]);
        self.builder.switch_to_block(next);
        let count = self.builder.use_var(counter);
        let one = self.builder.ins().iconst(ty, 1);
        let count = self.builder.ins().isub(count, one);
        self.builder.def_var(counter, count);
        if at_the_top {
            self.builder.ins().jump(head, &[]);
        } else {
            self.builder.ins().brif(count, head, &[], end, &[]);
        }
        self.builder.switch_to_block(end);
    }

    fn leave_loop(&mut self) {
        let targets = *self.rng.choice(&self.loops).expect("there is a loop around");
        let target = *self.rng.choice(&targets).expect("it has elements");
        let condition = self.condition();
        let rest = self.builder.create_block();
        self.builder.ins().brif(condition, target, &[], rest, &[]);
        self.builder.switch_to_block(rest);
    }

    fn switch(&mut self, depth: u32) {
        let count = self.rng.usize(..10);
        let mut index = self.expression(types::I32, 1);
        if self.rng.u8(..4) > 0 {
            let mask = self.builder.ins().iconst(types::I32, 15);
            index = self.builder.ins().band(index, mask);
        }
        let end = self.builder.create_block();
        let result = self.builder.append_block_param(end, types::I32);
        let cases: Vec<_> = (0..1 + self.rng.usize(..4)).map(|_| self.builder.create_block()).collect();
        let call = |generator: &mut Self| {
            let case = *generator.rng.choice(&cases).expect("it has elements");
            BlockCall::new(case, [], &mut generator.builder.func.dfg.value_lists)
        };
        let default = if self.rng.bool() {
            BlockCall::new(end, [BlockArg::Value(self.small())], &mut self.builder.func.dfg.value_lists)
        } else {
            call(self)
        };
        let entries: Vec<_> = (0..count).map(|_| call(self)).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &entries));
        self.builder.ins().br_table(index, table);
        for case in cases {
            self.builder.switch_to_block(case);
            self.statements(depth);
            let value = self.small();
            self.builder.ins().jump(end, &[BlockArg::Value(value)]);
        }
        self.builder.switch_to_block(end);
        let variable = self.builder.declare_var(types::I32);
        self.builder.def_var(variable, result);
        self.variables.push((variable, types::I32));
        // It is only defined from here on; other blocks read it as zero, which the builder sees to.
        self.variables.pop();
        self.keep(result);
    }

    /// A value of 32 bits that is there in any case.
    fn small(&mut self) -> Value {
        self.expression(types::I32, 0)
    }

    /// Adds a value to some variable of its type.
    fn keep(&mut self, value: Value) {
        let ty = self.builder.func.dfg.value_type(value);
        let Some(&(variable, _)) = self.variables.iter().find(|&&(_, other)| other == ty) else { return };
        let old = self.builder.use_var(variable);
        let sum = self.builder.ins().iadd(old, value);
        self.builder.def_var(variable, sum);
    }

    fn call(&mut self, callee: usize) {
        let signature = self.signatures[callee].clone();
        let mut args = vec![self.memory];
        for param in &signature.params[1..] {
            args.push(self.expression(param.value_type, 1));
        }
        let function = reference(self.builder.func, callee as u32, signature.clone());
        let call = if self.rng.u8(..4) == 0 {
            let address = self.builder.ins().func_addr(types::I64, function);
            let signature = self.builder.import_signature(signature);
            self.builder.ins().call_indirect(signature, address, &args)
        } else {
            self.builder.ins().call(function, &args)
        };
        for result in self.builder.inst_results(call).to_vec() {
            if self.rng.u8(..4) > 0 {
                self.keep(result);
            }
        }
    }

    fn trap(&mut self) {
        let code = TrapCode::unwrap_user(1);
        let ty = random_type(self.rng);
        let value = self.expression(ty, 1);
        // Rarely true.
        let constant = self.constant(ty);
        let condition = self.builder.ins().icmp(IntCC::Equal, value, constant);
        match self.rng.u8(..3) {
            0 => {
                let inverted = self.builder.ins().icmp(IntCC::NotEqual, value, constant);
                self.builder.ins().trapz(inverted, code);
            }
            1 => {
                let [trap, rest] = [(); 2].map(|()| self.builder.create_block());
                self.builder.ins().brif(condition, trap, &[], rest, &[]);
                self.builder.switch_to_block(trap);
                self.builder.ins().trap(code);
                self.builder.switch_to_block(rest);
            }
            _ => {
                self.builder.ins().trapnz(condition, code);
            }
        }
    }

    fn early_return(&mut self) {
        let condition = self.condition();
        let [leave, rest] = [(); 2].map(|()| self.builder.create_block());
        self.builder.ins().brif(condition, leave, &[], rest, &[]);
        self.builder.switch_to_block(leave);
        self.return_values();
        self.builder.switch_to_block(rest);
    }

    fn finish(&mut self) {
        self.return_values();
    }

    /// Returns expressions, and for function 0 what is in memory, too.
    fn return_values(&mut self) {
        let returns = self.signatures[self.index].returns.clone();
        let mut values = Vec::new();
        for ret in &returns {
            values.push(self.expression(ret.value_type, 1));
        }
        if self.index == 0 {
            for (place, offset) in (0..MEMORY).step_by(8).enumerate() {
                let at = place % values.len();
                let ty = returns[at].value_type;
                let flags = MemFlagsData::new();
                let word = self.builder.ins().load(types::I64, flags, self.memory, offset as i32);
                let word = if ty == types::I64 { word } else { self.builder.ins().ireduce(ty, word) };
                let rotated = self.builder.ins().iadd(values[at], values[at]);
                values[at] = self.builder.ins().bxor(rotated, word);
            }
        }
        self.builder.ins().return_(&values);
    }
}

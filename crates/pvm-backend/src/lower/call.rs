//! Calls, parameters and results.

use super::{Lower, is_supported};
use crate::abi;
use crate::error::Problem;
use crate::need::Need;
use crate::pattern;
use crate::vcode::{Callee, Op, Place, defining, defining_in, using, using_in};
use cranelift_codegen::ir::{
    ArgumentPurpose, ExternalName, FuncRef, Inst, InstructionData, Signature, UserExternalName, Value,
};
use pvm_isa::Opcode::{LoadIndU64, StoreImmIndU64, StoreIndU64};
use pvm_ops::HALT_ADDRESS;
use regalloc2::{Operand, VReg};

/// The namespace of functions, in names.
pub const FUNCTIONS: u32 = 0;
/// The namespace of host calls.
pub const HOST: u32 = 1;

/// Bytes of a value on the stack.
const WORD: i32 = 8;

/// Checks that all parameters and results of a signature can be passed.
pub fn check_signature(signature: &Signature) -> Result<(), Problem> {
    for param in signature.params.iter().chain(&signature.returns) {
        if !is_supported(param.value_type) || param.purpose != ArgumentPurpose::Normal {
            return Err(Problem::SignatureType(param.to_string()));
        }
    }
    // More would not fit into the frame in any case.
    let count = signature.params.len().max(signature.returns.len()) as u64;
    let limit = 1 << 16;
    match count > limit {
        true => Err(Problem::TooLarge { what: "number of parameters or results", value: count, limit }),
        false => Ok(()),
    }
}

impl Lower<'_> {
    /// The block in front of the function's own: it takes parameters and return address over.
    pub(super) fn entry(&mut self) -> Result<(), Problem> {
        check_signature(&self.func.signature)?;
        let Some(entry) = self.func.layout.entry_block() else {
            return Err(Problem::Invalid("a function without blocks".to_owned()));
        };
        let params = self.func.dfg.block_params(entry);
        self.current = 0;
        let mut defs = Vec::new();
        defs.extend(self.link.map(|link| defining_in(link, abi::LINK)));
        let mut args = Vec::new();
        let mut on_stack = Vec::new();
        for (index, &param) in params.iter().enumerate() {
            if self.needs.of(param) == Need::Nothing {
                continue;
            }
            let vreg = self.code.vreg();
            args.push(vreg);
            match abi::VALUES.get(index) {
                Some(&reg) => defs.push(defining_in(vreg, reg)),
                None => on_stack.push((vreg, WORD * (index - abi::VALUES.len()) as i32)),
            }
        }
        self.emit(Op::Arguments, defs);
        for (vreg, offset) in on_stack {
            self.emit(Op::Frame(LoadIndU64, Place::Incoming, offset, 0), vec![defining(vreg)]);
        }
        self.end(Op::Jump, vec![], vec![(self.ids[entry], args)]);
        self.code.blocks[0].insts = std::mem::take(&mut self.buffer);
        Ok(())
    }

    pub(super) fn return_values(&mut self, inst: Inst) {
        let values = self.func.dfg.inst_args(inst);
        let in_registers = values.len().min(abi::VALUES.len());
        let first = self.func.signature.params.len().saturating_sub(abi::VALUES.len());
        self.pass(&values[in_registers..], Place::Incoming, first);
        let mut operands: Vec<Operand> = Vec::new();
        for (&value, reg) in values[..in_registers].iter().zip(abi::VALUES) {
            operands.push(using_in(self.use_of(value), reg));
        }
        let link = match self.link {
            Some(link) => link,
            None if self.halts => self.constant(i64::from(HALT_ADDRESS as i32)),
            None => *self.link.insert(self.code.vreg()),
        };
        operands.push(using_in(link, abi::LINK));
        self.emit(Op::Return, operands);
    }

    /// Stores values on the stack, from the word `first` of a place on.
    fn pass(&mut self, values: &[Value], place: Place, first: usize) {
        for (index, &value) in values.iter().enumerate() {
            let offset = WORD * (first + index) as i32;
            match pattern::immediate(self.func, self.source(value)) {
                Some(imm) => self.emit(Op::Frame(StoreImmIndU64, place, offset, imm), vec![]),
                None => {
                    let value = self.use_of(value);
                    self.emit(Op::Frame(StoreIndU64, place, offset, 0), vec![using(value)]);
                }
            }
        }
    }

    pub(super) fn call(&mut self, inst: Inst) -> Result<(), Problem> {
        let func = self.func;
        match func.dfg.insts[inst] {
            InstructionData::Call { func_ref, .. } => {
                let name = self.name(inst, func_ref)?;
                let args = func.dfg.inst_args(inst);
                match name.namespace {
                    FUNCTIONS => self.call_function(inst, Callee::Function(name.index), vec![], args),
                    _ => return self.call_host(inst, name.index, args),
                }
            }
            InstructionData::CallIndirect { sig_ref, .. } => {
                check_signature(&func.dfg.signatures[sig_ref])?;
                let Some((&pointer, args)) = func.dfg.inst_args(inst).split_first() else { return Ok(()) };
                let pointer = using(self.use_of(pointer));
                self.call_function(inst, Callee::Pointer, vec![pointer], args);
            }
            _ => {}
        }
        Ok(())
    }

    fn call_function(&mut self, inst: Inst, callee: Callee, mut operands: Vec<Operand>, args: &[Value]) {
        let in_registers = args.len().min(abi::VALUES.len());
        self.pass(&args[in_registers..], Place::Outgoing, 0);
        for (&arg, reg) in args[..in_registers].iter().zip(abi::VALUES) {
            operands.push(using_in(self.use_of(arg), reg));
        }
        let results = self.func.dfg.inst_results(inst);
        let on_stack = args.len() - in_registers;
        let mut loads: Vec<(VReg, usize)> = Vec::new();
        for (index, &result) in results.iter().enumerate() {
            let Some(vreg) = self.vregs[result] else { continue };
            match abi::VALUES.get(index) {
                Some(&reg) => operands.push(defining_in(vreg, reg)),
                None => loads.push((vreg, on_stack + index - abi::VALUES.len())),
            }
        }
        self.emit(Op::Call(callee), operands);
        for (vreg, word) in loads {
            self.emit(Op::Frame(LoadIndU64, Place::Outgoing, WORD * word as i32, 0), vec![defining(vreg)]);
        }
        let words = on_stack + results.len().saturating_sub(abi::VALUES.len());
        self.code.outgoing = self.code.outgoing.max(words as u32);
        self.code.calls = true;
    }

    fn call_host(&mut self, inst: Inst, id: u32, args: &[Value]) -> Result<(), Problem> {
        let results = self.func.dfg.inst_results(inst);
        if args.len() > abi::HOST_ARGUMENTS.len() || results.len() > abi::HOST_RESULTS.len() {
            return Err(self.unsupported(inst, "a host call has at most six arguments and two results"));
        }
        let mut operands = Vec::new();
        for (&arg, reg) in args.iter().zip(abi::HOST_ARGUMENTS) {
            operands.push(using_in(self.use_of(arg), reg));
        }
        let mut narrow = Vec::new();
        for (&result, reg) in results.iter().zip(abi::HOST_RESULTS) {
            let Some(vreg) = self.vregs[result] else { continue };
            let ty = self.func.dfg.value_type(result);
            // The host may leave anything in the upper half.
            let raw = if ty.bits() < 64 { self.code.vreg() } else { vreg };
            operands.push(defining_in(raw, reg));
            narrow.extend((ty.bits() < 64).then_some((ty, vreg, raw)));
        }
        self.emit(Op::HostCall(id), operands);
        for (ty, vreg, raw) in narrow {
            self.sign_extend(ty, vreg, raw);
        }
        Ok(())
    }

    pub(super) fn function_address(&mut self, inst: Inst) -> Result<(), Problem> {
        let (_, _, Some(dst)) = self.result(inst) else { return Ok(()) };
        let InstructionData::FuncAddr { func_ref, .. } = self.func.dfg.insts[inst] else { return Ok(()) };
        let name = self.name(inst, func_ref)?;
        if name.namespace != FUNCTIONS {
            return Err(self.unsupported(inst, "a host call has no address"));
        }
        self.emit(Op::CodePointer(name.index), vec![defining(dst)]);
        Ok(())
    }

    /// The name of a function, whose signature can be passed.
    fn name(&self, inst: Inst, func_ref: FuncRef) -> Result<UserExternalName, Problem> {
        let data = &self.func.dfg.ext_funcs[func_ref];
        check_signature(&self.func.dfg.signatures[data.signature])?;
        let ExternalName::User(name) = data.name else {
            return Err(self.unsupported(inst, "functions have numbers, no names"));
        };
        match self.func.params.user_named_funcs().get(name) {
            Some(name) if matches!(name.namespace, FUNCTIONS | HOST) => Ok(name.clone()),
            _ => Err(self.unsupported(inst, "names are in namespace 0 for functions or 1 for host calls")),
        }
    }
}

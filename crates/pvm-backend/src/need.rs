//! What is needed of each value: nothing, its low bits, or the whole register.
//!
//! Registers hold 64 bits, and values of fewer bits are kept sign-extended in them, as PVM's instructions on 32 bits leave
//! them. But addresses, stores and most arithmetic look only at low bits. A value that nobody else looks at need not be
//! extended: `ireduce`, `uextend` and `sextend` of such values take no instruction, and sums may be formed in 64 bits.
//!
//! The analysis begins at instructions with effects and follows operands, so values that are needed for nothing are found,
//! too, block parameters among them.

use crate::pattern::{self, Base, Condition, Rhs};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::flowgraph::ControlFlowGraph;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{Block, Function, Inst, InstructionData, Opcode, Value, ValueDef};

/// How much of a value is needed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing.
    #[default]
    Nothing,
    /// The low bits: 32 of them, or as many as the type has if those are fewer. Whatever is above them is arbitrary.
    Low,
    /// The register, with the value zero-extended in it. Only of loads, which can extend either way.
    Zero,
    /// The register, with the value sign-extended in it.
    Whole,
}

/// The needs of a function's values.
pub struct Needs {
    needs: SecondaryMap<Value, Need>,
}

impl Needs {
    /// Analyses `func`.
    pub fn new(func: &Function, cfg: &ControlFlowGraph) -> Needs {
        let incoming = incoming(func, cfg);
        let mut analysis = Analysis { func, needs: SecondaryMap::new(), work: Vec::new() };
        for block in func.layout.blocks() {
            for inst in func.layout.block_insts(block) {
                if has_effect(func, inst) {
                    analysis.operands(inst, Need::Whole);
                }
            }
        }
        while let Some(value) = analysis.work.pop() {
            let need = analysis.needs[value];
            match func.dfg.value_def(value) {
                ValueDef::Result(inst, _) => {
                    if !has_effect(func, inst) {
                        analysis.operands(inst, need);
                    }
                }
                ValueDef::Param(block, index) => {
                    for args in &incoming[block] {
                        analysis.need(args[index], need);
                    }
                }
                ValueDef::Union(..) => {}
            }
        }
        Needs { needs: analysis.needs }
    }

    /// What is needed of `value`.
    pub fn of(&self, value: Value) -> Need {
        self.needs[value]
    }
}

/// Whether an instruction must be kept even if its results are not used.
pub fn has_effect(func: &Function, inst: Inst) -> bool {
    let opcode = func.dfg.insts[inst].opcode();
    match func.dfg.insts[inst] {
        InstructionData::Load { flags, .. } => func.dfg.mem_flags[flags].trap_code().is_some(),
        _ => {
            opcode.is_terminator()
                || opcode.is_call()
                || opcode.can_store()
                || opcode.can_trap()
                || opcode.other_side_effects()
        }
    }
}

/// The arguments of all edges into each block.
fn incoming(func: &Function, cfg: &ControlFlowGraph) -> SecondaryMap<Block, Vec<Vec<Value>>> {
    let mut incoming: SecondaryMap<Block, Vec<Vec<Value>>> = SecondaryMap::new();
    for block in func.layout.blocks() {
        if func.dfg.num_block_params(block) == 0 {
            continue;
        }
        for pred in cfg.pred_iter(block) {
            let calls = func.dfg.insts[pred.inst].branch_destination(&func.dfg.jump_tables, &func.dfg.exception_tables);
            for call in calls.iter().filter(|call| call.block(&func.dfg.value_lists) == block) {
                let args = call.args(&func.dfg.value_lists).filter_map(|arg| arg.as_value()).collect();
                incoming[block].push(args);
            }
        }
    }
    incoming
}

struct Analysis<'f> {
    func: &'f Function,
    needs: SecondaryMap<Value, Need>,
    /// Values whose need has grown.
    work: Vec<Value>,
}

impl Analysis<'_> {
    fn need(&mut self, value: Value, need: Need) {
        if need > self.needs[value] {
            self.needs[value] = need;
            self.work.push(value);
        }
    }

    fn low(&mut self, value: Value) {
        self.need(pattern::low(self.func, value), Need::Low);
    }

    fn whole(&mut self, value: Value) {
        self.need(value, Need::Whole);
    }

    fn condition(&mut self, condition: Condition) {
        self.whole(condition.lhs);
        if let Rhs::Value(rhs) = condition.rhs {
            self.whole(rhs);
        }
    }

    fn address(&mut self, value: Value, offset: i32) {
        if let Base::Value(base) = pattern::address(self.func, value, offset).base {
            self.need(base, Need::Low);
        }
    }

    /// What `inst` needs of its operands when `need` of its result is needed.
    fn operands(&mut self, inst: Inst, need: Need) {
        let func = self.func;
        let args = func.dfg.inst_args(inst);
        match func.dfg.insts[inst] {
            InstructionData::Load { arg, offset, .. } => self.address(arg, offset.into()),
            InstructionData::Store { args: [value, at], offset, .. } => {
                self.address(at, offset.into());
                match func.dfg.insts[inst].opcode() {
                    Opcode::Store if func.dfg.value_type(value) == I64 => self.whole(value),
                    _ => self.low(value),
                }
            }
            InstructionData::IntCompare { cond, args: [a, b], .. } => {
                self.condition(pattern::comparison(func, cond, a, b));
            }
            InstructionData::CondTrap { arg, .. } => self.condition(pattern::condition(func, arg)),
            InstructionData::Brif { arg, ref blocks, .. } => {
                self.condition(pattern::branch_condition(func, arg, blocks));
            }
            // Arguments of branches are needed as far as the parameters are.
            InstructionData::Jump { .. } => {}
            InstructionData::BranchTable { arg, .. } => self.whole(arg),
            _ => self.arithmetic(inst, args, need),
        }
        // A parameter that was reached before one of its edges passes its need on by itself.
    }

    fn arithmetic(&mut self, inst: Inst, args: &[Value], need: Need) {
        let func = self.func;
        let opcode = func.dfg.insts[inst].opcode();
        let ty = func.dfg.inst_results(inst).first().map(|&result| func.dfg.value_type(result));
        match (opcode, args) {
            (Opcode::Iadd | Opcode::Isub | Opcode::Imul | Opcode::Ineg, _) if ty == Some(I32) || need == Need::Low => {
                args.iter().for_each(|&arg| self.low(arg));
            }
            (Opcode::Band | Opcode::Bor | Opcode::Bxor | Opcode::Bnot, _) if need == Need::Low => {
                args.iter().for_each(|&arg| self.low(arg));
            }
            (Opcode::Ishl, &[value, by]) => {
                self.low(by);
                if ty == Some(I32) || need == Need::Low { self.low(value) } else { self.whole(value) }
            }
            (Opcode::Ushr | Opcode::Sshr | Opcode::Rotl | Opcode::Rotr, &[value, by]) => {
                self.low(by);
                if ty == Some(I32) { self.low(value) } else { self.whole(value) }
            }
            (Opcode::Clz | Opcode::Ctz | Opcode::Popcnt | Opcode::Bswap, &[value]) if ty == Some(I32) => {
                self.low(value)
            }
            (Opcode::Uextend, &[arg]) => {
                if need == Need::Whole && pattern::is_word_load(func, arg) {
                    self.need(arg, Need::Zero);
                } else if pattern::never_negative(func, arg) {
                    self.need(arg, if func.dfg.value_type(arg) == I32 { need } else { Need::Whole });
                } else {
                    self.low(arg);
                }
            }
            (Opcode::Sextend, &[arg]) => {
                self.need(arg, if func.dfg.value_type(arg) == I32 { need } else { Need::Whole });
            }
            (Opcode::Ireduce, &[arg]) => self.low(arg),
            (Opcode::Select | Opcode::SelectSpectreGuard, &[test, a, b]) => {
                self.condition(pattern::condition(func, test));
                self.need(a, need);
                self.need(b, need);
            }
            (Opcode::Udiv | Opcode::Urem, &[a, b]) if ty == Some(I32) => {
                self.low(a);
                self.whole(b);
            }
            _ => args.iter().for_each(|&arg| self.whole(arg)),
        }
    }
}

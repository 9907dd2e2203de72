//! Instruction selection: from IR to PVM instructions over virtual registers.
//!
//! Blocks are walked against the flow, and so are the instructions within each. An instruction without effects is selected
//! only if somebody has asked for its value by then; what its users took over into themselves (an offset into a load, a
//! comparison into a branch, a constant into anything) nobody asks for, so it never becomes an instruction. This covers the
//! expression trees of the IR with the instructions of the machine, and drops dead code on the way.
//!
//! | module | instructions |
//! |---|---|
//! | `alu` | sums, products, logic, shifts, rotations |
//! | `bits` | counting bits, reversing bytes |
//! | `narrow` | all of these on 8 and 16 bits |
//! | `divide` | division with its traps |
//! | `compare` | comparisons, selections, minima and maxima |
//! | `extend` | extensions and reductions |
//! | `memory` | loads, stores, addresses in the frame |
//! | `call` | calls, parameters, results |
//! | `control` | branches, tables, traps |

mod alu;
mod bits;
mod call;
mod compare;
mod control;
mod divide;
mod extend;
mod forms;
mod memory;
mod narrow;

use crate::error::Problem;
use crate::need::{self, Need, Needs};
use crate::pattern;
use crate::vcode::{Op, VBlock, VCode, VInst, defining, using};
use cranelift_codegen::Context;
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Block, Function, Inst, Opcode as Clif, Type, Value, types};
use pvm_isa::Opcode;
use regalloc2::{Operand, VReg};

pub use call::FUNCTIONS;

/// Selects instructions for an optimised function. One that `halts` where it returns need not keep its return address.
pub fn lower(context: &Context, halts: bool) -> Result<VCode, Problem> {
    let func = &context.func;
    let blocks: Vec<Block> = context.domtree.cfg_rpo().copied().collect();
    let places: SecondaryMap<Block, u32> = func.layout.blocks().zip(1..).collect();
    let mut lower = Lower {
        func,
        needs: Needs::new(func, &context.cfg),
        vregs: SecondaryMap::new(),
        edges: edges(func),
        link: None,
        halts,
        code: VCode::default(),
        ids: SecondaryMap::new(),
        owners: Vec::new(),
        current: 0,
        buffer: Vec::new(),
    };
    lower.code.blocks.push(VBlock::default());
    for (index, &block) in blocks.iter().enumerate() {
        lower.ids[block] = index + 1;
        lower.code.blocks.push(VBlock {
            depth: context.loop_analysis.loop_level(block).level() as u32,
            cold: func.layout.is_cold(block),
            place: places[block],
            ..VBlock::default()
        });
    }
    lower.owners = (0..lower.code.blocks.len()).collect();
    for &block in blocks.iter().rev() {
        lower.block(block)?;
    }
    lower.entry()?;
    Ok(lower.finish())
}

/// The state of selection.
struct Lower<'f> {
    func: &'f Function,
    needs: Needs,
    /// Registers of values that somebody has asked for.
    vregs: SecondaryMap<Value, Option<VReg>>,
    /// How many edges lead to each block.
    edges: SecondaryMap<Block, u32>,
    /// The register of the return address, if the function returns.
    link: Option<VReg>,
    /// It returns to the halt address.
    halts: bool,
    code: VCode,
    /// Where blocks are in `code`.
    ids: SecondaryMap<Block, usize>,
    /// For each block in `code`, the block that it stands behind: itself, or the one it was made for.
    owners: Vec<usize>,
    /// The block in `code` that is being filled.
    current: usize,
    /// What the instruction at hand has become.
    buffer: Vec<VInst>,
}

impl<'f> Lower<'f> {
    fn block(&mut self, block: Block) -> Result<(), Problem> {
        let func = self.func;
        self.current = self.ids[block];
        let params: Vec<Value> = self.needed_params(block).collect();
        let params = params.into_iter().map(|param| self.register_of(param)).collect();
        self.code.blocks[self.current].params = params;
        let mut reversed = Vec::new();
        let mut next = func.layout.last_inst(block);
        while let Some(inst) = next {
            if func.dfg.insts[inst].opcode().is_terminator() {
                self.terminator(inst)?;
            } else if need::has_effect(func, inst) || self.is_asked_for(inst) {
                self.inst(inst)?;
            }
            reversed.extend(self.buffer.drain(..).rev());
            next = func.layout.prev_inst(inst);
        }
        reversed.reverse();
        let id = self.ids[block];
        self.code.blocks[id].insts = reversed;
        Ok(())
    }

    /// The parameters of a block that are not left out.
    fn needed_params(&self, block: Block) -> impl Iterator<Item = Value> + use<'_, 'f> {
        self.func.dfg.block_params(block).iter().copied().filter(|&param| self.needs.of(param) != Need::Nothing)
    }

    fn is_asked_for(&self, inst: Inst) -> bool {
        self.func.dfg.inst_results(inst).iter().any(|&result| self.vregs[result].is_some())
    }

    fn inst(&mut self, inst: Inst) -> Result<(), Problem> {
        let func = self.func;
        let opcode = func.dfg.insts[inst].opcode();
        self.check_types(inst)?;
        match opcode {
            Clif::Iconst | Clif::Nop => {}
            Clif::Iadd | Clif::Isub | Clif::Imul | Clif::Ineg | Clif::Iabs => self.arithmetic(inst),
            Clif::Umulhi | Clif::Smulhi => self.high_product(inst),
            Clif::Band | Clif::Bor | Clif::Bxor | Clif::Bnot | Clif::Bitselect => self.logic(inst),
            Clif::Ishl | Clif::Ushr | Clif::Sshr | Clif::Rotl | Clif::Rotr => self.shift(inst),
            Clif::Clz | Clif::Ctz | Clif::Popcnt | Clif::Bswap => self.count(inst),
            Clif::Udiv | Clif::Sdiv | Clif::Urem | Clif::Srem => self.divide(inst),
            Clif::Icmp | Clif::Bmask => self.compare(inst),
            Clif::Select | Clif::SelectSpectreGuard => self.select(inst),
            Clif::Smin | Clif::Smax | Clif::Umin | Clif::Umax => self.extremum(inst),
            Clif::Uextend | Clif::Sextend | Clif::Ireduce => self.extend(inst),
            Clif::Load
            | Clif::Uload8
            | Clif::Sload8
            | Clif::Uload16
            | Clif::Sload16
            | Clif::Uload32
            | Clif::Sload32 => return self.load(inst),
            Clif::Store | Clif::Istore8 | Clif::Istore16 | Clif::Istore32 => return self.store(inst),
            Clif::StackAddr => self.stack_address(inst),
            Clif::FuncAddr => return self.function_address(inst),
            Clif::Call | Clif::CallIndirect => return self.call(inst),
            Clif::Trapz | Clif::Trapnz => self.conditional_trap(inst),
            Clif::UaddOverflowTrap => self.adding_trap(inst),
            _ => return Err(self.unsupported(inst, "the PVM back end has no code for it")),
        }
        Ok(())
    }

    fn check_types(&self, inst: Inst) -> Result<(), Problem> {
        let dfg = &self.func.dfg;
        let supported = |&value: &Value| is_supported(dfg.value_type(value));
        match dfg.inst_args(inst).iter().all(supported) && dfg.inst_results(inst).iter().all(supported) {
            true => Ok(()),
            false => Err(self.unsupported(inst, "only integers of 8 to 64 bits are")),
        }
    }

    fn unsupported(&self, inst: Inst, reason: &'static str) -> Problem {
        Problem::Unsupported { instruction: self.func.dfg.display_inst(inst).to_string(), reason }
    }

    /// The only result of an instruction, its type, and its register if it is asked for.
    fn result(&self, inst: Inst) -> (Value, Type, Option<VReg>) {
        let result = self.func.dfg.first_result(inst);
        (result, self.func.dfg.value_type(result), self.vregs[result])
    }

    /// The register of a value that has one of its own.
    fn register_of(&mut self, value: Value) -> VReg {
        if let Some(vreg) = self.vregs[value] {
            return vreg;
        }
        let vreg = self.code.vreg();
        self.vregs[value] = Some(vreg);
        vreg
    }

    /// The value whose register holds `value`, too: extensions that make no difference take no instruction.
    fn source(&self, mut value: Value) -> Value {
        while let Some((opcode, &[arg])) = pattern::op(self.func, value) {
            let low = self.needs.of(value) < Need::Whole;
            let same = match opcode {
                Clif::Sextend => true,
                Clif::Uextend => {
                    pattern::never_negative(self.func, arg)
                        || low && self.func.dfg.value_type(arg) == types::I32
                        || self.needs.of(arg) == Need::Zero
                }
                Clif::Ireduce => low,
                _ => false,
            };
            if !same {
                break;
            }
            value = arg;
        }
        value
    }

    /// A register with `value`, asked for by the instruction at hand.
    fn use_of(&mut self, value: Value) -> VReg {
        let value = self.source(value);
        match pattern::constant(self.func, value) {
            Some(bits) => self.constant(bits),
            None => self.register_of(value),
        }
    }

    /// A register with the low 32 bits of `value`.
    fn low_use_of(&mut self, value: Value) -> VReg {
        self.use_of(pattern::low(self.func, value))
    }

    /// A register with a constant.
    fn constant(&mut self, bits: i64) -> VReg {
        let vreg = self.code.vreg();
        self.emit(Op::LoadImm(bits as u64), vec![defining(vreg)]);
        vreg
    }

    fn emit(&mut self, op: Op, operands: Vec<Operand>) {
        self.buffer.push(VInst { op, operands });
    }

    /// `dst = opcode(a, b)`.
    fn two(&mut self, opcode: Opcode, dst: VReg, a: VReg, b: VReg) {
        self.emit(Op::Plain(opcode, 0, 0), vec![defining(dst), using(a), using(b)]);
    }

    /// `dst = opcode(a, imm)`.
    fn imm(&mut self, opcode: Opcode, dst: VReg, a: VReg, imm: i32) {
        self.emit(Op::Plain(opcode, imm, 0), vec![defining(dst), using(a)]);
    }

    /// `dst = opcode(a)`.
    fn one(&mut self, opcode: Opcode, dst: VReg, a: VReg) {
        self.emit(Op::Plain(opcode, 0, 0), vec![defining(dst), using(a)]);
    }

    /// The same into a new register.
    fn new_two(&mut self, opcode: Opcode, a: VReg, b: VReg) -> VReg {
        let dst = self.code.vreg();
        self.two(opcode, dst, a, b);
        dst
    }

    /// The same into a new register.
    fn new_imm(&mut self, opcode: Opcode, a: VReg, imm: i32) -> VReg {
        let dst = self.code.vreg();
        self.imm(opcode, dst, a, imm);
        dst
    }

    /// Puts the blocks into reverse postorder: those made on the way behind those they were made for.
    fn finish(self) -> VCode {
        let mut code = self.code;
        let mut order: Vec<usize> = (0..code.blocks.len()).collect();
        order.sort_by_key(|&id| (self.owners[id], id));
        let mut places = vec![0; order.len()];
        for (place, &id) in order.iter().enumerate() {
            places[id] = place;
        }
        let mut blocks: Vec<Option<VBlock>> = std::mem::take(&mut code.blocks).into_iter().map(Some).collect();
        code.blocks = order.iter().map(|&id| blocks[id].take().expect("each block has one place")).collect();
        for block in &mut code.blocks {
            for succ in &mut block.succs {
                *succ = regalloc2::Block::new(places[succ.index()]);
            }
        }
        code.finish();
        code
    }
}

/// How many edges lead to each block.
fn edges(func: &Function) -> SecondaryMap<Block, u32> {
    let mut edges = SecondaryMap::new();
    for block in func.layout.blocks() {
        let dfg = &func.dfg;
        let Some(last) = func.layout.last_inst(block) else { continue };
        for call in dfg.insts[last].branch_destination(&dfg.jump_tables, &dfg.exception_tables) {
            edges[call.block(&dfg.value_lists)] += 1;
        }
    }
    edges
}

/// Whether values of this type are supported.
fn is_supported(ty: Type) -> bool {
    matches!(ty, types::I8 | types::I16 | types::I32 | types::I64)
}

//! Branches, tables and traps.

use super::Lower;
use super::compare::cond;
use crate::error::Problem;
use crate::need::Need;
use crate::pattern::{self, Condition, Rhs};
use crate::vcode::{Op, VBlock, VInst, using};
use cranelift_codegen::ir::types::I32;
use cranelift_codegen::ir::{
    Block as Destination, BlockArg, BlockCall, Inst, InstructionData, JumpTable, Opcode as Clif, Value,
};
use pvm_isa::Opcode;
use pvm_ops::Cond;
use regalloc2::{Block, VReg};
use std::collections::HashMap;

/// Up to so many entries of a table are compared with one after the other: a jump through the table takes three
/// instructions.
const CHAIN: usize = 4;

impl Lower<'_> {
    pub(super) fn terminator(&mut self, inst: Inst) -> Result<(), Problem> {
        match self.func.dfg.insts[inst] {
            InstructionData::Jump { destination, .. } => {
                let args = self.block_args(destination);
                let target = destination.block(&self.func.dfg.value_lists);
                self.end(Op::Jump, vec![], vec![(self.ids[target], args)]);
            }
            InstructionData::Brif { arg, ref blocks, .. } => {
                let [then, otherwise] = blocks.map(|call| self.edge(call));
                let (op, operands) = self.branch(pattern::branch_condition(self.func, arg, blocks));
                self.end(op, operands, vec![(then, vec![]), (otherwise, vec![])]);
            }
            InstructionData::BranchTable { arg, table, .. } => self.table(arg, table),
            InstructionData::Trap { opcode: Clif::Trap, .. } => self.end(Op::Trap, vec![], vec![]),
            InstructionData::MultiAry { opcode: Clif::Return, .. } => {
                self.check_types(inst)?;
                self.return_values(inst);
            }
            _ => return Err(self.unsupported(inst, "the PVM back end has no code for it")),
        }
        if self.func.dfg.inst_args(inst).iter().any(|&arg| !super::is_supported(self.func.dfg.value_type(arg))) {
            return Err(self.unsupported(inst, "only integers of 8 to 64 bits are"));
        }
        Ok(())
    }

    /// Ends the current block.
    pub(super) fn end(&mut self, op: Op, operands: Vec<VReg>, succs: Vec<(usize, Vec<VReg>)>) {
        self.emit(op, operands.into_iter().map(using).collect());
        let block = &mut self.code.blocks[self.current];
        for (succ, args) in succs {
            block.succs.push(Block::new(succ));
            block.args.push(args);
        }
    }

    /// Operation and operands of a branch.
    fn branch(&mut self, condition: Condition) -> (Op, Vec<VReg>) {
        let lhs = self.use_of(condition.lhs);
        let cond = cond(condition.cc);
        match condition.rhs {
            Rhs::Imm(imm) => (Op::Branch(cond, Some(imm)), vec![lhs]),
            Rhs::Value(rhs) => {
                let rhs = self.use_of(rhs);
                (Op::Branch(cond, None), vec![lhs, rhs])
            }
        }
    }

    /// The arguments of a jump for the parameters that are not left out.
    fn block_args(&mut self, call: BlockCall) -> Vec<VReg> {
        let lists = &self.func.dfg.value_lists;
        let params = self.func.dfg.block_params(call.block(lists));
        let args: Vec<Value> = call
            .args(lists)
            .zip(params)
            .filter(|&(_, &param)| self.needs.of(param) != Need::Nothing)
            .filter_map(|(arg, _)| arg.as_value())
            .collect();
        args.into_iter().map(|arg| self.use_of(arg)).collect()
    }

    /// Where an edge leads: to the block itself if nothing else does and nothing is to be moved, else to a block behind the
    /// current one that only jumps. The register allocator puts moves there.
    fn edge(&mut self, call: BlockCall) -> usize {
        let target = call.block(&self.func.dfg.value_lists);
        if self.edges[target] == 1 && self.needed_params(target).next().is_none() {
            return self.ids[target];
        }
        let outer = std::mem::take(&mut self.buffer);
        let args = self.block_args(call);
        self.emit(Op::Jump, vec![]);
        let insts = std::mem::replace(&mut self.buffer, outer);
        let (from, to) = (&self.code.blocks[self.current], &self.code.blocks[self.ids[target]]);
        let (depth, cold) = (from.depth.min(to.depth), from.cold || to.cold);
        let place = if to.cold { to.place } else { from.place };
        let succs = vec![Block::new(self.ids[target])];
        self.add_block(VBlock { insts, succs, args: vec![args], depth, cold, place, ..VBlock::default() })
    }

    /// Adds a block that is made for the current one.
    fn add_block(&mut self, block: VBlock) -> usize {
        self.code.blocks.push(block);
        self.owners.push(self.current);
        self.code.blocks.len() - 1
    }

    fn table(&mut self, index: Value, table: JumpTable) {
        let table = &self.func.dfg.jump_tables[table];
        // Sign-extended, an index above 2^31 is above all entries all the same.
        let index = self.use_of(index);
        let entries = table.as_slice();
        if entries.len() <= CHAIN {
            return self.chain(index, entries, table.default_block());
        }
        let dispatch = self.dispatch(index, entries);
        let default = self.edge(table.default_block());
        let count = entries.len() as i32;
        self.end(Op::Branch(Cond::LtU, Some(count)), vec![index], vec![(dispatch, vec![]), (default, vec![])]);
    }

    /// The block that jumps through a table.
    fn dispatch(&mut self, index: VReg, entries: &[BlockCall]) -> usize {
        let block = self.add_block_here();
        let outer = std::mem::take(&mut self.buffer);
        let doubled = self.new_imm(Opcode::ShloLImm64, index, 1);
        self.emit(Op::Table(self.code.tables.len()), vec![using(doubled)]);
        self.code.blocks[block].insts = std::mem::replace(&mut self.buffer, outer);
        // Entries that are the same share an edge.
        let lists = &self.func.dfg.value_lists;
        let mut places: HashMap<(Destination, Vec<BlockArg>), usize> = HashMap::new();
        let mut succs = Vec::new();
        let mut table = Vec::new();
        for &entry in entries {
            let place = *places.entry((entry.block(lists), entry.args(lists).collect())).or_insert_with(|| {
                succs.push(Block::new(self.edge(entry)));
                succs.len() - 1
            });
            table.push(place);
        }
        self.code.tables.push(table);
        self.code.blocks[block].args = vec![Vec::new(); succs.len()];
        self.code.blocks[block].succs = succs;
        block
    }

    /// Compares with one entry after the other.
    fn chain(&mut self, index: VReg, entries: &[BlockCall], default: BlockCall) {
        let Some((&last, others)) = entries.split_last() else {
            let default = self.edge(default);
            return self.end(Op::Jump, vec![], vec![(default, vec![])]);
        };
        // The first comparison is in the current block, each of the others in one of its own.
        let mut block = None;
        for (value, &entry) in others.iter().enumerate() {
            let entry = self.edge(entry);
            let next = self.add_block_here();
            self.comparison(block.replace(next), index, value, entry, next);
        }
        let (last, default) = (self.edge(last), self.edge(default));
        self.comparison(block, index, others.len(), last, default);
    }

    fn comparison(&mut self, block: Option<usize>, index: VReg, value: usize, then: usize, otherwise: usize) {
        let op = Op::Branch(Cond::Eq, Some(value as i32));
        match block {
            None => self.end(op, vec![index], vec![(then, vec![]), (otherwise, vec![])]),
            Some(block) => {
                let block = &mut self.code.blocks[block];
                block.insts = vec![VInst { op, operands: vec![using(index)] }];
                block.succs = vec![Block::new(then), Block::new(otherwise)];
                block.args = vec![Vec::new(); 2];
            }
        }
    }

    /// An empty block behind the current one that belongs to it.
    fn add_block_here(&mut self) -> usize {
        let VBlock { depth, cold, place, .. } = self.code.blocks[self.current];
        self.add_block(VBlock { depth, cold, place, ..VBlock::default() })
    }

    pub(super) fn conditional_trap(&mut self, inst: Inst) {
        let InstructionData::CondTrap { opcode, arg, .. } = self.func.dfg.insts[inst] else { return };
        let condition = pattern::condition(self.func, arg);
        let (op, operands) = self.branch(condition);
        let Op::Branch(cond, imm) = op else { return };
        let cond = if opcode == Clif::Trapz { cond.negated() } else { cond };
        self.emit(Op::TrapIf(cond, imm), operands.into_iter().map(using).collect());
    }

    /// A sum that traps if it does not fit, read as an unsigned number.
    pub(super) fn adding_trap(&mut self, inst: Inst) {
        let (_, ty, dst) = self.result(inst);
        let &[a, b] = self.func.dfg.inst_args(inst) else { return };
        let (a, b) = (self.use_of(a), self.use_of(b));
        let sum = dst.unwrap_or_else(|| self.code.vreg());
        self.two(if ty == I32 { Opcode::Add32 } else { Opcode::Add64 }, sum, a, b);
        self.emit(Op::TrapIf(Cond::LtU, None), vec![using(sum), using(a)]);
    }
}

//! Structured control: blocks, loops, branches.

use super::{Result, Translator};
use crate::instance::word;
use cranelift_codegen::ir::{Block, BlockArg, BlockCall, InstBuilder, JumpTableData, Value};
use std::collections::BTreeMap;
use wasmparser::{BlockType, BrTable, FuncType, Operator, ValType};

/// A structured instruction that is open.
pub(super) struct Frame {
    kind: Kind,
    /// Where branches to it lead.
    label: Block,
    /// What follows its end. Of a loop it is another block than the label.
    exit: Block,
    /// How many operands branches to it take along.
    label_arity: usize,
    /// What of the locals they take along: those that are set in a loop.
    label_locals: Vec<u32>,
    /// How many operands it leaves.
    results: usize,
    /// Operands below those that it takes.
    height: usize,
    /// Something jumps to the exit.
    exit_is_used: bool,
    /// Facts about checks from before it.
    facts: usize,
}

enum Kind {
    Function,
    Block,
    Loop,
    /// The block for `else`, until it has begun, and what goes there if there is none.
    If {
        otherwise: Block,
        params: Vec<Value>,
    },
    Else,
}

impl Translator<'_, '_> {
    /// Translates the instruction if it is about control. Others are for the other families.
    pub(super) fn control(&mut self, operator: &Operator<'_>) -> Result<bool> {
        if !self.is_reachable {
            return Ok(self.control_unreachable(operator));
        }
        match operator {
            Operator::Nop => {}
            Operator::Unreachable => self.trap(),
            Operator::Block { blockty } => self.begin(*blockty, |_, exit, _| (Kind::Block, exit)),
            Operator::Loop { blockty } => self.begin_loop(*blockty),
            Operator::If { blockty } => self.begin_if(*blockty),
            Operator::Else => self.begin_else(),
            Operator::End => self.end(),
            Operator::Br { relative_depth } => {
                self.branch(*relative_depth);
                self.is_reachable = false;
            }
            Operator::BrIf { relative_depth } => self.branch_if(*relative_depth),
            Operator::BrTable { targets } => self.branch_table(targets)?,
            Operator::Return => {
                self.branch(self.frames.len() as u32 - 1);
                self.is_reachable = false;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Where nothing is reached only the nesting counts.
    fn control_unreachable(&mut self, operator: &Operator<'_>) -> bool {
        match operator {
            Operator::Loop { .. } => {
                self.loops_begun += 1;
                self.unreachable_depth += 1;
            }
            Operator::Block { .. } | Operator::If { .. } => self.unreachable_depth += 1,
            Operator::Else if self.unreachable_depth == 0 => self.begin_else(),
            Operator::End if self.unreachable_depth == 0 => self.end(),
            Operator::End => self.unreachable_depth -= 1,
            _ => {}
        }
        true
    }

    /// The frame of the whole function: branches to it return.
    pub(super) fn enter_function(&mut self, ty: &FuncType) {
        let exit = self.create_block(ty.results());
        let results = ty.results().len();
        self.frames.push(Frame {
            kind: Kind::Function,
            label: exit,
            exit,
            label_arity: results,
            label_locals: Vec::new(),
            results,
            height: 0,
            exit_is_used: false,
            facts: 0,
        });
    }

    /// Opens a frame. `kind` is given the operands that it takes, and says where branches lead.
    fn begin(&mut self, ty: BlockType, kind: impl FnOnce(&mut Self, Block, &[Value]) -> (Kind, Block)) {
        let (params, results) = self.block_type(ty);
        let exit = self.create_block(&results);
        let height = self.stack.len() - params.len();
        let operands = self.stack[height..].to_vec();
        let facts = self.checks.mark();
        let (kind, label) = kind(self, exit, &operands);
        let label_arity = if label == exit { results.len() } else { params.len() };
        self.frames.push(Frame {
            kind,
            label,
            exit,
            label_arity,
            label_locals: Vec::new(),
            results: results.len(),
            height,
            exit_is_used: false,
            facts,
        });
    }

    /// What the loop sets of the locals are parameters of its block, beside its operands; what it only reads is as before.
    fn begin_loop(&mut self, ty: BlockType) {
        let locals = std::mem::take(&mut self.loops[self.loops_begun]);
        self.loops_begun += 1;
        let (params, _) = self.block_type(ty);
        let header = self.create_block(&params);
        self.begin(ty, |translator, _, operands| {
            let height = translator.stack.len() - operands.len();
            let set = translator.use_locals(&locals.set);
            let read = translator.use_locals(&locals.read);
            for &value in &set {
                let ty = translator.builder.func.dfg.value_type(value);
                translator.builder.append_block_param(header, ty);
            }
            translator.jump(header, &[operands, &set].concat());
            translator.builder.switch_to_block(header);
            let values = translator.builder.block_params(header).to_vec();
            let (operands, set) = values.split_at(operands.len());
            translator.define_locals(&locals.set, set);
            translator.define_locals(&locals.read, &read);
            translator.stack.truncate(height);
            translator.stack.extend_from_slice(operands);
            (Kind::Loop, header)
        });
        self.frames.last_mut().expect("it was begun").label_locals = locals.set;
    }

    fn use_locals(&mut self, locals: &[u32]) -> Vec<Value> {
        locals.iter().map(|&local| self.builder.use_var(self.locals[local as usize])).collect()
    }

    fn define_locals(&mut self, locals: &[u32], values: &[Value]) {
        for (&local, &value) in locals.iter().zip(values) {
            self.builder.def_var(self.locals[local as usize], value);
        }
    }

    fn begin_if(&mut self, ty: BlockType) {
        let condition = self.pop_condition();
        self.begin(ty, |translator, exit, operands| {
            let (then, otherwise) = (translator.builder.create_block(), translator.builder.create_block());
            translator.builder.ins().brif(condition, then, &[], otherwise, &[]);
            translator.builder.seal_block(then);
            translator.builder.seal_block(otherwise);
            translator.builder.switch_to_block(then);
            (Kind::If { otherwise, params: operands.to_vec() }, exit)
        });
    }

    fn begin_else(&mut self) {
        self.leave_for_exit();
        let frame = self.frames.last_mut().expect("the body is valid");
        let Kind::If { otherwise, params } = std::mem::replace(&mut frame.kind, Kind::Else) else {
            unreachable!("the body is valid")
        };
        self.stack.truncate(frame.height);
        self.stack.extend(params);
        self.checks.forget(frame.facts);
        self.builder.switch_to_block(otherwise);
        self.is_reachable = true;
    }

    /// The end of the part that is open: what it leaves goes to the exit.
    fn leave_for_exit(&mut self) {
        if !self.is_reachable {
            return;
        }
        let frame = self.frames.last_mut().expect("the body is valid");
        frame.exit_is_used = true;
        let (exit, results) = (frame.exit, frame.results);
        let values = self.pop_many(results);
        self.jump(exit, &values);
    }

    fn end(&mut self) {
        let is_plain_return = matches!(self.frame(0).kind, Kind::Function) && !self.frame(0).exit_is_used;
        if is_plain_return {
            if self.is_reachable {
                let results = self.pop_many(self.frame(0).results);
                self.builder.ins().return_(&results);
            }
            self.frames.pop();
            return;
        }
        self.leave_for_exit();
        let mut frame = self.frames.pop().expect("the body is valid");
        if let Kind::If { otherwise, params } = &frame.kind {
            // Without `else` the operands go through.
            self.builder.switch_to_block(*otherwise);
            self.jump(frame.exit, params);
            frame.exit_is_used = true;
        }
        if matches!(frame.kind, Kind::Loop) {
            self.builder.seal_block(frame.label);
        }
        self.stack.truncate(frame.height);
        self.checks.forget(frame.facts);
        self.is_reachable = frame.exit_is_used;
        if !frame.exit_is_used {
            return;
        }
        self.builder.seal_block(frame.exit);
        self.builder.switch_to_block(frame.exit);
        let values = self.builder.block_params(frame.exit).to_vec();
        if matches!(frame.kind, Kind::Function) {
            self.builder.ins().return_(&values);
        } else {
            self.stack.extend(values);
        }
    }

    fn branch(&mut self, depth: u32) {
        let (label, values) = self.target(depth);
        self.jump(label, &values);
    }

    fn branch_if(&mut self, depth: u32) {
        let condition = self.pop_condition();
        let (label, values) = self.target(depth);
        let next = self.builder.create_block();
        self.builder.ins().brif(condition, label, &arguments(&values), next, &[]);
        self.builder.seal_block(next);
        self.builder.switch_to_block(next);
    }

    fn branch_table(&mut self, table: &BrTable<'_>) -> Result<()> {
        let index = self.pop();
        let mut depths = Vec::new();
        for depth in table.targets() {
            depths.push(depth?);
        }
        // Targets that take operands along are reached through a block of their own each, so that the operands are not
        // listed once for every entry.
        let mut landings = BTreeMap::new();
        let mut blocks = Vec::with_capacity(depths.len());
        for depth in depths.into_iter().chain([table.default()]) {
            let frame = self.frame(depth);
            let takes_nothing = frame.label_arity == 0 && frame.label_locals.is_empty();
            let block = match takes_nothing {
                true => self.target(depth).0,
                false => *landings.entry(depth).or_insert_with(|| self.builder.create_block()),
            };
            blocks.push(block);
        }
        let default = blocks.pop().expect("there is a default");
        let pool = &mut self.builder.func.dfg.value_lists;
        let mut call = |block| BlockCall::new(block, [], pool);
        let default = call(default);
        let calls: Vec<BlockCall> = blocks.into_iter().map(call).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(index, table);
        for (depth, landing) in landings {
            self.builder.seal_block(landing);
            self.builder.switch_to_block(landing);
            self.branch(depth);
        }
        self.is_reachable = false;
        Ok(())
    }

    fn frame(&self, depth: u32) -> &Frame {
        &self.frames[self.frames.len() - 1 - depth as usize]
    }

    /// Where a branch leads and what it takes along.
    fn target(&mut self, depth: u32) -> (Block, Vec<Value>) {
        let index = self.frames.len() - 1 - depth as usize;
        let frame = &mut self.frames[index];
        frame.exit_is_used |= frame.label == frame.exit;
        let (label, arity, locals) = (frame.label, frame.label_arity, std::mem::take(&mut frame.label_locals));
        let mut values = self.stack[self.stack.len() - arity..].to_vec();
        values.extend(self.use_locals(&locals));
        self.frames[index].label_locals = locals;
        (label, values)
    }

    fn jump(&mut self, block: Block, values: &[Value]) {
        self.builder.ins().jump(block, &arguments(values));
    }

    fn create_block(&mut self, params: &[ValType]) -> Block {
        let block = self.builder.create_block();
        for &ty in params {
            self.builder.append_block_param(block, word(ty));
        }
        block
    }

    fn block_type(&self, ty: BlockType) -> (Vec<ValType>, Vec<ValType>) {
        match ty {
            BlockType::Empty => (Vec::new(), Vec::new()),
            BlockType::Type(ty) => (Vec::new(), vec![ty]),
            BlockType::FuncType(ty) => {
                let ty = &self.instance.module.types[ty as usize];
                (ty.params().to_vec(), ty.results().to_vec())
            }
        }
    }
}

fn arguments(values: &[Value]) -> Vec<BlockArg> {
    values.iter().map(|&value| value.into()).collect()
}

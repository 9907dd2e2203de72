//! Ways from block to block: within the region, out of it, and through the jump table.

use super::{Current, Translator, Way, WayOut, context_flags};
use crate::Exit;
use crate::blocks::BlockId;
use crate::parking::Passage;
use crate::returns::Return;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, JumpTableData, Value};
use pvm_ops::{GuestCode, HALT_ADDRESS, Reg};
use pvm_vm::Context;

/// In regions with up to so many targets each dynamic jump gets a branch table of its own; in others they share one.
const OWN_TABLE_TARGETS: usize = 16;
/// A branch table has an entry of four bytes for each of the guest's jump table, if that has at most so many...
const SMALL_TABLE: usize = 64;
/// ... and so many more for each target in the region.
const FEW_PER_TARGET: usize = 4;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Goes to the block of this number, to `default` if there is none.
    pub(super) fn branch_by_table(&mut self, number: Value, default: ir::Block, to: &[ir::Block]) {
        let mut call = |block| self.builder.func.dfg.block_call(block, &[]);
        let default = call(default);
        let calls: Vec<_> = to.iter().copied().map(call).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(number, table);
    }

    /// Goes to the block at `pc`, by this exit if it is not in the region.
    pub(super) fn go_to(&mut self, pc: u32, exit: Exit) {
        match self.member(pc) {
            Some(to) => {
                self.pass(self.parking.passage(self.position, to));
                self.builder.ins().jump(self.bodies[to], &[]);
            }
            None => self.exit(exit, pc),
        }
    }

    /// The position of the block at `pc`, if it is in the region.
    pub(super) fn member(&self, pc: u32) -> Option<usize> {
        self.region.position(self.blocks.find(pc)?)
    }

    /// An IR block that goes to the block at `pc`.
    pub(super) fn way_to(&mut self, current: &Current, pc: u32) -> ir::Block {
        let Some(to) = self.member(pc) else { return self.way_out(Exit::Enter, pc) };
        let mut spent = 0;
        if let Some(next_copy) = current.next_copy {
            if to == self.position {
                return next_copy;
            }
            spent = self.pending;
        }
        let passage = self.parking.passage(self.position, to);
        if spent == 0 && passage == Passage::default() {
            return self.bodies[to];
        }
        let block = self.builder.create_block();
        self.ways.push(Way { block, spent, passage, to: self.bodies[to] });
        block
    }

    /// Fills the blocks that lie between a branch and where it goes.
    pub(super) fn finish_ways(&mut self) {
        for Way { block, spent, passage, to } in std::mem::take(&mut self.ways) {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            self.add(self.gas, -spent);
            self.pass(passage);
            self.builder.ins().jump(to, &[]);
        }
    }

    fn pass(&mut self, Passage { stores, loads }: Passage) {
        for reg in Reg::ALL.into_iter().filter(|reg| stores & reg.bit() != 0) {
            let value = self.builder.use_var(self.variable(reg));
            self.park(reg, value);
        }
        for reg in Reg::ALL.into_iter().filter(|reg| loads & reg.bit() != 0) {
            let value = self.parked_value(reg);
            self.builder.def_var(self.variable(reg), value);
        }
    }

    /// An IR block that leaves; it is filled at the end.
    pub(super) fn way_out(&mut self, exit: Exit, pc: u32) -> ir::Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        self.ways_out.push(WayOut { block, exit, pc, pending: self.pending, parked: self.parked });
        block
    }

    /// A dynamic jump (Gray Paper A.4), at the end of block `from`: first to where it is likely to go, then by the jump
    /// table.
    pub(super) fn jump_indirect(&mut self, address: Value, from: BlockId, pc: u32) {
        let low = self.builder.ins().ireduce(I32, address);
        for Return { address, to } in self.returns.get(&from).cloned().unwrap_or_default() {
            let is_it = self.builder.ins().icmp_imm_u(IntCC::Equal, low, i64::from(address));
            let position = self.region.position(to).expect("likely targets are members");
            let next = self.builder.create_block();
            self.builder.ins().brif(is_it, self.bodies[position], &[], next, &[]);
            self.builder.seal_block(next);
            self.builder.switch_to_block(next);
        }
        // Entry i has address 2 (i + 1). Rotated by one, odd addresses are large, and so is zero less one.
        let rotated = self.builder.ins().rotr_imm_u(low, 1);
        let entry = self.builder.ins().iadd_imm_s(rotated, -1);
        let count = self.code.jump_table().len() as i64;
        let is_outside = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, entry, count);
        // The address that halts is in no table of fewer than 2^31 entries.
        self.leave_if(is_outside, |this| this.jump_outside_table(low, pc));
        self.jump_by_table(entry, pc);
    }

    /// Goes where an entry of the jump table says. Regions with many targets share the code for that.
    fn jump_by_table(&mut self, entry: Value, pc: u32) {
        let targets = self.region.entries.iter().filter(|&&id| self.blocks.get(id).is_jump_target).count();
        let pc = self.builder.ins().iconst(I32, i64::from(pc));
        if targets <= OWN_TABLE_TARGETS {
            self.dispatch(entry, pc);
            return;
        }
        let (shared, _) = *self.shared_dispatch.get_or_insert_with(|| {
            let block = self.builder.create_block();
            self.builder.append_block_param(block, I32);
            self.builder.append_block_param(block, I32);
            (block, self.parked)
        });
        self.builder.ins().jump(shared, &[BlockArg::Value(entry), BlockArg::Value(pc)]);
    }

    /// Goes where an entry of the jump table says, on behalf of the jump at `pc`: within the region by a branch table, else
    /// out of it.
    pub(super) fn dispatch(&mut self, entry: Value, pc: Value) {
        let leave = self.builder.create_block();
        self.builder.set_cold_block(leave);
        let table = self.code.jump_table();
        let targets = self.region.entries.iter().copied().filter(|&id| self.blocks.get(id).is_jump_target);
        let targets: Vec<_> = targets.collect();
        if targets.is_empty() {
            self.builder.ins().jump(leave, &[]);
        } else if table.len() <= SMALL_TABLE + FEW_PER_TARGET * targets.len() {
            let mut ways = vec![leave; table.len()];
            for id in targets {
                let body = self.bodies[self.region.position(id).expect("entries are members")];
                self.blocks.jump_entries(id).iter().for_each(|&entry| ways[entry as usize] = body);
            }
            self.branch_by_table(entry, leave, &ways);
        } else {
            self.dispatch_by_place(entry, leave);
        }

        self.builder.seal_block(leave);
        self.builder.switch_to_block(leave);
        let words = self.words(entry);
        let target = self.builder.ins().load(I64, context_flags(), words, 8);
        let target = self.builder.ins().ireduce(I32, target);
        let is_invalid = self.builder.ins().icmp_imm_s(IntCC::Equal, target, -1);
        self.leave_if(is_invalid, |this| this.exit_to(Exit::Panic, pc));
        self.exit_to(Exit::Enter, target);
    }

    /// The same for jump tables so large that a branch table for all of it would be waste.
    fn dispatch_by_place(&mut self, entry: Value, leave: ir::Block) {
        let words = self.words(entry);
        let place = self.builder.ins().load(I64, context_flags(), words, 0);
        let region = self.builder.ins().ushr_imm_u(place, 32);
        let is_away = self.builder.ins().icmp_imm_u(IntCC::NotEqual, region, i64::from(self.region.id) + 1);
        let here = self.builder.create_block();
        self.builder.ins().brif(is_away, leave, &[], here, &[]);
        self.builder.seal_block(here);
        self.builder.switch_to_block(here);
        let number = self.builder.ins().ireduce(I32, place);
        let way = |&id: &BlockId| match self.blocks.get(id).is_jump_target {
            true => self.bodies[self.region.position(id).expect("entries are members")],
            false => leave,
        };
        let ways: Vec<_> = self.region.entries.iter().map(way).collect();
        self.branch_by_table(number, leave, &ways);
    }

    /// What the code cache keeps for an entry of the jump table, two words: where the target is in compiled code (number of
    /// the region plus one in the high half, number of the entry in the low one), and its program counter, all ones if it
    /// may not be jumped to.
    fn words(&mut self, entry: Value) -> Value {
        let entry = self.builder.ins().uextend(I64, entry);
        let offset = self.builder.ins().ishl_imm_u(entry, 4);
        let fixed = context_flags().with_readonly();
        let words = self.builder.ins().load(I64, fixed, self.context, Context::JUMP_ENTRIES);
        self.builder.ins().iadd(words, offset)
    }

    pub(super) fn jump_outside_table(&mut self, address: Value, pc: u32) {
        let panics = self.builder.ins().icmp_imm_u(IntCC::NotEqual, address, i64::from(HALT_ADDRESS));
        self.leave_if(panics, |this| this.exit(Exit::Panic, pc));
        self.exit(Exit::Halt, pc);
    }
}

//! Ways from block to block: within the region, out of it, and through the jump table.

use super::{Translator, context_flags};
use crate::Exit;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, JumpTableData, Value};
use pvm_ops::{GuestCode, HALT_ADDRESS};
use pvm_vm::Context;

/// Up to how many entries a dynamic jump gets a branch table of its own; regions with more share one.
const OWN_TABLE_ENTRIES: usize = 16;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Goes to the entry of this number.
    pub(super) fn branch_to_entry(&mut self, number: Value) {
        let bodies = self.region.entries.iter().map(|&id| {
            let position = self.region.position(id).expect("entries are members");
            self.bodies[position]
        });
        let bodies: Vec<_> = bodies.collect();
        let mut call = |body| self.builder.func.dfg.block_call(body, &[]);
        // Whoever passes the number takes it from the region, so the default is as good as any.
        let default = call(bodies[0]);
        let calls: Vec<_> = bodies.into_iter().map(call).collect();
        let table = self.builder.create_jump_table(JumpTableData::new(default, &calls));
        self.builder.ins().br_table(number, table);
    }

    /// Goes to the block at `pc`, by this exit if it is not in the region.
    pub(super) fn go_to(&mut self, pc: u32, exit: Exit) {
        match self.body(pc) {
            Some(body) => {
                self.builder.ins().jump(body, &[]);
            }
            None => self.exit(exit, pc),
        }
    }

    pub(super) fn body(&self, pc: u32) -> Option<ir::Block> {
        let position = self.region.position(self.blocks.find(pc)?)?;
        Some(self.bodies[position])
    }

    /// An IR block that goes to the block at `pc`.
    pub(super) fn way_to(&mut self, pc: u32) -> ir::Block {
        self.body(pc).unwrap_or_else(|| self.way_out(Exit::Enter, pc))
    }

    /// An IR block that leaves; it is filled at the end.
    pub(super) fn way_out(&mut self, exit: Exit, pc: u32) -> ir::Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        self.ways_out.push((block, exit, pc));
        block
    }

    /// A dynamic jump (Gray Paper A.4). The code cache keeps two words for each entry of the jump table: where the
    /// target is in compiled code (number of the region plus one in the high half, number of the entry in the low one),
    /// and its program counter, all ones if it may not be jumped to.
    pub(super) fn jump_indirect(&mut self, address: Value, pc: u32) {
        // Entry i has address 2 (i + 1). Rotated by one, odd addresses are large, and so is zero less one.
        let low = self.builder.ins().ireduce(I32, address);
        let rotated = self.builder.ins().rotr_imm_u(low, 1);
        let entry = self.builder.ins().iadd_imm_s(rotated, -1);
        let count = self.code.jump_table().len() as i64;
        let in_table = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, entry, count);
        // The address that halts is in no table of fewer than 2^31 entries.
        self.unless(in_table, |this| this.jump_outside_table(low, pc));

        let entry = self.builder.ins().uextend(I64, entry);
        let offset = self.builder.ins().ishl_imm_u(entry, 4);
        let fixed = context_flags().with_readonly();
        let words = self.builder.ins().load(I64, fixed, self.context, Context::JUMP_ENTRIES);
        let words = self.builder.ins().iadd(words, offset);
        let leave = self.builder.create_block();
        if self.region.entries.iter().any(|&id| self.blocks.get(id).is_jump_target) {
            let place = self.builder.ins().load(I64, context_flags(), words, 0);
            let region = self.builder.ins().ushr_imm_u(place, 32);
            let is_here = self.builder.ins().icmp_imm_u(IntCC::Equal, region, i64::from(self.region.id) + 1);
            let here = self.builder.create_block();
            self.builder.ins().brif(is_here, here, &[], leave, &[]);
            self.builder.seal_block(here);
            self.builder.switch_to_block(here);
            let number = self.builder.ins().ireduce(I32, place);
            self.dispatch(number);
        } else {
            self.builder.ins().jump(leave, &[]);
        }

        self.builder.seal_block(leave);
        self.builder.switch_to_block(leave);
        let target = self.builder.ins().load(I64, context_flags(), words, 8);
        let target = self.builder.ins().ireduce(I32, target);
        let is_valid = self.builder.ins().icmp_imm_s(IntCC::NotEqual, target, -1);
        self.unless(is_valid, |this| this.exit(Exit::Panic, pc));
        self.exit_to(Exit::Enter, target);
    }

    pub(super) fn jump_outside_table(&mut self, address: Value, pc: u32) {
        let halts = self.builder.ins().icmp_imm_u(IntCC::Equal, address, i64::from(HALT_ADDRESS));
        self.unless(halts, |this| this.exit(Exit::Panic, pc));
        self.exit(Exit::Halt, pc);
    }

    pub(super) fn dispatch(&mut self, number: Value) {
        if self.region.entries.len() <= OWN_TABLE_ENTRIES {
            self.branch_to_entry(number);
            return;
        }
        let shared = *self.shared_dispatch.get_or_insert_with(|| {
            let block = self.builder.create_block();
            self.builder.append_block_param(block, I32);
            block
        });
        self.builder.ins().jump(shared, &[BlockArg::Value(number)]);
    }
}

//! Ways from block to block: within the region, out of it, and through the jump table.

use super::{Current, End, Next, SharedDispatch, Translator, Way, WayOut, context_flags};
use crate::Exit;
use crate::blocks::{BlockId, instructions};
use crate::parking::Passage;
use crate::returns::Return;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, BlockArg, InstBuilder, JumpTableData, Value};
use pvm_clif::extend;
use pvm_ops::{DynamicJumps, GuestCode, HALT_ADDRESS, Inst, Reg};
use pvm_vm::Context;

/// In regions with up to so many targets each dynamic jump gets a branch table of its own, if the guest's jump table is
/// small; otherwise they share the code.
const OWN_TABLE_TARGETS: usize = 16;
/// A branch table has two entries of four bytes for each of the guest's jump table, if that has at most so many...
const SMALL_TABLE: usize = 32;
/// ... and so many more for each target in the region.
const FEW_PER_TARGET: usize = 4;

/// A dynamic jump.
#[derive(Clone, Copy)]
pub(super) enum Jump {
    /// The one at this program counter.
    At(u32),
    /// Any of those that share the code; its program counter.
    Any(Value),
}

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
                let body = self.body(to);
                self.builder.ins().jump(body, &[]);
            }
            None => self.exit(exit, pc),
        }
    }

    /// The position of the block at `pc`, to which the present one leads, if it is in the region.
    pub(super) fn member(&self, pc: u32) -> Option<usize> {
        self.member_behind(self.position, pc)
    }

    /// The same of what the one at another position leads to.
    pub(super) fn member_behind(&self, from: usize, pc: u32) -> Option<usize> {
        self.graph.behind(from, self.blocks.find(pc)?)
    }

    /// An IR block that goes to the block at `pc`.
    pub(super) fn way_to(&mut self, current: &Current, pc: u32) -> ir::Block {
        let Some(to) = self.member(pc) else {
            let is_early = matches!(current.next, Next::Copy(_));
            // What is owed is known here only.
            if self.owed() == 0 && !self.is_stepping() && !is_early {
                return self.way_out(Exit::Enter, pc);
            }
            let block = self.builder.create_block();
            self.builder.set_cold_block(block);
            self.ways.push(Way { block, spent: 0, passage: Passage::default(), is_early, to: End::Outside(pc) });
            return block;
        };
        self.way_inside(current, to)
    }

    /// An IR block that goes to the block of the region at this position.
    pub(super) fn way_inside(&mut self, current: &Current, to: usize) -> ir::Block {
        let is_early = match current.next {
            Next::Copy(next) if to == self.position => return next,
            next => matches!(next, Next::Copy(_)),
        };
        // Nothing, but on the way out of a loop that is written several times.
        let spent = self.pending - self.checkpoints[to].pending as i64;
        let mut passage = self.parking.passage(self.position, to);
        passage.stores |= self.owed() & self.parking.parked(to);
        passage.stores &= !self.passed;
        // Out of a loop that is written several times a block leads in any case: what the register allocator moves on the way
        // would else lie between the copies.
        let is_beside = is_early || self.graph.leaves_unrolled(self.position, to);
        if spent == 0 && passage == Passage::default() && !is_beside {
            return self.body(to);
        }
        let block = self.builder.create_block();
        self.ways.push(Way { block, spent, passage, is_early, to: End::Inside(self.body(to)) });
        block
    }

    /// The IR block that the present block goes to when it leads to the one at this position.
    fn body(&self, to: usize) -> ir::Block {
        if to == self.position { self.round } else { self.bodies[to] }
    }

    /// Fills the blocks that lie between a branch and where it goes.
    pub(super) fn finish_ways(&mut self) {
        for Way { block, spent, passage, is_early, to } in std::mem::take(&mut self.ways) {
            self.builder.seal_block(block);
            self.builder.switch_to_block(block);
            self.add(self.gas, -spent);
            self.make_stepped();
            if is_early {
                self.make_anew();
            }
            self.pass(passage);
            match to {
                End::Inside(to) => _ = self.builder.ins().jump(to, &[]),
                End::Outside(pc) => self.exit(Exit::Enter, pc),
            }
        }
        self.passed = 0;
    }

    /// Extends what variables hold once more, and makes flags values: as a rule the next round does so with what it makes itself, and
    /// nobody wants what the present one has.
    fn make_anew(&mut self) {
        for reg in Reg::ALL {
            let Some(variable) = self.registers[reg.index()].filter(|_| self.parked & reg.bit() == 0) else { continue };
            let value = self.builder.use_var(variable);
            if let Some(made) = extend::made_here(self.builder, value) {
                self.builder.def_var(variable, made);
            }
        }
    }

    /// Stores before a branch what has to be stored on both ways.
    pub(super) fn pass_before(&mut self, ways: [u32; 2]) {
        let stores = |pc| self.member(pc).map_or(0, |to| self.parking.passage(self.position, to).stores);
        self.passed = stores(ways[0]) & stores(ways[1]);
        self.pass(Passage { stores: self.passed, ..Passage::default() });
    }

    /// An IR block that leaves; it is filled at the end.
    pub(super) fn way_out(&mut self, exit: Exit, pc: u32) -> ir::Block {
        let block = self.builder.create_block();
        self.builder.set_cold_block(block);
        self.ways_out.push(WayOut { block, exit, pc, pending: self.pending, parked: self.parked, zone: self.zone });
        block
    }

    /// A dynamic jump to an address of 32 bits (Gray Paper A.4), at the end of block `from`: first to where it is likely to
    /// go, then by the jump table. Regions with many targets share the code for that.
    pub(super) fn jump_indirect(&mut self, address: Value, from: BlockId, pc: u32) {
        for Return { address: likely, to } in self.calls.returns.get(&from).cloned().unwrap_or_default() {
            let is_it = self.builder.ins().icmp_imm_u(IntCC::Equal, address, i64::from(likely));
            let position = self.region.position(to).expect("likely targets are members");
            let next = self.builder.create_block();
            self.builder.ins().brif(is_it, self.bodies[position], &[], next, &[]);
            self.builder.seal_block(next);
            self.builder.switch_to_block(next);
        }
        // A jump of which it is known where it has gone has a table for that.
        if matches!(self.code.dynamic_jumps(), DynamicJumps::Direct) {
            let likely: Vec<BlockId> = self.code.likely_targets(pc).iter().filter_map(|&to| self.target(to)).collect();
            if !likely.is_empty() {
                self.go_to_one_of(address, &likely);
            }
        }
        let targets = self.targets().count();
        if targets <= OWN_TABLE_TARGETS && self.has_branch_table(targets) {
            self.dispatch(address, Jump::At(pc));
            return;
        }
        let shared = self.shared_dispatch();
        let mut args = vec![BlockArg::Value(address)];
        if shared.pc.is_none() {
            let pc = self.jump_at(pc);
            let pc = self.builder.ins().iconst(I32, i64::from(pc));
            args.push(BlockArg::Value(pc));
        }
        self.builder.ins().jump(shared.block, &args);
    }

    /// Where a dynamic jump is said to be: where returns lead is not of interest.
    fn jump_at(&self, pc: u32) -> u32 {
        if self.code.is_return(pc) { Context::NO_JUMP } else { pc }
    }

    fn shared_dispatch(&mut self) -> SharedDispatch {
        if let Some(shared) = self.shared_dispatch {
            return shared;
        }
        let last = |&id: &BlockId| instructions(self.code, self.blocks.get(id)).last();
        let mut jumps = self.graph.blocks.iter().filter_map(last).filter_map(|(pc, inst)| match inst {
            Inst::JumpIndirect { .. } => Some(self.jump_at(pc)),
            _ => None,
        });
        let pc = jumps.next().filter(|&first| jumps.all(|pc| pc == first));
        let block = self.builder.create_block();
        self.builder.append_block_param(block, I32);
        if pc.is_none() {
            self.builder.append_block_param(block, I32);
        }
        *self.shared_dispatch.insert(SharedDispatch { block, pc, pending: self.pending })
    }

    /// The blocks of the region that dynamic jumps may go to.
    pub(super) fn targets(&self) -> impl Iterator<Item = BlockId> + use<'_, C> {
        self.region.entries.iter().copied().filter(|&id| self.blocks.get(id).is_jump_target)
    }

    /// The block of the region at `pc`, if dynamic jumps may go there.
    fn target(&self, pc: u32) -> Option<BlockId> {
        self.blocks.find(pc).filter(|&id| self.blocks.get(id).is_jump_target && self.region.position(id).is_some())
    }

    /// Whether the guest's jump table is small enough to have a branch table for all of it, with so many targets in the region.
    fn has_branch_table(&self, targets: usize) -> bool {
        let DynamicJumps::Table { entries, .. } = self.code.dynamic_jumps() else { return false };
        targets > 0 && entries.len() <= SMALL_TABLE + FEW_PER_TARGET * targets
    }

    /// Whether there are entries of the guest's jump table that are not listed.
    pub(super) fn has_unlisted_jumps(&self) -> bool {
        matches!(self.code.dynamic_jumps(), DynamicJumps::Table { entries, count } if count > entries.len() as u64)
    }

    /// Goes where an address says, on behalf of a dynamic jump: within the region by a branch table, else out of it.
    pub(super) fn dispatch(&mut self, address: Value, jump: Jump) {
        let table = match self.code.dynamic_jumps() {
            DynamicJumps::Table { entries, .. } => entries,
            DynamicJumps::Direct => {
                let from = match jump {
                    Jump::At(pc) => self.builder.ins().iconst(I32, i64::from(pc)),
                    Jump::Any(pc) => pc,
                };
                return self.dispatch_directly(address, from);
            }
        };
        let [outside, leave] = [self.builder.create_block(), self.builder.create_block()];
        self.builder.set_cold_block(outside);
        self.builder.set_cold_block(leave);
        let targets: Vec<_> = self.targets().collect();
        // Entry i has address 2 (i + 1). Odd addresses, which are none, are large when they are rotated by one.
        let rotated = self.builder.ins().rotr_imm_u(address, 1);
        if self.has_branch_table(targets.len()) {
            let mut ways = vec![leave; 1 + table.len()];
            ways[0] = outside;
            for id in targets {
                let body = self.bodies[self.region.position(id).expect("entries are members")];
                self.blocks.jump_entries(id).iter().for_each(|&entry| ways[1 + entry as usize] = body);
            }
            self.branch_by_table(rotated, outside, &ways);
        } else {
            // Zero less one is large, too.
            let entry = self.builder.ins().iadd_imm_s(rotated, -1);
            let count = table.len() as i64;
            let is_outside = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, entry, count);
            let inside = self.builder.create_block();
            self.builder.ins().brif(is_outside, outside, &[], inside, &[]);
            self.builder.seal_block(inside);
            self.builder.switch_to_block(inside);
            match targets.is_empty() {
                true => _ = self.builder.ins().jump(leave, &[]),
                false => self.dispatch_by_place(entry, leave),
            }
        }

        // The address that halts is in no table of fewer than 2^31 entries.
        self.builder.seal_block(outside);
        self.builder.switch_to_block(outside);
        let panics = self.builder.ins().icmp_imm_u(IntCC::NotEqual, address, i64::from(HALT_ADDRESS));
        self.leave_if(panics, |this| this.exit_at(Exit::Panic, jump));
        self.exit_at(Exit::Halt, jump);

        self.builder.seal_block(leave);
        self.builder.switch_to_block(leave);
        let entry = self.builder.ins().ushr_imm_u(address, 1);
        let entry = self.builder.ins().iadd_imm_s(entry, -1);
        let words = self.words(entry);
        let target = self.builder.ins().load(I64, context_flags(), words, 8);
        let target = self.builder.ins().ireduce(I32, target);
        let is_invalid = self.builder.ins().icmp_imm_s(IntCC::Equal, target, -1);
        self.leave_if(is_invalid, |this| this.exit_at(Exit::Panic, jump));
        self.exit_to(Exit::Enter, target);
    }

    fn exit_at(&mut self, exit: Exit, jump: Jump) {
        match jump {
            Jump::At(pc) => self.exit(exit, pc),
            Jump::Any(pc) => self.exit_to(exit, pc),
        }
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
        let context = self.context_here();
        let words = self.builder.ins().load(I64, fixed, context, Context::JUMP_ENTRIES);
        self.builder.ins().iadd(words, offset)
    }
}

//! Gas: charging, comparing at checkpoints, paying back at exits.

use super::{Current, Next, Translator, context_flags};
use crate::blocks::{Block, BlockId};
use crate::groups::Group;
use crate::{Exit, Mark};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_codegen::ir::{self, BlockArg, InstBuilder};
use cranelift_frontend::Variable;
use pvm_clif::{NEAR_TRIPWIRE, Rights};
use pvm_gas::GasModel;
use pvm_ops::GuestCode;
use pvm_vm::{Context, FaultDetection};

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Compares the gas with what is needed up to the next comparison, and leaves to the interpreter if it does not
    /// suffice. Without gas, looks whether the run is to stop.
    pub(super) fn checkpoint(&mut self, block: &Block, bound: u64) {
        let exit = self.exit_when_short(block);
        self.leave_if_short(bound, |this| this.exit(exit, block.start));
    }

    /// The same where the context has the state of the guest: where the region is entered, and behind host calls. `short` takes an
    /// [`Exit::at`] a program counter.
    pub(super) fn check_stored(&mut self, id: BlockId, bound: u64, short: ir::Block) {
        let block = *self.blocks.get(id);
        let exit = self.exit_when_short(&block);
        self.leave_if_short(bound, |this| {
            let left = this.builder.ins().iconst(I64, exit.at(block.start));
            this.builder.ins().jump(short, &[BlockArg::Value(left)]);
        });
    }

    /// Finds out whether what is proven where a block begins holds for a run that enters the region there; if not, the interpreter goes
    /// on. `short` is as above.
    pub(super) fn check_proven(&mut self, id: BlockId, position: usize, short: ir::Block) {
        let ranges: Vec<Group> = self.places[position].ranges().copied().collect();
        if ranges.is_empty() {
            return;
        }
        let start = self.blocks.get(id).start;
        let rights = self.builder.ins().load(I64, context_flags(), self.context, Context::RIGHTS);
        for range in ranges {
            let base = range.base.map(|reg| self.builder.use_var(self.variable(reg)));
            let at = self.memory.address(self.builder, base, range.low as i32);
            let refused = self.memory.check_by(self.builder, rights, at, range.len(), Rights(range.right));
            self.leave_if(refused, |this| {
                let left = this.builder.ins().iconst(I64, Exit::Interpret.at(start));
                this.builder.ins().jump(short, &[BlockArg::Value(left)]);
            });
        }
    }

    /// Takes a cold way if a run cannot go on without comparing again until so much is spent, or is to stop.
    fn leave_if_short(&mut self, bound: u64, cold: impl FnOnce(&mut Self)) {
        match (self.metering.model, self.faults.detection) {
            (GasModel::None, FaultDetection::Signals) => {
                let number = self.next_access();
                if self.faults.checked.contains(&number) {
                    let is_interrupted = self.memory.is_interrupted(self.builder);
                    self.leave_if(is_interrupted, cold);
                    return;
                }
                let at = self.builder.ins().iconst(I64, NEAR_TRIPWIRE);
                self.landing(number, at, cold);
                self.memory.touch_tripwire(self.builder, at);
                self.builder.set_srcloc(Mark::Other.to_source_loc());
            }
            (GasModel::None, FaultDetection::Checks) => {
                let is_interrupted = self.memory.is_interrupted(self.builder);
                self.leave_if(is_interrupted, cold);
            }
            _ if bound == 0 => {}
            _ => {
                let gas = self.builder.use_var(self.gas);
                let is_short = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, gas, bound as i64);
                self.leave_if(is_short, cold);
            }
        }
    }

    /// Why a run leaves that is short of gas before a block, or is to stop.
    pub(super) fn exit_when_short(&self, block: &Block) -> Exit {
        match self.metering.model {
            GasModel::None => Exit::Interrupt,
            model if model.charges_blocks() && block.is_continuation => Exit::InterpretPaid,
            _ => Exit::Interpret,
        }
    }

    pub(super) fn add(&mut self, variable: Variable, amount: i64) {
        if amount != 0 {
            let value = self.builder.use_var(variable);
            // A difference is computed in place. Sums become addresses, and one of two constants is then computed from the
            // former value, which stays alive for it.
            let amount = self.builder.ins().iconst(I64, -amount);
            let value = self.builder.ins().isub(value, amount);
            self.builder.def_var(variable, value);
        }
    }

    /// Leaves to the interpreter before the instruction of this index: what was charged from there on is paid back, or
    /// stays paid where blocks are paid whole.
    pub(super) fn interpret(&mut self, current: &Current, index: usize) {
        let rest = (current.insts.len() - index) as i64;
        let pending = self.pending;
        if self.metering.model == GasModel::Instruction {
            self.pending -= rest;
        }
        let exit = if self.metering.model.charges_blocks() { Exit::InterpretPaid } else { Exit::Interpret };
        if self.metering.count_instructions {
            self.add(self.instructions, -rest);
        }
        self.exit(exit, current.insts[index].0);
        self.pending = pending;
    }

    /// Deducts what is pending, but for what is to be pending behind the block.
    pub(super) fn settle(&mut self, current: &Current) {
        if matches!(current.next, Next::Anywhere) {
            let behind = self.pending_behind();
            self.add(self.gas, behind - self.pending);
            self.pending = behind;
        }
    }

    pub(super) fn pending_behind(&self) -> i64 {
        self.checkpoints[self.position].pending_behind as i64
    }
}

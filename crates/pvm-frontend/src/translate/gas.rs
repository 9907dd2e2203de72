//! Gas: charging, comparing at checkpoints, paying back at exits.

use super::{Current, Translator};
use crate::Exit;
use cranelift_codegen::ir::InstBuilder;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::I64;
use cranelift_frontend::Variable;
use pvm_gas::GasModel;
use pvm_ops::GuestCode;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Compares the gas with what is needed up to the next checkpoint, and leaves to the interpreter if it does not
    /// suffice. Without gas, looks whether the run is to stop.
    pub(super) fn checkpoint(&mut self, pc: u32, bound: u64, is_continuation: bool) {
        if self.metering.model == GasModel::None {
            let flag = self.memory.is_interrupted(self.builder, self.faults.detection);
            self.leave_if(flag, |this| this.exit(Exit::Interrupt, pc));
        } else if bound > 0 {
            let gas = self.builder.use_var(self.gas);
            let is_low = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, gas, bound as i64);
            let paid = is_continuation && self.metering.model.charges_blocks();
            let exit = if paid { Exit::InterpretPaid } else { Exit::Interpret };
            self.leave_if(is_low, |this| this.exit(exit, pc));
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

    /// Deducts what is pending, if the blocks that come next want that.
    pub(super) fn settle(&mut self, current: &Current) {
        if current.settles && current.next_copy.is_none() {
            self.add(self.gas, -self.pending);
            self.pending = 0;
        }
    }
}

//! Gas: charging, comparing at checkpoints, paying back at exits.

use super::{Current, Translator, context_flags};
use crate::Exit;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I64};
use cranelift_codegen::ir::{self, InstBuilder, Value};
use cranelift_frontend::Variable;
use pvm_gas::GasModel;
use pvm_ops::GuestCode;
use pvm_vm::Context;

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Compares the gas with what is needed up to the next checkpoint, and looks whether the run is to stop: without gas
    /// at every checkpoint, else only when the slice is used up.
    pub(super) fn checkpoint(&mut self, body: ir::Block, pc: u32, bound: u64, is_continuation: bool) {
        if self.metering.model == GasModel::None {
            let go_on = self.is_uninterrupted();
            self.unless(go_on, |this| this.exit(Exit::Interrupt, pc));
        } else if bound > 0 {
            let gas = self.builder.use_var(self.gas);
            let enough = self.builder.ins().icmp_imm_u(IntCC::UnsignedGreaterThanOrEqual, gas, bound as i64);
            let paid = is_continuation && self.metering.model.charges_blocks();
            let exit = if paid { Exit::InterpretPaid } else { Exit::Interpret };
            self.unless(enough, |this| this.next_slice(body, exit, pc));
        }
    }

    /// Takes gas from the reserve and tries the checkpoint again, or leaves if there is none or the run is to stop. The
    /// interpreter tells which.
    pub(super) fn next_slice(&mut self, body: ir::Block, exit: Exit, pc: u32) {
        let reserve = self.builder.ins().load(I64, context_flags(), self.context, Context::GAS_RESERVE);
        let slice = self.builder.ins().iconst(I64, Context::SLICE as i64);
        let slice = self.builder.ins().umin(reserve, slice);
        let zero = self.builder.ins().iconst(I64, 0);
        let go_on = self.is_uninterrupted();
        let slice = self.builder.ins().select(go_on, slice, zero);
        self.unless(slice, |this| this.exit(exit, pc));
        let reserve = self.builder.ins().isub(reserve, slice);
        self.builder.ins().store(context_flags(), reserve, self.context, Context::GAS_RESERVE);
        let gas = self.builder.use_var(self.gas);
        let gas = self.builder.ins().iadd(gas, slice);
        self.builder.def_var(self.gas, gas);
        self.builder.ins().jump(body, &[]);
    }

    /// Not zero unless the run is to stop.
    pub(super) fn is_uninterrupted(&mut self) -> Value {
        let fixed = context_flags().with_readonly();
        let flag = self.builder.ins().load(I64, fixed, self.context, Context::INTERRUPT);
        let flag = self.builder.ins().load(I8, context_flags(), flag, 0);
        self.builder.ins().icmp_imm_s(IntCC::Equal, flag, 0)
    }

    pub(super) fn add(&mut self, variable: Variable, amount: i64) {
        if amount != 0 {
            let value = self.builder.use_var(variable);
            let value = self.builder.ins().iadd_imm_s(value, amount);
            self.builder.def_var(variable, value);
        }
    }

    /// Leaves to the interpreter before the instruction of this index: what was charged from there on is paid back, or
    /// stays paid where blocks are paid whole.
    pub(super) fn interpret(&mut self, current: &Current, index: usize) {
        let rest = (current.insts.len() - index) as i64;
        if self.metering.model == GasModel::Instruction {
            self.add(self.gas, rest);
        }
        let exit = if self.metering.model.charges_blocks() { Exit::InterpretPaid } else { Exit::Interpret };
        if self.metering.count_instructions {
            self.add(self.instructions, -rest);
        }
        self.exit(exit, current.insts[index].0);
    }
}

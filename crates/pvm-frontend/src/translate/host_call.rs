//! Host calls that are answered where they are made.
//!
//! The guest's state goes to where it goes when the region is left, and a function that the context names is called
//! ([`Context::ANSWERS`]). If it has answered, the state is loaded as where the region is entered. If not, the region returns.

use super::{Translator, context_flags};
use crate::Exit;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{self, AbiParam, InstBuilder, Signature};
use pvm_gas::GasModel;
use pvm_ops::GuestCode;
use pvm_vm::Context;

/// What host calls lead to that do not go on.
#[derive(Clone, Copy)]
pub(super) struct BehindCalls {
    /// Where the call was not answered.
    unanswered: ir::Block,
    /// Where the gas does not suffice for what follows. It takes an [`Exit::at`] a program counter.
    short: ir::Block,
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// The host call of this number at `pc`, which ends a block.
    pub(super) fn host_call(&mut self, pc: u32, number: i32) {
        // Of those of RISC-V programs some are the run-time system's.
        let next = self.member(self.code.fetch(pc).next).filter(|_| !self.is_narrow);
        let (Some(next), Some([function, data])) = (next, Context::offsets_of_answer(number)) else {
            return self.exit(Exit::HostCall, pc);
        };
        self.add(self.gas, -self.pending);
        self.extend_all();
        let mut signature = Signature::new(self.builder.func.signature.call_conv);
        signature.params.extend([AbiParam::new(I64); 3]);
        signature.returns.push(AbiParam::new(I64));
        let signature = self.builder.import_signature(signature);
        let returns = self.with_context(|this| {
            this.store_state(this.parked);
            let pc = this.builder.ins().iconst(I32, i64::from(pc));
            this.builder.ins().store(context_flags(), pc, this.context, Context::PC);
            let answers = this.builder.ins().load(I64, context_flags(), this.context, Context::ANSWERS);
            let [function, data] =
                [function, data].map(|at| this.builder.ins().load(I64, context_flags(), answers, at));
            let number = this.builder.ins().iconst(I64, i64::from(number));
            let call = this.builder.ins().call_indirect(signature, function, &[this.context, data, number]);
            this.builder.inst_results(call)[0]
        });
        let BehindCalls { unanswered, short } = self.behind_calls();
        self.leave_if(returns, |this| {
            this.builder.ins().jump(unanswered, &[]);
        });

        self.with_context(|this| {
            this.load_all(0);
            this.load_counters();
        });
        // Whoever answers looks whether the run is to stop.
        if self.metering.model != GasModel::None {
            self.check_stored(self.graph.blocks[next], self.checkpoints[next].bound, short);
        }
        self.add(self.gas, self.checkpoints[next].pending as i64);
        self.builder.ins().jump(self.bodies[next], &[]);
    }

    /// The blocks that all host calls of the region share.
    fn behind_calls(&mut self) -> BehindCalls {
        *self.behind_calls.get_or_insert_with(|| {
            let [unanswered, short] = [(); 2].map(|()| self.builder.create_block());
            self.builder.set_cold_block(unanswered);
            self.builder.set_cold_block(short);
            self.builder.append_block_param(short, I64);
            BehindCalls { unanswered, short }
        })
    }

    /// Fills them: at the end, behind all other code.
    pub(super) fn fill_behind_calls(&mut self) {
        let Some(BehindCalls { unanswered, short }) = self.behind_calls else { return };
        // The context may be gone.
        self.builder.switch_to_block(unanswered);
        let exit = self.builder.ins().iconst(I64, Exit::HostCall.code());
        self.builder.ins().return_(&[exit]);
        self.builder.switch_to_block(short);
        let left = self.builder.block_params(short)[0];
        self.with_context(|this| this.leave(left));
    }
}

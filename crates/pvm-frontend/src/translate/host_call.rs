//! Host calls that are answered where they are made.
//!
//! The guest's state goes to where it goes when the region is left, and a function that the context names is called
//! ([`Context::ANSWERS`]). If it has answered, the state is loaded as where the region is entered. If not, the region returns.

use super::{Translator, context_flags};
use crate::Exit;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{AbiParam, InstBuilder, Signature};
use pvm_ops::GuestCode;
use pvm_vm::Context;

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
        self.leave_if(returns, |this| {
            let exit = this.builder.ins().iconst(I64, Exit::HostCall.code());
            this.builder.ins().return_(&[exit]);
        });

        self.with_context(|this| {
            this.load_all(0);
            this.load_counters();
        });
        self.check_behind_call(self.graph.blocks[next], self.checkpoints[next].bound);
        self.add(self.gas, self.checkpoints[next].pending as i64);
        self.builder.ins().jump(self.bodies[next], &[]);
    }
}

//! The IR of atomic instructions. Nobody else writes to a guest's memory while it runs: they are atomic as they are.

use super::{Current, Translator, context_flags};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I32, I64};
use cranelift_codegen::ir::{InstBuilder, Value};
use pvm_clif::alu;
use pvm_ops::{Address, AtomicOp, GuestCode, LoadKind, NO_ADDRESS, Operand, Reg, Size};
use pvm_vm::Context;

/// What is read. Guests with atomic instructions have registers of 32 bits.
const WORD: LoadKind = LoadKind { size: Size::B4, signed: false };

impl<C: GuestCode> Translator<'_, '_, C> {
    /// A load, an operation and a store: the register is written last, so that the guest is as it was if the store is refused.
    pub(super) fn atomic(
        &mut self,
        current: &mut Current,
        index: usize,
        op: AtomicOp,
        dst: Option<Reg>,
        value: Operand,
        address: Address,
    ) {
        self.aligned(current, index, address);
        let value = self.operand_half(value);
        let old = self.access(current, index, address, |this, place| this.memory.load(this.builder, WORD, place));
        let new = match op {
            AtomicOp::Swap => value,
            AtomicOp::Binary(op) => {
                let old = self.builder.ins().ireduce(I32, old);
                alu::binary(self.builder, op, old, value)
            }
        };
        self.access(current, index, address, |this, place| this.memory.store(this.builder, Size::B4, new, place));
        current.words.forget(None);
        if let Some(dst) = dst {
            self.write(dst, old);
        }
    }

    /// The address is reserved once it has been read.
    pub(super) fn load_reserved(&mut self, current: &mut Current, index: usize, dst: Option<Reg>, address: Address) {
        let at = self.aligned(current, index, address);
        let value = self.access(current, index, address, |this, place| this.memory.load(this.builder, WORD, place));
        let context = self.context_here();
        self.builder.ins().store(context_flags(), at, context, Context::RESERVED);
        if let Some(dst) = dst {
            self.write(dst, value);
        }
    }

    /// A store to the address that is reserved, which is aligned. What is not to be stored is rare, and left to the interpreter.
    pub(super) fn store_conditional(
        &mut self,
        current: &mut Current,
        index: usize,
        dst: Option<Reg>,
        value: Operand,
        address: Address,
    ) {
        let at = self.address(address);
        let context = self.context_here();
        let reserved = self.builder.ins().load(I64, context_flags(), context, Context::RESERVED);
        let differs = self.builder.ins().icmp(IntCC::NotEqual, at, reserved);
        self.leave_if(differs, |this| this.interpret(current, index));
        let value = self.operand_half(value);
        self.access(current, index, address, |this, place| this.memory.store(this.builder, Size::B4, value, place));
        current.words.forget(None);
        let none = self.builder.ins().iconst(I64, NO_ADDRESS as i64);
        let context = self.context_here();
        self.builder.ins().store(context_flags(), none, context, Context::RESERVED);
        if let Some(dst) = dst {
            let done = self.builder.ins().iconst(I64, 0);
            self.write(dst, done);
        }
    }

    fn address(&mut self, Address { base, offset }: Address) -> Value {
        let base = base.map(|reg| self.read(reg));
        self.memory.address(self.builder, base, offset)
    }

    /// An address, with a way out for one that is no multiple of four.
    fn aligned(&mut self, current: &mut Current, index: usize, address: Address) -> Value {
        let at = self.address(address);
        let misaligned = self.builder.ins().band_imm_u(at, 3);
        self.leave_if(misaligned, |this| this.interpret(current, index));
        at
    }
}

//! Loads, stores, and addresses of stack slots.

use super::Lower;
use crate::error::Problem;
use crate::need::Need;
use crate::pattern::{self, Address, Base};
use crate::vcode::{Op, Place, defining, using};
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{Endianness, Inst, InstructionData, Opcode as Clif, Type, Value};
use pvm_isa::Opcode::{self, *};

/// The instructions for an access: with a base register, and without one.
type Access = (Opcode, Opcode);

impl Lower<'_> {
    pub(super) fn load(&mut self, inst: Inst) -> Result<(), Problem> {
        let InstructionData::Load { opcode, arg, offset, .. } = self.func.dfg.insts[inst] else { return Ok(()) };
        self.check_access(inst)?;
        let (result, ty, dst) = self.result(inst);
        let dst = dst.unwrap_or_else(|| self.code.vreg());
        let (indirect, direct) = loading(opcode, ty, self.needs.of(result));
        let Address { base, offset } = pattern::address(self.func, arg, offset.into());
        match base {
            Base::None => self.emit(Op::Plain(direct, offset, 0), vec![defining(dst)]),
            Base::Value(base) => {
                let base = self.use_of(base);
                self.imm(indirect, dst, base, offset);
            }
            Base::Slot(slot) => self.emit(Op::Frame(indirect, Place::Slot(slot), offset, 0), vec![defining(dst)]),
        }
        Ok(())
    }

    pub(super) fn store(&mut self, inst: Inst) -> Result<(), Problem> {
        let InstructionData::Store { opcode, args: [value, at], offset, .. } = self.func.dfg.insts[inst] else {
            return Ok(());
        };
        self.check_access(inst)?;
        let ty = self.func.dfg.value_type(value);
        let Address { base, offset } = pattern::address(self.func, at, offset.into());
        let bits = stored_bits(opcode, ty);
        if let Some(imm) = self.stored_immediate(value, bits) {
            let (indirect, direct) = storing_immediate(bits);
            match base {
                Base::None => self.emit(Op::Plain(direct, offset, imm), vec![]),
                Base::Value(base) => {
                    let base = self.use_of(base);
                    self.emit(Op::Plain(indirect, offset, imm), vec![using(base)]);
                }
                Base::Slot(slot) => self.emit(Op::Frame(indirect, Place::Slot(slot), offset, imm), vec![]),
            }
            return Ok(());
        }
        let (indirect, direct) = storing(bits);
        let value = if bits == 64 { self.use_of(value) } else { self.low_use_of(value) };
        match base {
            Base::None => self.emit(Op::Plain(direct, offset, 0), vec![using(value)]),
            Base::Value(base) => {
                let base = self.use_of(base);
                self.emit(Op::Plain(indirect, offset, 0), vec![using(value), using(base)]);
            }
            Base::Slot(slot) => self.emit(Op::Frame(indirect, Place::Slot(slot), offset, 0), vec![using(value)]),
        }
        Ok(())
    }

    fn check_access(&self, inst: Inst) -> Result<(), Problem> {
        let flags = self.func.dfg.insts[inst].memflags().map(|flags| self.func.dfg.mem_flags[flags]);
        match flags.and_then(|flags| flags.explicit_endianness()) {
            Some(Endianness::Big) => Err(self.unsupported(inst, "memory is little-endian")),
            _ => Ok(()),
        }
    }

    /// The constant that is stored, if it can be an immediate.
    fn stored_immediate(&self, value: Value, bits: u32) -> Option<i32> {
        match bits {
            64 => pattern::immediate(self.func, self.source(value)),
            // Only the low bits are stored, so the shortest immediate with these will do.
            _ => pattern::constant(self.func, pattern::low(self.func, value))
                .map(|value| (value << (64 - bits) >> (64 - bits)) as i32),
        }
    }

    pub(super) fn stack_address(&mut self, inst: Inst) {
        let (_, _, Some(dst)) = self.result(inst) else { return };
        let InstructionData::StackAddr { stack_slot, offset, .. } = self.func.dfg.insts[inst] else { return };
        self.emit(Op::Frame(AddImm64, Place::Slot(stack_slot), offset.into(), 0), vec![defining(dst)]);
    }
}

/// The instructions for a load. One whose upper bits are not needed is signed, as registers are.
fn loading(clif: Clif, ty: Type, need: Need) -> Access {
    let low = need < Need::Whole;
    match (clif, ty) {
        (Clif::Load, I8) if low => (LoadIndU8, LoadU8),
        (Clif::Load, I16) if low => (LoadIndU16, LoadU16),
        (Clif::Uload8, _) => (LoadIndU8, LoadU8),
        (Clif::Uload16, _) => (LoadIndU16, LoadU16),
        (Clif::Load, I32) if need == Need::Zero => (LoadIndU32, LoadU32),
        (Clif::Uload32, _) => (LoadIndU32, LoadU32),
        (Clif::Sload8, _) | (_, I8) => (LoadIndI8, LoadI8),
        (Clif::Sload16, _) | (_, I16) => (LoadIndI16, LoadI16),
        (Clif::Sload32, _) | (_, I32) => (LoadIndI32, LoadI32),
        _ => (LoadIndU64, LoadU64),
    }
}

/// How many bits a store writes.
fn stored_bits(clif: Clif, ty: Type) -> u32 {
    match (clif, ty) {
        (Clif::Istore8, _) | (_, I8) => 8,
        (Clif::Istore16, _) | (_, I16) => 16,
        (Clif::Istore32, _) | (_, I32) => 32,
        (_, I64) | (_, _) => 64,
    }
}

fn storing(bits: u32) -> Access {
    match bits {
        8 => (StoreIndU8, StoreU8),
        16 => (StoreIndU16, StoreU16),
        32 => (StoreIndU32, StoreU32),
        _ => (StoreIndU64, StoreU64),
    }
}

fn storing_immediate(bits: u32) -> Access {
    match bits {
        8 => (StoreImmIndU8, StoreImmU8),
        16 => (StoreImmIndU16, StoreImmU16),
        32 => (StoreImmIndU32, StoreImmU32),
        _ => (StoreImmIndU64, StoreImmU64),
    }
}

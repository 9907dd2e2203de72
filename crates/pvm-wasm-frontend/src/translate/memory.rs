//! Loads, stores and the size of the linear memory.
//!
//! An address is 32 bits and an offset that is as long, so an access begins below 2^33. In guest memory the linear
//! memory is smaller than 2^31 bytes, and PVM takes addresses modulo 2^32: once an access is checked, the place is the
//! address with the offset and the base of the memory as one constant.

use super::range::most;
use super::{TRAP, Translator};
use crate::WASM_PAGE;
use crate::instance::{ADDED, Bounds, Extent, MemoryPlace};
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::immediates::Imm64;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{Inst, InstBuilder, InstructionData, MemFlagsData, Opcode, Type, Value};
use wasmparser::{MemArg, Operator};

/// How a value is in memory.
#[derive(Clone, Copy)]
struct Shape {
    /// The type of the operand.
    ty: Type,
    /// The type in memory.
    narrow: Type,
    /// A load extends the sign.
    signed: bool,
}

const fn shape(ty: Type, narrow: Type, signed: bool) -> Shape {
    Shape { ty, narrow, signed }
}

impl Translator<'_, '_> {
    pub(super) fn memory(&mut self, operator: &Operator<'_>) -> bool {
        if let Some((memarg, shape)) = load_shape(operator) {
            let address = self.pop();
            if let Some((at, offset)) = self.checked(address, memarg, shape) {
                let value = self.load(shape, at, offset);
                self.push(value);
            }
        } else if let Some((memarg, shape)) = store_shape(operator) {
            let (address, value) = self.pop_pair();
            if let Some((at, offset)) = self.checked(address, memarg, shape) {
                self.store(shape, value, at, offset);
            }
        } else {
            match operator {
                Operator::MemorySize { .. } => {
                    let bytes = self.memory_bytes();
                    let pages = self.builder.ins().ushr_imm_u(bytes, i64::from(WASM_PAGE.trailing_zeros()));
                    self.push(pages);
                }
                Operator::MemoryGrow { .. } => self.memory_grow(),
                _ => return false,
            }
        }
        true
    }

    pub(super) fn memory_place(&self) -> MemoryPlace {
        self.instance.memory.expect("a module that accesses memory has one")
    }

    /// Checks an access. The place is an address and an offset; there is none if the access always traps.
    fn checked(&mut self, address: Value, memarg: &MemArg, shape: Shape) -> Option<(Value, i32)> {
        if !self.inside(address, memarg.offset + u64::from(shape.narrow.bytes())) {
            return None;
        }
        let at = self.builder.ins().uextend(I64, address);
        // The sum is below 2^31, like all of the memory.
        Some((at, (u64::from(self.memory_place().base) + memarg.offset) as i32))
    }

    /// Traps unless `end` bytes from the address are inside. The result is false if nothing comes after that.
    pub(super) fn inside(&mut self, address: Value, end: u64) -> bool {
        let memory = self.memory_place();
        if end > u64::from(memory.maximum) {
            self.trap();
            return false;
        }
        let is_inside = most(self.builder.func, address).saturating_add(end) <= self.least_size();
        if !is_inside && !self.checks.covers(address, end) {
            let limit = match self.checks.recent(address).filter(|_| end <= self.least_size()) {
                Some(limit) => {
                    self.widen(memory, limit, end as u32);
                    Some(limit)
                }
                None => self.check(memory, address, end as u32),
            };
            self.checks.note(address, end, limit);
        }
        true
    }

    /// Compares for [`Translator::inside`]. The memory may have room for that many. The result is the
    /// constant that depends on `end`, if it alone does.
    fn check(&mut self, memory: MemoryPlace, address: Value, end: u32) -> Option<Inst> {
        let size = self.checked_size(memory);
        if matches!(size, Extent::Constant(bytes) if bytes < end) {
            // It always traps, but what follows is translated all the same.
            let always = self.builder.ins().iconst(I8, 1);
            self.builder.ins().trapnz(always, TRAP);
            return None;
        }
        let constant = self.builder.ins().iconst(I32, limit(size, end));
        let most = match size {
            Extent::Constant(_) => constant,
            _ => {
                let bytes = self.extent(size);
                if u64::from(end) > self.least_size() {
                    let is_short = self.builder.ins().icmp_imm_u(IntCC::UnsignedLessThan, bytes, i64::from(end));
                    self.builder.ins().trapnz(is_short, TRAP);
                    // It has whole pages.
                    self.checks.note_size(u64::from(end).next_multiple_of(u64::from(WASM_PAGE)));
                }
                self.builder.ins().iadd(bytes, constant)
            }
        };
        let is_outside = self.builder.ins().icmp(IntCC::UnsignedGreaterThan, address, most);
        self.builder.ins().trapnz(is_outside, TRAP);
        self.builder.func.dfg.value_def(constant).inst()
    }

    /// Has a check look at `end` bytes instead, which the memory has at any time.
    fn widen(&mut self, memory: MemoryPlace, constant: Inst, end: u32) {
        let size = self.checked_size(memory);
        let imm = Imm64::new(limit(size, end));
        self.builder.func.dfg.insts[constant] = InstructionData::UnaryImm { opcode: Opcode::Iconst, imm };
    }

    /// How many bytes the memory has at least, here.
    pub(super) fn least_size(&self) -> u64 {
        u64::from(self.memory_place().minimum).max(self.checks.size())
    }

    /// The size that accesses are checked against.
    fn checked_size(&self, memory: MemoryPlace) -> Extent {
        match self.instance.bounds {
            Bounds::Guard => Extent::Constant(memory.maximum),
            Bounds::Strict => memory.size,
        }
    }

    /// A size, as 32 bits.
    pub(super) fn extent(&mut self, extent: Extent) -> Value {
        let (cell, flags) = match extent {
            Extent::Constant(value) => return self.builder.ins().iconst(I32, i64::from(value)),
            Extent::Settled(cell) => (cell, self.regions.settled),
            Extent::Growing(cell) => (cell, self.regions.sizes),
        };
        let at = self.absolute();
        self.builder.ins().load(I32, flags, at, cell as i32)
    }

    /// The size of the memory in bytes, as 32 bits.
    pub(super) fn memory_bytes(&mut self) -> Value {
        let size = self.memory_place().size;
        self.extent(size)
    }

    fn load(&mut self, Shape { ty, narrow, signed }: Shape, at: Value, offset: i32) -> Value {
        let flags = self.regions.memory;
        match (narrow, signed) {
            (I8, false) => self.builder.ins().uload8(ty, flags, at, offset),
            (I8, true) => self.builder.ins().sload8(ty, flags, at, offset),
            (I16, false) => self.builder.ins().uload16(ty, flags, at, offset),
            (I16, true) => self.builder.ins().sload16(ty, flags, at, offset),
            (I32, false) if ty == I64 => self.builder.ins().uload32(flags, at, offset),
            (I32, true) if ty == I64 => self.builder.ins().sload32(flags, at, offset),
            _ => self.builder.ins().load(ty, flags, at, offset),
        }
    }

    fn store(&mut self, shape: Shape, value: Value, at: Value, offset: i32) {
        self.checks.effect();
        let flags: MemFlagsData = self.regions.memory;
        match shape.narrow {
            I8 => self.builder.ins().istore8(flags, value, at, offset),
            I16 => self.builder.ins().istore16(flags, value, at, offset),
            I32 if shape.ty == I64 => self.builder.ins().istore32(flags, value, at, offset),
            _ => self.builder.ins().store(flags, value, at, offset),
        };
    }

    /// Growing is counting: all pages up to the maximum are there from the beginning, zeroed.
    fn memory_grow(&mut self) {
        self.checks.effect();
        let delta = self.pop();
        let memory = self.memory_place();
        let Extent::Growing(cell) = memory.size else { unreachable!("a memory that is grown has a size that grows") };
        let bytes = self.memory_bytes();
        let shift = i64::from(WASM_PAGE.trailing_zeros());
        let pages = self.builder.ins().ushr_imm_u(bytes, shift);
        let mut most = self.builder.ins().iconst(I32, i64::from(memory.limit));
        if memory.maximum / WASM_PAGE > memory.limit {
            let at = self.absolute();
            let added = self.builder.ins().load(I32, self.regions.sizes, at, (cell + ADDED) as i32);
            most = self.builder.ins().iadd(most, added);
        }
        let room = self.builder.ins().isub(most, pages);
        let fits = self.builder.ins().icmp(IntCC::UnsignedLessThanOrEqual, delta, room);
        let added = self.builder.ins().ishl_imm_u(delta, shift);
        let grown = self.builder.ins().iadd(bytes, added);
        let grown = self.builder.ins().select(fits, grown, bytes);
        let at = self.absolute();
        self.builder.ins().store(self.regions.sizes, grown, at, cell as i32);
        let failed = self.builder.ins().iconst(I32, i64::from(u32::MAX));
        let result = self.builder.ins().select(fits, pages, failed);
        self.push(result);
    }
}

/// What a check of `end` bytes compares with, or adds to the size.
fn limit(size: Extent, end: u32) -> i64 {
    let limit = match size {
        Extent::Constant(bytes) => bytes - end,
        _ => end.wrapping_neg(),
    };
    i64::from(limit)
}

fn load_shape<'o>(operator: &'o Operator<'_>) -> Option<(&'o MemArg, Shape)> {
    use Operator as O;
    Some(match operator {
        O::I32Load { memarg } | O::F32Load { memarg } => (memarg, shape(I32, I32, false)),
        O::I64Load { memarg } | O::F64Load { memarg } => (memarg, shape(I64, I64, false)),
        O::I32Load8S { memarg } => (memarg, shape(I32, I8, true)),
        O::I32Load8U { memarg } => (memarg, shape(I32, I8, false)),
        O::I32Load16S { memarg } => (memarg, shape(I32, I16, true)),
        O::I32Load16U { memarg } => (memarg, shape(I32, I16, false)),
        O::I64Load8S { memarg } => (memarg, shape(I64, I8, true)),
        O::I64Load8U { memarg } => (memarg, shape(I64, I8, false)),
        O::I64Load16S { memarg } => (memarg, shape(I64, I16, true)),
        O::I64Load16U { memarg } => (memarg, shape(I64, I16, false)),
        O::I64Load32S { memarg } => (memarg, shape(I64, I32, true)),
        O::I64Load32U { memarg } => (memarg, shape(I64, I32, false)),
        _ => return None,
    })
}

fn store_shape<'o>(operator: &'o Operator<'_>) -> Option<(&'o MemArg, Shape)> {
    use Operator as O;
    Some(match operator {
        O::I32Store { memarg } | O::F32Store { memarg } => (memarg, shape(I32, I32, false)),
        O::I64Store { memarg } | O::F64Store { memarg } => (memarg, shape(I64, I64, false)),
        O::I32Store8 { memarg } => (memarg, shape(I32, I8, false)),
        O::I32Store16 { memarg } => (memarg, shape(I32, I16, false)),
        O::I64Store8 { memarg } => (memarg, shape(I64, I8, false)),
        O::I64Store16 { memarg } => (memarg, shape(I64, I16, false)),
        O::I64Store32 { memarg } => (memarg, shape(I64, I32, false)),
        _ => return None,
    })
}

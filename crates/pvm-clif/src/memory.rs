//! Guest memory accesses: address arithmetic and page rights. No other module computes a guest address.

use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{AliasRegion, AliasRegionData, Endianness, InstBuilder, MemFlagsData, Type, Value};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::{LoadKind, PAGE_SIZE, Size};

/// The rights that an access needs, as bits of the table of page rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(pub u8);

/// Where guest memory and its table of rights are.
#[derive(Clone, Copy, Debug)]
pub struct GuestMemory {
    bytes: Value,
    rights: Value,
    access: MemFlagsData,
    table: MemFlagsData,
}

impl GuestMemory {
    /// Guest memory whose first byte is at `bytes` and the rights of whose first page are at `rights`, both host
    /// addresses. Behind the last page there is one more without rights.
    pub fn new(builder: &mut FunctionBuilder<'_>, bytes: Value, rights: Value) -> GuestMemory {
        let region = |builder: &mut FunctionBuilder<'_>, id, name: &'static str| -> Option<AliasRegion> {
            let data = AliasRegionData { user_id: id, description: name.into() };
            Some(builder.func.dfg.alias_regions.insert(data))
        };
        let guest = region(builder, 1, "guest memory");
        let table = region(builder, 2, "page rights");
        GuestMemory {
            bytes,
            rights,
            // Guests are little-endian whatever the host is. The check has been made: the access cannot trap.
            access: MemFlagsData::new().with_notrap().with_endianness(Endianness::Little).with_alias_region(guest),
            // Rights change only between calls of compiled code.
            table: MemFlagsData::new().with_notrap().with_aligned().with_readonly().with_alias_region(table),
        }
    }

    /// `(base + offset) mod 2^32`, as 64 bits.
    pub fn address(&self, builder: &mut FunctionBuilder<'_>, base: Option<Value>, offset: i32) -> Value {
        match base {
            Some(base) => {
                let low = builder.ins().ireduce(I32, base);
                let sum = builder.ins().iadd_imm_s(low, i64::from(offset));
                builder.ins().uextend(I64, sum)
            }
            None => builder.ins().iconst(I64, i64::from(offset as u32)),
        }
    }

    /// Whether all of `len` bytes (1 to a page) from `address` have the rights: not zero if so.
    ///
    /// The address is below 2^32. A range that runs past the end finds the page behind the last one, and no rights.
    pub fn check(&self, builder: &mut FunctionBuilder<'_>, address: Value, len: u32, rights: Rights) -> Value {
        debug_assert!((1..=PAGE_SIZE).contains(&len));
        let mut bits = self.rights_at(builder, address);
        if len > 1 {
            let last = builder.ins().iadd_imm_s(address, i64::from(len) - 1);
            let last = self.rights_at(builder, last);
            bits = builder.ins().band(bits, last);
        }
        let bits = builder.ins().band_imm_u(bits, i64::from(rights.0));
        builder.ins().icmp_imm_s(IntCC::NotEqual, bits, 0)
    }

    fn rights_at(&self, builder: &mut FunctionBuilder<'_>, address: Value) -> Value {
        let page = builder.ins().ushr_imm_u(address, i64::from(PAGE_SIZE.trailing_zeros()));
        let entry = builder.ins().iadd(self.rights, page);
        builder.ins().load(I8, self.table, entry, 0)
    }

    /// Loads from `offset` bytes behind `address`, which has been checked.
    pub fn load(&self, builder: &mut FunctionBuilder<'_>, kind: LoadKind, address: Value, offset: i32) -> Value {
        let at = builder.ins().iadd(self.bytes, address);
        let value = builder.ins().load(int(kind.size), self.access, at, offset);
        match kind {
            LoadKind { size: Size::B8, .. } => value,
            LoadKind { signed: true, .. } => builder.ins().sextend(I64, value),
            LoadKind { signed: false, .. } => builder.ins().uextend(I64, value),
        }
    }

    /// Stores the low bytes of `value` to `offset` bytes behind `address`, which has been checked.
    pub fn store(&self, builder: &mut FunctionBuilder<'_>, size: Size, value: Value, address: Value, offset: i32) {
        let at = builder.ins().iadd(self.bytes, address);
        let value = match size {
            Size::B8 => value,
            _ => builder.ins().ireduce(int(size), value),
        };
        builder.ins().store(self.access, value, at, offset);
    }
}

const fn int(size: Size) -> Type {
    match size {
        Size::B1 => I8,
        Size::B2 => I16,
        Size::B4 => I32,
        Size::B8 => I64,
    }
}

//! Guest memory accesses: address arithmetic and page rights. No other module computes a guest address.

use crate::constant;
use cranelift_codegen::ir::condcodes::IntCC;
use cranelift_codegen::ir::types::{I8, I16, I32, I64};
use cranelift_codegen::ir::{
    AliasRegion, AliasRegionData, Endianness, InstBuilder, MemFlagsData, TrapCode, Type, Value,
};
use cranelift_frontend::FunctionBuilder;
use pvm_ops::{LoadKind, PAGE_SIZE, Size};
use pvm_vm::{INTERRUPT_OFFSET, TRIPWIRE_OFFSET};

/// The address from which the tripwire is reached by an offset: a great constant that is short in machine code.
pub const NEAR_TRIPWIRE: i64 = 0xbfff_ffff;

/// The rights that an access needs, as bits of the table of page rights.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rights(pub u8);

/// What Cranelift records for each instruction of an access that the host watches over: it is to address guest memory by
/// the segment register, modulo 2^32.
pub const WATCHED: TrapCode = TrapCode::HEAP_OUT_OF_BOUNDS;

/// What Cranelift records for looks at the tripwire: made by the segment register, too, but with a whole address.
pub const TRIPWIRE: TrapCode = TrapCode::unwrap_user(1);

/// What Cranelift records for accesses to the host's own memory: nothing with that is to be done. Whatever is not marked
/// by one of the three accesses the stack.
pub const HOST: TrapCode = TrapCode::unwrap_user(2);

/// Where an access is made: at a guest address and an offset behind it.
#[derive(Clone, Copy, Debug)]
pub enum Place {
    /// An address below 2^32 and an offset that were checked before.
    Checked(Value, i32),
    /// The host watches over the access. The low half of the value counts, and the sum is reduced modulo 2^32.
    Watched(Value, i32),
}

/// Where guest memory and its table of rights are in the host's memory.
#[derive(Clone, Copy, Debug)]
pub struct Host {
    /// The address of the first byte.
    pub bytes: Value,
    /// The address of the rights of the first page. Behind the last page there is one more without rights.
    pub rights: Value,
}

/// How guest memory is accessed.
#[derive(Clone, Copy, Debug)]
pub struct GuestMemory {
    host: Option<Host>,
    access: MemFlagsData,
    watched_load: MemFlagsData,
    table: MemFlagsData,
}

impl GuestMemory {
    /// Guest memory. Without `host` only [`Place::Watched`] can be accessed.
    pub fn new(builder: &mut FunctionBuilder<'_>, host: Option<Host>) -> GuestMemory {
        let region = |builder: &mut FunctionBuilder<'_>, id, name: &'static str| -> Option<AliasRegion> {
            let data = AliasRegionData { user_id: id, description: name.into() };
            Some(builder.func.dfg.alias_regions.insert(data))
        };
        let guest = region(builder, 1, "guest memory");
        let table = region(builder, 2, "page rights");
        // Guests are little-endian whatever the host is.
        let access = MemFlagsData::new().with_endianness(Endianness::Little).with_alias_region(guest);
        GuestMemory {
            host,
            access,
            // Cranelift's optimiser takes out a store of what has been loaded from the same place, but where the host watches, it
            // is the store that finds out whether the guest may write there. So to Cranelift they differ in their byte order:
            // here it is that of the host, which is the guest's wherever a host watches.
            watched_load: MemFlagsData::new().with_trap_code(Some(WATCHED)).with_alias_region(guest),
            // Rights change only between calls of compiled code.
            table: MemFlagsData::new()
                .with_trap_code(Some(HOST))
                .with_aligned()
                .with_readonly()
                .with_alias_region(table),
        }
    }

    /// `(base + offset) mod 2^32`, as 64 bits. Of the base 32 bits suffice.
    pub fn address(&self, builder: &mut FunctionBuilder<'_>, base: Option<Value>, offset: i32) -> Value {
        match base {
            Some(base) => {
                let sum = self.low_address(builder, base, offset);
                builder.ins().uextend(I64, sum)
            }
            None => builder.ins().iconst(I64, i64::from(offset as u32)),
        }
    }

    /// `(base + offset) mod 2^32`, as 32 bits. Of the base 32 bits suffice.
    pub fn low_address(&self, builder: &mut FunctionBuilder<'_>, base: Value, offset: i32) -> Value {
        let low = match builder.func.dfg.value_type(base) {
            I32 => base,
            _ => builder.ins().ireduce(I32, base),
        };
        if offset == 0 { low } else { builder.ins().iadd_imm_s(low, i64::from(offset)) }
    }

    /// Whether the run is to stop: not zero if so.
    pub fn is_interrupted(&self, builder: &mut FunctionBuilder<'_>) -> Value {
        let flags = MemFlagsData::new().with_trap_code(Some(HOST));
        let at = builder.ins().iconst(I64, INTERRUPT_OFFSET);
        let at = builder.ins().iadd(self.host().bytes, at);
        let flag = builder.ins().load(I32, flags, at, 0);
        builder.ins().icmp_imm_s(IntCC::NotEqual, flag, 0)
    }

    /// Reads from the tripwire, which the host refuses if the run is to stop. The address is [`NEAR_TRIPWIRE`].
    pub fn touch_tripwire(&self, builder: &mut FunctionBuilder<'_>, address: Value) {
        let flags = MemFlagsData::new().with_trap_code(Some(TRIPWIRE));
        builder.ins().load(I32, flags, address, (TRIPWIRE_OFFSET - NEAR_TRIPWIRE) as i32);
    }

    fn host(&self) -> Host {
        self.host.expect("who checks accesses says where the host has them")
    }

    /// The host address of a place, the offset from there, and how it is accessed.
    fn locate(&self, builder: &mut FunctionBuilder<'_>, place: Place) -> (Value, i32, MemFlagsData) {
        match place {
            Place::Checked(at, offset) => {
                (builder.ins().iadd(self.host().bytes, at), offset, self.access.with_trap_code(Some(HOST)))
            }
            Place::Watched(at, offset) => (at, offset, self.access.with_trap_code(Some(WATCHED))),
        }
    }

    /// Whether one of `len` bytes (1 to a page) from `address` lacks the rights: not zero if so.
    ///
    /// The address is below 2^32. A range that runs past the end finds the page behind the last one, and no rights.
    pub fn check(&self, builder: &mut FunctionBuilder<'_>, address: Value, len: u32, rights: Rights) -> Value {
        self.check_by(builder, self.host().rights, address, len, rights)
    }

    /// The same where the table of rights is given.
    pub fn check_by(
        &self,
        builder: &mut FunctionBuilder<'_>,
        table: Value,
        address: Value,
        len: u32,
        rights: Rights,
    ) -> Value {
        debug_assert!((1..=PAGE_SIZE).contains(&len));
        let mut bits = self.rights_at(builder, table, address);
        if len > 1 {
            let last = builder.ins().iadd_imm_s(address, i64::from(len) - 1);
            let last = self.rights_at(builder, table, last);
            bits = builder.ins().band(bits, last);
        }
        let bits = builder.ins().band_imm_u(bits, i64::from(rights.0));
        builder.ins().icmp_imm_s(IntCC::Equal, bits, 0)
    }

    fn rights_at(&self, builder: &mut FunctionBuilder<'_>, table: Value, address: Value) -> Value {
        let page = builder.ins().ushr_imm_u(address, i64::from(PAGE_SIZE.trailing_zeros()));
        let entry = builder.ins().iadd(table, page);
        builder.ins().load(I8, self.table, entry, 0)
    }

    /// Loads from a place.
    pub fn load(&self, builder: &mut FunctionBuilder<'_>, kind: LoadKind, place: Place) -> Value {
        let (at, offset, flags) = match place {
            Place::Watched(at, offset) => (at, offset, self.watched_load),
            place => self.locate(builder, place),
        };
        // One instruction each: an extension of its own would not be joined with a load that ends its block.
        match (kind.size, kind.signed) {
            (Size::B1, false) => builder.ins().uload8(I64, flags, at, offset),
            (Size::B1, true) => builder.ins().sload8(I64, flags, at, offset),
            (Size::B2, false) => builder.ins().uload16(I64, flags, at, offset),
            (Size::B2, true) => builder.ins().sload16(I64, flags, at, offset),
            (Size::B4, false) => builder.ins().uload32(flags, at, offset),
            (Size::B4, true) => builder.ins().sload32(flags, at, offset),
            (Size::B8, _) => builder.ins().load(I64, flags, at, offset),
        }
    }

    /// Loads a vector from a place.
    pub fn load_vector(&self, builder: &mut FunctionBuilder<'_>, ty: Type, place: Place) -> Value {
        let (at, offset, flags) = match place {
            Place::Watched(at, offset) => (at, offset, self.watched_load),
            place => self.locate(builder, place),
        };
        builder.ins().load(ty, flags, at, offset)
    }

    /// Stores a vector to a place.
    pub fn store_vector(&self, builder: &mut FunctionBuilder<'_>, value: Value, place: Place) {
        let (at, offset, flags) = self.locate(builder, place);
        builder.ins().store(flags, value, at, offset);
    }

    /// Stores the low bytes of `value`, of 32 bits if that is enough, to a place.
    pub fn store(&self, builder: &mut FunctionBuilder<'_>, size: Size, value: Value, place: Place) {
        let (at, offset, flags) = self.locate(builder, place);
        let value = match (constant(builder, value), builder.func.dfg.value_type(value)) {
            // Stored as it is, without a register.
            (Some(imm), _) if size != Size::B8 => builder.ins().iconst(int(size), imm),
            (_, ty) if ty == int(size) => value,
            (_, I32) => builder.ins().ireduce(int(size), value),
            _ => {
                match size {
                    Size::B1 => builder.ins().istore8(flags, value, at, offset),
                    Size::B2 => builder.ins().istore16(flags, value, at, offset),
                    _ => builder.ins().istore32(flags, value, at, offset),
                };
                return;
            }
        };
        builder.ins().store(flags, value, at, offset);
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

//! Words of memory that a block knows, as it has stored or loaded them.
//!
//! Compilers that run out of registers keep values on the stack, and load them again within the same loop. A load of what was
//! accessed before in the block cannot be refused and makes the same value. Only what is stored off another register may be
//! anywhere.

use super::Translator;
use cranelift_codegen::ir::Value;
use pvm_ops::{Address, GuestCode, Size};

/// Where an access is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct At {
    base: Option<Value>,
    offset: i32,
}

/// Words and the values that registers have that are loaded from there.
#[derive(Default)]
pub(super) struct Words(Vec<(At, Value)>);

impl Words {
    /// The word there, if it is known.
    pub(super) fn get(&self, at: At) -> Option<Value> {
        self.0.iter().find(|(known, _)| *known == at).map(|&(_, value)| value)
    }

    /// Keeps in mind what was loaded from there or stored.
    pub(super) fn know(&mut self, at: At, value: Value) {
        self.0.push((at, value));
    }

    /// Forgets what is stored to; without a place, everything.
    pub(super) fn forget(&mut self, stored: Option<(At, Size)>) {
        self.0.retain(|(word, _)| {
            stored.is_some_and(|(at, size)| {
                let behind = at.offset.wrapping_sub(word.offset) as u32;
                word.base == at.base && behind >= Size::B4.bytes() && behind.wrapping_neg() >= size.bytes()
            })
        });
    }
}

impl<C: GuestCode> Translator<'_, '_, C> {
    /// Where an access is, in guests of 32 bits. Others have little use for that.
    pub(super) fn place(&mut self, Address { base, offset }: Address) -> Option<At> {
        self.is_narrow.then(|| At { base: base.map(|base| self.read(base)), offset })
    }
}

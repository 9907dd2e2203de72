//! What compiled code works on.

use pvm_ops::{Reg, State};
use std::ptr::{null, null_mut};
use std::sync::atomic::AtomicU64;

/// The state that compiled code finds through its one pointer, and leaves there when it returns.
///
/// The layout is part of the code that is compiled: the constants are the offsets of the fields, in bytes.
#[derive(Debug)]
#[repr(C)]
pub struct Context {
    /// The guest's state.
    pub state: State,
    pub(crate) memory: *mut u8,
    pub(crate) rights: *const u8,
    pub(crate) jump_entries: *const AtomicU64,
    /// The dynamic jump by which compiled code was left, where jumps are direct; [`Context::NO_JUMP`] for returns.
    pub jump: u32,
}

impl Default for Context {
    fn default() -> Context {
        Context { state: State::default(), memory: null_mut(), rights: null(), jump_entries: null(), jump: 0 }
    }
}

// SAFETY: the pointers are set anew from live references before each use (`CompiledFunction::call`); between calls they
// are numbers.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The offset of a register, in bytes.
    pub const fn offset_of_register(reg: Reg) -> i32 {
        (std::mem::offset_of!(Context, state.registers) + 8 * reg.index()) as i32
    }

    /// The offset of [`State::gas`].
    pub const GAS: i32 = std::mem::offset_of!(Context, state.gas) as i32;
    /// The offset of [`State::instructions`].
    pub const INSTRUCTIONS: i32 = std::mem::offset_of!(Context, state.instructions) as i32;
    /// The offset of [`State::reserved`].
    pub const RESERVED: i32 = std::mem::offset_of!(Context, state.reserved) as i32;
    /// The offset of the pointer to the first byte of guest memory.
    pub const MEMORY: i32 = std::mem::offset_of!(Context, memory) as i32;
    /// The offset of the pointer to the rights of the first page ([`crate::READABLE`], [`crate::WRITABLE`]).
    pub const RIGHTS: i32 = std::mem::offset_of!(Context, rights) as i32;
    /// The offset of the pointer to the code cache's word for the first entry of the guest's jump table.
    pub const JUMP_ENTRIES: i32 = std::mem::offset_of!(Context, jump_entries) as i32;
    /// The program counter of no jump.
    pub const NO_JUMP: u32 = u32::MAX;
    /// The offset of [`Context::jump`].
    pub const JUMP: i32 = std::mem::offset_of!(Context, jump) as i32;
    /// The offset of [`State::pc`].
    pub const PC: i32 = std::mem::offset_of!(Context, state.pc) as i32;
}

//! What compiled code works on.

use crate::bulk::{self, Move};
use pvm_ops::{Reg, State};
use std::ffi::c_void;
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
    pub(crate) answers: *const HostFunction,
    /// What host functions work on; null unless calls are answered.
    pub(crate) session: *mut c_void,
    /// The number of the run whose calls are answered, which no other run has; 0 if there is none.
    pub(crate) run: u64,
    pub(crate) copy: Move,
    pub(crate) fill: Move,
    /// The last eight bytes that were copied.
    pub(crate) moved: u64,
}

/// What compiled code calls at a host call.
#[derive(Clone, Copy, Debug)]
#[repr(C)]
pub(crate) struct HostFunction {
    /// Takes the context, `data`, and the number of the call. Compiled code goes on behind the call if this returns 0, and
    /// returns at once if not.
    pub call: extern "C" fn(*mut Context, *const c_void, u64) -> u64,
    pub data: *const c_void,
}

// SAFETY: whoever makes one with data owns data that threads may share (`answering`).
unsafe impl Send for HostFunction {}
// SAFETY: as above.
unsafe impl Sync for HostFunction {}

impl HostFunction {
    /// Nobody answers: compiled code returns to whoever has called it.
    pub(crate) const NONE: HostFunction = HostFunction { call: nobody, data: null() };
}

extern "C" fn nobody(_: *mut Context, _: *const c_void, _: u64) -> u64 {
    1
}

/// No function for any number.
static NOBODY: [HostFunction; Context::ANSWERS_LEN] = [HostFunction::NONE; Context::ANSWERS_LEN];

impl Default for Context {
    fn default() -> Context {
        Context {
            state: State::default(),
            memory: null_mut(),
            rights: null(),
            jump_entries: null(),
            jump: 0,
            answers: NOBODY.as_ptr(),
            session: null_mut(),
            run: 0,
            copy: bulk::copy,
            fill: bulk::fill,
            moved: 0,
        }
    }
}

/// What one run of compiled code finds in the context beside the guest's state.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(not(feature = "jit"), allow(dead_code))]
pub(crate) struct Links {
    pub memory: *mut u8,
    pub rights: *const u8,
    pub jump_entries: *const AtomicU64,
    pub answers: *const HostFunction,
    pub session: *mut c_void,
    pub run: u64,
}

impl Links {
    /// Links of a run whose host calls nobody answers.
    #[cfg_attr(not(feature = "jit"), allow(dead_code))]
    #[inline]
    pub(crate) fn unanswered(memory: *mut u8, rights: *const u8, jump_entries: *const AtomicU64) -> Links {
        Links { memory, rights, jump_entries, answers: NOBODY.as_ptr(), session: null_mut(), run: 0 }
    }
}

// SAFETY: the pointers are set anew from live references before each use (`CompiledFunction::call`, `answering`); between
// calls they are numbers.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

impl Context {
    /// The offset of a register, in bytes.
    pub const fn offset_of_register(reg: Reg) -> i32 {
        (std::mem::offset_of!(Context, state.registers) + 8 * reg.index()) as i32
    }

    /// The offset of the low half of a register, in bytes.
    pub const fn offset_of_low_half(reg: Reg) -> i32 {
        Context::offset_of_register(reg) + if cfg!(target_endian = "big") { 4 } else { 0 }
    }

    /// Makes each register the sign extension of its low half: as those of guests with registers of 32 bits are, of which compiled
    /// code writes that half only.
    #[inline]
    pub fn extend_registers(&mut self) {
        for register in &mut self.state.registers {
            *register = *register as i32 as u64;
        }
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
    /// The offset of the pointer to the functions for host calls.
    pub const ANSWERS: i32 = std::mem::offset_of!(Context, answers) as i32;
    /// How many there are.
    pub const ANSWERS_LEN: usize = 128;

    /// Where what a host call of this number needs is from there on, in bytes: the function to call, in the C convention of the
    /// host, and the second of its arguments. The first is the context, the third the number. It returns 0 if compiled code is
    /// to go on behind the call: then the state may have changed, all of it but the program counter. If not, the context may
    /// be gone. `None` if there is no function for the number.
    pub const fn offsets_of_answer(number: i32) -> Option<[i32; 2]> {
        if number < 0 || number as usize >= Context::ANSWERS_LEN {
            return None;
        }
        let start = number * size_of::<HostFunction>() as i32;
        Some([
            start + std::mem::offset_of!(HostFunction, call) as i32,
            start + std::mem::offset_of!(HostFunction, data) as i32,
        ])
    }

    /// The offset of the function that makes rounds of a loop which copies, in the C convention of the host. It takes the context, an
    /// address to write to and one to read from, how many bytes may be moved, up to [`Context::MOST_MOVED`] and no fewer than one, and
    /// how many a round moves: 1, 2, 4 or 8. It makes as many rounds as the guest may access memory for, and returns how many bytes
    /// they have moved.
    pub const COPY: i32 = std::mem::offset_of!(Context, copy) as i32;
    /// The offset of that for a loop which fills: it takes eight bytes of what is written instead of the second address.
    pub const FILL: i32 = std::mem::offset_of!(Context, fill) as i32;
    /// The offset of the last eight bytes that the former has copied, if it has made a round.
    pub const MOVED: i32 = std::mem::offset_of!(Context, moved) as i32;
    /// How many bytes they move at most.
    pub const MOST_MOVED: u32 = bulk::MOST_BYTES as u32;

    /// The offset of [`State::pc`].
    pub const PC: i32 = std::mem::offset_of!(Context, state.pc) as i32;

    /// Whether compiled code runs on this, and somebody answers its host calls.
    #[cfg_attr(not(feature = "jit"), allow(dead_code))]
    #[inline]
    pub(crate) fn is_answered(&self) -> bool {
        self.run != 0
    }

    #[cfg_attr(not(feature = "jit"), allow(dead_code))]
    #[inline]
    pub(crate) fn links(&self) -> Links {
        let Context { memory, rights, jump_entries, answers, session, run, .. } = *self;
        Links { memory, rights, jump_entries, answers, session, run }
    }

    #[cfg_attr(not(feature = "jit"), allow(dead_code))]
    #[inline]
    pub(crate) fn set_links(&mut self, links: Links) {
        Links {
            memory: self.memory,
            rights: self.rights,
            jump_entries: self.jump_entries,
            answers: self.answers,
            session: self.session,
            run: self.run,
        } = links;
    }
}

//! The stack frame.
//!
//! ```text
//! arguments and results of this function      at the caller's stack pointer
//! ------------------------------------------
//! stack slots
//! kept registers
//! values that did not fit into registers
//! arguments and results of functions called   at the stack pointer
//! ```
//!
//! A function that calls nobody and needs little leaves the stack pointer where it is and works below it: the check of
//! every other function leaves room for that ([`abi::RESERVE`]).

use crate::abi;
use crate::error::Problem;
use crate::vcode::{Place, VCode};
use cranelift_codegen::entity::SecondaryMap;
use cranelift_codegen::ir::{Function, StackSlot};
use pvm_ops::Reg;
use regalloc2::{Allocation, Edit, Output};

/// The most bytes of a frame.
const LIMIT: u64 = 1 << 24;
/// The alignment of the stack pointer, as a power of two.
const ALIGNMENT: u8 = 3;

/// Where things are in a frame, relative to the stack pointer.
pub struct Frame {
    /// By how much the prologue moves the stack pointer.
    pub moved: i32,
    /// Registers to restore before the function returns, and where they are kept.
    pub kept: Vec<(Reg, i32)>,
    spills: i32,
    slots: SecondaryMap<StackSlot, i32>,
    outgoing: i32,
    incoming: i32,
}

impl Frame {
    /// Lays the frame out.
    pub fn new(func: &Function, code: &VCode, output: &Output) -> Result<Frame, Problem> {
        let mut size = 8 * u64::from(code.outgoing);
        let spills = size;
        size += 8 * output.num_spillslots as u64;
        let kept_at = size;
        let kept = kept_registers(output);
        size += 8 * kept.len() as u64;
        let mut at = Vec::new();
        for (slot, data) in func.sized_stack_slots.iter() {
            if data.align_shift > ALIGNMENT {
                let value = 1 << data.align_shift.min(32);
                return Err(Problem::TooLarge { what: "alignment of a stack slot", value, limit: 1 << ALIGNMENT });
            }
            at.push((slot, size));
            size += u64::from(data.size).next_multiple_of(8);
        }
        if size > LIMIT {
            return Err(Problem::TooLarge { what: "size of the stack frame", value: size, limit: LIMIT });
        }
        let moves = size > 0 && (code.calls || size > u64::from(abi::RESERVE));
        // All numbers are below the limit.
        let base = if moves { 0 } else { -(size as i32) };
        let place = |offset: u64| base + offset as i32;
        let mut slots = SecondaryMap::new();
        for (slot, offset) in at {
            slots[slot] = place(offset);
        }
        let moved = if moves { size as i32 } else { 0 };
        let kept = kept.into_iter().enumerate().map(|(index, reg)| (reg, place(kept_at) + 8 * index as i32)).collect();
        Ok(Frame { moved, kept, spills: place(spills), slots, outgoing: 0, incoming: moved })
    }

    /// The offset of a place.
    pub fn place(&self, place: Place) -> i32 {
        match place {
            Place::Slot(slot) => self.slots[slot],
            Place::Incoming => self.incoming,
            Place::Outgoing => self.outgoing,
        }
    }

    /// The offset of a value that did not fit into registers.
    pub fn spill(&self, index: usize) -> i32 {
        self.spills + 8 * index as i32
    }
}

/// The kept registers that a function uses.
pub fn kept_registers(output: &Output) -> Vec<Reg> {
    let moved_to = output.edits.iter().map(|(_, Edit::Move { to, .. })| *to);
    let mut used = 0;
    for preg in output.allocs.iter().copied().chain(moved_to).filter_map(Allocation::as_reg) {
        used |= abi::bit(abi::reg(preg));
    }
    abi::KEPT.into_iter().filter(|&reg| used & abi::bit(reg) != 0).collect()
}

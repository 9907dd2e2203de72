//! What handlers share besides registers and memory: code, gas, counts; and how they stop.

use crate::Cells;
use crate::cell::Cell;
use crate::run::Stop;

/// How many instructions can follow one another without a jump before handlers return. Cells end with as many that are
/// never reached, so that a window of this length begins at every instruction.
pub(crate) const WINDOW: usize = 128;

/// What ended a chain of handlers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Event {
    /// What the caller is told.
    Stop(Stop),
    /// The guest goes on at this program counter, where nothing has been decoded; nothing is paid for it.
    Unknown { pc: u32 },
    /// The gas of the burst does not suffice to enter the segment.
    LowGas,
    /// The end of the window.
    Pause,
}

/// What handlers need besides registers and memory, and what they leave when they stop.
pub(crate) struct Machine<'a> {
    /// The code that runs.
    pub code: &'a Cells,
    /// The cells of `code`.
    pub cells: &'a [Cell],
    /// Its jump table.
    pub jump_table: &'a [u32],
    /// How often each block has been entered; empty where that is not of interest.
    pub entered: &'a mut [u32],
    /// How often is often.
    pub threshold: u32,
    /// Instructions that were counted.
    pub instructions: u64,
    /// Gas that is left of the burst.
    pub left: u64,
    /// The index of the instruction that stopped the chain, or that is next.
    pub index: usize,
    /// What stopped it.
    pub event: Event,
}

impl<'a> Machine<'a> {
    pub fn new(code: &'a Cells, entered: &'a mut [u32], threshold: u32) -> Machine<'a> {
        let (instructions, left, index, event) = (0, 0, 0, Event::Pause);
        Machine {
            code,
            cells: &code.cells,
            jump_table: &code.jump_table,
            entered,
            threshold,
            instructions,
            left,
            index,
            event,
        }
    }

    /// The cells of a window that begins before the instruction at `index`, if there is one.
    #[inline(always)]
    pub fn window(&self, index: usize) -> Option<&'a [Cell]> {
        self.cells.get(index..index + WINDOW + 1)
    }

    /// Takes gas from what is left; whether it suffices. If not, it has to be given back.
    #[inline(always)]
    pub fn pay(&mut self, gas: u32) -> bool {
        let (left, lacks) = self.left.overflowing_sub(u64::from(gas));
        self.left = left;
        !lacks
    }

    /// The index of the instruction whose operands `rest` begins with.
    #[inline(always)]
    pub fn index_of(&self, rest: &'a [Cell]) -> usize {
        (rest.as_ptr().addr() - self.cells.as_ptr().addr()) / size_of::<Cell>() - 1
    }
}

impl Machine<'_> {
    /// Counts that the block at `index` is entered; whether it has become hot.
    #[inline(always)]
    pub fn is_hot(&mut self, index: usize) -> bool {
        let Some(count) = self.entered.get_mut(index) else { return false };
        *count = count.wrapping_add(1);
        *count == self.threshold
    }

    /// Counts an instruction, if they are counted.
    #[inline(always)]
    pub fn count<const COUNTING: bool>(&mut self) {
        if COUNTING {
            self.instructions += 1;
        }
    }
}

/// Stops before the instruction whose operands `rest` begins with.
#[cold]
#[inline(never)]
pub(crate) fn leave<'a>(rest: &'a [Cell], machine: &mut Machine<'a>, event: Event) {
    machine.index = machine.index_of(rest);
    machine.event = event;
}

/// Stops before the instruction at `index`, which was to be entered.
#[cold]
#[inline(never)]
pub(crate) fn leave_at(index: usize, machine: &mut Machine<'_>, event: Event) {
    machine.index = index;
    machine.event = event;
}

/// Stops before the instruction whose operands `rest` begins with: the gas that was taken for it was not there.
#[cold]
#[inline(never)]
pub(crate) fn leave_unpaid<'a>(rest: &'a [Cell], gas: u32, machine: &mut Machine<'a>) {
    machine.left = machine.left.wrapping_add(u64::from(gas));
    leave(rest, machine, Event::LowGas)
}

/// The same before the instruction at `index`.
#[cold]
#[inline(never)]
pub(crate) fn leave_at_unpaid(index: usize, gas: u32, machine: &mut Machine<'_>) {
    machine.left = machine.left.wrapping_add(u64::from(gas));
    leave_at(index, machine, Event::LowGas)
}

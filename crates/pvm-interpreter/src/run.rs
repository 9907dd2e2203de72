//! Running cells: the part around the handlers, with all that is rare.

use crate::build::Starts;
use crate::cell::Cell;
use crate::handlers::{Handlers, go_on};
use crate::machine::{Event, Machine, WINDOW};
use crate::{Cells, Hotness};
use pvm_gas::GasModel;
use pvm_ops::{Memory, MemoryFault, State};

/// Why the interpreter stopped. [`State`] says where: the program counter is that of the instruction named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// A dynamic jump to the address that ends the program.
    Halt,
    /// A trap, or a jump to where none may go.
    Panic,
    /// A memory access that was refused; nothing of it happened.
    Fault(MemoryFault),
    /// A host call.
    HostCall {
        /// Its number.
        id: i32,
    },
    /// The gas does not suffice for the instruction, or for its block where blocks are paid whole.
    OutOfGas,
    /// The run-time system has to do what the instruction says.
    System,
    /// The block that is about to be entered has been entered often enough.
    Hot,
    /// The instruction that is next has not been decoded: [`Cells::learn`] has to be called. Nothing of it is paid.
    Unknown,
}

/// The gas that handlers are given at once; see [`crate::handlers`]. Each jump takes some, so that there is an end to how
/// many handlers can be on the stack if the compiler does not make jumps of their calls.
const BURST: u64 = 1024;
/// The same where a unit pays for several instructions.
const PIPELINE_BURST: u64 = 128;

impl Cells {
    /// Runs from `state` until something stops it.
    ///
    /// `hotness` is kept where there is a compiler to feed; `COUNTING` keeps `state.instructions`. Where the pipeline
    /// model is to start in the middle of a block, the caller has charged that and set `state.paid`.
    pub fn run<M: Memory, const COUNTING: bool>(
        &self,
        state: &mut State,
        memory: &mut M,
        hotness: Option<&mut Hotness>,
    ) -> Stop {
        let Some(index) = self.find(state.pc) else {
            return match self.starts {
                Starts::Listed { .. } => self.run_no_instruction::<COUNTING>(state),
                Starts::Found(_) => Stop::Unknown,
            };
        };
        let index = index as usize;
        if !std::mem::take(&mut state.paid) {
            let cost = u64::from(self.cells[index].gas);
            if state.gas < cost {
                return self.run_low_gas::<M, COUNTING>(state, memory, index);
            }
            state.gas -= cost;
        }
        let (entered, threshold) = match hotness {
            None => (&mut [][..], 0),
            Some(Hotness { entered, threshold }) => (&mut entered[..], *threshold),
        };
        self.run_paid::<M, COUNTING>(state, memory, index, Machine::new(self, entered, threshold))
    }

    /// Runs from the instruction at `index`, whose segment is paid.
    fn run_paid<'a, M: Memory, const COUNTING: bool>(
        &'a self,
        state: &mut State,
        memory: &mut M,
        mut index: usize,
        mut machine: Machine<'a>,
    ) -> Stop {
        let most = if self.model == GasModel::Pipeline { PIPELINE_BURST } else { BURST };
        loop {
            let burst = state.gas.min(most);
            let window = machine.window(index).expect("there are more cells than instructions by a window");
            machine.run::<M, COUNTING>(window, state, memory, burst);
            state.instructions += machine.instructions;
            state.gas = state.gas - burst + machine.left;
            index = machine.index;
            match machine.event {
                Event::Pause => {}
                Event::Unknown { pc } => {
                    state.pc = pc;
                    return Stop::Unknown;
                }
                Event::LowGas => {
                    let cost = u64::from(self.cells[index].gas);
                    if state.gas < cost {
                        return self.run_low_gas::<M, COUNTING>(state, memory, index);
                    }
                    state.gas -= cost;
                }
                Event::Stop(stop) => {
                    state.pc = self.pcs[index];
                    self.settle(state, index, stop);
                    return stop;
                }
            }
        }
    }

    /// Runs the one instruction at `state.pc`, where the pipeline model has been paid as in [`Cells::run`]. It is counted.
    ///
    /// # Errors
    ///
    /// If it does not lead to another one. [`Stop::Hot`] is not among the reasons.
    pub fn step<M: Memory>(&self, state: &mut State, memory: &mut M) -> Result<(), Stop> {
        let Some(index) = self.find(state.pc) else {
            return Err(match self.starts {
                Starts::Listed { .. } => self.run_no_instruction::<true>(state),
                Starts::Found(_) => Stop::Unknown,
            });
        };
        let index = index as usize;
        let charges_blocks = self.model.charges_blocks();
        let is_paid = std::mem::take(&mut state.paid);
        let cost = match charges_blocks {
            true if is_paid => 0,
            true => u64::from(self.cells[index].gas),
            false => 1,
        };
        if state.gas < cost {
            return Err(Stop::OutOfGas);
        }
        state.gas -= cost;
        let mut machine = Machine::new(self, &mut [], 0);
        // A window of one instruction, and no gas to enter anything behind it.
        machine.run::<M, true>(&self.cells[index..=index + 1], state, memory, 0);
        state.instructions += machine.instructions;
        state.pc = self.pcs[machine.index];
        match machine.event {
            // The segment goes on.
            Event::Pause => state.paid = charges_blocks,
            Event::LowGas => {}
            // The cell is a stub: there is no instruction yet.
            Event::Unknown { .. } if machine.instructions == 0 => {
                (state.gas, state.paid) = (state.gas + cost, is_paid);
                return Err(Stop::Unknown);
            }
            Event::Unknown { pc } => state.pc = pc,
            Event::Stop(stop) => {
                state.paid = charges_blocks && matches!(stop, Stop::Fault(_));
                return Err(stop);
            }
        }
        Ok(())
    }

    /// Pays back what was charged for instructions that do not run, or notes that they are paid.
    fn settle(&self, state: &mut State, index: usize, stop: Stop) {
        match stop {
            // The block that is next has not been entered.
            Stop::Hot | Stop::Unknown => {}
            _ if !self.model.charges_blocks() => state.gas += u64::from(self.cells[index].gas) - 1,
            Stop::Fault(_) => state.paid = true,
            _ => {}
        }
    }

    /// A program counter without an instruction is a trap (Gray Paper A.4), at the price of one.
    fn run_no_instruction<const COUNTING: bool>(&self, state: &mut State) -> Stop {
        if !std::mem::take(&mut state.paid) {
            if state.gas == 0 {
                return Stop::OutOfGas;
            }
            state.gas -= 1;
        }
        state.instructions += u64::from(COUNTING);
        Stop::Panic
    }

    /// Runs what the gas suffices for, which is less than the segment from the instruction at `index`.
    #[cold]
    fn run_low_gas<M: Memory, const COUNTING: bool>(
        &self,
        state: &mut State,
        memory: &mut M,
        mut index: usize,
    ) -> Stop {
        let mut machine = Machine::new(self, &mut [], 0);
        // One unit for each instruction; the segment has more of them than that, so no jump is among those that run.
        while state.gas > 0 && !self.model.charges_blocks() {
            let count = WINDOW.min(state.gas.try_into().unwrap_or(usize::MAX));
            machine.run::<M, true>(&self.cells[index..=index + count], state, memory, 0);
            state.instructions += if COUNTING { machine.instructions } else { 0 };
            state.gas -= (machine.index - index) as u64;
            index = machine.index;
            if let Event::Stop(stop) = machine.event {
                state.gas -= 1;
                state.pc = self.pcs[index];
                return stop;
            }
        }
        state.pc = self.pcs[index];
        Stop::OutOfGas
    }
}

impl<'a> Machine<'a> {
    /// Runs the window until something stops it; the segment that it begins in is paid. Leaves the event, where it
    /// was, and what is left of `gas`. Where instructions are counted, they are also done one by one, so that the
    /// window can have any length.
    #[inline]
    pub fn run<M: Memory, const COUNTING: bool>(
        &mut self,
        window: &'a [Cell],
        state: &mut State,
        memory: &mut M,
        gas: u64,
    ) {
        self.left = gas;
        self.instructions = 0;
        let [cell, behind @ ..] = window else { unreachable!("a window begins with a cell") };
        go_on(cell, behind, &mut state.registers, memory, self, Handlers::<M, COUNTING>::TABLE);
    }
}

//! Running cells.

use crate::Cells;
use crate::build::{NONE, ends_segment};
use crate::cell::{Cell, Op, dispatch};
use pvm_ops::{BinaryOp, Cond, HALT_ADDRESS, Memory, MemoryFault, State, UnaryOp, Width};

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
    /// The block that is about to be entered has been entered often enough.
    Hot,
}

/// How often blocks have been entered, and how often is often.
#[derive(Debug)]
pub struct Hotness {
    entered: Vec<u32>,
    threshold: u32,
}

impl Hotness {
    /// Counts for the blocks of `cells`: each stops the run with [`Stop::Hot`] when it is entered for the
    /// `threshold`-th time (0 counts as 1), and then no more.
    pub fn new(cells: &Cells, threshold: u32) -> Hotness {
        Hotness { entered: vec![0; cells.len()], threshold: threshold.max(1) }
    }

    /// Counts an entry of the block at `pc` that the interpreter does not see; whether it has become hot by that.
    pub fn enter(&mut self, cells: &Cells, pc: u32) -> bool {
        cells.find(pc).is_some_and(|index| {
            let count = &mut self.entered[index as usize];
            *count = count.wrapping_add(1);
            *count == self.threshold
        })
    }

    /// Counts the block at `pc` from zero again.
    pub fn forget(&mut self, cells: &Cells, pc: u32) {
        if let Some(index) = cells.find(pc) {
            self.entered[index as usize] = 0;
        }
    }

    /// Stops the run when the block at `pc` is entered next.
    pub fn stop_at(&mut self, cells: &Cells, pc: u32) {
        if let Some(index) = cells.find(pc) {
            self.entered[index as usize] = self.threshold - 1;
        }
    }
}

/// What ended the inner loop, with the index of the cell.
enum Event {
    Stop(Stop),
    /// The gas does not suffice to enter the cell.
    LowGas,
    /// The end of the cells that the inner loop was given.
    Pause,
}

/// Cells that are run one by one when gas is low: this many at a time, and one to stop.
const CHUNK: usize = 63;

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
            return self.run_no_instruction::<COUNTING>(state);
        };
        let mut index = index as usize;
        if !std::mem::take(&mut state.paid) {
            let cost = u64::from(self.cells[index].gas);
            if state.gas < cost {
                return self.run_low_gas::<M, COUNTING>(state, memory, index);
            }
            state.gas -= cost;
        }
        let event = match hotness {
            None => self.execute::<M, false, COUNTING>(&self.cells, &mut index, state, memory, &mut [], 0),
            Some(Hotness { entered, threshold }) => {
                self.execute::<M, true, COUNTING>(&self.cells, &mut index, state, memory, entered, *threshold)
            }
        };
        state.pc = self.pcs[index];
        match event {
            Event::LowGas => self.run_low_gas::<M, COUNTING>(state, memory, index),
            Event::Stop(stop) => {
                self.settle(state, index, stop);
                stop
            }
            Event::Pause => unreachable!("only cells made for low gas pause"),
        }
    }

    /// Pays back what was charged for instructions that do not run, or notes that they are paid.
    fn settle(&self, state: &mut State, index: usize, stop: Stop) {
        match stop {
            // The block that is hot has not been entered.
            Stop::Hot => {}
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

    /// Runs what the gas suffices for, which is less than the segment from the cell at `index`.
    #[cold]
    fn run_low_gas<M: Memory, const COUNTING: bool>(
        &self,
        state: &mut State,
        memory: &mut M,
        mut index: usize,
    ) -> Stop {
        state.pc = self.pcs[index];
        if self.model.charges_blocks() {
            return Stop::OutOfGas;
        }
        // One unit for each instruction; the segment has more of them than that, so no jump is among those that run.
        while state.gas > 0 {
            let count = CHUNK.min(state.gas.try_into().unwrap_or(usize::MAX));
            let mut chunk = [Cell::new(Op::Pause); CHUNK + 1];
            chunk[..count].copy_from_slice(&self.cells[index..index + count]);
            debug_assert!(chunk.iter().all(|cell| !ends_segment(cell.op, self.model)));
            let mut at = 0;
            let event = self.execute::<M, false, COUNTING>(&chunk, &mut at, state, memory, &mut [], 0);
            if let Event::Stop(stop) = event {
                state.gas -= at as u64 + 1;
                state.pc = self.pcs[index + at];
                return stop;
            }
            state.gas -= count as u64;
            index += count;
            state.pc = self.pcs[index];
        }
        Stop::OutOfGas
    }

    /// The cell that a dynamic jump to `address` goes to, [`NONE`] where it may not.
    #[inline(always)]
    fn jump_target(&self, address: u32) -> u32 {
        // Address 0 wraps to an entry that no table has.
        let entry = (address / 2).wrapping_sub(1);
        match self.jump_table.get(entry as usize) {
            Some(&index) if address.is_multiple_of(2) => index,
            None if address.is_multiple_of(2) && u64::from(entry) < self.jump_count => self.unlisted_jump,
            _ => NONE,
        }
    }

    /// The inner loop: runs `cells` from the cell at `index`, whose segment is paid, and leaves the index of the cell
    /// that stopped it.
    #[inline]
    fn execute<M: Memory, const TIERED: bool, const COUNTING: bool>(
        &self,
        cells: &[Cell],
        index: &mut usize,
        state: &mut State,
        memory: &mut M,
        entered: &mut [u32],
        threshold: u32,
    ) -> Event {
        let State { registers: regs, gas, instructions, .. } = state;
        let mut rest = cells[*index..].iter();
        let mut left = *gas;

        // The index of the cell that is running.
        macro_rules! current {
            () => {
                cells.len() - rest.len() - 1
            };
        }
        macro_rules! leave {
            ($at:expr, $event:expr) => {{
                *index = $at;
                *gas = left;
                return $event;
            }};
        }
        // Enters the segment that begins at a cell; where there is no such cell, the jump panics.
        macro_rules! enter {
            ($target:expr) => {{
                let target = $target as u32 as usize;
                let Some(cell) = cells.get(target) else { leave!(current!(), Event::Stop(Stop::Panic)) };
                if TIERED {
                    let count = &mut entered[target];
                    *count = count.wrapping_add(1);
                    if *count == threshold {
                        leave!(target, Event::Stop(Stop::Hot));
                    }
                }
                let cost = u64::from(cell.gas);
                if left < cost {
                    leave!(target, Event::LowGas);
                }
                left -= cost;
                rest = cells[target..].iter();
            }};
        }
        macro_rules! branch {
            ($cell:ident, $taken:expr) => {
                if $taken { enter!($cell.y) } else { enter!(current!() + 1) }
            };
        }
        macro_rules! load {
            ($cell:ident, $uint:ty, $value:ty) => {{
                match memory.load((regs[$cell.a.index()] as u32).wrapping_add($cell.x as u32)) {
                    Ok(bytes) => regs[$cell.dst.index()] = <$uint>::from_le_bytes(bytes) as $value as u64,
                    Err(fault) => leave!(current!(), Event::Stop(Stop::Fault(fault))),
                }
            }};
        }
        macro_rules! store {
            ($cell:ident, $uint:ty, $value:expr) => {{
                let address = (regs[$cell.a.index()] as u32).wrapping_add($cell.x as u32);
                if let Err(fault) = memory.store(address, ($value as $uint).to_le_bytes()) {
                    leave!(current!(), Event::Stop(Stop::Fault(fault)));
                }
            }};
        }
        macro_rules! jump_indirect {
            ($address:expr) => {{
                let address = $address;
                if address == HALT_ADDRESS {
                    leave!(current!(), Event::Stop(Stop::Halt));
                }
                enter!(self.jump_target(address))
            }};
        }

        loop {
            let Some(cell) = rest.next() else {
                unreachable!("the last cell is a trap, or a pause");
            };
            if COUNTING {
                *instructions += u64::from(cell.op != Op::Pause);
            }
            dispatch!(cell, regs, branch, {
                Op::LoadU8 => load!(cell, u8, u8),
                Op::LoadI8 => load!(cell, u8, i8),
                Op::LoadU16 => load!(cell, u16, u16),
                Op::LoadI16 => load!(cell, u16, i16),
                Op::LoadU32 => load!(cell, u32, u32),
                Op::LoadI32 => load!(cell, u32, i32),
                Op::LoadU64 => load!(cell, u64, u64),
                Op::StoreU8 => store!(cell, u8, regs[cell.b.index()]),
                Op::StoreU16 => store!(cell, u16, regs[cell.b.index()]),
                Op::StoreU32 => store!(cell, u32, regs[cell.b.index()]),
                Op::StoreU64 => store!(cell, u64, regs[cell.b.index()]),
                Op::StoreImmU8 => store!(cell, u8, cell.y),
                Op::StoreImmU16 => store!(cell, u16, cell.y),
                Op::StoreImmU32 => store!(cell, u32, cell.y),
                Op::StoreImmU64 => store!(cell, u64, cell.y),
                Op::LoadImm => regs[cell.dst.index()] = u64::from(cell.x as u32) | u64::from(cell.y as u32) << 32,
                Op::MoveIfZero => {
                    if regs[cell.b.index()] == 0 {
                        regs[cell.dst.index()] = regs[cell.a.index()];
                    }
                }
                Op::MoveIfNotZero => {
                    if regs[cell.b.index()] != 0 {
                        regs[cell.dst.index()] = regs[cell.a.index()];
                    }
                }
                Op::MoveImmIfZero => {
                    if regs[cell.b.index()] == 0 {
                        regs[cell.dst.index()] = cell.x as u64;
                    }
                }
                Op::MoveImmIfNotZero => {
                    if regs[cell.b.index()] != 0 {
                        regs[cell.dst.index()] = cell.x as u64;
                    }
                }
                Op::Nop => {}
                Op::Sbrk => regs[cell.dst.index()] = memory.sbrk(regs[cell.a.index()]),
                Op::Fallthrough => enter!(current!() + 1),
                Op::Jump => enter!(cell.y),
                Op::JumpLink => {
                    regs[cell.dst.index()] = cell.x as u64;
                    enter!(cell.y)
                }
                Op::JumpIndirect => {
                    jump_indirect!((regs[cell.a.index()] as u32).wrapping_add(cell.x as u32))
                }
                Op::JumpIndirectLink => {
                    let address = (regs[cell.a.index()] as u32).wrapping_add(cell.x as u32);
                    regs[cell.dst.index()] = cell.y as u64;
                    jump_indirect!(address)
                }
                Op::Trap => leave!(current!(), Event::Stop(Stop::Panic)),
                Op::HostCall => leave!(current!(), Event::Stop(Stop::HostCall { id: cell.x })),
                Op::Pause => leave!(current!(), Event::Pause),
            })
        }
    }
}

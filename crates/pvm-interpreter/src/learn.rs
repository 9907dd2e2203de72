//! Code whose instructions may start anywhere: translated as the guest comes to it, and again when it has changed.
//!
//! What is translated together is a *run*: instructions that follow one another, up to one behind which nothing follows, a
//! place that is known, the end of the page, or a limit. A place that a run leads to and that is not known has a *stub*, a
//! cell that stops the guest; once it is known, the stub leads on there. When code changes, the cells of its run become
//! such stubs, so that nobody who leads there needs to be found.
//!
//! ```text
//! run:  [first] [operands, second] [operands, third] ... [operands of the last, Continue or Unknown] [its operands, free]
//! stub: [Unknown, later Continue] [its operands, free]
//! ```
//!
//! What is free is taken by what is added next: its first cell is the one with the last operands.

use crate::Cells;
use crate::build::{Starts, ends_segment};
use crate::cell::{Cell, Op};
use crate::machine::WINDOW;
use crate::pairs::for_each_code;
use crate::places::{Places, Run};
use pvm_gas::GasModel;
use pvm_ops::{Fetched, GuestCode, Inst, PAGE_SIZE, Reg, Target};
use std::ops::Range;

/// The most instructions in a run.
const MOST: usize = 128;
/// With more cells than this, everything is forgotten and learned again, so that there is a bound to the memory that a
/// guest can ask for by jumping into the middle of instructions.
const MOST_CELLS: usize = 1 << 20;
/// The same with more cells of forgotten code than this and a quarter of all: whoever leads there goes by all of them.
const MOST_DEAD: usize = 4096;

/// The code of a cell that stops because it is a stub.
const UNKNOWN: u16 = Op::Unknown as u16;

impl Cells {
    /// No code yet: the guest's is to be [learned](Cells::learn).
    pub fn unknown(model: GasModel, zero: Reg) -> Cells {
        Cells {
            cells: vec![Cell::TRAP; WINDOW + 1],
            pcs: Vec::new(),
            jump_table: Vec::new(),
            starts: Starts::Found(Box::new(Places::new())),
            model,
            zero,
            dead: 0,
        }
    }

    fn places(&mut self) -> &mut Places {
        match &mut self.starts {
            Starts::Found(places) => places,
            Starts::Listed { .. } => unreachable!("code that is known ahead is not learned"),
        }
    }

    /// Where the dynamic jump at `pc` has gone so far, as far as it is remembered.
    pub fn targets(&self, pc: u32) -> Vec<u32> {
        match &self.starts {
            Starts::Found(places) => places.targets(pc),
            Starts::Listed { .. } => Vec::new(),
        }
    }

    /// Remembers where the dynamic jump at `from` goes, which somebody else has executed.
    pub fn note_jump(&self, from: u32, pc: u32) {
        if let Starts::Found(places) = &self.starts {
            places.note(from, pc);
        }
    }

    /// Whether the code at `pc` has been learned.
    pub fn has_learned(&self, pc: u32) -> bool {
        self.find(pc).is_some_and(|cell| self.cells[cell as usize].code != UNKNOWN)
    }

    /// Translates the code at `pc`, an even address, and what follows it, unless that is known.
    pub fn learn(&mut self, code: &impl GuestCode, pc: u32) {
        if self.has_learned(pc) {
            return;
        }
        if self.cells.len() > MOST_CELLS || self.dead > MOST_DEAD + self.cells.len() / 4 {
            self.forget_all();
        }
        let (insts, last) = self.fetch_run(code, pc);
        let first = self.pcs.len();
        let end = insts.last().map_or(pc, |&(_, Fetched { next, .. })| next);
        let leads_on = insts.last().is_some_and(|(_, Fetched { inst, .. })| goes_on(inst));
        self.pcs.extend(insts.iter().map(|&(pc, _)| pc).chain(leads_on.then_some(end)));
        self.cells.resize(self.pcs.len() + WINDOW + 1, Cell::TRAP);
        for (at, &(pc, _)) in (first as u32..).zip(&insts) {
            self.lead_on(pc, at);
            self.places().set(pc, at);
        }
        for &(_, Fetched { inst, .. }) in &insts {
            if let Inst::Jump { target: Target::Block(to), .. } | Inst::Branch { target: Target::Block(to), .. } = inst
            {
                self.place(to);
            }
        }
        self.places().add(Run { first: first as u32, len: insts.len() as u32, start: pc, last });
        let ops: Vec<Op> = insts
            .iter()
            .enumerate()
            .map(|(at, (_, Fetched { inst, .. }))| {
                let decoded = self.decode(inst);
                // Behind a run there may be the code of a stub already.
                let cell = &mut self.cells[first + at + 1];
                *cell = Cell { code: cell.code, gas: cell.gas, ..decoded.operands };
                decoded.op
            })
            .collect();
        let mut rest = 0;
        for (at, &op) in ops.iter().enumerate().rev() {
            if ends_segment(op, self.model) {
                rest = 0;
            }
            rest += 1;
            self.cells[first + at].gas = rest;
        }
        for_each_code(&ops, |at, code| self.cells[first + at].code = code);
        if leads_on {
            self.end_run(first + insts.len(), end);
        }
    }

    /// The instructions of a run with their program counters, and the address of its last byte.
    fn fetch_run(&self, code: &impl GuestCode, start: u32) -> (Vec<(u32, Fetched)>, u32) {
        let mut insts = Vec::new();
        let mut pc = start;
        loop {
            let fetched = code.fetch(pc);
            insts.push((pc, fetched));
            pc = fetched.next;
            let is_known = self.has_learned(pc);
            let is_next_page = pc / PAGE_SIZE != start / PAGE_SIZE;
            if !goes_on(&fetched.inst) || is_known || is_next_page || insts.len() == MOST {
                return (insts, pc.wrapping_sub(1));
            }
        }
    }

    /// Has the cell at this index, behind a run, go on at `pc`.
    fn end_run(&mut self, index: usize, pc: u32) {
        match self.find(pc) {
            Some(cell) => self.set_continue(index, cell),
            None => {
                self.cells[index].code = UNKNOWN;
                self.places().set(pc, index as u32);
            }
        }
    }

    /// Has the stub of `pc`, if there is one, lead on to the cell at this index.
    fn lead_on(&mut self, pc: u32, to: u32) {
        if let Some(stub) = self.find(pc) {
            self.set_continue(stub as usize, to);
        }
    }

    fn set_continue(&mut self, index: usize, to: u32) {
        self.cells[index].code = Op::Continue as u16;
        self.cells[index + 1].y = to as i32;
    }

    /// Makes a stub for `pc` if no cell is there.
    fn place(&mut self, pc: u32) {
        if self.find(pc).is_none() {
            let stub = self.pcs.len();
            self.pcs.push(pc);
            self.cells.resize(self.pcs.len() + WINDOW + 1, Cell::TRAP);
            self.cells[stub].code = UNKNOWN;
            self.places().set(pc, stub as u32);
        }
    }

    /// Forgets code: it is to be learned again where it has bytes in the range, below 2^32.
    pub fn forget(&mut self, range: Range<u64>) {
        let page = u64::from(PAGE_SIZE);
        let mut start = range.start;
        while start < range.end {
            let end = ((start / page + 1) * page).min(range.end);
            for run in self.places().take(start as u32, (end - 1) as u32) {
                for cell in &mut self.cells[run.first as usize..(run.first + run.len) as usize] {
                    (cell.code, cell.gas) = (UNKNOWN, 0);
                }
                self.dead += run.len as usize;
            }
            start = end;
        }
    }

    fn forget_all(&mut self) {
        *self = Cells::unknown(self.model, self.zero);
    }
}

/// Whether the guest may go on behind the instruction without a jump.
fn goes_on(inst: &Inst) -> bool {
    !matches!(inst, Inst::Trap | Inst::Raise { .. } | Inst::TrapReturn | Inst::Jump { .. } | Inst::JumpIndirect { .. })
}

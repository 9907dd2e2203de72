//! Translation of code into cells.

use crate::cell::{Cell, Decoded, Op};
use crate::machine::WINDOW;
use crate::pairs::for_each_code;
use crate::places::Places;
use pvm_gas::GasModel;
use pvm_ops::{DynamicJumps, Fetched, GuestCode, Inst, Reg};

/// The index of no cell.
pub(crate) const NONE: u32 = u32::MAX;

/// How many entries a jump table can have that addresses lead to: an entry for each even address but 0.
pub(crate) const MOST_ENTRIES: u32 = (1 << 31) - 1;

/// Sixty-four program counters: which of them have cells, and how many cells come before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rank {
    cells: u64,
    before: u32,
}

/// Where instructions start.
#[derive(Debug)]
pub(crate) enum Starts {
    /// All are known ahead.
    Listed {
        ranks: Vec<Rank>,
        /// The entries of the jump table that are not listed lead to one cell, the one at 0.
        unlisted_jump: u32,
        /// How many entries the jump table has in all.
        jump_count: u64,
    },
    /// Those that the guest has come to are known; see [`crate::learn`].
    Found(Box<Places>),
}

/// Code, ready to be interpreted. Many guests can share it, if all of it is known ahead.
#[derive(Debug)]
pub struct Cells {
    pub(crate) cells: Vec<Cell>,
    /// The program counter of each cell.
    pub(crate) pcs: Vec<u32>,
    /// The cell of each entry of the jump table, [`NONE`] where it may not be jumped to.
    pub(crate) jump_table: Vec<u32>,
    pub(crate) starts: Starts,
    pub(crate) model: GasModel,
    /// A register that always holds zero: the guest neither writes nor reads it.
    pub(crate) zero: Reg,
    /// Cells of code that was forgotten.
    pub(crate) dead: usize,
}

impl Cells {
    /// Translates `code`, whose instructions start at `starts` (ascending).
    ///
    /// `cost_from` says what the pipeline model charges when a block is entered at a program counter; the other models
    /// do not ask. Without gas, instructions are metered like in the per-instruction model, so that a run can be given in
    /// slices. `zero` is a register that always holds zero: the guest neither writes nor reads it.
    pub fn new(
        code: &impl GuestCode,
        starts: impl Iterator<Item = u32>,
        model: GasModel,
        cost_from: impl Fn(u32) -> u32,
        zero: Reg,
    ) -> Cells {
        let (pcs, insts) = fetch_all(code, starts);
        let mut ranks = vec![Rank::default(); pcs.last().map_or(0, |&pc| pc as usize / 64 + 1)];
        for &pc in &pcs {
            ranks[pc as usize / 64].cells |= 1 << (pc % 64);
        }
        let mut before = 0;
        for rank in &mut ranks {
            rank.before = before;
            before += rank.cells.count_ones();
        }

        let mut cells = Cells {
            cells: vec![Cell::TRAP; pcs.len() + WINDOW + 1],
            pcs,
            jump_table: Vec::new(),
            starts: Starts::Listed { ranks, unlisted_jump: NONE, jump_count: 0 },
            model,
            zero,
            dead: 0,
        };
        let mut ops = Vec::with_capacity(cells.pcs.len());
        for (index, inst) in insts.iter().enumerate() {
            let Decoded { op, operands } = cells.decode(inst);
            ops.push(op);
            cells.cells[index + 1] = operands;
        }
        cells.set_gas(&ops, code, cost_from);
        for_each_code(&ops, |index, code| cells.cells[index].code = code);
        let block = |pc| cells.find(pc).filter(|_| code.is_block_start(pc)).unwrap_or(NONE);
        let DynamicJumps::Table { entries, count } = code.dynamic_jumps() else {
            unreachable!("where jumps are direct, starts are not known ahead");
        };
        let unlisted = block(0);
        cells.jump_table = entries.iter().take(MOST_ENTRIES as usize).map(|&pc| block(pc)).collect();
        if let Starts::Listed { unlisted_jump, jump_count, .. } = &mut cells.starts {
            (*unlisted_jump, *jump_count) = (unlisted, count);
        }
        cells
    }

    /// The cell at `pc`, if an instruction starts there.
    #[inline]
    pub(crate) fn find(&self, pc: u32) -> Option<u32> {
        match &self.starts {
            Starts::Listed { ranks, .. } => {
                let rank = ranks.get(pc as usize / 64)?;
                let bit = 1 << (pc % 64);
                (rank.cells & bit != 0).then(|| rank.before + (rank.cells & (bit - 1)).count_ones())
            }
            Starts::Found(places) => places.find(pc),
        }
    }

    /// The number of the host call at `pc`, and where the run goes on after it, if there is one and code is known ahead.
    #[inline]
    pub fn host_call(&self, pc: u32) -> Option<(i32, u32)> {
        let Starts::Listed { .. } = &self.starts else { return None };
        let at = self.find(pc)? as usize;
        let is_call = self.cells[at].code == Op::HostCall as u16;
        // What an instruction works on is in the cell behind it.
        is_call.then(|| (self.cells[at + 1].x, self.pcs[at + 1]))
    }

    /// The number of cells.
    pub fn len(&self) -> usize {
        self.cells.len()
    }

    /// Whether there are no cells. There always are: the trap at the end of the code has one.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// What entering at each cell charges, from the last to the first.
    fn set_gas(&mut self, ops: &[Op], code: &impl GuestCode, cost_from: impl Fn(u32) -> u32) {
        let mut rest: u32 = 0;
        for index in (0..self.pcs.len()).rev() {
            let pc = self.pcs[index];
            if self.model == GasModel::Pipeline {
                // Going on behind a terminator enters a block, even where only the trap at the end of the code stands.
                let is_entered = code.is_block_start(pc) || index > 0 && ops[index - 1].ends_block();
                self.cells[index].gas = if is_entered { cost_from(pc) } else { 0 };
                continue;
            }
            if ends_segment(ops[index], self.model) {
                rest = 0;
            }
            rest = rest.saturating_add(1);
            self.cells[index].gas = rest;
        }
    }
}

/// Whether what follows the cell is charged separately.
pub(crate) fn ends_segment(op: Op, model: GasModel) -> bool {
    op.ends_block() || matches!(op, Op::HostCall | Op::System) && !model.charges_blocks()
}

/// All instructions with their program counters: those that start somewhere, and traps where an instruction leads to
/// without there being one, behind the last instruction or into a gap longer than an instruction can be.
fn fetch_all(code: &impl GuestCode, starts: impl Iterator<Item = u32>) -> (Vec<u32>, Vec<Inst>) {
    let (mut pcs, mut insts) = (Vec::new(), Vec::new());
    let mut landing = 0;
    for pc in starts {
        if landing < pc {
            pcs.push(landing);
            insts.push(code.fetch(landing).inst);
        }
        let Fetched { inst, next } = code.fetch(pc);
        pcs.push(pc);
        insts.push(inst);
        landing = next;
    }
    pcs.push(landing);
    insts.push(code.fetch(landing).inst);
    (pcs, insts)
}

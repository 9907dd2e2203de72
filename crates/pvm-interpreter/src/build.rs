//! Translation of code into cells.

use crate::cell::{Cell, Form, Op};
use pvm_gas::GasModel;
use pvm_ops::{Address, GuestCode, Inst, Link, LoadKind, Operand, Reg, Size, Target};

/// The index of no cell.
pub(crate) const NONE: u32 = u32::MAX;

/// Sixty-four program counters: which of them have cells, and how many cells come before.
#[derive(Clone, Copy, Debug, Default)]
struct Rank {
    cells: u64,
    before: u32,
}

/// Code, ready to be interpreted. Immutable, so that many guests can share it.
#[derive(Debug)]
pub struct Cells {
    pub(crate) cells: Vec<Cell>,
    /// The program counter of each cell.
    pub(crate) pcs: Vec<u32>,
    /// The cell of each entry of the jump table, [`NONE`] where it may not be jumped to.
    pub(crate) jump_table: Vec<u32>,
    /// The entries of the jump table that are not listed lead to one cell, the one at 0.
    pub(crate) unlisted_jump: u32,
    /// How many entries the jump table has in all.
    pub(crate) jump_count: u64,
    pub(crate) model: GasModel,
    ranks: Vec<Rank>,
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
        let pcs = with_landings(code, starts);
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
            cells: Vec::with_capacity(pcs.len()),
            pcs,
            jump_table: Vec::new(),
            unlisted_jump: NONE,
            jump_count: code.jump_count(),
            model,
            ranks,
        };
        for index in 0..cells.pcs.len() {
            let inst = code.fetch(cells.pcs[index]).inst;
            let cell = cells.cell(&inst, zero);
            cells.cells.push(cell);
        }
        cells.set_gas(code, cost_from);
        let block = |pc| cells.find(pc).filter(|_| code.is_block_start(pc)).unwrap_or(NONE);
        let unlisted_jump = block(0);
        let jump_table = code.jump_table().iter().map(|&pc| block(pc)).collect();
        (cells.unlisted_jump, cells.jump_table) = (unlisted_jump, jump_table);
        cells
    }

    /// The cell at `pc`, if an instruction starts there.
    pub(crate) fn find(&self, pc: u32) -> Option<u32> {
        let rank = self.ranks.get(pc as usize / 64)?;
        let bit = 1 << (pc % 64);
        (rank.cells & bit != 0).then(|| rank.before + (rank.cells & (bit - 1)).count_ones())
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
    fn set_gas(&mut self, code: &impl GuestCode, cost_from: impl Fn(u32) -> u32) {
        let mut rest: u32 = 0;
        for index in (0..self.cells.len()).rev() {
            let pc = self.pcs[index];
            if self.model == GasModel::Pipeline {
                // Going on behind a terminator enters a block, even where only the trap at the end of the code stands.
                let is_entered = code.is_block_start(pc) || index > 0 && self.cells[index - 1].op.ends_block();
                self.cells[index].gas = if is_entered { cost_from(pc) } else { 0 };
                continue;
            }
            if ends_segment(self.cells[index].op, self.model) {
                rest = 0;
            }
            rest = rest.saturating_add(1);
            self.cells[index].gas = rest;
        }
    }

    fn cell(&self, inst: &Inst, zero: Reg) -> Cell {
        match *inst {
            Inst::Trap => Cell::new(Op::Trap),
            Inst::Nop => Cell::new(Op::Nop),
            Inst::Fallthrough => Cell::new(Op::Fallthrough),
            Inst::HostCall { id } => Cell { x: id, ..Cell::new(Op::HostCall) },
            Inst::Sbrk { dst, size } => Cell { dst, a: size, ..Cell::new(Op::Sbrk) },
            Inst::LoadImm { dst, value } => {
                Cell { dst, x: value as i32, y: (value >> 32) as i32, ..Cell::new(Op::LoadImm) }
            }
            Inst::Unary { op, width, dst, src } => Cell { dst, a: src, ..Cell::new(Op::unary(op, width)) },
            Inst::Binary { op, width, dst, lhs, rhs } => {
                let (form, a, b, x) = match (lhs, rhs) {
                    (Operand::Reg(a), Operand::Reg(b)) => (Form::RegReg, a, b, 0),
                    (Operand::Reg(a), Operand::Imm(x)) => (Form::RegImm, a, zero, x),
                    (Operand::Imm(x), Operand::Reg(b)) => (Form::ImmReg, zero, b, x),
                    (Operand::Imm(a), Operand::Imm(b)) => {
                        // No instruction set has this; if one did, it would be a constant.
                        let value = op.eval(width, a as u64, b as u64);
                        return self.cell(&Inst::LoadImm { dst, value }, zero);
                    }
                };
                Cell { dst, a, b, x, ..Cell::new(Op::binary(op, width, form)) }
            }
            Inst::CondMove { if_zero, dst, value, test } => {
                let op = match (if_zero, value) {
                    (true, Operand::Reg(_)) => Op::MoveIfZero,
                    (false, Operand::Reg(_)) => Op::MoveIfNotZero,
                    (true, Operand::Imm(_)) => Op::MoveImmIfZero,
                    (false, Operand::Imm(_)) => Op::MoveImmIfNotZero,
                };
                let (a, x) = split(value, zero);
                Cell { dst, a, b: test, x, ..Cell::new(op) }
            }
            Inst::Load { kind, dst, address } => {
                let Address { base, offset } = address;
                Cell { dst, a: base.unwrap_or(zero), x: offset, ..Cell::new(load(kind)) }
            }
            Inst::Store { size, value, address } => {
                let Address { base, offset } = address;
                let (b, y) = split(value, zero);
                Cell { a: base.unwrap_or(zero), b, x: offset, y, ..Cell::new(store(size, value)) }
            }
            Inst::Jump { link, target } => self.jump(link, target),
            Inst::JumpIndirect { link, base, offset } => match link {
                None => Cell { a: base, x: offset, ..Cell::new(Op::JumpIndirect) },
                Some(Link { dst, value }) => {
                    Cell { dst, a: base, x: offset, y: value, ..Cell::new(Op::JumpIndirectLink) }
                }
            },
            Inst::Branch { cond, lhs, rhs, target } => {
                let form = if rhs.reg().is_some() { Form::RegReg } else { Form::RegImm };
                let (b, x) = split(rhs, zero);
                Cell { a: lhs, b, x, y: self.target(target), ..Cell::new(Op::branch(cond, form)) }
            }
        }
    }

    fn jump(&self, link: Option<Link>, target: Target) -> Cell {
        let y = self.target(target);
        match link {
            None => Cell { y, ..Cell::new(Op::Jump) },
            Some(Link { dst, value }) => Cell { dst, x: value, y, ..Cell::new(Op::JumpLink) },
        }
    }

    fn target(&self, target: Target) -> i32 {
        match target {
            Target::Block(pc) => self.find(pc).unwrap_or(NONE) as i32,
            Target::Invalid => NONE as i32,
        }
    }
}

/// Whether what follows the cell is charged separately.
pub(crate) fn ends_segment(op: Op, model: GasModel) -> bool {
    op.ends_block() || op == Op::HostCall && !model.charges_blocks()
}

/// The starts of instructions, and where an instruction leads to without there being one: behind the last instruction,
/// or into a gap longer than an instruction can be. Those places hold traps.
fn with_landings(code: &impl GuestCode, starts: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut pcs = Vec::new();
    let mut landing = 0;
    for pc in starts {
        if landing < pc {
            pcs.push(landing);
        }
        pcs.push(pc);
        landing = code.fetch(pc).next;
    }
    pcs.push(landing);
    pcs
}

fn split(operand: Operand, zero: Reg) -> (Reg, i32) {
    match operand {
        Operand::Reg(reg) => (reg, 0),
        Operand::Imm(imm) => (zero, imm),
    }
}

fn load(kind: LoadKind) -> Op {
    match (kind.size, kind.signed) {
        (Size::B1, false) => Op::LoadU8,
        (Size::B1, true) => Op::LoadI8,
        (Size::B2, false) => Op::LoadU16,
        (Size::B2, true) => Op::LoadI16,
        (Size::B4, false) => Op::LoadU32,
        (Size::B4, true) => Op::LoadI32,
        (Size::B8, _) => Op::LoadU64,
    }
}

fn store(size: Size, value: Operand) -> Op {
    match (size, value) {
        (Size::B1, Operand::Reg(_)) => Op::StoreU8,
        (Size::B2, Operand::Reg(_)) => Op::StoreU16,
        (Size::B4, Operand::Reg(_)) => Op::StoreU32,
        (Size::B8, Operand::Reg(_)) => Op::StoreU64,
        (Size::B1, Operand::Imm(_)) => Op::StoreImmU8,
        (Size::B2, Operand::Imm(_)) => Op::StoreImmU16,
        (Size::B4, Operand::Imm(_)) => Op::StoreImmU32,
        (Size::B8, Operand::Imm(_)) => Op::StoreImmU64,
    }
}

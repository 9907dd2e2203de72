//! Translation of code into cells.

use crate::cell::{Cell, Decoded, Form, Op};
use crate::machine::WINDOW;
use crate::pairs::for_each_code;
use pvm_gas::GasModel;
use pvm_ops::{Address, Fetched, GuestCode, Inst, Link, LoadKind, Operand, Reg, Size, Target};

/// The index of no cell.
pub(crate) const NONE: u32 = u32::MAX;

/// How many entries a jump table can have that addresses lead to: an entry for each even address but 0.
pub(crate) const MOST_ENTRIES: u32 = (1 << 31) - 1;

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
            unlisted_jump: NONE,
            jump_count: code.jump_count(),
            model,
            ranks,
        };
        let mut ops = Vec::with_capacity(cells.pcs.len());
        for (index, inst) in insts.iter().enumerate() {
            let Decoded { op, operands } = cells.decode(inst, zero);
            ops.push(op);
            cells.cells[index + 1] = operands;
        }
        cells.set_gas(&ops, code, cost_from);
        for_each_code(&ops, |index, code| cells.cells[index].code = code);
        let block = |pc| cells.find(pc).filter(|_| code.is_block_start(pc)).unwrap_or(NONE);
        let unlisted_jump = block(0);
        let jump_table = code.jump_table().iter().take(MOST_ENTRIES as usize).map(|&pc| block(pc)).collect();
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
        self.pcs.len()
    }

    /// Whether there are no cells. There always are: the trap at the end of the code has one.
    pub fn is_empty(&self) -> bool {
        self.pcs.is_empty()
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

    fn decode(&self, inst: &Inst, zero: Reg) -> Decoded {
        match *inst {
            Inst::Trap => Decoded { op: Op::Trap, operands: Cell::TRAP },
            Inst::Nop => Decoded { op: Op::Nop, operands: Cell::TRAP },
            Inst::Fallthrough => Decoded { op: Op::Fallthrough, operands: Cell::TRAP },
            Inst::HostCall { id } => Decoded { op: Op::HostCall, operands: Cell { x: id, ..Cell::TRAP } },
            Inst::Sbrk { dst, size } => Decoded { op: Op::Sbrk, operands: Cell { dst, a: size, ..Cell::TRAP } },
            Inst::LoadImm { dst, value } => Decoded {
                op: Op::LoadImm,
                operands: Cell { dst, x: value as i32, y: (value >> 32) as i32, ..Cell::TRAP },
            },
            Inst::Unary { op, width, dst, src } => {
                Decoded { op: Op::unary(op, width), operands: Cell { dst, a: src, ..Cell::TRAP } }
            }
            Inst::Binary { op, width, dst, lhs, rhs } => {
                let (form, a, b, x) = match (lhs, rhs) {
                    (Operand::Reg(a), Operand::Reg(b)) => (Form::RegReg, a, b, 0),
                    (Operand::Reg(a), Operand::Imm(x)) => (Form::RegImm, a, zero, x),
                    (Operand::Imm(x), Operand::Reg(b)) => (Form::ImmReg, zero, b, x),
                    (Operand::Imm(a), Operand::Imm(b)) => {
                        // No instruction set has this; if one did, it would be a constant.
                        let value = op.eval(width, a as u64, b as u64);
                        return self.decode(&Inst::LoadImm { dst, value }, zero);
                    }
                };
                Decoded { op: Op::binary(op, width, form), operands: Cell { dst, a, b, x, ..Cell::TRAP } }
            }
            Inst::CondMove { if_zero, dst, value, test } => {
                let op = match (if_zero, value) {
                    (true, Operand::Reg(_)) => Op::MoveIfZero,
                    (false, Operand::Reg(_)) => Op::MoveIfNotZero,
                    (true, Operand::Imm(_)) => Op::MoveImmIfZero,
                    (false, Operand::Imm(_)) => Op::MoveImmIfNotZero,
                };
                let (a, x) = split(value, zero);
                Decoded { op, operands: Cell { dst, a, b: test, x, ..Cell::TRAP } }
            }
            Inst::Load { kind, dst, address } => {
                let Address { base, offset } = address;
                Decoded { op: load(kind), operands: Cell { dst, a: base.unwrap_or(zero), x: offset, ..Cell::TRAP } }
            }
            Inst::Store { size, value, address } => {
                let Address { base, offset } = address;
                let (b, y) = split(value, zero);
                Decoded {
                    op: store(size, value),
                    operands: Cell { a: base.unwrap_or(zero), b, x: offset, y, ..Cell::TRAP },
                }
            }
            Inst::Jump { link, target } => self.jump(link, target),
            Inst::JumpIndirect { link, base, offset } => match link {
                None => Decoded { op: Op::JumpIndirect, operands: Cell { a: base, x: offset, ..Cell::TRAP } },
                Some(Link { dst, value }) => Decoded {
                    op: Op::JumpIndirectLink,
                    operands: Cell { dst, a: base, x: offset, y: value, ..Cell::TRAP },
                },
            },
            Inst::Branch { cond, lhs, rhs, target } => {
                let form = if rhs.reg().is_some() { Form::RegReg } else { Form::RegImm };
                let (b, x) = split(rhs, zero);
                Decoded {
                    op: Op::branch(cond, form),
                    operands: Cell { a: lhs, b, x, y: self.target(target), ..Cell::TRAP },
                }
            }
        }
    }

    fn jump(&self, link: Option<Link>, target: Target) -> Decoded {
        let y = self.target(target);
        match link {
            None => Decoded { op: Op::Jump, operands: Cell { y, ..Cell::TRAP } },
            Some(Link { dst, value }) => {
                Decoded { op: Op::JumpLink, operands: Cell { dst, x: value, y, ..Cell::TRAP } }
            }
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
fn ends_segment(op: Op, model: GasModel) -> bool {
    op.ends_block() || op == Op::HostCall && !model.charges_blocks()
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

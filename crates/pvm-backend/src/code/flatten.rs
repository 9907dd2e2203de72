//! From blocks to a list of instructions.
//!
//! A jump to the block that comes next is left out, and a branch is turned around if that lets it fall through. Where a
//! jump leads, the instruction before must end a basic block (Gray Paper A.3), so `fallthrough` stands in for a jump that
//! was left out if nothing else does.

use super::{Body, End, Item, List, Op, Patch};
use crate::abi::{LINK, STACK};
use pvm_isa::{Instruction, Meaning, Opcode, Operands};
use pvm_ops::{Cond, Operand, Reg};

/// Makes a list of a function. The labels of the list are the indices of blocks; one more is that of a trap that
/// conditional traps lead to.
pub fn flatten(body: &Body, order: &[usize]) -> List {
    let trap = body.len();
    let mut flattener = Flattener {
        list: List { items: Vec::new(), labels: vec![usize::MAX; trap + 1] },
        named: vec![false; trap],
        block_start: 0,
        trap,
    };
    for (place, &index) in order.iter().enumerate() {
        let next = order.get(place + 1).copied();
        flattener.note_targets(&body[index].end, next);
    }
    let mut trap_placed = false;
    for (place, &index) in order.iter().enumerate() {
        let block = &body[index];
        if flattener.named[index] {
            flattener.begin_block();
        }
        flattener.block_start = flattener.list.items.len();
        flattener.list.labels[index] = flattener.block_start;
        for op in &block.ops {
            flattener.op(op);
        }
        let next = order.get(place + 1).copied();
        if block.end == End::Trap && block.ops.is_empty() && !trap_placed && flattener.ends_block() {
            flattener.list.labels[trap] = flattener.list.items.len();
            trap_placed = true;
        }
        flattener.end(&block.end, next);
    }
    if !trap_placed {
        flattener.list.labels[trap] = flattener.list.items.len();
        if flattener.list.items.iter().any(|item| item.patch == Patch::Target(trap)) {
            flattener.plain(Opcode::Trap, Operands::None);
        }
    }
    flattener.list
}

struct Flattener {
    list: List,
    /// Blocks that jumps lead to.
    named: Vec<bool>,
    /// The first instruction of the block that is being written.
    block_start: usize,
    /// The label of the trap.
    trap: usize,
}

impl Flattener {
    /// Notes where the end of a block jumps to, other than by going on at `next`.
    fn note_targets(&mut self, end: &End, next: Option<usize>) {
        match end {
            End::Jump(target) => self.named[*target] |= Some(*target) != next,
            End::Branch(.., then, otherwise) if then == otherwise => self.named[*then] |= Some(*then) != next,
            End::Branch(.., then, otherwise) => {
                self.named[*then] |= Some(*then) != next;
                self.named[*otherwise] |= Some(*otherwise) != next;
            }
            End::Table(_, entries) => entries.iter().for_each(|&entry| self.named[entry] = true),
            End::Return(_) | End::Trap => {}
        }
    }

    /// Whether the instruction before ends a basic block.
    fn ends_block(&self) -> bool {
        self.list.items.last().is_none_or(|item| item.instruction.opcode.spec().meaning.ends_block())
    }

    fn begin_block(&mut self) {
        if !self.ends_block() {
            self.plain(Opcode::Fallthrough, Operands::None);
        }
    }

    fn plain(&mut self, opcode: Opcode, operands: Operands) {
        self.list.items.push(Item::plain(Instruction { opcode, operands }));
    }

    fn patched(&mut self, opcode: Opcode, operands: Operands, patch: Patch) {
        debug_assert!(opcode.spec().meaning != Meaning::Trap);
        self.list.items.push(Item { instruction: Instruction { opcode, operands }, patch });
    }

    fn op(&mut self, op: &Op) {
        match *op {
            Op::Inst(instruction) => self.list.items.push(Item::plain(instruction)),
            Op::Call(function, _) => {
                let operands = Operands::RegImmOffset { a: LINK, x: 0, target: 0 };
                self.patched(Opcode::LoadImmJump, operands, Patch::Call(function));
            }
            Op::CallPointer(pointer, _) => {
                let operands = Operands::RegRegImmImm { a: LINK, b: pointer, x: 0, y: 0 };
                self.patched(Opcode::LoadImmJumpInd, operands, Patch::CallPointer);
            }
            Op::Spill(a, x) => self.plain(Opcode::StoreIndU64, Operands::RegRegImm { a, b: STACK, x }),
            Op::Reload(a, x) => self.plain(Opcode::LoadIndU64, Operands::RegRegImm { a, b: STACK, x }),
            Op::HostCall(id, _) => self.plain(Opcode::Ecalli, Operands::Imm { x: id as i32 }),
            Op::CodePointer(dst, function) => {
                self.patched(Opcode::LoadImm, Operands::RegImm { a: dst, x: 0 }, Patch::CodePointer(function));
            }
            Op::TrapIf(cond, lhs, rhs) => self.branch(cond, lhs, rhs, self.trap),
        }
    }

    fn end(&mut self, end: &End, next: Option<usize>) {
        match *end {
            End::Jump(target) => self.jump(target, next),
            End::Branch(_, _, _, then, otherwise) if then == otherwise => self.jump(then, next),
            End::Branch(cond, lhs, rhs, then, otherwise) => {
                if Some(then) == next {
                    self.branch(cond.negated(), lhs, rhs, otherwise);
                } else {
                    self.branch(cond, lhs, rhs, then);
                    self.jump(otherwise, next);
                }
            }
            End::Table(index, ref entries) => {
                let operands = Operands::RegImm { a: index, x: 0 };
                self.patched(Opcode::JumpInd, operands, Patch::Table(entries.clone()));
            }
            End::Return(_) => self.plain(Opcode::JumpInd, Operands::RegImm { a: LINK, x: 0 }),
            End::Trap => self.plain(Opcode::Trap, Operands::None),
        }
    }

    fn jump(&mut self, target: usize, next: Option<usize>) {
        if Some(target) == next {
            return;
        }
        // A constant before the jump can be part of it.
        let in_block = self.list.items.len() > self.block_start;
        let last = self.list.items.last_mut().filter(|item| in_block && item.patch == Patch::None);
        if let Some(Item { instruction, patch }) = last
            && let Instruction { opcode: Opcode::LoadImm, operands: Operands::RegImm { a, x } } = *instruction
        {
            let operands = Operands::RegImmOffset { a, x, target: 0 };
            *instruction = Instruction { opcode: Opcode::LoadImmJump, operands };
            *patch = Patch::Target(target);
            return;
        }
        self.list.items.push(Item::jump(target));
    }

    fn branch(&mut self, cond: Cond, lhs: Reg, rhs: Operand, target: usize) {
        let (opcode, operands) = branch(cond, lhs, rhs);
        self.patched(opcode, operands, Patch::Target(target));
    }
}

/// The instruction for a branch. Of those on two registers there are half as many, the others have operands swapped.
fn branch(cond: Cond, lhs: Reg, rhs: Operand) -> (Opcode, Operands) {
    let rhs = match rhs {
        Operand::Imm(x) => {
            let opcode = match cond {
                Cond::Eq => Opcode::BranchEqImm,
                Cond::Ne => Opcode::BranchNeImm,
                Cond::LtU => Opcode::BranchLtUImm,
                Cond::LeU => Opcode::BranchLeUImm,
                Cond::GeU => Opcode::BranchGeUImm,
                Cond::GtU => Opcode::BranchGtUImm,
                Cond::LtS => Opcode::BranchLtSImm,
                Cond::LeS => Opcode::BranchLeSImm,
                Cond::GeS => Opcode::BranchGeSImm,
                Cond::GtS => Opcode::BranchGtSImm,
            };
            return (opcode, Operands::RegImmOffset { a: lhs, x, target: 0 });
        }
        Operand::Reg(rhs) => rhs,
    };
    let (opcode, a, b) = match cond {
        Cond::Eq => (Opcode::BranchEq, lhs, rhs),
        Cond::Ne => (Opcode::BranchNe, lhs, rhs),
        Cond::LtU => (Opcode::BranchLtU, lhs, rhs),
        Cond::GeU => (Opcode::BranchGeU, lhs, rhs),
        Cond::LtS => (Opcode::BranchLtS, lhs, rhs),
        Cond::GeS => (Opcode::BranchGeS, lhs, rhs),
        Cond::GtU => (Opcode::BranchLtU, rhs, lhs),
        Cond::LeU => (Opcode::BranchGeU, rhs, lhs),
        Cond::GtS => (Opcode::BranchLtS, rhs, lhs),
        Cond::LeS => (Opcode::BranchGeS, rhs, lhs),
    };
    (opcode, Operands::RegRegOffset { a, b, target: 0 })
}

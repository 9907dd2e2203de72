//! From virtual registers and their allocation to instructions.

use super::effects::Set;
use super::{Block, Body, End, Op};
use crate::abi::{self, STACK};
use crate::frame::Frame;
use crate::vcode::{self, VCode, VInst};
use pvm_isa::{Format, Instruction, Opcode, Operands};
use pvm_ops::{Cond, Operand, Reg};
use regalloc2::{Allocation, Edit, Function, InstOrEdit, OperandConstraint, OperandKind, Output};

/// Emits the code of a function. A stack pointer below `stack_limit` is one that the prologue traps at.
pub fn emit(code: &VCode, output: &Output, frame: &Frame, stack_limit: i32) -> Body {
    let mut emitter = Emitter { code, output, frame, blocks: Vec::new(), ops: Vec::new(), current: 0 };
    let template = |block: &vcode::VBlock| {
        let &vcode::VBlock { depth, cold, place, .. } = block;
        Block { ops: vec![], end: End::Trap, depth, cold, place }
    };
    emitter.blocks = code.blocks.iter().map(template).collect();
    emitter.prologue(stack_limit);
    for index in 0..code.blocks.len() {
        emitter.block(index);
    }
    emitter.blocks
}

struct Emitter<'a> {
    code: &'a VCode,
    output: &'a Output,
    frame: &'a Frame,
    blocks: Vec<Block>,
    /// Operations of the block that is being written.
    ops: Vec<Op>,
    /// That block.
    current: usize,
}

impl Emitter<'_> {
    fn block(&mut self, index: usize) {
        self.current = index;
        let block = regalloc2::Block::new(index);
        let (code, output) = (self.code, self.output);
        for part in output.block_insts_and_edits(code, block) {
            match part {
                InstOrEdit::Edit(Edit::Move { from, to }) => self.moving(*from, *to),
                InstOrEdit::Inst(number) => {
                    let inst = code.inst(number);
                    let allocs = output.inst_allocs(number);
                    if code.is_branch(number) || code.is_ret(number) {
                        let end = self.end(index, inst, allocs);
                        let ops = std::mem::take(&mut self.ops);
                        self.blocks[self.current].ops = ops;
                        self.blocks[self.current].end = end;
                    } else {
                        self.inst(inst, allocs);
                    }
                }
            }
        }
    }

    fn push(&mut self, opcode: Opcode, operands: Operands) {
        self.ops.push(Op::Inst(Instruction { opcode, operands }));
    }

    /// An instruction whose base register is the stack pointer.
    fn at_stack(&mut self, opcode: Opcode, a: Reg, x: i32) {
        self.push(opcode, Operands::RegRegImm { a, b: STACK, x });
    }

    fn prologue(&mut self, stack_limit: i32) {
        if self.frame.moved != 0 {
            self.at_stack(Opcode::AddImm64, STACK, -self.frame.moved);
            self.ops.push(Op::TrapIf(Cond::LtU, STACK, Operand::Imm(stack_limit)));
        }
        for &(reg, offset) in &self.frame.kept {
            self.ops.push(Op::Spill(reg, offset));
        }
    }

    fn epilogue(&mut self) {
        for &(reg, offset) in &self.frame.kept {
            self.ops.push(Op::Reload(reg, offset));
        }
        if self.frame.moved != 0 {
            self.at_stack(Opcode::AddImm64, STACK, self.frame.moved);
        }
    }

    fn moving(&mut self, from: Allocation, to: Allocation) {
        match (from.as_reg(), to.as_reg(), from.as_stack(), to.as_stack()) {
            (Some(from), Some(to), ..) if from != to => {
                self.push(Opcode::MoveReg, Operands::RegReg { d: abi::reg(to), a: abi::reg(from) });
            }
            (Some(from), _, _, Some(slot)) => {
                self.ops.push(Op::Spill(abi::reg(from), self.frame.spill(slot.index())));
            }
            (_, Some(to), Some(slot), _) => {
                self.ops.push(Op::Reload(abi::reg(to), self.frame.spill(slot.index())));
            }
            _ => {}
        }
    }

    fn inst(&mut self, inst: &VInst, allocs: &[Allocation]) {
        let reg = |index: usize| allocated(allocs[index]);
        match inst.op {
            vcode::Op::Plain(opcode, x, y) => self.plain(opcode, allocs, x, y),
            vcode::Op::Frame(opcode, place, x, y) => {
                let x = x.wrapping_add(self.frame.place(place));
                match opcode.spec().format {
                    Format::RegImmImm => self.push(opcode, Operands::RegImmImm { a: STACK, x, y }),
                    _ => self.at_stack(opcode, reg(0), x),
                }
            }
            vcode::Op::LoadImm(value) => match i32::try_from(value as i64) {
                Ok(x) => self.push(Opcode::LoadImm, Operands::RegImm { a: reg(0), x }),
                Err(_) => self.push(Opcode::LoadImm64, Operands::RegImm64 { a: reg(0), x: value }),
            },
            vcode::Op::CodePointer(function) => self.ops.push(Op::CodePointer(reg(0), function)),
            vcode::Op::TrapIf(cond, imm) => {
                let rhs = imm.map_or_else(|| Operand::Reg(reg(1)), Operand::Imm);
                self.ops.push(Op::TrapIf(cond, reg(0), rhs));
            }
            vcode::Op::TrapIfQuotientOverflows => self.quotient_check(reg(0), reg(1), reg(2)),
            vcode::Op::Call(vcode::Callee::Function(function)) => {
                self.ops.push(Op::Call(function, fixed_uses(&inst.operands)));
            }
            vcode::Op::Call(vcode::Callee::Pointer) => {
                self.ops.push(Op::CallPointer(reg(0), fixed_uses(&inst.operands[1..])));
            }
            vcode::Op::HostCall(id) => self.ops.push(Op::HostCall(id, fixed_uses(&inst.operands))),
            vcode::Op::Arguments => {}
            vcode::Op::Jump | vcode::Op::Branch(..) | vcode::Op::Table(_) | vcode::Op::Return | vcode::Op::Trap => {}
        }
    }

    /// A divisor of -1 is rare; what is to be done about it stands elsewhere.
    fn quotient_check(&mut self, least: Reg, a: Reg, divisor: Reg) {
        let Block { depth, cold, place, .. } = self.blocks[self.current];
        let (check, rest) = (self.blocks.len(), self.blocks.len() + 1);
        let constant = Operands::RegImm64 { a: least, x: i64::MIN as u64 };
        let ops = vec![
            Op::Inst(Instruction { opcode: Opcode::LoadImm64, operands: constant }),
            Op::TrapIf(Cond::Eq, a, Operand::Reg(least)),
        ];
        self.blocks.push(Block { ops, end: End::Jump(rest), depth, cold: true, place });
        self.blocks.push(Block { ops: vec![], end: End::Trap, depth, cold, place });
        self.blocks[self.current].ops = std::mem::take(&mut self.ops);
        self.blocks[self.current].end = End::Branch(Cond::Eq, divisor, Operand::Imm(-1), check, rest);
        self.current = rest;
    }

    fn plain(&mut self, opcode: Opcode, allocs: &[Allocation], x: i32, y: i32) {
        let reg = |index: usize| allocated(allocs[index]);
        let operands = match opcode.spec().format {
            Format::None => Operands::None,
            Format::Imm => Operands::Imm { x },
            Format::ImmImm => Operands::ImmImm { x, y },
            Format::RegImm => Operands::RegImm { a: reg(0), x },
            Format::RegImmImm => Operands::RegImmImm { a: reg(0), x, y },
            Format::RegReg => Operands::RegReg { d: reg(0), a: reg(1) },
            Format::RegRegImm => Operands::RegRegImm { a: reg(0), b: reg(1), x },
            Format::RegRegReg => Operands::RegRegReg { d: reg(0), a: reg(1), b: reg(2) },
            // These are operations of their own.
            Format::RegImm64 | Format::Offset | Format::RegImmOffset | Format::RegRegOffset | Format::RegRegImmImm => {
                return;
            }
        };
        self.push(opcode, operands);
    }

    fn end(&mut self, index: usize, inst: &VInst, allocs: &[Allocation]) -> End {
        let reg = |index: usize| allocated(allocs[index]);
        let succs = &self.code.blocks[index].succs;
        let succ = |place: usize| succs[place].index();
        match inst.op {
            vcode::Op::Jump => End::Jump(succ(0)),
            vcode::Op::Branch(cond, imm) => {
                let rhs = imm.map_or_else(|| Operand::Reg(reg(1)), Operand::Imm);
                End::Branch(cond, reg(0), rhs, succ(0), succ(1))
            }
            vcode::Op::Table(table) => {
                End::Table(reg(0), self.code.tables[table].iter().map(|&place| succ(place)).collect())
            }
            vcode::Op::Return => {
                self.epilogue();
                let kept = abi::KEPT.iter().fold(abi::bit(STACK), |set, &reg| set | abi::bit(reg));
                End::Return(fixed_uses(&inst.operands) | kept)
            }
            _ => End::Trap,
        }
    }
}

/// The register of an operand. All operands are constrained to registers.
fn allocated(allocation: Allocation) -> Reg {
    abi::reg(allocation.as_reg().expect("the allocator keeps to the constraints"))
}

/// The registers in which a call or return wants its operands.
fn fixed_uses(operands: &[regalloc2::Operand]) -> Set {
    let uses = operands.iter().filter(|operand| operand.kind() == OperandKind::Use);
    uses.fold(0, |set, operand| match operand.constraint() {
        OperandConstraint::FixedReg(preg) => set | abi::bit(abi::reg(preg)),
        _ => set,
    })
}

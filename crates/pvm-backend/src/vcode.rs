//! Machine code before register allocation: PVM instructions over virtual registers, in blocks with parameters.

use crate::abi;
use cranelift_codegen::ir::StackSlot;
use pvm_isa::Opcode;
use pvm_ops::{Cond, Reg};
use regalloc2::{Block, Inst, InstRange, Operand, PRegSet, RegClass, VReg};

/// An operation. Its registers are its operands: those of the instruction in the order of its
/// [format](pvm_isa::Operands), the written one first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// An instruction of the machine with its immediates. A conditional move has the value that its destination keeps as
    /// one more operand, at the end.
    Plain(Opcode, i32, i32),
    /// An instruction whose base register is the stack pointer; the first immediate counts from a place in the frame.
    Frame(Opcode, Place, i32, i32),
    /// A constant into a register.
    LoadImm(u64),
    /// The code pointer of a function into a register.
    CodePointer(u32),
    /// A trap, if the comparison of the operand with the other operand or the immediate holds.
    TrapIf(Cond, Option<i32>),
    /// A trap if the second operand is the least number of 64 bits and the third is -1; the first is written on the way.
    TrapIfQuotientOverflows,
    /// The beginning: defines parameters and the return address where the convention has them.
    Arguments,
    /// A call.
    Call(Callee),
    /// A call of the host.
    HostCall(u32),
    /// To the only successor.
    Jump,
    /// To the first successor if the comparison of the operand with the other operand or the immediate holds, else to the
    /// second one.
    Branch(Cond, Option<i32>),
    /// To one of the successors: the operand is twice the index into this table.
    Table(usize),
    /// Back to the caller.
    Return,
    /// The end of the program.
    Trap,
}

/// What a call calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Callee {
    /// A function by its number.
    Function(u32),
    /// A code pointer: the first operand.
    Pointer,
}

/// A place in the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// A stack slot of the function.
    Slot(StackSlot),
    /// Where the caller puts arguments and expects results.
    Incoming,
    /// Where arguments are put for functions that are called, and their results are found.
    Outgoing,
}

/// An operation with its operands.
#[derive(Clone, Debug)]
pub struct VInst {
    /// What it does.
    pub op: Op,
    /// Its registers.
    pub operands: Vec<Operand>,
}

/// A block.
#[derive(Clone, Debug, Default)]
pub struct VBlock {
    /// Parameters.
    pub params: Vec<VReg>,
    /// Instructions, the last of which leaves the block.
    pub insts: Vec<VInst>,
    /// Successors, each once or with different arguments.
    pub succs: Vec<Block>,
    /// Arguments for the parameters of each successor.
    pub args: Vec<Vec<VReg>>,
    /// How deep in loops it is.
    pub depth: u32,
    /// Whether it is rarely reached.
    pub cold: bool,
    /// Where it stands in the source, among the other blocks.
    pub place: u32,
}

/// A function as the register allocator wants to see it.
#[derive(Debug, Default)]
pub struct VCode {
    /// Blocks, the entry first.
    pub blocks: Vec<VBlock>,
    /// Tables of [`Op::Table`]: indices into the successors of the block.
    pub tables: Vec<Vec<usize>>,
    /// The number of virtual registers.
    pub vregs: usize,
    /// How many eight-byte places the outgoing area needs.
    pub outgoing: u32,
    /// Whether it calls functions.
    pub calls: bool,
    preds: Vec<Vec<Block>>,
    insts: Vec<(usize, usize)>,
    ranges: Vec<(usize, usize)>,
}

impl VCode {
    /// A new virtual register.
    pub fn vreg(&mut self) -> VReg {
        self.vregs += 1;
        VReg::new(self.vregs - 1, RegClass::Int)
    }

    /// Numbers the instructions, when all of them are there.
    pub fn finish(&mut self) {
        self.preds = vec![Vec::new(); self.blocks.len()];
        for (index, block) in self.blocks.iter().enumerate() {
            let first = self.insts.len();
            self.insts.extend((0..block.insts.len()).map(|inst| (index, inst)));
            self.ranges.push((first, self.insts.len()));
            for succ in &block.succs {
                self.preds[succ.index()].push(Block::new(index));
            }
        }
    }

    /// The operation of this number.
    pub fn inst(&self, inst: Inst) -> &VInst {
        let (block, index) = self.insts[inst.index()];
        &self.blocks[block].insts[index]
    }
}

impl regalloc2::Function for VCode {
    fn num_insts(&self) -> usize {
        self.insts.len()
    }

    fn num_blocks(&self) -> usize {
        self.blocks.len()
    }

    fn entry_block(&self) -> Block {
        Block::new(0)
    }

    fn block_insns(&self, block: Block) -> InstRange {
        let (first, end) = self.ranges[block.index()];
        InstRange::new(Inst::new(first), Inst::new(end))
    }

    fn block_succs(&self, block: Block) -> &[Block] {
        &self.blocks[block.index()].succs
    }

    fn block_preds(&self, block: Block) -> &[Block] {
        &self.preds[block.index()]
    }

    fn block_params(&self, block: Block) -> &[VReg] {
        &self.blocks[block.index()].params
    }

    fn is_ret(&self, inst: Inst) -> bool {
        matches!(self.inst(inst).op, Op::Return | Op::Trap)
    }

    fn is_branch(&self, inst: Inst) -> bool {
        matches!(self.inst(inst).op, Op::Jump | Op::Branch(..) | Op::Table(_))
    }

    fn branch_blockparams(&self, block: Block, _: Inst, succ: usize) -> &[VReg] {
        &self.blocks[block.index()].args[succ]
    }

    fn inst_operands(&self, inst: Inst) -> &[Operand] {
        &self.inst(inst).operands
    }

    fn inst_clobbers(&self, inst: Inst) -> PRegSet {
        let inst = self.inst(inst);
        let lost = match inst.op {
            Op::Call(_) => abi::LOST,
            Op::HostCall(_) => abi::HOST_RESULTS.iter().fold(0, |set, &reg| set | abi::bit(reg)),
            _ => return PRegSet::empty(),
        };
        let mut set = abi::preg_set(lost);
        for operand in inst.operands.iter().filter(|operand| operand.kind() == regalloc2::OperandKind::Def) {
            if let regalloc2::OperandConstraint::FixedReg(preg) = operand.constraint() {
                set.remove(preg);
            }
        }
        set
    }

    fn num_vregs(&self) -> usize {
        self.vregs
    }

    fn spillslot_size(&self, _: RegClass) -> usize {
        1
    }
}

/// A use of a value in any register.
pub fn using(vreg: VReg) -> Operand {
    Operand::reg_use(vreg)
}

/// A definition in any register.
pub fn defining(vreg: VReg) -> Operand {
    Operand::reg_def(vreg)
}

/// A use in a certain register.
pub fn using_in(vreg: VReg, reg: Reg) -> Operand {
    Operand::reg_fixed_use(vreg, abi::preg(reg))
}

/// A definition in a certain register.
pub fn defining_in(vreg: VReg, reg: Reg) -> Operand {
    Operand::reg_fixed_def(vreg, abi::preg(reg))
}

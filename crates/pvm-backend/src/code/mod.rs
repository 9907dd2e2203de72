//! Machine code after register allocation: instructions in blocks, made into a list of instructions in their order.
//!
//! | module | what it does |
//! |---|---|
//! | [`emit`] | from virtual registers and their allocation to instructions |
//! | [`layout`] | the order of blocks |
//! | [`flatten`](mod@flatten) | from blocks to a list, with branches that fall through where they can |

pub mod emit;
pub mod flatten;
pub mod layout;

use pvm_isa::{Instruction, Opcode, Operands};
use pvm_ops::{Cond, Operand, Reg};

/// A block.
#[derive(Clone, Debug)]
pub struct Block {
    /// What it does.
    pub ops: Vec<Op>,
    /// How it is left.
    pub end: End,
    /// How deep in loops it is.
    pub depth: u32,
    /// Whether it is rarely reached.
    pub cold: bool,
    /// Where it stands in the source, among the other blocks.
    pub place: u32,
}

/// An operation within a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// An instruction that goes on at the next one.
    Inst(Instruction),
    /// A call of the function of this number.
    Call(u32),
    /// A call of the function whose code pointer the register holds.
    CallPointer(Reg),
    /// The code pointer of a function into a register.
    CodePointer(Reg, u32),
    /// A trap if a comparison holds.
    TrapIf(Cond, Reg, Operand),
}

/// How a block is left. Targets are indices of blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum End {
    /// To a block.
    Jump(usize),
    /// To the first block if a comparison holds, else to the second one.
    Branch(Cond, Reg, Operand, usize, usize),
    /// To the block in the table at half of what the register holds.
    Table(Reg, Vec<usize>),
    /// To the caller.
    Return,
    /// Nowhere.
    Trap,
}

/// A function: its blocks by their index, the entry first.
pub type Body = Vec<Block>;

/// An instruction in a list, and what is still to be filled in.
#[derive(Clone, Debug)]
pub struct Item {
    /// The instruction.
    pub instruction: Instruction,
    /// What the linker fills in.
    pub patch: Patch,
}

/// What the linker fills in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Patch {
    /// Nothing.
    None,
    /// The target of a jump or branch: a label of the function.
    Target(usize),
    /// The same, with as many bytes as there can be.
    WideTarget(usize),
    /// The target of a call, the beginning of a function; and the return address.
    Call(u32),
    /// The return address only.
    CallPointer,
    /// The code pointer of a function.
    CodePointer(u32),
    /// The address of a table with these labels, less two.
    Table(Vec<usize>),
    /// The beginning of a function as target.
    Function(u32),
}

/// A function as a list.
#[derive(Clone, Debug, Default)]
pub struct List {
    /// The instructions.
    pub items: Vec<Item>,
    /// For each label, the instruction that it stands at.
    pub labels: Vec<usize>,
}

impl Item {
    /// An instruction that is complete.
    pub fn plain(instruction: Instruction) -> Item {
        Item { instruction, patch: Patch::None }
    }

    /// A jump to a label.
    pub fn jump(label: usize) -> Item {
        let instruction = Instruction { opcode: Opcode::Jump, operands: Operands::Offset { target: 0 } };
        Item { instruction, patch: Patch::Target(label) }
    }
}

//! Machine code after register allocation: instructions in blocks, made into a list of instructions in their order.
//!
//! | module | what it does |
//! |---|---|
//! | [`emit`](mod@emit) | from virtual registers and their allocation to instructions |
//! | [`effects`] | what operations read and write, and what is alive |
//! | [`copies`] | registers and words of the frame that hold the same |
//! | [`tidy`](mod@tidy) | copies are looked through, what nobody reads goes |
//! | [`threads`] | blocks that only jump go, blocks that follow one another become one |
//! | [`rotate`](mod@rotate) | moves at the end of a loop go before its branch |
//! | [`duplicate`](mod@duplicate) | short ends instead of jumps to them |
//! | [`fold`](mod@fold) | branches on constants |
//! | [`layout`](mod@layout) | the order of blocks |
//! | [`flatten`](mod@flatten) | from blocks to a list, with branches that fall through where they can |

pub mod copies;
pub mod duplicate;
pub mod effects;
pub mod emit;
pub mod flatten;
pub mod fold;
pub mod layout;
pub mod rotate;
pub mod threads;
pub mod tidy;
pub mod wrap;

use effects::Set;

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
    /// A register into the word at an offset of the frame that only this and [`Op::Reload`] access.
    Spill(Reg, i32),
    /// Such a word back into a register.
    Reload(Reg, i32),
    /// A call of the function of this number, with arguments in these registers.
    Call(u32, Set),
    /// A call of the function whose code pointer the register holds.
    CallPointer(Reg, Set),
    /// A call of the host, with arguments in these registers.
    HostCall(u32, Set),
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
    /// To the caller, with results in these registers.
    Return(Set),
    /// Nowhere.
    Trap,
}

impl End {
    /// The blocks that it may lead to.
    pub fn targets(&self) -> impl Iterator<Item = usize> {
        let (pair, entries): (_, &[usize]) = match self {
            End::Jump(target) => ([Some(*target), None], &[]),
            End::Branch(.., then, otherwise) => ([Some(*then), Some(*otherwise)], &[]),
            End::Table(_, entries) => ([None, None], entries),
            End::Return(_) | End::Trap => ([None, None], &[]),
        };
        pair.into_iter().flatten().chain(entries.iter().copied())
    }

    /// Leads elsewhere.
    pub fn retarget(&mut self, to: impl Fn(usize) -> usize) {
        match self {
            End::Jump(target) => *target = to(*target),
            End::Branch(.., then, otherwise) => (*then, *otherwise) = (to(*then), to(*otherwise)),
            End::Table(_, entries) => entries.iter_mut().for_each(|entry| *entry = to(*entry)),
            End::Return(_) | End::Trap => {}
        }
    }
}

/// A function: its blocks by their index, the entry first.
pub type Body = Vec<Block>;

/// Makes code better that is right already. Blocks that nothing leads to are empty afterwards.
pub fn improve(body: &mut Body) {
    tidy::tidy(body);
    // Edges of their own are needed for what a way out has to restore.
    rotate::rotate(body);
    threads::thread(body);
    tidy::tidy(body);
    threads::thread(body);
    duplicate::duplicate(body);
    threads::thread(body);
    fold::fold(body);
    threads::thread(body);
    wrap::wrap(body);
}

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

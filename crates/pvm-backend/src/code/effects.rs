//! What operations read and write, and what is alive where.

use super::{Body, End, Op};
use crate::abi::{self, LINK, STACK};
use pvm_isa::{Instruction, Meaning, Operands, Profile};
use pvm_ops::{Operand, Reg, Target};

/// A set of registers, a bit each.
pub type Set = u16;

/// What an operation reads and writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// Registers that it reads.
    pub reads: Set,
    /// Registers that it writes, or may.
    pub writes: Set,
    /// Whether it does nothing else, so that it can go if nobody reads what it writes.
    pub pure: bool,
}

fn operand(operand: Operand) -> Set {
    operand.reg().map_or(0, abi::bit)
}

/// The effects of an operation.
pub fn effects(op: &Op) -> Effects {
    match *op {
        Op::Inst(instruction) => {
            let registers = instruction.lower(Profile::V0_7, |_| Target::Invalid).registers();
            // There are thirteen registers.
            let (reads, writes) = (registers.reads as Set, registers.writes as Set);
            Effects { reads, writes, pure: is_pure(&instruction) }
        }
        Op::Spill(reg, _) => Effects { reads: abi::bit(reg) | abi::bit(STACK), writes: 0, pure: false },
        Op::Reload(reg, _) => Effects { reads: abi::bit(STACK), writes: abi::bit(reg), pure: true },
        Op::Call(_, arguments) => Effects { reads: arguments | abi::bit(STACK), writes: abi::LOST, pure: false },
        Op::CallPointer(pointer, arguments) => {
            let reads = arguments | abi::bit(pointer) | abi::bit(STACK);
            Effects { reads, writes: abi::LOST, pure: false }
        }
        Op::HostCall(_, arguments) => {
            let writes = abi::HOST_RESULTS.iter().fold(0, |set, &reg| set | abi::bit(reg));
            Effects { reads: arguments, writes, pure: false }
        }
        Op::CodePointer(dst, _) => Effects { reads: 0, writes: abi::bit(dst), pure: true },
        Op::TrapIf(_, lhs, rhs) => Effects { reads: abi::bit(lhs) | operand(rhs), writes: 0, pure: false },
    }
}

/// Loads are kept because they may fault, except from the frame.
fn is_pure(instruction: &Instruction) -> bool {
    match (instruction.opcode.spec().meaning, instruction.operands) {
        (Meaning::Load(_), Operands::RegRegImm { b, .. }) => b == STACK,
        (meaning, _) => !meaning.accesses_memory() && !matches!(meaning, Meaning::HostCall | Meaning::Sbrk),
    }
}

/// The registers that the end of a block reads.
pub fn end_reads(end: &End) -> Set {
    match *end {
        End::Branch(_, lhs, rhs, ..) => abi::bit(lhs) | operand(rhs),
        End::Table(index, _) => abi::bit(index),
        End::Return(results) => results | abi::bit(LINK),
        End::Jump(_) | End::Trap => 0,
    }
}

/// What is alive before an operation, given what is alive after it.
pub fn alive_before(op: &Op, after: Set) -> Set {
    let effects = effects(op);
    after & !effects.writes | effects.reads
}

/// The registers that are alive at the beginning of each block.
pub fn liveness(body: &Body) -> Vec<Set> {
    let preds = preds(body);
    let mut alive = vec![0; body.len()];
    let mut work: Vec<usize> = (0..body.len()).collect();
    let mut waiting = vec![true; body.len()];
    while let Some(index) = work.pop() {
        waiting[index] = false;
        let block = &body[index];
        let after = alive_at_end(&block.end, &alive);
        let before = block.ops.iter().rev().fold(after, |after, op| alive_before(op, after));
        if before != alive[index] {
            alive[index] = before;
            for &pred in &preds[index] {
                if !std::mem::replace(&mut waiting[pred], true) {
                    work.push(pred);
                }
            }
        }
    }
    alive
}

/// The registers that are alive in front of the end of a block.
pub fn alive_at_end(end: &End, alive: &[Set]) -> Set {
    end.targets().fold(end_reads(end), |set, target| set | alive[target])
}

/// The predecessors of each block, one for each edge.
pub fn preds(body: &Body) -> Vec<Vec<usize>> {
    let mut preds = vec![Vec::new(); body.len()];
    for (index, block) in body.iter().enumerate() {
        for target in block.end.targets() {
            preds[target].push(index);
        }
    }
    preds
}

/// Puts other registers in place of those that an operation reads, as far as it can read any.
pub fn map_reads(op: &mut Op, map: impl Fn(Reg) -> Reg) {
    match op {
        Op::Inst(instruction) => {
            let stores = matches!(instruction.opcode.spec().meaning, Meaning::Store(_));
            match &mut instruction.operands {
                Operands::RegReg { a, .. } => *a = map(*a),
                Operands::RegRegReg { a, b, .. } => (*a, *b) = (map(*a), map(*b)),
                Operands::RegRegImm { a, b, .. } if stores => (*a, *b) = (map(*a), map(*b)),
                Operands::RegRegImm { b, .. } => *b = map(*b),
                Operands::RegImm { a, .. } if stores => *a = map(*a),
                Operands::RegImmImm { a, .. } => *a = map(*a),
                _ => {}
            }
        }
        Op::Spill(reg, _) | Op::CallPointer(reg, _) => *reg = map(*reg),
        Op::TrapIf(_, lhs, rhs) => {
            *lhs = map(*lhs);
            map_operand(rhs, &map);
        }
        Op::Reload(..) | Op::Call(..) | Op::HostCall(..) | Op::CodePointer(..) => {}
    }
}

/// The same for the end of a block.
pub fn map_end_reads(end: &mut End, map: impl Fn(Reg) -> Reg) {
    match end {
        End::Branch(_, lhs, rhs, ..) => {
            *lhs = map(*lhs);
            map_operand(rhs, &map);
        }
        End::Table(index, _) => *index = map(*index),
        End::Jump(_) | End::Return(_) | End::Trap => {}
    }
}

fn map_operand(operand: &mut Operand, map: &impl Fn(Reg) -> Reg) {
    if let Operand::Reg(reg) = operand {
        *reg = map(*reg);
    }
}

/// Lets an instruction write another register than `from`, if it writes that and does not read it at the same time.
pub fn map_write(op: &mut Op, from: Reg, to: Reg) -> bool {
    let instruction = match op {
        Op::Inst(instruction) => instruction,
        Op::CodePointer(dst, _) | Op::Reload(dst, _) => {
            *dst = to;
            return true;
        }
        _ => return false,
    };
    let meaning = instruction.opcode.spec().meaning;
    if matches!(meaning, Meaning::Store(_) | Meaning::MoveIfZero | Meaning::MoveIfNotZero) {
        return false;
    }
    let dst = match &mut instruction.operands {
        Operands::RegReg { d, .. } | Operands::RegRegReg { d, .. } => d,
        Operands::RegRegImm { a, .. } | Operands::RegImm { a, .. } | Operands::RegImm64 { a, .. } => a,
        _ => return false,
    };
    debug_assert_eq!(*dst, from);
    *dst = to;
    true
}

/// Source and destination of a move.
pub fn as_move(op: &Op) -> Option<(Reg, Reg)> {
    match op {
        Op::Inst(Instruction { opcode: pvm_isa::Opcode::MoveReg, operands: Operands::RegReg { d, a } }) => {
            Some((*a, *d))
        }
        _ => None,
    }
}

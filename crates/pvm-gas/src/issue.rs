//! What one instruction asks of the pipeline (Gray Paper 0.8, A.10; `pvm.md` 6.4).
//!
//! The cost columns say most of it; what depends on operands is settled here: the discount of a decode slot where the
//! destination is also a source, and the latency of branches, which looks at the code around the branch.

use crate::units::Units;
use pvm_isa::{Cost, Discount, Instruction, Latency, Opcode, Profile};
use pvm_ops::{Inst, Operand, Reg, Target};
use pvm_program::Code;

/// An instruction as the pipeline sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Issue {
    /// Decode slots, at most 4.
    pub decode: u8,
    /// What happens to it after decoding.
    pub work: Work,
}

/// What decoding an instruction leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Work {
    /// A copy of a register, done by renaming it.
    Rename {
        /// The register that is written.
        dst: Reg,
        /// The register that is read.
        src: Reg,
    },
    /// An entry in the reorder buffer.
    Execute {
        /// Cycles from the start to the result, at least 1.
        latency: u8,
        /// Units occupied meanwhile.
        units: Units,
        /// Set of registers that it waits for.
        reads: u32,
        /// Set of registers that others wait for.
        writes: u32,
    },
}

/// The latency of a branch that is expected to go one way, and of one that may go either way.
const FORESEEN: u8 = 1;
const UNFORESEEN: u8 = 20;

impl Issue {
    /// The trap that stands where no instruction is.
    fn trap() -> Issue {
        let cost = Opcode::Trap.spec().cost;
        let latency = if let Latency::Cycles(cycles) = cost.latency { cycles } else { 1 };
        let work = Work::Execute { latency, units: Units::of(cost.unit), reads: 0, writes: 0 };
        Issue { decode: cost.decode, work }
    }

    /// What stands at `pc`, and whether the block goes on after it.
    pub fn fetch(code: &Code, pc: u32, memory_latency: u8) -> (Issue, bool) {
        match code.instruction(pc) {
            Some(instruction) => (Issue::of(code, pc, &instruction, memory_latency), !ends_block(&instruction)),
            None => (Issue::trap(), false),
        }
    }

    fn of(code: &Code, pc: u32, instruction: &Instruction, memory_latency: u8) -> Issue {
        let cost = instruction.opcode.spec().cost;
        // Where a jump goes is of no interest for the registers; with a valid target no branch lowers to a trap. The
        // numbering does not change what an instruction means.
        let inst = instruction.lower(Profile::V0_7, |_| Target::Block(0));
        let (reads, writes) = registers(&inst);
        let decode = cost.decode + u8::from(needs_copy(&cost, &inst, reads, writes));
        let work = match inst {
            Inst::Unary { dst, src, .. } if cost.eliminated => Work::Rename { dst, src },
            _ => {
                let latency = match cost.latency {
                    Latency::Cycles(cycles) => cycles,
                    Latency::Memory => memory_latency,
                    Latency::Branch => branch_latency(code, pc, instruction),
                };
                Work::Execute { latency: latency.max(1), units: Units::of(cost.unit), reads, writes }
            }
        };
        Issue { decode, work }
    }
}

fn ends_block(instruction: &Instruction) -> bool {
    instruction.opcode.spec().meaning.ends_block()
}

/// Registers read and written. Unlike for every other purpose, a conditional move does not wait for the old value of its
/// destination.
fn registers(inst: &Inst) -> (u32, u32) {
    let uses = inst.registers();
    let reads = match *inst {
        Inst::CondMove { value, test, .. } => test.bit() | value.reg().map_or(0, Reg::bit),
        _ => uses.reads,
    };
    (reads, uses.writes)
}

/// Whether a host with two-operand instructions would have to copy a source into the destination first.
fn needs_copy(cost: &Cost, inst: &Inst, reads: u32, writes: u32) -> bool {
    match cost.extra {
        Discount::Flat => false,
        Discount::DstIsSrc | Discount::DstIsEither => reads & writes == 0,
        Discount::DstIsShifted => match *inst {
            Inst::Binary { dst, lhs, .. } => lhs != Operand::Reg(dst),
            _ => true,
        },
    }
}

/// A way out of a branch that leads to `trap` or `unlikely` is not expected to be taken, so the other one is foreseen.
/// The rule looks at bytes, whether or not an instruction starts there; outside of the code there are only traps.
fn branch_latency(code: &Code, pc: u32, instruction: &Instruction) -> u8 {
    let ways = [instruction.operands.target(), Some(i64::from(code.next(pc)))];
    if ways.into_iter().flatten().any(|way| is_cold(code, way)) { FORESEEN } else { UNFORESEEN }
}

fn is_cold(code: &Code, pc: i64) -> bool {
    match usize::try_from(pc).ok().and_then(|pc| code.bytes().get(pc)) {
        Some(&byte) => {
            matches!(Opcode::from_byte(code.profile(), byte), Some(Opcode::Trap | Opcode::Unlikely))
        }
        None => true,
    }
}

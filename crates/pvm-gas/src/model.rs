//! The models by name, and those that count instructions (Gray Paper 0.7.2, A.1; vectors v0.4).

use crate::{L2_LATENCY, pipeline_cost};
use pvm_isa::{Meaning, Profile};
use pvm_program::Code;

/// How running is paid for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum GasModel {
    /// One unit for each instruction, as it is executed (Gray Paper 0.7.2).
    #[default]
    Instruction,
    /// One unit for each instruction of a block, all of them when the block is entered (test vectors v0.4).
    Block,
    /// What the block takes on a simulated processor, when the block is entered (the 0.8 line, A.9 and A.10).
    Pipeline,
    /// Nothing is charged.
    None,
}

impl GasModel {
    /// Every model.
    pub const ALL: [GasModel; 4] = [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None];

    /// The model of a program in `profile`, where nobody asks for another.
    pub const fn default_for(profile: Profile) -> GasModel {
        match profile {
            Profile::V0_7 | Profile::Draft => GasModel::Instruction,
            Profile::V0_8 => GasModel::Pipeline,
        }
    }

    /// Whether a basic block is paid as a whole when it is entered.
    pub const fn charges_blocks(self) -> bool {
        matches!(self, GasModel::Block | GasModel::Pipeline)
    }

    /// The name on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            GasModel::Instruction => "instruction",
            GasModel::Block => "block",
            GasModel::Pipeline => "pipeline",
            GasModel::None => "none",
        }
    }

    /// The model of this name.
    pub fn from_name(name: &str) -> Option<GasModel> {
        GasModel::ALL.into_iter().find(|model| model.name() == name)
    }
}

impl std::fmt::Display for GasModel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// What is charged when execution enters `code` at `pc`, to run to the end of the block.
///
/// | model | what is charged |
/// |---|---|
/// | [`GasModel::Instruction`] | one for each instruction up to the end of the block or the next `ecalli`, inclusive |
/// | [`GasModel::Block`] | one for each instruction up to the end of the block |
/// | [`GasModel::Pipeline`] | [`pipeline_cost`] with [`L2_LATENCY`] |
/// | [`GasModel::None`] | nothing |
///
/// [`GasModel::Instruction`] stops at `ecalli` because that is as much as can be charged at once without the host seeing
/// a counter that is too low; whoever leaves earlier, by a fault, gives back what was not executed.
///
/// Where there is no instruction (between two, behind the end, an undefined opcode) stands a trap; it counts as one and
/// ends the block. `pc` may be any number. The time is linear in the length of what is charged, and blocks do not
/// overlap, so asking for every block start is linear in the code. Costs of 2^32 or more are `u32::MAX`.
pub fn cost_from(model: GasModel, code: &Code, pc: u32) -> u32 {
    match model {
        GasModel::Instruction => {
            count(code, pc, |meaning| meaning.ends_block() || matches!(meaning, Meaning::HostCall))
        }
        GasModel::Block => count(code, pc, Meaning::ends_block),
        GasModel::Pipeline => pipeline_cost(code, pc, L2_LATENCY),
        GasModel::None => 0,
    }
}

/// Instructions from `pc` to the first one that `ends`, inclusive.
fn count(code: &Code, mut pc: u32, ends: impl Fn(Meaning) -> bool) -> u32 {
    let mut instructions: u32 = 1;
    // Each step goes at least one byte on, and there are no opcodes behind the end of the code: this ends.
    while let Some(opcode) = code.opcode(pc)
        && !ends(opcode.spec().meaning)
    {
        instructions = instructions.saturating_add(1);
        pc = code.next(pc);
    }
    instructions
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm_program::Blob;

    fn code(bytes: &[u8], starts: &[usize]) -> Code {
        let mut blob = Blob { code: bytes.to_vec(), bitmask: vec![0; bytes.len().div_ceil(8)], ..Blob::default() };
        for start in starts {
            blob.bitmask[start / 8] |= 1 << (start % 8);
        }
        Code::new(&blob, Profile::V0_7)
    }

    fn costs(code: &Code, pc: u32) -> [u32; 3] {
        [GasModel::Instruction, GasModel::Block, GasModel::None].map(|model| cost_from(model, code, pc))
    }

    #[test]
    fn names_come_back() {
        for model in GasModel::ALL {
            assert_eq!(GasModel::from_name(model.name()), Some(model));
            assert_eq!(model.to_string(), model.name());
        }
        assert_eq!(GasModel::from_name("Block"), None);
        assert_eq!(
            Profile::ALL.map(GasModel::default_for),
            [GasModel::Instruction, GasModel::Instruction, GasModel::Pipeline]
        );
    }

    #[test]
    fn instructions_are_counted_to_the_end_of_the_block() {
        // load_imm r7; ecalli; move_reg; fallthrough; move_reg; jump
        let code = code(&[51, 7, 1, 10, 9, 100, 0x12, 1, 100, 0x12, 40], &[0, 3, 5, 7, 8, 10]);
        assert_eq!(costs(&code, 0), [2, 4, 0]);
        assert_eq!(costs(&code, 5), [2, 2, 0]);
        assert_eq!(costs(&code, 8), [2, 2, 0]);
    }

    #[test]
    fn where_no_instruction_is_stands_a_trap() {
        let undefined = code(&[100, 0x12, 2, 1], &[0, 2, 3]);
        assert_eq!(costs(&undefined, 0), [2, 2, 0]);
        let runs_off = code(&[100, 0x12], &[0]);
        for (pc, cost) in [(0, 2), (1, 1), (2, 1), (3, 1), (u32::MAX, 1)] {
            assert_eq!(costs(&runs_off, pc), [cost, cost, 0], "{pc}");
            assert!(cost_from(GasModel::Pipeline, &runs_off, pc) > 0);
        }
        let empty = code(&[], &[]);
        assert_eq!(costs(&empty, 0), [1, 1, 0]);
        // The bitmask promises the next instruction too far away: the trap is where looking stopped.
        let far = code(&[100; 40], &[0, 39]);
        assert_eq!(costs(&far, 0), [2, 2, 0]);
    }
}

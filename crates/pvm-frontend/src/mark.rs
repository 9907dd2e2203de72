//! Marks in the IR by which machine code is found again: Cranelift carries them from instructions to code as source
//! locations.

use cranelift_codegen::ir::SourceLoc;

/// What an instruction of the IR is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mark {
    /// The guest access of this number, that the host watches over.
    Access(u32),
    /// The branch before that access, to where the code goes on if the access is refused.
    Landing(u32),
    /// Anything else.
    Other,
}

impl Mark {
    pub(crate) fn to_source_loc(self) -> SourceLoc {
        SourceLoc::new(match self {
            Mark::Other => 0,
            Mark::Access(number) => 2 * number + 1,
            Mark::Landing(number) => 2 * number + 2,
        })
    }

    /// The mark that machine code of this source location had in the IR.
    pub fn from_source_loc(at: SourceLoc) -> Mark {
        match at.bits() {
            0 => Mark::Other,
            _ if at.is_default() => Mark::Other,
            bits if bits % 2 == 1 => Mark::Access(bits / 2),
            bits => Mark::Landing(bits / 2 - 1),
        }
    }
}

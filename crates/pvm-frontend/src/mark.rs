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
    /// Guest accesses that the host watches over, too, but cannot be refused.
    Proven,
    /// A way into the region, which is cold as others are but comes first of them.
    WayIn,
    /// Anything else.
    Other,
}

const WAY_IN: u32 = u32::MAX - 1;
const PROVEN: u32 = u32::MAX - 2;

impl Mark {
    pub(crate) fn to_source_loc(self) -> SourceLoc {
        SourceLoc::new(match self {
            Mark::Other => 0,
            Mark::WayIn => WAY_IN,
            Mark::Proven => PROVEN,
            Mark::Access(number) => 2 * number + 1,
            Mark::Landing(number) => 2 * number + 2,
        })
    }

    /// The mark that machine code of this source location had in the IR.
    pub fn from_source_loc(at: SourceLoc) -> Mark {
        match at.bits() {
            0 => Mark::Other,
            WAY_IN => Mark::WayIn,
            PROVEN => Mark::Proven,
            _ if at.is_default() => Mark::Other,
            bits if bits % 2 == 1 => Mark::Access(bits / 2),
            bits => Mark::Landing(bits / 2 - 1),
        }
    }
}

//! Endings of cold code that are the same: one of them is kept, and the others jump there.
//!
//! All ways out restore the registers of the host and return alike.
//! Landings store nothing themselves. They move registers to where the one common exit expects them, and neighbours mostly
//! do so in the same way, so that this saves half of the cold code.

use super::{Kind, Piece};
use std::collections::HashMap;

/// How code ends: by a jump to a fixed place, by a return, or by the instruction of these bytes and then like the piece of this index.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Ending<'a> {
    Jump { target: usize },
    Return,
    Instruction { bytes: &'a [u8], then: usize },
}

/// A return, in machine code.
const RETURN: &[u8] = &[0xc3];

/// Leaves out instructions from offset `cold` on that lead up to a jump or return like others before. Each piece there is one
/// instruction.
pub(super) fn share(code: &[u8], pieces: &mut [Piece], cold: usize) {
    // The first piece with each ending.
    let mut firsts: HashMap<Ending<'_>, usize> = HashMap::new();
    let first_cold = pieces.partition_point(|piece| piece.at.start < cold);
    for last in first_cold..pieces.len() {
        let ending = match pieces[last].kind {
            Kind::Jump { target, condition: None, .. } => Ending::Jump { target },
            Kind::Plain if code[pieces[last].at.clone()] == *RETURN => Ending::Return,
            _ => continue,
        };
        let mut then = *firsts.entry(ending).or_insert(last);
        let mut is_known = then != last;
        let mut shared = None;
        for at in (first_cold..last).rev() {
            match pieces[at].kind {
                Kind::Gone => continue,
                Kind::Plain if pieces[at].prefix.is_empty() => {}
                _ => break,
            }
            let ending = Ending::Instruction { bytes: &code[pieces[at].at.clone()], then };
            then = *firsts.entry(ending).or_insert(at);
            is_known &= then != at;
            if is_known {
                pieces[at].kind = Kind::Shared { with: then };
                shared = Some(then);
            }
        }
        if let Some(with) = shared {
            pieces[last].kind = Kind::Jump { target: pieces[with].at.start, condition: None, is_short: false };
        }
    }
}

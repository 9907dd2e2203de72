//! Where pieces of code come to lie: jumps are short where they can be, and loops are aligned.

use super::{Kind, Piece};
use std::collections::BTreeMap;

/// A line of the cache of instructions, in bytes. Loops begin where one does, if they are in fewer lines then: a tiny loop that lies
/// across lines is fetched in two steps, and larger ones gain, too.
const LINE: usize = 64;
/// What constants are aligned to, at most.
pub(super) const CONSTANT_ALIGNMENT: usize = 16;

/// Sets the padding of pieces and which jumps are short, if they lie in this order; returns the position of each piece, behind its
/// padding, and the length of all. Loops begin before offset `cold`.
pub(super) fn lay_out(pieces: &mut [Piece], order: &[usize], cold: usize) -> (Vec<usize>, usize) {
    let loops = loops(pieces, cold);
    for piece in &mut *pieces {
        if let Kind::Jump { is_short, .. } = &mut piece.kind {
            *is_short = true;
        }
    }
    let mut positions = vec![0; pieces.len()];
    // Jumps only ever become longer, so that there is a last round.
    loop {
        let len = place(pieces, order, &loops, &mut positions);
        let mut changed = false;
        for index in 0..pieces.len() {
            let Kind::Jump { target, is_short: true, .. } = pieces[index].kind else { continue };
            let next = positions[index] + pieces[index].len();
            let distance = position(pieces, &positions, target).map_or(0, |to| to as i64 - next as i64);
            if i8::try_from(distance).is_err() {
                let Kind::Jump { is_short, .. } = &mut pieces[index].kind else { unreachable!("it was one") };
                *is_short = false;
                changed = true;
            }
        }
        if !changed {
            return (positions, len);
        }
    }
}

/// Where an offset of the former code is now, at the beginning of a piece or within one. Prefixes belong to the instruction
/// that they are put before.
pub(super) fn position(pieces: &[Piece], positions: &[usize], former: usize) -> Option<usize> {
    let index = pieces.partition_point(|piece| piece.at.start <= former).checked_sub(1)?;
    let piece = &pieces[index];
    match (former - piece.at.start, &piece.kind) {
        (0, _) => Some(positions[index]),
        (within, _) if within == piece.at.len() && index + 1 == pieces.len() => Some(positions[index] + piece.len()),
        (within, Kind::Plain | Kind::Constants) => Some(positions[index] + piece.prefix.len() + within),
        _ => None,
    }
}

/// The pieces at which loops begin, and with which they end: what jumps before offset `cold` lead back to, and the last of those.
fn loops(pieces: &[Piece], cold: usize) -> BTreeMap<usize, usize> {
    let hot = pieces.iter().take_while(|piece| piece.at.start < cold).enumerate();
    let back = hot.filter_map(|(index, piece)| match piece.kind {
        Kind::Jump { target, .. } if target <= piece.at.start => {
            Some((pieces.binary_search_by_key(&target, |piece| piece.at.start).ok()?, index))
        }
        _ => None,
    });
    // Of equal keys the last one stays.
    back.collect()
}

/// How many bytes to leave before a loop of so many, that would begin behind `len` others.
fn padding(len: usize, of_loop: usize) -> usize {
    let lines = |start: usize| (start % LINE + of_loop).div_ceil(LINE);
    let aligned = len.next_multiple_of(LINE);
    if lines(aligned) < lines(len) { aligned - len } else { 0 }
}

/// Places pieces one behind the other, in this order; returns the length of all.
fn place(pieces: &mut [Piece], order: &[usize], loops: &BTreeMap<usize, usize>, positions: &mut [usize]) -> usize {
    // Where code would lie without padding, and without the tables, which come behind it.
    let mut unpadded = vec![0];
    for piece in &*pieces {
        let len = if matches!(piece.kind, Kind::Table { .. }) { 0 } else { piece.len() };
        unpadded.push(unpadded[unpadded.len() - 1] + len);
    }
    let mut len: usize = 0;
    for &index in order {
        let piece = &mut pieces[index];
        piece.padding = match piece.kind {
            Kind::Constants => (CONSTANT_ALIGNMENT + piece.at.start - len % CONSTANT_ALIGNMENT) % CONSTANT_ALIGNMENT,
            Kind::Table { .. } => len.next_multiple_of(size_of::<u64>()) - len,
            _ => loops.get(&index).map_or(0, |&last| padding(len, unpadded[last + 1] - unpadded[index])),
        };
        len += piece.padding;
        positions[index] = match piece.kind {
            // That comes earlier.
            Kind::Shared { with } => positions[with],
            _ => len,
        };
        len += pieces[index].len();
    }
    len
}

//! In which order pieces of code come to lie.
//!
//! Nearly all of them stay where they were. Branch tables lie behind all code, and the way past a `switch` behind the hot code: guests
//! compare what they switch by with the last case, and where that way needs moves, Cranelift puts these right behind the
//! branch, so that the way to the `switch` is a jump.

use super::{Kind, Piece};

/// The longest way that is put elsewhere, in bytes: some moves.
const LONGEST: usize = 32;

/// The indices of `pieces` in the order in which they are to lie. Branches in front of a `switch` are turned around where the way
/// past it lies elsewhere. Hot code ends at offset `cold`.
pub(super) fn order(pieces: &mut [Piece], cold: usize) -> Vec<usize> {
    let is_table = |piece: &Piece| matches!(piece.kind, Kind::Table { .. });
    let goes_on = |piece: &Piece| !matches!(piece.kind, Kind::Table { .. } | Kind::Jump { condition: None, .. });
    let first_cold = pieces.partition_point(|piece| piece.at.start < cold);
    let constants = pieces.partition_point(|piece| !matches!(piece.kind, Kind::Constants));
    // What lies last among the hot may go on to the first that is cold.
    let last_hot = pieces[..first_cold].iter().rposition(|piece| !goes_on(piece)).map_or(0, |last| last + 1);
    let mut elsewhere = vec![false; pieces.len()];
    let mut past = Vec::new();
    for branch in 0..last_hot {
        let Kind::Jump { target, condition: Some(condition), .. } = pieces[branch].kind else { continue };
        let Some(end) = way_past(&pieces[..last_hot], branch, target) else { continue };
        let way = pieces[branch + 1].at.start;
        pieces[branch].kind = Kind::Jump { target: way, condition: Some(condition ^ 1), is_short: false };
        elsewhere[branch + 1..end].fill(true);
        past.extend(branch + 1..end);
    }
    let tables: Vec<_> = (0..constants).filter(|&index| is_table(&pieces[index])).collect();
    tables.iter().for_each(|&table| elsewhere[table] = true);
    let stays = |index: &usize| !elsewhere[*index];
    let code = (0..last_hot).filter(stays).chain(past).chain((last_hot..constants).filter(stays));
    code.chain(tables).chain(constants..pieces.len()).collect()
}

/// Where the way ends that lies between a branch and its target, if that leads to a `switch`.
fn way_past(pieces: &[Piece], branch: usize, target: usize) -> Option<usize> {
    let is_move = |piece: &&Piece| matches!(piece.kind, Kind::Plain | Kind::Gone) && piece.prefix.is_empty();
    let end = branch + 2 + pieces[branch + 1..].iter().take_while(is_move).count();
    let (way, behind) = (pieces.get(branch + 1..end)?, pieces.get(end..)?);
    let (first, last) = (way.first()?, way.last()?);
    let jumps = matches!(last.kind, Kind::Jump { condition: None, .. });
    let is_between = jumps && behind.first()?.at.start == target && target - first.at.start <= LONGEST;
    let ends = behind.iter().find(|piece| matches!(piece.kind, Kind::Jump { .. } | Kind::Table { .. }))?;
    (is_between && matches!(ends.kind, Kind::Table { .. })).then_some(end)
}

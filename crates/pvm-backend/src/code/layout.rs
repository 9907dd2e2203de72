//! The order of blocks: that of the source, with those that are rarely reached at the end.
//!
//! A block with moves for the next round of a loop stands before the loop instead of behind it, and goes on into it. So it
//! is entered by the branch that ends the round, and needs no jump; who enters the loop jumps over it once.

use super::effects::preds;
use super::threads::reached;
use super::{Body, End};

/// The indices of the blocks that something leads to, in their order; the entry is first.
pub fn layout(body: &Body) -> Vec<usize> {
    let reached = reached(body);
    let mut order: Vec<usize> = (0..body.len()).filter(|&index| reached[index]).collect();
    order.sort_by_key(|&index| {
        let block = &body[index];
        let traps = block.end == End::Trap && index != 0;
        (traps && block.ops.is_empty(), block.cold || traps, block.place, index)
    });
    moves_first(body, &mut order);
    order
}

/// Puts the moves at the end of a loop before its beginning.
fn moves_first(body: &Body, order: &mut Vec<usize>) {
    let preds = preds(body);
    let mut places = vec![usize::MAX; body.len()];
    order.iter().enumerate().for_each(|(place, &index)| places[index] = place);
    // For each block, what is put before it.
    let mut first: Vec<Option<usize>> = vec![None; body.len()];
    let mut is_moved = vec![false; body.len()];
    for pair in order.windows(2) {
        let &[last, back] = pair else { continue };
        let End::Jump(top) = body[back].end else { continue };
        let ends_round = matches!(body[last].end, End::Branch(..)) && preds[back] == [last] && body[back].depth > 0;
        // What stands before the beginning must not be moved away from there.
        let is_loop = places[top] <= places[last] && places[top] > 0 && first[top].is_none();
        if ends_round && is_loop {
            first[top] = Some(back);
            is_moved[back] = true;
        }
    }
    let moved = |index: usize| first[index].into_iter().chain([index]);
    *order = order.iter().copied().filter(|&index| !is_moved[index]).flat_map(moved).collect();
}

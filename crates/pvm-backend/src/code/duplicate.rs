//! Short ends instead of jumps to them: a return, or the test at the top of a loop for the jump at its bottom.
//!
//! This saves the jump, and makes code a little longer.

use super::{Body, End};

/// The most operations that are duplicated, the end not counted.
const LIMIT: usize = 3;
/// The most operations in a block that returns.
const RETURN_LIMIT: usize = 2;

/// Does that for all jumps.
pub fn duplicate(body: &mut Body) {
    let reached = super::threads::reached(body);
    let mut counts = vec![0usize; body.len()];
    for block in body.iter() {
        block.end.targets().for_each(|target| counts[target] += 1);
    }
    for index in (0..body.len()).filter(|&index| reached[index]) {
        let End::Jump(target) = body[index].end else { continue };
        let end = &body[target];
        let worthwhile = match end.end {
            // What comes next falls through to it once at most.
            End::Return(_) => end.ops.len() <= RETURN_LIMIT,
            // The test at the top of a loop: going round ends with it.
            End::Branch(..) => end.ops.len() <= LIMIT && body[index].depth > 0 && is_back_edge(body, index, target),
            End::Trap => end.ops.is_empty(),
            End::Jump(_) | End::Table(..) => false,
        };
        if worthwhile && target != index && counts[target] > 1 {
            let (ops, end) = (end.ops.clone(), end.end.clone());
            counts[target] -= 1;
            end.targets().for_each(|target| counts[target] += 1);
            body[index].ops.extend(ops);
            body[index].end = end;
        }
    }
}

/// Whether the jump goes back to the top of a loop. Blocks are numbered in reverse postorder, those added later aside.
fn is_back_edge(body: &Body, from: usize, to: usize) -> bool {
    to < from && body[to].place <= body[from].place
}

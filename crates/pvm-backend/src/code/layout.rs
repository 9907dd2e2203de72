//! The order of blocks: that of the source, with those that are rarely reached at the end.

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
    order
}

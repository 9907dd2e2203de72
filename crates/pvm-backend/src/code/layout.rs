//! The order of blocks: that of the source, with those that are rarely reached at the end.

use super::Body;

/// The indices of the blocks in their order; the entry is first.
pub fn layout(body: &Body) -> Vec<usize> {
    let mut order: Vec<usize> = (0..body.len()).collect();
    order.sort_by_key(|&index| (body[index].cold, body[index].place, index));
    order
}

//! Where gas is compared, and where it is deducted.
//!
//! Only entries compare, which targets of dynamic jumps and heads of loops are among. They compare with the dearest way to
//! the next comparison, so that none in between can go below zero. Where the gas does not suffice for that, the
//! interpreter goes on; it finds the exact place where it ends.
//!
//! What blocks cost is deducted as late as can be, once for a whole run of blocks: where ways meet or a comparison comes
//! next. Until then the amount is a constant that exits deduct. So one value of the gas is alive at a time, and is changed
//! in place.

use crate::blocks::BlockId;
use crate::{Blocks, Region};

/// What happens to the gas at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// What the gas must suffice for here, if it is compared here.
    pub bound: Option<u64>,
    /// What blocks before this one have cost and is not deducted yet.
    pub pending: u64,
    /// Whether that and the block's own cost are deducted at its end.
    pub settles: bool,
}

/// For each block of a region, by position, what happens to the gas there.
pub(crate) fn place(region: &Region, blocks: &Blocks, cost: impl Fn(BlockId) -> u32) -> Vec<Checkpoint> {
    let successors = region.successors(blocks);
    let compares: Vec<bool> = region.blocks.iter().map(|&id| region.entry(id).is_some()).collect();
    let order = &region.postorder;
    let cost = |at: usize| u64::from(cost(region.blocks[at]));

    // In postorder every successor comes first, but for the heads of loops, which compare.
    let mut dearest = vec![0_u64; successors.len()];
    for &at in order {
        let onwards = successors[at].iter().filter(|&&to| !compares[to]).map(|&to| dearest[to]).max().unwrap_or(0);
        dearest[at] = onwards + cost(at);
    }

    let mut ways_in = vec![0; successors.len()];
    successors.iter().flatten().for_each(|&to| ways_in[to] += 1);
    let begins_anew = |at: usize| compares[at] || ways_in[at] != 1;
    let mut pending = vec![0_u64; successors.len()];
    let settles: Vec<bool> = successors.iter().map(|to| to.iter().any(|&to| begins_anew(to))).collect();
    for &at in order.iter().rev().filter(|&&at| !settles[at]) {
        for &to in &successors[at] {
            pending[to] = pending[at] + cost(at);
        }
    }
    (0..successors.len())
        .map(|at| Checkpoint { bound: compares[at].then_some(dearest[at]), pending: pending[at], settles: settles[at] })
        .collect()
}

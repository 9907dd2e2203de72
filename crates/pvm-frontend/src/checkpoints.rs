//! Where gas is compared.
//!
//! Each block subtracts its own cost, but only some compare: entries, targets of dynamic jumps and the heads of loops.
//! They compare with the dearest way to the next comparison, so that none in between can go below zero. Where the gas
//! does not suffice for that, the interpreter goes on; it finds the exact place where it ends.

use crate::blocks::BlockId;
use crate::{Blocks, Region};

/// For each block of a region, by position: what the gas must suffice for there, if it is compared there.
pub(crate) fn place(region: &Region, blocks: &Blocks, cost: impl Fn(BlockId) -> u32) -> Vec<Option<u64>> {
    let successors: Vec<Vec<usize>> = region
        .blocks
        .iter()
        .map(|&id| blocks.get(id).successors.into_iter().flatten().filter_map(|to| region.position(to)).collect())
        .collect();
    let mut compares: Vec<bool> = region.blocks.iter().map(|&id| region.entry(id).is_some()).collect();
    let order = postorder(&successors, &mut compares);

    // In postorder every successor comes first, but for the targets of back edges, which compare.
    let mut dearest = vec![0_u64; successors.len()];
    for &at in &order {
        let onwards = successors[at].iter().filter(|&&to| !compares[to]).map(|&to| dearest[to]).max().unwrap_or(0);
        dearest[at] = onwards + u64::from(cost(region.blocks[at]));
    }
    (0..successors.len()).map(|at| compares[at].then_some(dearest[at])).collect()
}

/// Visits the graph depth first from the blocks that compare already, makes the targets of back edges compare, too, and
/// returns the postorder. Every block of a region is reached from an entry.
fn postorder(successors: &[Vec<usize>], compares: &mut [bool]) -> Vec<usize> {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; successors.len()];
    let mut order = Vec::with_capacity(successors.len());
    for root in 0..successors.len() {
        if marks[root] != Mark::New || !compares[root] {
            continue;
        }
        marks[root] = Mark::Open;
        let mut stack = vec![(root, 0)];
        while let Some((at, next)) = stack.last_mut() {
            match successors[*at].get(*next) {
                Some(&to) => {
                    *next += 1;
                    match marks[to] {
                        Mark::New => {
                            marks[to] = Mark::Open;
                            stack.push((to, 0));
                        }
                        Mark::Open => compares[to] = true,
                        Mark::Done => {}
                    }
                }
                None => {
                    marks[*at] = Mark::Done;
                    order.push(*at);
                    stack.pop();
                }
            }
        }
    }
    order
}

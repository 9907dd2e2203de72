//! Where gas is compared, and where it is deducted.
//!
//! Gas is compared where a region is entered, and within it once on each cycle: at heads of loops, and where a cycle leads
//! through dynamic jumps. It is compared with the dearest way to the next comparison, so that none in between can go below
//! zero. Where it does not suffice for that, the interpreter goes on; it finds the exact place where it ends.
//!
//! What blocks cost is deducted as late as can be. Until then it is *pending*, a constant that exits deduct. Where ways
//! meet, as much is pending as on the cheapest of them; the others deduct what they have cost beyond that. So one value of
//! the gas is alive at a time, and most blocks do not touch it.

use crate::Blocks;
use crate::blocks::{BlockId, Ending};
use crate::graph::Graph;
use crate::loops::{Loops, walk};

/// What happens to the gas at a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checkpoint {
    /// What the block and the dearest way from it to the next comparison cost. Who enters the region here needs as much.
    pub bound: u64,
    /// Whether gas is compared with that here.
    pub compares: bool,
    /// What blocks before this one have cost and is not deducted yet.
    pub pending: u64,
    /// What entering the block charges.
    pub cost: u64,
    /// What is pending behind the block, where it leads to others of the region.
    pub pending_behind: u64,
}

/// For each block of a region, by position, what happens to the gas there.
pub(crate) fn place(
    graph: &Graph<'_>,
    blocks: &Blocks,
    ends_dynamically: impl Fn(BlockId) -> bool,
    cost: impl Fn(BlockId) -> u32,
) -> Vec<Checkpoint> {
    let count = graph.blocks.len();
    let mut cost: Vec<u64> = graph.blocks.iter().map(|&id| u64::from(cost(id))).collect();
    let mut successors = graph.successors.clone();
    // On the way out of a loop that is written several times there is code of its own, which deducts what the rounds have cost.
    for (at, ways) in graph.successors.iter().enumerate() {
        for (way, &to) in ways.iter().enumerate().filter(|&(_, &to)| graph.leaves_unrolled(at, to)) {
            successors[at][way] = successors.len();
            successors.push(vec![to]);
        }
    }
    for (at, &id) in graph.blocks.iter().enumerate().filter(|&(_, &id)| blocks.get(id).ending == Ending::Suspension) {
        debug_assert!(
            successors[at].len() <= 1,
            "{id} goes on behind the host call, and the region is entered anew there"
        );
        successors[at].clear();
    }
    let loops = Loops::find(graph.region, blocks, &successors);
    let mut compares = walk(&successors, graph.region.roots(blocks, &successors)).is_head;
    // All dynamic jumps lead to one more node, and from there to all their targets.
    let dispatch = successors.len();
    cost.resize(dispatch + 1, 0);
    for (at, &id) in graph.blocks.iter().enumerate().filter(|&(_, &id)| ends_dynamically(id)) {
        debug_assert!(blocks.get(id).successors.iter().all(Option::is_none));
        successors[at].push(dispatch);
    }
    let is_target = |&at: &usize| blocks.get(graph.blocks[at]).is_jump_target && !graph.is_copy(at);
    successors.push((0..count).filter(is_target).collect());
    compares.push(false);
    let all_successors = successors.clone();
    // Cycles of direct jumps are cut already, where it is best; those that are left lead through dynamic ones.
    cut(&mut successors, &compares);
    let reached = reached(&successors, dispatch);
    (0..count).filter(|&at| successors[at].contains(&dispatch) && reached[at]).for_each(|at| compares[at] = true);
    cut(&mut successors, &compares);

    let order = walk(&successors, 0..=dispatch).postorder;
    let mut bounds = vec![0_u64; dispatch + 1];
    for &at in &order {
        bounds[at] = cost[at] + successors[at].iter().map(|&to| bounds[to]).max().unwrap_or(0);
    }
    let pending = pending(&all_successors, &order, &cost, |at| loops.depth(at));
    (0..count)
        .map(|at| Checkpoint {
            bound: bounds[at],
            compares: compares[at],
            pending: pending[at],
            cost: cost[at],
            pending_behind: all_successors[at].first().map_or(0, |&to| pending[to]),
        })
        .collect()
}

/// Takes out the edges to these nodes.
fn cut(successors: &mut [Vec<usize>], nodes: &[bool]) {
    successors.iter_mut().for_each(|to| to.retain(|&to| !nodes[to]));
}

/// Which nodes this one leads to, and itself.
fn reached(successors: &[Vec<usize>], from: usize) -> Vec<bool> {
    let mut reached = vec![false; successors.len()];
    let mut stack = vec![from];
    while let Some(at) = stack.pop() {
        if !std::mem::replace(&mut reached[at], true) {
            stack.extend(&successors[at]);
        }
    }
    reached
}

/// What is pending at each node: as much as on the cheapest way there, but the same at all that one node leads to, as that
/// deducts before it is known which way it goes. `order` has nodes after those that they lead to; `depth` is in how many
/// loops they are.
fn pending(successors: &[Vec<usize>], order: &[usize], cost: &[u64], depth: impl Fn(usize) -> u32) -> Vec<u64> {
    let dispatch = successors.len() - 1;
    let mut classes: Vec<usize> = (0..successors.len()).collect();
    for (from, to) in successors.iter().enumerate() {
        // What comes in at the dispatch goes out, too: there is no code in between.
        let one = if from == dispatch { Some(dispatch) } else { to.first().copied() };
        to.iter().for_each(|&to| unite(&mut classes, one.unwrap_or(to), to));
    }
    let class: Vec<usize> = (0..successors.len()).map(|at| find(&mut classes, at)).collect();
    let mut pending = vec![u64::MAX; successors.len()];
    // Where a region is entered nothing is; that counts only where no other way leads.
    let mut is_led_to = vec![false; successors.len()];
    successors.iter().flatten().for_each(|&to| is_led_to[class[to]] = true);
    (0..successors.len()).filter(|&at| !is_led_to[class[at]]).for_each(|at| pending[class[at]] = 0);
    loop {
        let mut changed = true;
        while changed {
            changed = false;
            for &at in order.iter().rev().filter(|&&at| at != dispatch) {
                let behind = pending[class[at]].saturating_add(cost[at]);
                for &to in &successors[at] {
                    changed |= behind < pending[class[to]];
                    pending[class[to]] = pending[class[to]].min(behind);
                }
            }
        }
        // What is left are cycles that only lead to themselves. They begin outside of inner loops.
        let left = order.iter().rev().filter(|&&at| pending[class[at]] == u64::MAX);
        match left.min_by_key(|&&at| depth(at)) {
            Some(&at) => pending[class[at]] = 0,
            None => return class.iter().map(|&class| pending[class]).collect(),
        }
    }
}

fn find(classes: &mut [usize], mut at: usize) -> usize {
    while classes[at] != at {
        classes[at] = classes[classes[at]];
        at = classes[at];
    }
    at
}

fn unite(classes: &mut [usize], one: usize, other: usize) {
    let (one, other) = (find(classes, one), find(classes, other));
    classes[one] = other;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheapest_way_leaves_its_cost_pending() {
        // 0 -> 1; 1 -> 2, 3; 2 -> 3; 3 -> 1, 4. Nothing leads to the dispatch, 5.
        let successors = [vec![1], vec![2, 3], vec![3], vec![1, 4], vec![], vec![]];
        let pending = pending(&successors, &[4, 3, 2, 1, 0, 5], &[7, 5, 3, 2, 1, 0], |_| 0);
        assert_eq!(pending, [0, 7, 12, 12, 7, 0], "2 deducts its own 3, and 3 what a round has cost");
    }

    #[test]
    fn dynamic_jumps_leave_the_same_pending_everywhere() {
        // 0 -> 1, 2; both jump by the dispatch, 4, to 3.
        let successors = [vec![1, 2], vec![4], vec![4], vec![], vec![3]];
        assert_eq!(pending(&successors, &[3, 4, 1, 2, 0], &[5, 3, 2, 1, 0], |_| 0), [0, 5, 5, 7, 7]);
    }

    #[test]
    fn cycles_that_nothing_leads_to_begin_with_nothing() {
        assert_eq!(pending(&[vec![1], vec![0], vec![]], &[1, 0, 2], &[5, 3, 0], |at| at as u32), [0, 5, 0]);
    }
}

//! Loops, as a depth-first walk finds them.

use crate::{Blocks, Region};

/// What a depth-first walk over a graph has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// Each node after those that it leads to, but for the heads of loops.
    pub postorder: Vec<usize>,
    /// Whether a node is the head of a loop: the target of an edge back to a node that the walk is still in.
    pub is_head: Vec<bool>,
}

/// Walks the graph from the roots, one after the other.
pub(crate) fn walk(successors: &[Vec<usize>], roots: impl IntoIterator<Item = usize>) -> Walk {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; successors.len()];
    let mut walk = Walk { postorder: Vec::with_capacity(successors.len()), is_head: vec![false; successors.len()] };
    for root in roots {
        if marks[root] != Mark::New {
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
                        Mark::Open => walk.is_head[to] = true,
                        Mark::Done => {}
                    }
                }
                None => {
                    marks[*at] = Mark::Done;
                    walk.postorder.push(*at);
                    stack.pop();
                }
            }
        }
    }
    walk
}

/// The loops of a region, by direct jumps.
#[derive(Debug)]
pub(crate) struct Loops {
    /// The positions of the blocks of each loop.
    bodies: Vec<Vec<usize>>,
    /// For each block in how many loops it is.
    depths: Vec<u32>,
}

impl Loops {
    pub(crate) fn find(region: &Region, blocks: &Blocks, successors: &[Vec<usize>]) -> Loops {
        let mut predecessors = vec![Vec::new(); successors.len()];
        for (from, to) in successors.iter().enumerate() {
            to.iter().for_each(|&to| predecessors[to].push(from));
        }
        let walk = walk(successors, region.roots(blocks, successors));
        let mut order = vec![0; successors.len()];
        walk.postorder.iter().enumerate().for_each(|(index, &at)| order[at] = index);
        let mut loops = Loops { bodies: Vec::new(), depths: vec![0; successors.len()] };
        for head in (0..successors.len()).filter(|&at| walk.is_head[at]) {
            // Edges that come back lead from blocks that the walk has left before the head. Where others lead into the loop, they do not
            // belong to it.
            let mut body = vec![head];
            let mut stack = vec![head];
            while let Some(at) = stack.pop() {
                for &from in predecessors[at].iter().filter(|&&from| order[from] < order[head]) {
                    if !body.contains(&from) {
                        body.push(from);
                        stack.push(from);
                    }
                }
            }
            body.iter().for_each(|&at| loops.depths[at] += 1);
            loops.bodies.push(body);
        }
        loops.bodies.sort_by_key(|body| std::cmp::Reverse(body.len()));
        loops
    }

    /// In how many loops a block is. None is at a position beyond the last.
    pub(crate) fn depth(&self, at: usize) -> u32 {
        self.depths.get(at).copied().unwrap_or(0)
    }

    /// The blocks of each loop, those of inner loops after those of the loops around them. The head comes first.
    pub(crate) fn outermost_first(&self) -> impl Iterator<Item = &[usize]> {
        self.bodies.iter().map(Vec::as_slice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::{Block, BlockId, Ending};

    #[test]
    fn heads_and_order() {
        // 0 -> 1 -> 2 -> 1, 2 -> 3 -> 0, 3 -> 4
        let successors = [vec![1], vec![2], vec![1, 3], vec![0, 4], vec![]];
        let walk = walk(&successors, [0]);
        assert_eq!(walk.is_head, [true, true, false, false, false]);
        assert_eq!(walk.postorder, [4, 3, 2, 1, 0]);
    }

    /// The entries of a region of blocks that lead to these others and got hot at `head`, and in how many loops each block is.
    fn entries_and_depths<const N: usize>(
        head: BlockId,
        successors: [[Option<BlockId>; 2]; N],
    ) -> (Vec<BlockId>, [u32; N]) {
        let (ending, is_continuation, is_jump_target) = (Ending::Terminator, false, false);
        let block = |start| {
            let successors = successors[start as usize];
            Block { start, len: 1, ending, is_continuation, is_jump_target, successors }
        };
        let blocks = Blocks::linked((0..N as u32).map(block).collect());
        let region = Region::whole(0, &blocks, head, false);
        let loops = Loops::find(&region, &blocks, &region.successors(&blocks));
        (region.entries, std::array::from_fn(|at| loops.depth(at)))
    }

    #[test]
    fn where_a_region_got_hot_does_not_tell_which_loop_is_around_which() {
        // 0 -> 1 -> 2 -> 1, 1 -> 3 -> 0, 3 -> 4
        let successors = [[Some(1), None], [Some(2), Some(3)], [Some(1), None], [Some(0), Some(4)], [None, None]];
        for head in 0..5 {
            let (mut entries, depths) = entries_and_depths(head, successors);
            assert_eq!(depths, [1, 2, 2, 1, 0], "hot at {head}");
            entries.retain(|&id| id != head);
            assert!([0, 1].into_iter().filter(|&id| id != head).eq(entries), "hot at {head}");
        }
    }

    #[test]
    fn what_leads_into_the_midst_of_a_loop_is_not_in_it() {
        // 0 -> 1, 2; 1 -> 2 -> 1; 2 -> 3 -> 0, 3 -> 4
        let successors = [[Some(1), Some(2)], [Some(2), None], [Some(1), Some(3)], [Some(0), Some(4)], [None, None]];
        let (_, depths) = entries_and_depths(0, successors);
        assert_eq!(depths, [1, 2, 2, 1, 0]);
    }
}

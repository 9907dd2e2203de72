//! Loops, as a depth-first walk finds them.

use crate::Region;

/// What a depth-first walk over a graph has found.
#[derive(Clone, Debug, Default)]
pub(crate) struct Walk {
    /// Each node after those that it leads to, but for the heads of loops.
    pub postorder: Vec<usize>,
    /// Whether a node is the head of a loop: the target of an edge back to a node that the walk is still in.
    pub is_head: Vec<bool>,
}

/// Walks the graph from the roots, in ascending order.
pub(crate) fn walk(successors: &[Vec<usize>], is_root: impl Fn(usize) -> bool) -> Walk {
    #[derive(Clone, Copy, PartialEq)]
    enum Mark {
        New,
        Open,
        Done,
    }
    let mut marks = vec![Mark::New; successors.len()];
    let mut walk = Walk { postorder: Vec::with_capacity(successors.len()), is_head: vec![false; successors.len()] };
    for root in (0..successors.len()).filter(|&at| is_root(at)) {
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
    pub(crate) fn find(region: &Region, successors: &[Vec<usize>]) -> Loops {
        let mut predecessors = vec![Vec::new(); successors.len()];
        for (from, to) in successors.iter().enumerate() {
            to.iter().for_each(|&to| predecessors[to].push(from));
        }
        let walk = walk(successors, |at| region.entry(region.blocks[at]).is_some());
        let mut order = vec![0; successors.len()];
        walk.postorder.iter().enumerate().for_each(|(index, &at)| order[at] = index);
        let mut loops = Loops { bodies: Vec::new(), depths: vec![0; successors.len()] };
        for head in (0..successors.len()).filter(|&at| walk.is_head[at]) {
            // Edges that come back lead from blocks that the walk has left before the head.
            let back = predecessors[head].iter().copied().filter(|&from| order[from] <= order[head]);
            let mut body = vec![head];
            let mut stack: Vec<usize> = back.collect();
            while let Some(at) = stack.pop() {
                if !body.contains(&at) {
                    body.push(at);
                    stack.extend(&predecessors[at]);
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

    #[test]
    fn heads_and_order() {
        // 0 -> 1 -> 2 -> 1, 2 -> 3 -> 0, 3 -> 4
        let successors = [vec![1], vec![2], vec![1, 3], vec![0, 4], vec![]];
        let walk = walk(&successors, |at| at == 0);
        assert_eq!(walk.is_head, [true, true, false, false, false]);
        assert_eq!(walk.postorder, [4, 3, 2, 1, 0]);
    }
}

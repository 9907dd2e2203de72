//! Loops, as a depth-first walk finds them.

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

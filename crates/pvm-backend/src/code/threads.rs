//! Blocks that only jump go, and blocks that follow one another become one.

use super::effects::preds;
use super::{Body, End};

/// Leads jumps to where they end up, and joins what only ever follows one another.
pub fn thread(body: &mut Body) {
    skip_empty(body);
    join(body);
    clear_unreached(body);
}

/// Jumps to a block that only jumps go on to its target; all traps with nothing before them are one.
fn skip_empty(body: &mut Body) {
    let trap = body.iter().position(|block| block.ops.is_empty() && block.end == End::Trap);
    let mut finals: Vec<Option<usize>> = vec![None; body.len()];
    for index in 0..body.len() {
        // The way that was gone, all of which leads to the same place. It ends at a block that does something, at one that
        // is known, or at one that it has come through already.
        let mut way = Vec::new();
        let mut at = index;
        let last = loop {
            if let Some(known) = finals[at] {
                break known;
            }
            way.push(at);
            finals[at] = Some(at);
            match (&body[at].end, trap) {
                (End::Jump(target), _) if body[at].ops.is_empty() => at = *target,
                (End::Trap, Some(trap)) if body[at].ops.is_empty() => break trap,
                _ => break at,
            }
        };
        way.into_iter().for_each(|at| finals[at] = Some(last));
    }
    for block in body.iter_mut() {
        block.end.retarget(|target| finals[target].unwrap_or(target));
        // A branch whose two ways are one.
        if let End::Branch(_, _, _, then, otherwise) = block.end
            && then == otherwise
        {
            block.end = End::Jump(then);
        }
    }
}

/// Appends a block to the only one that leads to it.
fn join(body: &mut Body) {
    let counts: Vec<usize> = preds(body).iter().map(Vec::len).collect();
    for index in 0..body.len() {
        while let End::Jump(target) = body[index].end
            && counts[target] == 1
            && target != index
            && target != 0
        {
            let end = std::mem::replace(&mut body[target].end, End::Trap);
            let ops = std::mem::take(&mut body[target].ops);
            body[index].ops.extend(ops);
            body[index].end = end;
        }
    }
}

/// Empties blocks that nothing leads to, so that they are not looked at and keep nothing alive.
fn clear_unreached(body: &mut Body) {
    let reached = reached(body);
    for (block, reached) in body.iter_mut().zip(reached) {
        if !reached {
            block.ops.clear();
            block.end = End::Trap;
        }
    }
}

/// Whether something leads to each block.
pub fn reached(body: &Body) -> Vec<bool> {
    let mut reached = vec![false; body.len()];
    let mut work = vec![0];
    while let Some(index) = work.pop() {
        if !std::mem::replace(&mut reached[index], true) {
            work.extend(body[index].end.targets());
        }
    }
    reached
}

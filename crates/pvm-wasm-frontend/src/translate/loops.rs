//! Which locals the loops of a function touch.
//!
//! A loop's block is begun before its branches back are known. The builder of Cranelift can put off what locals are there,
//! but takes time in proportion to the square of their number to tidy up. So it is looked up beforehand: what is set
//! within a loop becomes a parameter of its block, and what is only read is what it was before.

use crate::{Problem, WasmError};
use wasmparser::{FunctionBody, Operator};

/// The most entries in the lists of all loops of a function. Only functions with very many locals in deeply nested loops
/// have so many.
const MAX_ENTRIES: usize = 1 << 22;

/// Locals of a loop, in rising order.
#[derive(Clone, Debug, Default)]
pub(super) struct LoopLocals {
    /// Those that are set in it.
    pub set: Vec<u32>,
    /// Those that are only read.
    pub read: Vec<u32>,
}

/// The locals of all loops of a body, in the order in which the loops begin.
pub(super) fn scan(body: &FunctionBody<'_>) -> Result<Vec<LoopLocals>, WasmError> {
    let mut loops: Vec<LoopLocals> = Vec::new();
    // Whether each structured instruction that is open is a loop, and the numbers of those that are.
    let mut open: Vec<bool> = Vec::new();
    let mut inside: Vec<usize> = Vec::new();
    let mut entries = 0;
    for operator in body.get_operators_reader()? {
        match (operator?, inside.last()) {
            (Operator::Loop { .. }, _) => {
                open.push(true);
                inside.push(loops.len());
                loops.push(LoopLocals::default());
            }
            (Operator::Block { .. } | Operator::If { .. }, _) => open.push(false),
            (Operator::End, _) => {
                let is_loop = open.pop() == Some(true);
                if let Some(number) = inside.pop_if(|_| is_loop) {
                    let closed = loops[number].close();
                    entries += closed.set.len() + closed.read.len();
                    if let Some(&outside) = inside.last() {
                        loops[outside].set.extend(&closed.set);
                        loops[outside].read.extend(&closed.read);
                    }
                    loops[number] = closed;
                }
            }
            (Operator::LocalSet { local_index } | Operator::LocalTee { local_index }, Some(&number)) => {
                loops[number].set.push(local_index);
            }
            (Operator::LocalGet { local_index }, Some(&number)) => loops[number].read.push(local_index),
            _ => {}
        }
        if entries > MAX_ENTRIES {
            let (value, limit) = (entries as u64, MAX_ENTRIES as u64);
            return Err(Problem::TooLarge { what: "locals in nested loops", value, limit }.at(body.range().start));
        }
    }
    Ok(loops)
}

impl LoopLocals {
    /// The lists without repetitions.
    fn close(&mut self) -> LoopLocals {
        let mut locals = std::mem::take(self);
        locals.set.sort_unstable();
        locals.set.dedup();
        locals.read.sort_unstable();
        locals.read.dedup();
        locals.read.retain(|local| locals.set.binary_search(local).is_err());
        locals
    }
}

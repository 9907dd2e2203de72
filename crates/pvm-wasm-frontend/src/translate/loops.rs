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
    // Numbers of the loops that are open, and nothing for other structured instructions.
    let mut open: Vec<Option<usize>> = Vec::new();
    let mut entries = 0;
    for operator in body.get_operators_reader()? {
        let inside = open.iter().rev().find_map(|&number| number);
        match operator? {
            Operator::Loop { .. } => {
                open.push(Some(loops.len()));
                loops.push(LoopLocals::default());
            }
            Operator::Block { .. } | Operator::If { .. } => open.push(None),
            Operator::End => {
                if let Some(Some(number)) = open.pop() {
                    let closed = loops[number].close();
                    entries += closed.set.len() + closed.read.len();
                    let outside = open.iter().rev().find_map(|&number| number);
                    if let Some(outside) = outside {
                        loops[outside].set.extend(&closed.set);
                        loops[outside].read.extend(&closed.read);
                    }
                    loops[number] = closed;
                }
            }
            Operator::LocalSet { local_index } | Operator::LocalTee { local_index } => {
                inside.map(|inside| loops[inside].set.push(local_index)).unwrap_or_default();
            }
            Operator::LocalGet { local_index } => {
                inside.map(|inside| loops[inside].read.push(local_index)).unwrap_or_default();
            }
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

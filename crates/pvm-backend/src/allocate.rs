//! Register allocation, by `regalloc2`.
//!
//! Registers that a function has to restore are worth it where values stay alive over calls in loops, and where there is no
//! other register left; elsewhere saving and restoring them costs more than what they save. The allocator does not know that
//! they cost something, so where it has used them it is asked again without them, and the cheaper result counts.

use crate::abi;
use crate::error::Problem;
use crate::frame::kept_registers;
use crate::vcode::{Op, VCode};
use regalloc2::checker::Checker;
use regalloc2::{Algorithm, Block, Edit, Function, MachineEnv, Output, RegallocOptions};

/// The time that the better algorithm takes grows faster than the function. Functions of more instructions get the quick one.
const LARGE: usize = 30_000;
/// How much more often a loop is run through than what is around it.
const LOOP_WEIGHT: u64 = 8;
/// The deepest nesting that is told apart.
const DEEPEST: u32 = 6;

/// Finds a register or a place in the frame for each operand. `quick` asks for an algorithm of one pass. With `check`, the
/// allocator's checker follows every value through what it has made.
pub fn allocate(code: &VCode, quick: bool, check: bool) -> Result<Output, Problem> {
    if quick || code.num_insts() > LARGE {
        return run(code, &abi::machine_env(false), Algorithm::Fastalloc, check);
    }
    let with = run(code, &abi::machine_env(true), Algorithm::Ion, check)?;
    if kept_registers(&with).is_empty() {
        return Ok(with);
    }
    let without = run(code, &abi::machine_env(false), Algorithm::Ion, check)?;
    Ok(if cost(code, &with) < cost(code, &without) { with } else { without })
}

fn run(code: &VCode, env: &MachineEnv, algorithm: Algorithm, check: bool) -> Result<Output, Problem> {
    let options = RegallocOptions { validate_ssa: check, algorithm, ..RegallocOptions::default() };
    let output = regalloc2::run(code, env, &options).map_err(|error| Problem::Registers(error.to_string()))?;
    if check {
        let mut checker = Checker::new(code, env);
        checker.prepare(&output);
        checker.run().map_err(|errors| Problem::Registers(format!("{errors:?}")))?;
    }
    Ok(output)
}

/// About how many instructions the allocation costs in a run: moves, loads and stores.
fn cost(code: &VCode, output: &Output) -> u64 {
    let weights: Vec<u64> = code.blocks.iter().map(|block| weight(block.depth, block.cold)).collect();
    let mut block = 0;
    let mut cost = 0;
    for (point, Edit::Move { from, to }) in &output.edits {
        while code.block_insns(Block::new(block)).last() < point.inst() {
            block += 1;
        }
        cost += if from == to { 0 } else { weights[block] };
    }
    let ends = code
        .blocks
        .iter()
        .zip(&weights)
        .filter(|(block, _)| matches!(block.insts.last(), Some(inst) if inst.op == Op::Return));
    let returns: u64 = ends.map(|(_, weight)| weight).sum();
    cost + kept_registers(output).len() as u64 * (weight(0, false) + returns.min(weight(0, false)))
}

/// How often a block is run, compared to others. Rare ones do not count in full.
fn weight(depth: u32, cold: bool) -> u64 {
    let weight = 4 * LOOP_WEIGHT.pow(depth.min(DEEPEST));
    if cold { weight / 4 } else { weight }
}

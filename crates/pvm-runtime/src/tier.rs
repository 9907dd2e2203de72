//! The compiled tier, as modules and instances use it.

use crate::{CompileStats, Engine};
use pvm_codegen::{Attempt, CodeCache, Place, Profiler, Profiling, Settings};
use pvm_frontend::{Exit, Metering};
use pvm_gas::{GasModel, cost_from};
use pvm_interpreter::{Cells, Hotness};
use pvm_ops::{GuestCode, Inst, Target};
use pvm_program::{Code, Program};
use pvm_vm::{Context, Memory};
use std::sync::Arc;

/// The code cache of a module, if the engine compiles.
pub(crate) fn cache(engine: &Engine, program: &Program, code: &Arc<Code>, model: GasModel) -> Option<CodeCache<Code>> {
    let compiler = engine.compiler()?;
    let config = engine.config();
    let metering = Metering { model, count_instructions: config.count_instructions };
    let settings = Settings { metering, region_limit: config.region_limit, code_limit: config.code_limit };
    let for_costs = Arc::clone(code);
    let cache = CodeCache::new(
        Arc::clone(compiler),
        Arc::clone(code),
        |code| code.block_starts().collect(),
        Box::new(move |pc| cost_from(model, &for_costs, pc)),
        settings,
    );
    Some(match config.profiling {
        Profiling::Off => cache,
        profiling => cache.with_profiler(Profiler::new(profiling, symbols(program, code))),
    })
}

/// The exports. The entries of a service are jumps in a row at its beginning: where such a jump leads has the name, too, or
/// the last one would name all that comes after it.
fn symbols(program: &Program, code: &Code) -> Vec<(u32, String)> {
    let mut symbols = Vec::new();
    for export in &program.exports {
        symbols.push((export.pc, export.name.clone()));
        if let Inst::Jump { link: None, target: Target::Block(pc) } = code.fetch(export.pc).inst {
            symbols.push((pc, export.name.clone()));
        }
    }
    symbols
}

pub(crate) fn stats(cache: &CodeCache<Code>) -> CompileStats {
    let stats = cache.stats();
    CompileStats {
        regions: stats.regions,
        evicted: stats.evicted,
        blocks: stats.blocks,
        instructions: stats.instructions,
        guest_bytes: stats.guest_bytes,
        code_bytes: stats.code_bytes,
        memory_bytes: stats.memory_bytes,
        landings: stats.landings,
        side_table_bytes: stats.side_table_bytes,
        blocks_time: stats.blocks_time,
        time: stats.time,
    }
}

/// How an instance decides between machine code and the interpreter.
#[derive(Debug)]
pub(crate) struct Tier {
    pub hotness: Hotness,
    threshold: u32,
    /// Places found lately, by their program counters: most runs go back and forth between a few regions.
    recent: Vec<Option<(u32, bool, Place)>>,
}

const RECENT: usize = 64;

impl Tier {
    pub(crate) fn new(cells: &Cells, threshold: u32) -> Tier {
        Tier { hotness: Hotness::new(cells, threshold), threshold, recent: vec![None; RECENT] }
    }

    /// Runs machine code from where the guest is, if there is any or there ought to be.
    ///
    /// `entered` says that a block is being entered which the interpreter has not counted.
    #[inline]
    pub(crate) fn run(
        &mut self,
        cache: &CodeCache<Code>,
        cells: &Cells,
        context: &mut Context,
        memory: &mut Memory,
        entered: bool,
    ) -> Option<Exit> {
        let (pc, paid) = (context.state.pc, context.state.paid);
        let slot = (pc as usize ^ pc as usize >> 6) % RECENT;
        if let Some((at, is_paid, place)) = &self.recent[slot]
            && (*at, *is_paid) == (pc, paid)
            && let Some(exit) = cache.run(place, context, memory)
        {
            return Some(exit);
        }
        let place = self.find(cache, cells, pc, paid, entered)?;
        let exit = cache.run(&place, context, memory);
        self.recent[slot] = Some((pc, paid, place));
        exit
    }

    fn find(&mut self, cache: &CodeCache<Code>, cells: &Cells, pc: u32, paid: bool, entered: bool) -> Option<Place> {
        if let Some(place) = cache.find(pc, paid) {
            self.hotness.stop_at(cells, pc);
            return Some(place);
        }
        let is_hot = self.threshold == 0 || entered && self.hotness.enter(cells, pc);
        if is_hot {
            self.compile(cache, cells, pc);
            return cache.find(pc, paid);
        }
        None
    }

    /// Compiles the block at `pc`, and what goes with it, unless it has been.
    pub(crate) fn compile(&mut self, cache: &CodeCache<Code>, cells: &Cells, pc: u32) {
        if cache.contains(pc) {
            self.hotness.stop_at(cells, pc);
            return;
        }
        match cache.compile(pc) {
            Attempt::Compiled(entries) => entries.into_iter().for_each(|pc| self.hotness.stop_at(cells, pc)),
            Attempt::Later => self.hotness.forget(cells, pc),
            Attempt::Never => {}
        }
    }
}

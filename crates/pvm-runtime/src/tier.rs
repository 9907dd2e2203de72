//! The compiled tier, as modules and instances use it.

mod budget;
mod recent;

use crate::source::Source;
use crate::{Engine, Module};
use budget::Budget;
use pvm_codegen::{Attempt, CodeCache, Costs, HeldPlace, Place, Profiler, Profiling, Settings};
use pvm_frontend::{Exit, Metering};
use pvm_gas::{GasModel, cost_from};
use pvm_interpreter::{Cells, Hotness};
use pvm_ops::{DynamicJumps, GuestCode, Inst, Target};
use pvm_program::{Code, Executable, Program};
use pvm_vm::{Context, Memory};
use recent::Recent;
use std::collections::HashMap;
use std::sync::Arc;

/// The code cache of a PVM module, if the engine compiles.
pub(crate) fn cache(engine: &Engine, program: &Program, code: &Arc<Code>, model: GasModel) -> Option<CodeCache> {
    let for_costs = Arc::clone(code);
    let costs = Box::new(move |pc| cost_from(model, &for_costs, pc));
    let limit = engine.config().region_limit;
    let is_start = |pc| code.is_block_start(pc);
    new_cache(engine, code.dynamic_jumps(), is_start, costs, model, limit, || symbols(program, code))
}

/// The code cache of a RISC-V module, or of an instance whose code has changed, if the engine compiles.
pub(crate) fn riscv_cache(engine: &Engine, executable: &Executable, model: GasModel) -> Option<CodeCache> {
    let symbols = || executable.symbols.iter().map(|symbol| (symbol.address, symbol.name.clone())).collect();
    let limit = engine.config().region_limit;
    // Instructions cost one each, which nobody needs to be asked for.
    new_cache(engine, DynamicJumps::Direct, |_| true, Box::new(|_| 0), model, limit, symbols)
}

fn new_cache(
    engine: &Engine,
    jumps: DynamicJumps<'_>,
    is_block_start: impl Fn(u32) -> bool,
    costs: Costs,
    model: GasModel,
    region_limit: usize,
    symbols: impl FnOnce() -> Vec<(u32, String)>,
) -> Option<CodeCache> {
    let compiler = engine.compiler()?;
    let config = engine.config();
    let metering = Metering { model, count_instructions: config.count_instructions };
    let settings = Settings { metering, region_limit, code_limit: config.code_limit };
    let cache = CodeCache::new(Arc::clone(compiler), jumps, is_block_start, costs, settings);
    Some(match config.profiling {
        Profiling::Off => cache,
        profiling => cache.with_profiler(Profiler::new(profiling, symbols())),
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

/// The number of the host call at `pc`, at which machine code of the module has stopped, and where the guest goes on behind it.
#[cold]
pub(crate) fn host_call(module: &Module, pc: u32) -> (i32, u32) {
    let call = module.shared.guest.cells().host_call(pc);
    call.unwrap_or_else(|| unreachable!("compiled code took {pc} for a host call"))
}

/// How an instance decides between machine code and the interpreter.
#[derive(Debug)]
pub(crate) struct Tier {
    pub hotness: Hotness,
    threshold: u32,
    /// Places found lately.
    recent: Recent,
    /// Host calls made lately; nothing until there was one.
    calls: Vec<Call>,
    /// Which of them have their places held, a bit for each.
    held_calls: u64,
    budget: Budget,
    /// How often regions were left for places that they might have, and how often is too often: by their heads, and whether that
    /// was by the ways of a large program.
    misses: HashMap<(u32, bool), (u32, u32)>,
    /// How often that was since one was counted for all of them.
    ways: u32,
}

/// A host call of a PVM program, whose code does not change.
#[derive(Clone, Debug)]
struct Call {
    pc: u32,
    id: i32,
    /// Where the run goes on after it, and whether it is paid from there to the end of the block.
    next: (u32, bool),
    /// The place there, held while machine code runs.
    back: Option<HeldPlace>,
}

impl Call {
    /// None: code ends before the last address.
    const NONE: Call = Call { pc: u32::MAX, id: 0, next: (0, false), back: None };
}

/// Where a program counter is among the calls.
#[inline]
fn slot(pc: u32) -> usize {
    (pc as usize ^ pc as usize >> 6) % CALLS
}

const CALLS: usize = u64::BITS as usize;
/// Whoever asks for a lower threshold wants code compiled whatever it takes; at 0, before it runs.
const PATIENT: u32 = 100;
/// At least so often a region is left for what it might have before it is compiled again.
const FIRST_MISSES: u32 = 16;
/// A region of a PVM program, of which all ways are known, so often: that takes some two milliseconds.
const FIRST_WAYS_KNOWN_AHEAD: u32 = 100_000;
/// By a way that was known, so often if the program is large. Regions of those are left all the time, so that must cost as much as
/// compiling, which takes as long as some hundred thousand ways.
const FIRST_WAYS: u32 = 640_000;
/// How many ways to places that are at hand count as one that is counted, where nobody is in a hurry... (A prime number: where calls and
/// returns alternate, both are to be counted.)
const SAMPLED: u32 = 17;
/// ... and where there are many.
const SAMPLED_MANY: u32 = 1021;

impl Tier {
    pub(crate) fn new(cells: &Cells, threshold: u32) -> Tier {
        Tier {
            hotness: Hotness::new(cells, threshold),
            threshold,
            recent: Recent::default(),
            calls: Vec::new(),
            held_calls: 0,
            budget: Budget::default(),
            misses: HashMap::new(),
            ways: 0,
        }
    }

    /// Runs machine code from where the guest is, if there is any or there ought to be, as long as it leads to other that is held.
    ///
    /// `entered` says that a block is being entered which the interpreter has not counted, `entries` is how often machine code
    /// was entered.
    #[allow(clippy::too_many_arguments)] // where code comes from, where the guest is, and what is counted
    #[inline]
    pub(crate) fn run(
        &mut self,
        cache: &CodeCache,
        cells: &Cells,
        source: Source<'_>,
        context: &mut Context,
        memory: &mut Memory,
        entered: bool,
        entries: &mut u64,
    ) -> Option<Exit> {
        let (pc, paid) = (context.state.pc, context.state.paid);
        if self.recent.hold(pc, paid).is_none() {
            let place = self.find(cache, cells, source, memory, pc, paid, entered)?;
            self.recent.note(pc, paid, place)?;
        }
        let sampled = self.sampled(cache, source);
        let ways = &mut self.ways;
        let leads_on = |exit, context: &Context| match exit {
            Exit::EnterPaid => Some(true),
            Exit::EnterByJump if context.jump == Context::NO_JUMP => Some(false),
            Exit::Enter | Exit::EnterByJump => {
                if exit == Exit::EnterByJump {
                    cells.note_jump(context.jump, context.state.pc);
                }
                *ways += 1;
                (*ways < sampled).then_some(false)
            }
            _ => None,
        };
        self.recent.run(context, memory, leads_on, entries)
    }

    /// Forgets where machine code is: some of it is not what the guest has to run any more.
    pub(crate) fn forget_places(&mut self) {
        self.release();
        self.recent = Recent::default();
    }

    /// The number of the host call at `pc`, at which machine code of the module has stopped.
    #[inline]
    pub(crate) fn host_call(&mut self, module: &Module, pc: u32) -> i32 {
        match self.calls.get(slot(pc)) {
            Some(call) if call.pc == pc => call.id,
            _ => self.note_call(module, pc),
        }
    }

    #[cold]
    fn note_call(&mut self, module: &Module, pc: u32) -> i32 {
        let (id, next) = host_call(module, pc);
        let paid = module.gas_model().charges_blocks();
        self.calls.resize(CALLS, Call::NONE);
        self.calls[slot(pc)] = Call { pc, id, next: (next, paid), back: None };
        id
    }

    /// The place behind the host call at `pc`, if machine code has stopped there lately and gone on behind it. It is held.
    #[inline]
    pub(crate) fn back(&mut self, pc: u32) -> Option<&HeldPlace> {
        let slot = slot(pc);
        let call = self.calls.get(slot).filter(|call| call.pc == pc)?;
        if call.back.is_none() {
            self.hold_back(slot);
        }
        self.calls[slot].back.as_ref()
    }

    #[cold]
    fn hold_back(&mut self, call: usize) {
        let (pc, paid) = self.calls[call].next;
        self.calls[call].back = self.recent.hold(pc, paid).cloned();
        self.held_calls |= 1 << call;
    }

    /// Lets go of the code that has run, so that it does not take up room once it is evicted.
    pub(crate) fn release(&mut self) {
        self.recent.release();
        let mut held = std::mem::take(&mut self.held_calls);
        while held != 0 {
            self.calls[held.trailing_zeros() as usize].back = None;
            held &= held - 1;
        }
    }

    /// Whether a region is compiled again as soon as it lacks something, whatever that takes. Not what was known ahead and compiled before
    /// it ran: most of that runs seldom.
    fn is_eager(&self, source: Source<'_>) -> bool {
        self.threshold < PATIENT && (source.is_found_as_it_runs() || self.threshold > 0)
    }

    /// Of ways to places that are at hand one in so many is counted, for all of them.
    fn sampled(&self, cache: &CodeCache, source: Source<'_>) -> u32 {
        match source.is_found_as_it_runs() {
            _ if self.is_eager(source) => 1,
            true if !source.is_large(cache) => SAMPLED,
            _ => SAMPLED_MANY,
        }
    }

    /// Notes that the region that has run last was left for another place: by the dynamic jump from one program counter to
    /// another, or by a way that was known when it was compiled. If that happens often, it is compiled again, with what is known
    /// by then of where its jumps go and of what is warm. (A region of a PVM program with what had become parts of others before, like a
    /// function that is called from everywhere.)
    pub(crate) fn miss(
        &mut self,
        cache: &CodeCache,
        cells: &Cells,
        source: Source<'_>,
        memory: &Memory,
        jump: Option<[u32; 2]>,
    ) {
        let sampled = self.sampled(cache, source);
        let is_sample = self.ways >= sampled;
        self.ways = if is_sample { 0 } else { self.ways };
        let Some(region) = self.recent.last().map(HeldPlace::region) else { return };
        let is_of_interest = match jump {
            Some([from, _]) => from != Context::NO_JUMP,
            // What is found from a place on would be the same again if it is full.
            None => !source.is_found_as_it_runs() || !region.is_full,
        };
        if !is_of_interest {
            return;
        }
        if let Some([from, pc]) = jump {
            cells.note_jump(from, pc);
        }
        let is_way_of_large = jump.is_none() && source.is_large(cache);
        let first = match source.is_found_as_it_runs() {
            _ if is_way_of_large => FIRST_WAYS,
            false if !self.is_eager(source) => FIRST_WAYS_KNOWN_AHEAD,
            _ => self.threshold / 4 + FIRST_MISSES,
        };
        let (count, limit) = self.misses.entry((region.head, is_way_of_large)).or_insert((0, first));
        *count += if is_sample { sampled } else { 1 };
        if *count < *limit {
            return;
        }
        *count = 0;
        if self.threshold >= PATIENT && !self.budget.allows() {
            return;
        }
        *limit = limit.saturating_mul(4);
        self.release();
        let hotness = &self.hotness;
        let again = || {
            source.compile(
                cache,
                memory,
                region.head,
                |pc| hotness.is_warm(cells, pc),
                Some(region),
                self.threshold == 0,
            )
        };
        let attempt = self.budget.spend(again);
        if let Attempt::Compiled(entries) = attempt {
            self.note_compiled(cells, &entries);
        }
    }

    #[allow(clippy::too_many_arguments)] // where code comes from, where it goes, and where the guest is
    fn find(
        &mut self,
        cache: &CodeCache,
        cells: &Cells,
        source: Source<'_>,
        memory: &Memory,
        pc: u32,
        paid: bool,
        entered: bool,
    ) -> Option<Place> {
        if let Some(place) = cache.find(pc, paid) {
            self.hotness.stop_at(cells, pc);
            return Some(place);
        }
        let is_hot = self.threshold == 0 || entered && self.hotness.enter(cells, pc);
        if is_hot {
            self.compile(cache, cells, source, memory, pc);
            return cache.find(pc, paid);
        }
        None
    }

    /// Compiles the block at `pc`, and what goes with it, unless it has been.
    pub(crate) fn compile(&mut self, cache: &CodeCache, cells: &Cells, source: Source<'_>, memory: &Memory, pc: u32) {
        if self.recent.hold(pc, false).is_some() || cache.contains(pc) {
            self.hotness.stop_at(cells, pc);
            return;
        }
        if self.threshold >= PATIENT && !self.budget.allows() {
            return self.hotness.forget(cells, pc);
        }
        // Room may be needed.
        self.release();
        let hotness = &self.hotness;
        let attempt = self
            .budget
            .spend(|| source.compile(cache, memory, pc, |pc| hotness.is_warm(cells, pc), None, self.threshold == 0));
        match attempt {
            Attempt::Compiled(entries) => self.note_compiled(cells, &entries),
            Attempt::Later => self.hotness.forget(cells, pc),
            Attempt::Never => {}
        }
    }

    /// Has the guest go to new machine code where it enters these program counters.
    fn note_compiled(&mut self, cells: &Cells, entries: &[u32]) {
        for &pc in entries {
            self.recent.forget(pc);
            self.hotness.stop_at(cells, pc);
        }
    }
}

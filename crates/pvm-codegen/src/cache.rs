//! The code cache: the compiled regions of one program, shared by all its guests and threads.
//!
//! Executable memory is limited. When there is no room for a region, others are evicted, the oldest first that were not
//! used lately; one that a thread is running in keeps its memory, and counts, until that thread leaves it. Compiling
//! happens outside of the lock: meanwhile others go on, in code that is there or in the interpreter.
//! Code that is evicted again and again is compiled ever more rarely, and so is all code when the host has no executable
//! memory to give; the interpreter takes over.

use crate::compiler::MachineCode;
use crate::table::{Compiled, Held, Plan, Table};
use crate::{CacheStats, CompileError, Compiler, HeldPlace, Place, Profiler};
use pvm_frontend::{Block, Blocks, Exit, Metering, Region, translate};
use pvm_gas::GasModel;
use pvm_ops::GuestCode;
use pvm_vm::{Context, Landing, Memory};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// What the block that starts at a program counter costs, in models that charge blocks whole.
pub type Costs = Box<dyn Fn(u32) -> u32 + Send + Sync>;

/// How a cache compiles.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What compiled code meters.
    pub metering: Metering,
    /// The greatest number of guest instructions in a region, at least 1.
    pub region_limit: usize,
    /// The most executable memory, in bytes.
    pub code_limit: usize,
}

/// Compiled regions of one program.
pub struct CodeCache<C> {
    compiler: Arc<Compiler>,
    code: Arc<C>,
    /// Where blocks start; asked for once, when the first region is compiled. With the blocks, how long that took.
    block_starts: fn(&C) -> Vec<u32>,
    blocks: OnceLock<(Blocks, Duration)>,
    costs: Costs,
    settings: Settings,
    profiler: Option<Profiler>,
    table: RwLock<Table>,
    /// Executable memory in use, in bytes, that of evicted regions in which a thread is still running included.
    in_use: Arc<AtomicUsize>,
    /// Two words for each entry of the guest's jump table, as compiled code reads them: where the target is in compiled
    /// code, and its program counter.
    jump_entries: Box<[AtomicU64]>,
    /// Whether it has been said that a region could not be compiled, and that memory for code cannot be had.
    has_complained: [AtomicBool; 2],
}

/// What came of a request to compile a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// It was compiled; these program counters can be entered since.
    Compiled(Vec<u32>),
    /// Not now. It makes sense to ask again when the block has got hot again.
    Later,
    /// The block cannot be compiled, or need not.
    Never,
}

impl<C: GuestCode> CodeCache<C> {
    /// An empty cache for `code`.
    pub fn new(
        compiler: Arc<Compiler>,
        code: Arc<C>,
        block_starts: fn(&C) -> Vec<u32>,
        costs: Costs,
        settings: Settings,
    ) -> CodeCache<C> {
        let jump_entries = code
            .jump_table()
            .iter()
            .flat_map(|&pc| [0, if code.is_block_start(pc) { u64::from(pc) } else { u64::MAX }])
            .map(AtomicU64::new)
            .collect();
        CodeCache {
            compiler,
            code,
            block_starts,
            blocks: OnceLock::new(),
            costs,
            settings,
            profiler: None,
            table: RwLock::default(),
            in_use: Arc::default(),
            jump_entries,
            has_complained: Default::default(),
        }
    }

    /// The cache, made to tell profilers of what it compiles.
    pub fn with_profiler(self, profiler: Profiler) -> CodeCache<C> {
        CodeCache { profiler: Some(profiler), ..self }
    }

    fn blocks(&self) -> &Blocks {
        let (blocks, _) = self.blocks.get_or_init(|| {
            let started = Instant::now();
            let starts = (self.block_starts)(&self.code);
            let blocks = Blocks::new(&*self.code, starts.into_iter(), self.settings.region_limit.max(1));
            (blocks, started.elapsed())
        });
        blocks
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the cache holds.
    pub fn stats(&self) -> CacheStats {
        let stats = self.read().stats;
        let landing_bytes = stats.landings * size_of::<Landing>() as u64;
        CacheStats {
            memory_bytes: self.in_use.load(Ordering::Relaxed) as u64,
            side_table_bytes: landing_bytes + size_of_val(&*self.jump_entries) as u64,
            blocks_time: self.blocks.get().map_or(Duration::ZERO, |&(_, time)| time),
            ..stats
        }
    }

    /// The machine code that goes on at `pc`, if there is any. `paid` says whether the gas from there to the end of the
    /// block has been charged.
    pub fn find(&self, pc: u32, paid: bool) -> Option<Place> {
        let place = self.read().find(pc)?.clone();
        let wants_paid = place.is_continuation && self.settings.metering.model.charges_blocks();
        if wants_paid != paid {
            return None;
        }
        place.compiled.upgrade()?.used.store(true, Ordering::Relaxed);
        Some(place)
    }

    /// Whether there is machine code that can be entered at `pc`.
    pub fn contains(&self, pc: u32) -> bool {
        self.read().find(pc).is_some()
    }

    /// Compiles the region of the block at `pc`, unless that was done or tried before. `warm` says whether the block at a
    /// program counter has run before, so that it is worth compiling with what it leads to.
    pub fn compile(&self, pc: u32, warm: impl Fn(u32) -> bool) -> Attempt {
        let blocks = self.blocks();
        let Some(head) = blocks.find(pc) else { return Attempt::Never };
        let plan = self.write().plan(blocks, head, self.settings.region_limit.max(1), warm);
        let region = match plan {
            Plan::Compile(region) => region,
            Plan::Later => return Attempt::Later,
            Plan::Never => return Attempt::Never,
        };
        let started = Instant::now();
        let code = self.compiler.compile(|func, builder_context, config, faults| {
            let cost = |id| self.cost(blocks.get(id));
            let metering = self.settings.metering;
            translate(func, builder_context, config, &*self.code, blocks, &region, metering, faults, cost);
        });
        let mut table = self.write();
        table.stats.time += started.elapsed();
        let placed = code.and_then(|code| self.place(&mut table, blocks, pc, &code).map(|compiled| (code, compiled)));
        match placed {
            Ok((code, Some(compiled))) => {
                tracing::debug!(pc, blocks = region.blocks.len(), bytes = code.len(), "compiled");
                Attempt::Compiled(self.publish(&mut table, blocks, region, compiled, &code))
            }
            Ok((code, None)) if code.memory_bytes() > self.settings.code_limit => {
                table.abandon(&region, head);
                Attempt::Never
            }
            Ok((_, None)) => {
                table.postpone(&region, head);
                Attempt::Later
            }
            Err(error) => {
                let is_shortage = error.is_shortage();
                if self.has_complained[usize::from(is_shortage)].swap(true, Ordering::Relaxed) {
                    tracing::debug!(pc, %error, "left to the interpreter");
                } else {
                    tracing::warn!(pc, %error, "left to the interpreter (further cases are not warned of)");
                }
                if is_shortage {
                    table.note_shortage(&region, head);
                    Attempt::Later
                } else {
                    table.abandon(&region, head);
                    Attempt::Never
                }
            }
        }
    }

    /// What entering a block charges.
    fn cost(&self, block: &Block) -> u32 {
        match self.settings.metering.model {
            GasModel::None => 0,
            GasModel::Instruction => block.len,
            GasModel::Block | GasModel::Pipeline if block.is_continuation => 0,
            GasModel::Block | GasModel::Pipeline => (self.costs)(block.start),
        }
    }

    /// Puts the machine code of the region of the block at `pc` into executable memory, after making room for it. `None` if
    /// there is no room to be made.
    fn place(
        &self,
        table: &mut Table,
        blocks: &Blocks,
        pc: u32,
        code: &MachineCode,
    ) -> Result<Option<Arc<Compiled>>, CompileError> {
        let bytes = code.memory_bytes();
        if bytes > self.settings.code_limit {
            return Ok(None);
        }
        while self.in_use.load(Ordering::Relaxed) + bytes > self.settings.code_limit {
            let Some(evicted) = table.evict(blocks) else { return Ok(None) };
            self.set_jump_entries(blocks, &evicted, |_| 0);
        }
        let name = self.profiler.as_ref().map_or_else(|| "region".to_owned(), |profiler| profiler.name(pc));
        let function = self.compiler.publish(code, self.jump_entries.len(), &name)?;
        if let Some(profiler) = &self.profiler {
            profiler.record(&name, function.address(), code.bytes());
        }
        let held = Held::new(&self.in_use, function.bytes());
        Ok(Some(Arc::new(Compiled { function, used: AtomicBool::new(true), _held: held })))
    }

    fn publish(
        &self,
        table: &mut Table,
        blocks: &Blocks,
        region: Region,
        compiled: Arc<Compiled>,
        code: &MachineCode,
    ) -> Vec<u32> {
        let stats = &mut table.stats;
        stats.regions += 1;
        stats.code_bytes += code.len() as u64;
        stats.hot_bytes += code.hot_bytes() as u64;
        stats.landings += compiled.function.landings() as u64;
        for &id in &region.blocks {
            let block = blocks.get(id);
            stats.blocks += 1;
            stats.instructions += u64::from(block.len);
            stats.guest_bytes += u64::from(blocks.end(id, &*self.code) - block.start);
        }
        // Compiled code asks only whether a target is in its own region, so it does not matter when it sees this.
        self.set_jump_entries(blocks, &region, |entry| (u64::from(region.id) + 1) << 32 | entry as u64);
        table.insert(blocks, region, compiled)
    }

    /// Sets where the region's entries are, for the dynamic jumps that lead to them.
    fn set_jump_entries(&self, blocks: &Blocks, region: &Region, word: impl Fn(usize) -> u64) {
        for (entry, &id) in region.entries.iter().enumerate() {
            for &index in blocks.jump_entries(id) {
                self.jump_entries[2 * index as usize].store(word(entry), Ordering::Relaxed);
            }
        }
    }

    /// Runs from `place` until compiled code returns.
    #[inline]
    pub fn run(&self, place: &HeldPlace, context: &mut Context, memory: &mut Memory) -> Exit {
        let entry = u64::from(place.entry);
        Exit::from_code(place.compiled.function.call(entry, context, memory, &self.jump_entries))
    }
}

impl<C> std::fmt::Debug for CodeCache<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stats = self.table.read().unwrap_or_else(PoisonError::into_inner).stats;
        f.debug_struct("CodeCache").field("settings", &self.settings).field("stats", &stats).finish_non_exhaustive()
    }
}

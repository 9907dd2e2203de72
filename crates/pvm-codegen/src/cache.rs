//! The code cache: the compiled regions of one program, shared by all its guests and threads.
//!
//! Executable memory is limited. When there is no room for a region, others are evicted, the oldest first that were not
//! used lately; one that a thread is running in keeps its memory, and counts, until that thread leaves it. Compiling
//! happens outside of the lock: meanwhile others go on, in code that is there or in the interpreter.
//! Code that is evicted again and again is compiled ever more rarely, and so is all code when the host has no executable
//! memory to give; the interpreter takes over.

use crate::compiler::MachineCode;
use crate::table::{Compiled, Held, Plan, Row, Table};
use crate::{CompileError, Compiler, Place, Profiler, RegionId};
use pvm_frontend::{Block, BlockId, Blocks, Metering, Region, translate};
use pvm_gas::GasModel;
use pvm_ops::{DynamicJumps, GuestCode, Width};
use pvm_vm::{CompileStats, Landing};
use std::ops::Range;
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

/// How much is compiled together.
#[derive(Clone, Copy, Debug)]
pub struct Reach {
    /// The greatest number of guest instructions in a region, at least 1.
    pub instructions: usize,
    /// Where regions may overlap, so many have the same block, if it can be entered. With one, a loop and a way through it that
    /// is found later stay apart, and each round goes from region to region, until they are compiled again for that.
    pub sharing: usize,
    /// Whether runs leave what is compiled together soon, where code is not known ahead. Then nothing comes along that has hardly
    /// run.
    pub is_brief: bool,
}

/// What is to be compiled.
#[derive(Clone, Copy, Debug)]
pub struct Request {
    /// The program counter of the block that the region is around.
    pub pc: u32,
    /// How much.
    pub reach: Reach,
    /// The region that goes, if there is machine code to replace it, which there is not where it would be the same.
    pub instead_of: Option<RegionId>,
}

/// Compiled regions of one program.
pub struct CodeCache {
    compiler: Arc<Compiler>,
    /// With the blocks of code that is known ahead, how long it took to find them.
    blocks: OnceLock<(Blocks, Duration)>,
    costs: Costs,
    settings: Settings,
    profiler: Option<Profiler>,
    /// The cache of the code that this one's was before it changed.
    base: Option<Arc<CodeCache>>,
    table: RwLock<Table>,
    /// Executable memory in use, in bytes, that of evicted regions in which a thread is still running included.
    in_use: Arc<AtomicUsize>,
    /// Two words for each entry of the guest's jump table, if it has one, as compiled code reads them: where the target is
    /// in compiled code, and its program counter.
    jump_entries: Arc<[AtomicU64]>,
    /// Whether it has been said that a region could not be compiled, and that memory for code cannot be had.
    has_complained: [AtomicBool; 2],
}

/// The most IR of a region, as [`CompileError::TooLarge`] measures it: to compile that takes some four megabytes. Guest instructions
/// tell less, as one may take five times as much as another.
const MOST_IR: usize = 12_000;

/// The number of guest addresses.
const SPACE: u64 = 1 << 32;

/// A region would have taken so much IR, with so many instructions.
struct TooLarge {
    ir: usize,
    instructions: usize,
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

impl CodeCache {
    /// An empty cache for code with such dynamic jumps. It is the same whenever something is compiled, or changes where that
    /// is told ([`CodeCache::forget`]). `is_block_start` says which entries of a jump table may be jumped to.
    pub fn new(
        compiler: Arc<Compiler>,
        jumps: DynamicJumps<'_>,
        is_block_start: impl Fn(u32) -> bool,
        costs: Costs,
        settings: Settings,
    ) -> CodeCache {
        let jump_entries = jumps
            .entries()
            .iter()
            .flat_map(|&pc| [0, if is_block_start(pc) { u64::from(pc) } else { u64::MAX }])
            .map(AtomicU64::new)
            .collect();
        CodeCache {
            compiler,
            blocks: OnceLock::new(),
            costs,
            settings,
            profiler: None,
            base: None,
            table: RwLock::default(),
            in_use: Arc::default(),
            jump_entries,
            has_complained: Default::default(),
        }
    }

    /// The cache, made to tell profilers of what it compiles.
    pub fn with_profiler(self, profiler: Profiler) -> CodeCache {
        CodeCache { profiler: Some(profiler), ..self }
    }

    /// The cache, made to lead into what another one has of code in pages that have not changed here. It is for a guest that
    /// began with the code of that other cache.
    pub fn upon(self, base: Arc<CodeCache>) -> CodeCache {
        CodeCache { base: Some(base), ..self }
    }

    /// How much of code that is known ahead is compiled together.
    pub fn reach(&self) -> Reach {
        Reach { instructions: self.settings.region_limit, sharing: 1, is_brief: false }
    }

    /// The blocks of code that is known ahead, found when the first region is compiled.
    fn blocks(&self, code: &impl GuestCode, starts: impl Fn() -> Vec<u32>) -> &Blocks {
        let (blocks, _) = self.blocks.get_or_init(|| {
            let started = Instant::now();
            let blocks = Blocks::new(code, starts().into_iter(), self.settings.region_limit);
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
    pub fn stats(&self) -> CompileStats {
        let stats = self.read().stats;
        let landing_bytes = stats.landings * size_of::<Landing>() as u64;
        CompileStats {
            memory_bytes: self.in_use.load(Ordering::Relaxed) as u64,
            side_table_bytes: landing_bytes + size_of_val(&*self.jump_entries) as u64,
            blocks_time: self.blocks.get().map_or(Duration::ZERO, |&(_, time)| time),
            ..stats
        }
    }

    /// The machine code that goes on at `pc`, if there is any. `paid` says whether the gas from there to the end of the
    /// block has been charged.
    pub fn find(&self, pc: u32, paid: bool) -> Option<Place> {
        self.place_at(pc).filter(|place| place.is_at(pc, paid))
    }

    /// Whether there is machine code that can be entered at `pc`.
    pub fn contains(&self, pc: u32) -> bool {
        self.place_at(pc).is_some()
    }

    /// Where machine code can be entered at `pc`: its own, or that of code which has not changed since it was another cache's.
    fn place_at(&self, pc: u32) -> Option<Place> {
        let table = self.read();
        let found = table.find(pc).cloned();
        found.or_else(|| self.base.as_ref()?.read().find_among(pc, |page| !table.has_changed(page)))
    }

    /// Compiles a region, unless that was done or tried before. `starts` says where blocks start, ascending; it is asked once, for
    /// code that is known ahead. `warm` says whether the block at a program counter has run before, so that it is worth compiling
    /// with what it leads to, or with what leads to it.
    pub fn compile(
        &self,
        code: &impl GuestCode,
        mut request: Request,
        starts: impl Fn() -> Vec<u32>,
        warm: impl Fn(u32) -> bool,
    ) -> Attempt {
        let is_known_ahead = matches!(code.dynamic_jumps(), DynamicJumps::Table { .. });
        if let Some(region) = request.instead_of.filter(|_| is_known_ahead)
            && !self.write().may_renew(region)
        {
            return Attempt::Never;
        }
        let (mut most, mut len) = (MOST_IR, usize::MAX);
        loop {
            match self.compile_within(most, code, request, &starts, &warm) {
                Ok(attempt) => return attempt,
                Err(large) if large.instructions < len => {
                    tracing::debug!(request.pc, large.instructions, large.ir, "made smaller");
                    len = large.instructions;
                    // Fewer may take more each.
                    request.reach.instructions = (len * most / large.ir * 15 / 16).max(1);
                }
                // A block of code that is known ahead is never cut.
                Err(_) => most = usize::MAX,
            }
        }
    }

    /// The same, if the region takes no more IR than `most`.
    fn compile_within(
        &self,
        most: usize,
        code: &impl GuestCode,
        Request { pc, reach, instead_of }: Request,
        starts: impl Fn() -> Vec<u32>,
        warm: impl Fn(u32) -> bool,
    ) -> Result<Attempt, TooLarge> {
        let limit = reach.instructions;
        let around;
        let (blocks, is_known_ahead) = match code.dynamic_jumps() {
            DynamicJumps::Table { .. } => (self.blocks(code, starts), true),
            DynamicJumps::Direct => {
                let table = self.read();
                let takes = |pc| code.is_likely(pc) && (instead_of.is_some() || table.may_share(pc, reach.sharing));
                around = Blocks::around(code, pc, limit, |pc| table.has_changed(pc), takes, &warm, !reach.is_brief);
                (&around, false)
            }
        };
        let Some(head) = blocks.find(pc) else { return Ok(Attempt::Never) };
        if instead_of.is_some_and(|region| region.covers(blocks)) {
            return Ok(Attempt::Never);
        }
        let plan = self.write().plan(pc, instead_of.filter(|_| is_known_ahead), |id, is_taken| {
            if !is_known_ahead {
                return (Region::whole(id, blocks, head, reach.is_brief), vec![pc]);
            }
            let [is_taken, warm] = [is_taken, &warm].map(|asked| move |id| asked(blocks.get(id).start));
            let region = Region::form(id, code, blocks, head, limit, is_taken, warm);
            let owned = region.blocks.iter().map(|&id| blocks.get(id).start).collect();
            (region, owned)
        });
        let (region, owned) = match plan {
            Plan::Compile(region, owned) => (region, owned),
            Plan::Later => return Ok(Attempt::Later),
            Plan::Never => return Ok(Attempt::Never),
        };
        let started = Instant::now();
        let machine_code = self.compiler.compile(most, |func, builder_context, config, faults| {
            let cost = |id| self.cost(blocks.get(id));
            let metering = self.settings.metering;
            translate(func, builder_context, config, code, blocks, &region, metering, faults, cost)
        });
        let mut table = self.write();
        table.stats.time += started.elapsed();
        let id = RegionId::new(blocks, &region, pc, limit);
        if let Err(CompileError::TooLarge { size, .. }) = machine_code {
            table.release(&owned);
            return Err(TooLarge { ir: size, instructions: id.len as usize });
        }
        let placed = machine_code.and_then(|machine_code| {
            self.place(&mut table, id, code.width(), &machine_code).map(|compiled| (machine_code, compiled))
        });
        Ok(match placed {
            Ok((machine_code, Some(compiled))) => {
                tracing::debug!(pc, blocks = region.blocks.len(), bytes = machine_code.len(), "compiled");
                let row = self.row(&mut table, code, blocks, &region, compiled, &machine_code, owned);
                let mut former: Vec<RegionId> = instead_of.into_iter().collect();
                former.extend(instead_of.into_iter().flat_map(|_| table.superseded_by(&row.owned)));
                former.into_iter().filter_map(|region| table.retire(region)).for_each(|row| self.cut(&row));
                Attempt::Compiled(self.publish(&mut table, blocks, &region, row))
            }
            Ok((code, None)) if code.memory_bytes() > self.settings.code_limit => {
                table.give_up(&owned, pc, instead_of.is_some());
                Attempt::Never
            }
            Ok((_, None)) => {
                table.postpone(&owned, pc);
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
                    table.note_shortage(&owned);
                    Attempt::Later
                } else {
                    table.give_up(&owned, pc, instead_of.is_some());
                    Attempt::Never
                }
            }
        })
    }

    /// Forgets what was compiled of code in these bytes, below 2^32: it has changed.
    pub fn forget(&self, range: &Range<u64>) {
        let mut table = self.write();
        table.forget(range).iter().for_each(|row| self.cut(row));
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
        region: RegionId,
        width: Width,
        code: &MachineCode,
    ) -> Result<Option<Arc<Compiled>>, CompileError> {
        let bytes = code.memory_bytes();
        if bytes > self.settings.code_limit {
            return Ok(None);
        }
        while self.in_use.load(Ordering::Relaxed) + bytes > self.settings.code_limit {
            let Some(evicted) = table.evict() else { return Ok(None) };
            self.cut(&evicted);
        }
        let name = self.profiler.as_ref().map_or_else(|| "region".to_owned(), |profiler| profiler.name(region.head));
        let is_metered = self.settings.metering.model != GasModel::None;
        let function = self.compiler.publish(code, &self.jump_entries, is_metered, &name)?;
        if let Some(profiler) = &self.profiler {
            profiler.record(&name, function.address(), code.bytes());
        }
        let held = Held::new(&self.in_use, function.bytes());
        Ok(Some(Arc::new(Compiled {
            function,
            region,
            is_narrow: width == Width::W32,
            used: AtomicBool::new(true),
            _held: held,
        })))
    }

    /// What the table keeps of a region, which is counted.
    #[allow(clippy::too_many_arguments)] // a region and what was made of it
    fn row(
        &self,
        table: &mut Table,
        code: &impl GuestCode,
        blocks: &Blocks,
        region: &Region,
        compiled: Arc<Compiled>,
        machine_code: &MachineCode,
        mut owned: Vec<u32>,
    ) -> Row {
        let stats = &mut table.stats;
        stats.regions += 1;
        stats.code_bytes += machine_code.len() as u64;
        stats.hot_bytes += machine_code.hot_bytes() as u64;
        stats.landings += compiled.function.landings() as u64;
        let can_change = code.dynamic_jumps() == DynamicJumps::Direct;
        let mut bytes = Vec::new();
        for &id in &region.blocks {
            let block = blocks.get(id);
            let len = blocks.end(id, code).wrapping_sub(block.start);
            stats.blocks += 1;
            stats.instructions += u64::from(block.len);
            stats.guest_bytes += u64::from(len);
            if can_change {
                // Code goes on at 0 behind the last address.
                let (start, end) = (u64::from(block.start), u64::from(block.start) + u64::from(len));
                bytes.push(start..end.min(SPACE));
                bytes.extend((end > SPACE).then(|| 0..end - SPACE));
            }
        }
        if can_change {
            // Only while it was being compiled.
            table.release(&owned);
            owned.clear();
        }
        Row {
            compiled,
            id: region.id,
            entries: region.entries.iter().map(|&id| blocks.get(id).start).collect(),
            owned,
            jump_entries: region.entries.iter().flat_map(|&id| blocks.jump_entries(id)).copied().collect(),
            bytes,
        }
    }

    fn publish(&self, table: &mut Table, blocks: &Blocks, region: &Region, row: Row) -> Vec<u32> {
        // Compiled code asks only whether a target is in its own region, so it does not matter when it sees this.
        for (entry, &id) in region.entries.iter().enumerate() {
            for &index in blocks.jump_entries(id) {
                let word = (u64::from(region.id) + 1) << 32 | entry as u64;
                self.jump_entry(index).store(word, Ordering::Relaxed);
            }
        }
        let compiled = Arc::clone(&row.compiled);
        let pays_blocks = self.settings.metering.model.charges_blocks();
        let place = |(number, &id): (usize, &BlockId)| {
            let block = blocks.get(id);
            Place::new(&compiled, block.start, number as u32, block.is_continuation && pays_blocks)
        };
        table.insert(row, region.entries.iter().enumerate().map(place))
    }

    /// Cuts what leads to a region that is gone.
    fn cut(&self, row: &Row) {
        for &index in &row.jump_entries {
            let word = self.jump_entry(index);
            // Another region may have taken over the entry.
            if word.load(Ordering::Relaxed) >> 32 == u64::from(row.id) + 1 {
                word.store(0, Ordering::Relaxed);
            }
        }
    }

    fn jump_entry(&self, index: u32) -> &AtomicU64 {
        &self.jump_entries[2 * index as usize]
    }
}

impl std::fmt::Debug for CodeCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stats = self.table.read().unwrap_or_else(PoisonError::into_inner).stats;
        f.debug_struct("CodeCache").field("settings", &self.settings).field("stats", &stats).finish_non_exhaustive()
    }
}

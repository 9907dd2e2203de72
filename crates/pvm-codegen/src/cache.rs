//! The code cache: the compiled regions of one program.

use crate::{Compiled, Compiler};
use pvm_frontend::{Block, Blocks, Exit, Metering, Region, translate};
use pvm_gas::GasModel;
use pvm_ops::GuestCode;
use pvm_vm::{Context, Memory};
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

/// What the block that starts at a program counter costs, in models that charge blocks whole.
pub type Costs = Box<dyn Fn(u32) -> u32 + Send + Sync>;

/// Compiled regions of one program, shared by all its guests and threads.
pub struct CodeCache<C> {
    compiler: Arc<Compiler>,
    code: Arc<C>,
    /// Where blocks start; asked for once, when the first region is compiled.
    block_starts: fn(&C) -> Vec<u32>,
    blocks: OnceLock<Blocks>,
    costs: Costs,
    metering: Metering,
    region_limit: usize,
    code_limit: usize,
    table: RwLock<Table>,
    /// Two words for each entry of the guest's jump table, as compiled code reads them: where the target is in compiled
    /// code, and its program counter.
    jump_entries: Box<[AtomicU64]>,
}

#[derive(Default)]
struct Table {
    entries: HashMap<u32, Place>,
    /// Blocks that belong to a region, or whose region could not be compiled.
    taken: HashSet<u32>,
    next_region: u32,
    stats: CacheStats,
}

/// A place in compiled code.
#[derive(Clone, Debug)]
pub struct Place {
    function: Arc<Compiled>,
    entry: u32,
    /// Whether what comes before it has been paid together with it, where blocks are paid whole.
    is_continuation: bool,
}

/// What the cache holds, and what that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Regions compiled.
    pub regions: u64,
    /// Blocks in them.
    pub blocks: u64,
    /// Guest instructions in them.
    pub instructions: u64,
    /// Guest code in them, in bytes.
    pub guest_bytes: u64,
    /// Machine code, in bytes.
    pub code_bytes: u64,
    /// Executable memory, in bytes: whole pages.
    pub memory_bytes: u64,
    /// Time spent compiling.
    pub time: Duration,
}

impl<C: GuestCode> CodeCache<C> {
    /// An empty cache for `code`.
    ///
    /// `region_limit` is the greatest number of guest instructions in a region (at least 1), `code_limit` the most
    /// executable memory in bytes; when that is used up, nothing more is compiled.
    pub fn new(
        compiler: Arc<Compiler>,
        code: Arc<C>,
        block_starts: fn(&C) -> Vec<u32>,
        costs: Costs,
        metering: Metering,
        region_limit: usize,
        code_limit: usize,
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
            metering,
            region_limit: region_limit.max(1),
            code_limit,
            table: RwLock::default(),
            jump_entries,
        }
    }

    fn blocks(&self) -> &Blocks {
        self.blocks.get_or_init(|| {
            let starts = (self.block_starts)(&self.code);
            Blocks::new(&*self.code, starts.into_iter(), self.region_limit)
        })
    }

    fn read(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// What the cache holds.
    pub fn stats(&self) -> CacheStats {
        self.read().stats
    }

    /// The machine code that goes on at `pc`, if there is any. `paid` says whether the gas from there to the end of the
    /// block has been charged.
    pub fn find(&self, pc: u32, paid: bool) -> Option<Place> {
        let place = self.read().entries.get(&pc)?.clone();
        let wants_paid = place.is_continuation && self.metering.model.charges_blocks();
        (wants_paid == paid).then_some(place)
    }

    /// Compiles the region of the block at `pc`, unless that was done or tried before. Returns the program counters
    /// that can be entered since.
    pub fn compile(&self, pc: u32) -> Vec<u32> {
        let blocks = self.blocks();
        let Some(head) = blocks.find(pc) else { return Vec::new() };
        // Compiling under the lock: threads that want the same region wait for it instead of compiling it, too.
        let mut table = self.write();
        if table.taken.contains(&head) || table.stats.memory_bytes >= self.code_limit as u64 {
            return Vec::new();
        }
        let started = Instant::now();
        let region = Region::form(table.next_region, blocks, head, self.region_limit, |id| table.taken.contains(&id));
        table.next_region += 1;
        let compiled = self.compiler.compile(self.jump_entries.len(), |func, builder_context, config| {
            let cost = |id| self.cost(blocks.get(id));
            translate(func, builder_context, config, &*self.code, blocks, &region, self.metering, cost);
        });
        let time = started.elapsed();
        table.stats.time += time;
        match compiled {
            Ok(compiled) => {
                tracing::debug!(pc, blocks = region.blocks.len(), bytes = compiled.code_bytes, ?time, "compiled");
                self.publish(&mut table, blocks, &region, compiled)
            }
            Err(error) => {
                tracing::warn!(pc, %error, "left to the interpreter");
                table.taken.insert(head);
                Vec::new()
            }
        }
    }

    /// What entering a block charges.
    fn cost(&self, block: &Block) -> u32 {
        match self.metering.model {
            GasModel::None => 0,
            GasModel::Instruction => block.len,
            GasModel::Block | GasModel::Pipeline if block.is_continuation => 0,
            GasModel::Block | GasModel::Pipeline => (self.costs)(block.start),
        }
    }

    fn publish(&self, table: &mut Table, blocks: &Blocks, region: &Region, compiled: Compiled) -> Vec<u32> {
        let stats = &mut table.stats;
        stats.regions += 1;
        stats.code_bytes += compiled.code_bytes as u64;
        stats.memory_bytes += compiled.function.bytes() as u64;
        for &id in &region.blocks {
            let block = blocks.get(id);
            stats.blocks += 1;
            stats.instructions += u64::from(block.len);
            stats.guest_bytes += u64::from(blocks.end(id, &*self.code) - block.start);
            table.taken.insert(id);
        }
        let function = Arc::new(compiled);
        let mut pcs = Vec::with_capacity(region.entries.len());
        for (entry, &id) in region.entries.iter().enumerate() {
            let block = blocks.get(id);
            let place =
                Place { function: Arc::clone(&function), entry: entry as u32, is_continuation: block.is_continuation };
            table.entries.insert(block.start, place);
            pcs.push(block.start);
        }
        // Only now can compiled code be led to the region. It need not see that at once.
        for (index, pc) in self.code.jump_table().iter().enumerate() {
            let Some(id) = blocks.find(*pc).filter(|&id| blocks.get(id).is_jump_target) else { continue };
            if let Some(entry) = region.entry(id) {
                let place = (u64::from(region.id) + 1) << 32 | entry as u64;
                self.jump_entries[2 * index].store(place, Ordering::Relaxed);
            }
        }
        pcs
    }

    /// Runs from `place` until compiled code returns.
    #[inline]
    pub fn run(&self, place: &Place, context: &mut Context, memory: &mut Memory, interrupt: &AtomicBool) -> Exit {
        let code = place.function.function.call(u64::from(place.entry), context, memory, &self.jump_entries, interrupt);
        Exit::from_code(code)
    }
}

impl<C> std::fmt::Debug for CodeCache<C> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let stats = self.table.read().unwrap_or_else(PoisonError::into_inner).stats;
        f.debug_struct("CodeCache").field("metering", &self.metering).field("stats", &stats).finish_non_exhaustive()
    }
}

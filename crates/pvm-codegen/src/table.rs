//! Which regions there are, where they can be entered, and which go when there is no room for more.

use crate::backoff::Backoff;
use pvm_frontend::{BlockId, Blocks, Region};
use pvm_vm::CompiledFunction;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

/// A compiled region. Lives as long as anything may run in it.
#[derive(Debug)]
pub(crate) struct Compiled {
    pub function: CompiledFunction,
    /// Set when it is found, cleared when it is passed over for eviction.
    pub used: AtomicBool,
    pub _held: Held,
}

/// Executable memory that counts as in use until it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    in_use: Arc<AtomicUsize>,
    bytes: usize,
}

impl Held {
    pub(crate) fn new(in_use: &Arc<AtomicUsize>, bytes: usize) -> Held {
        in_use.fetch_add(bytes, Ordering::Relaxed);
        Held { in_use: Arc::clone(in_use), bytes }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.in_use.fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

/// A place in compiled code. Does not keep the code: once its region is evicted, the place leads nowhere.
#[derive(Clone, Debug)]
pub struct Place {
    pub(crate) compiled: Weak<Compiled>,
    pub(crate) entry: u32,
    /// Whether what comes before it has been paid together with it, where blocks are paid whole.
    pub(crate) is_continuation: bool,
}

impl Place {
    /// The code there, if its region has not been evicted.
    pub fn hold(&self) -> Option<HeldPlace> {
        Some(HeldPlace { compiled: self.compiled.upgrade()?, entry: self.entry })
    }
}

/// A place in compiled code, which is kept as long as this is.
#[derive(Clone, Debug)]
pub struct HeldPlace {
    pub(crate) compiled: Arc<Compiled>,
    pub(crate) entry: u32,
}

/// What the cache holds, and what that took.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CacheStats {
    /// Regions compiled.
    pub regions: u64,
    /// Regions evicted since.
    pub evicted: u64,
    /// Blocks compiled.
    pub blocks: u64,
    /// Guest instructions compiled.
    pub instructions: u64,
    /// Guest code compiled, in bytes.
    pub guest_bytes: u64,
    /// Machine code made, in bytes.
    pub code_bytes: u64,
    /// Of that, machine code outside of cold ways: what runs when nothing is refused and nothing leaves, in bytes.
    pub hot_bytes: u64,
    /// Executable memory in use now, in bytes: whole pages.
    pub memory_bytes: u64,
    /// Accesses to memory in that code for which the host watches, and that have a place to go on at if it refuses.
    pub landings: u64,
    /// Memory for tables beside the code: where to go on after refused accesses, and where dynamic jumps lead, in bytes.
    pub side_table_bytes: u64,
    /// Time spent finding the program's blocks, before the first region is compiled.
    pub blocks_time: Duration,
    /// Time spent compiling.
    pub time: Duration,
}

/// A region in the table.
#[derive(Debug)]
struct Row {
    compiled: Arc<Compiled>,
    region: Region,
}

/// The regions of a program.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: HashMap<u32, Place>,
    /// Blocks that belong to a region, compiled or being compiled, or whose region could not be compiled.
    taken: HashSet<BlockId>,
    /// Blocks that were evicted: each time they must be asked for twice as often before they are compiled again. Without
    /// that, a loop over more code than there is room for would compile all of it on every round.
    cooling: HashMap<BlockId, Backoff>,
    /// The same for the program as a whole, when memory for code cannot be had.
    shortage: Backoff,
    /// Oldest first.
    rows: VecDeque<Row>,
    next_region: u32,
    pub stats: CacheStats,
}

/// What a block's request to be compiled leads to.
pub(crate) enum Plan {
    /// This region is to be compiled.
    Compile(Region),
    /// Not now; the block should get hot again first.
    Later,
    /// Never.
    Never,
}

impl Table {
    pub(crate) fn find(&self, pc: u32) -> Option<&Place> {
        self.entries.get(&pc)
    }

    /// Decides what becomes of the block, and reserves the region's blocks.
    pub(crate) fn plan(
        &mut self,
        blocks: &Blocks,
        head: BlockId,
        region_limit: usize,
        warm: impl Fn(u32) -> bool,
    ) -> Plan {
        if self.next_region == u32::MAX {
            return Plan::Never;
        }
        if self.cooling.get_mut(&head).is_some_and(Backoff::refuses) || self.shortage.refuses() {
            return Plan::Later;
        }
        let id = self.next_region;
        // Another thread is compiling it, or a region has it that cannot be entered there.
        if self.taken.contains(&head) {
            return Plan::Later;
        }
        let warm = |id| warm(blocks.get(id).start);
        let region = Region::form(id, blocks, head, region_limit, |id| self.taken.contains(&id), warm);
        self.next_region += 1;
        self.taken.extend(&region.blocks);
        Plan::Compile(region)
    }

    /// Gives up on a planned region. Its head stays taken, so that it is not tried again.
    pub(crate) fn abandon(&mut self, region: &Region, head: BlockId) {
        for id in region.blocks.iter().filter(|&&id| id != head) {
            self.taken.remove(id);
        }
    }

    /// Gives up on a planned region because memory cannot be had, which will be the same for others.
    pub(crate) fn note_shortage(&mut self, region: &Region, head: BlockId) {
        self.release(region, head);
        self.shortage.fail();
    }

    /// Gives up on a planned region for now, as other threads run in so much evicted code that there is no room.
    pub(crate) fn postpone(&mut self, region: &Region, head: BlockId) {
        self.release(region, head);
        self.cooling.entry(head).or_default().fail();
    }

    fn release(&mut self, region: &Region, head: BlockId) {
        self.abandon(region, head);
        self.taken.remove(&head);
    }

    /// Enters a compiled region; returns the program counters at which it can be entered.
    pub(crate) fn insert(&mut self, blocks: &Blocks, region: Region, compiled: Arc<Compiled>) -> Vec<u32> {
        let mut pcs = Vec::with_capacity(region.entries.len());
        for (entry, &id) in region.entries.iter().enumerate() {
            let block = blocks.get(id);
            let place = Place {
                compiled: Arc::downgrade(&compiled),
                entry: entry as u32,
                is_continuation: block.is_continuation,
            };
            self.entries.insert(block.start, place);
            pcs.push(block.start);
        }
        self.rows.push_back(Row { compiled, region });
        self.shortage = Backoff::default();
        pcs
    }

    /// Takes the oldest region that was not used since it was last passed over out of the table and returns it, so that
    /// what leads to it can be cut. Its memory is given back when nobody runs in it any more.
    pub(crate) fn evict(&mut self, blocks: &Blocks) -> Option<Region> {
        let mut passed = 0;
        let row = loop {
            let row = self.rows.pop_front()?;
            if passed < self.rows.len() + 1 && row.compiled.used.swap(false, Ordering::Relaxed) {
                passed += 1;
                self.rows.push_back(row);
                continue;
            }
            break row;
        };
        for &id in &row.region.entries {
            let pc = blocks.get(id).start;
            self.entries.remove(&pc);
            self.cooling.entry(id).or_default().fail();
        }
        for id in &row.region.blocks {
            self.taken.remove(id);
        }
        self.stats.evicted += 1;
        Some(row.region)
    }
}

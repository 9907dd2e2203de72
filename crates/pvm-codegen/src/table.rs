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
    /// Executable memory in use now, in bytes: whole pages.
    pub memory_bytes: u64,
    /// Time spent compiling.
    pub time: Duration,
}

/// A region in the table.
#[derive(Debug)]
struct Row {
    id: u32,
    compiled: Arc<Compiled>,
    region: Region,
    /// Whether its blocks are no other region's.
    owns_blocks: bool,
}

/// The regions of a program.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: HashMap<u32, (u32, Place)>,
    /// Blocks that belong to a region, compiled or being compiled, or whose region could not be compiled.
    taken: HashSet<BlockId>,
    /// Blocks that were evicted: each time they must be asked for twice as often before they are compiled again. Without
    /// that, a loop over more code than there is room for would compile all of it on every round.
    cooling: HashMap<BlockId, Backoff>,
    /// The same for the program as a whole, when memory for code cannot be had.
    shortage: Backoff,
    /// How often a block that cannot be entered was hot.
    wanted_within: HashMap<BlockId, u32>,
    /// Oldest first.
    rows: VecDeque<Row>,
    next_region: u32,
    pub stats: CacheStats,
}

/// What a block's request to be compiled leads to.
pub(crate) enum Plan {
    /// This region is to be compiled; whether it owns its blocks.
    Compile(Region, bool),
    /// Not now; the block should get hot again first.
    Later,
    /// Never.
    Never,
}

/// How often a block inside a region must be hot before it gets a region of its own to be entered at: that is rare, and
/// code that is there already is compiled again.
const WITHIN_THRESHOLD: u32 = 16;

impl Table {
    pub(crate) fn find(&self, pc: u32) -> Option<&Place> {
        self.entries.get(&pc).map(|(_, place)| place)
    }

    /// Decides what becomes of the block, and reserves the region's blocks.
    pub(crate) fn plan(&mut self, blocks: &Blocks, head: BlockId, region_limit: usize) -> Plan {
        if self.next_region == u32::MAX {
            return Plan::Never;
        }
        if self.cooling.get_mut(&head).is_some_and(Backoff::refuses) || self.shortage.refuses() {
            return Plan::Later;
        }
        let id = self.next_region;
        if self.taken.contains(&head) {
            return self.plan_within(blocks, head, region_limit);
        }
        let region = Region::form(id, blocks, head, region_limit, |id| self.taken.contains(&id));
        self.next_region += 1;
        self.taken.extend(&region.blocks);
        Plan::Compile(region, true)
    }

    fn plan_within(&mut self, blocks: &Blocks, head: BlockId, region_limit: usize) -> Plan {
        let wanted = self.wanted_within.entry(head).or_default();
        *wanted += 1;
        if *wanted < WITHIN_THRESHOLD {
            return Plan::Later;
        }
        if *wanted > WITHIN_THRESHOLD {
            return Plan::Never;
        }
        let is_entry = |id| self.entries.contains_key(&blocks.get(id).start);
        let region = Region::form_within(self.next_region, blocks, head, region_limit, is_entry);
        self.next_region += 1;
        Plan::Compile(region, false)
    }

    /// Gives up on a planned region. Its head stays taken, so that it is not tried again.
    pub(crate) fn abandon(&mut self, region: &Region, head: BlockId, owns_blocks: bool) {
        if owns_blocks {
            for id in region.blocks.iter().filter(|&&id| id != head) {
                self.taken.remove(id);
            }
        }
    }

    /// Gives up on a planned region because memory cannot be had, which will be the same for others.
    pub(crate) fn note_shortage(&mut self, region: &Region, head: BlockId, owns_blocks: bool) {
        self.release(region, head, owns_blocks);
        self.shortage.fail();
    }

    /// Gives up on a planned region for now, as other threads run in so much evicted code that there is no room.
    pub(crate) fn postpone(&mut self, region: &Region, head: BlockId, owns_blocks: bool) {
        self.release(region, head, owns_blocks);
        self.cooling.entry(head).or_default().fail();
    }

    fn release(&mut self, region: &Region, head: BlockId, owns_blocks: bool) {
        self.abandon(region, head, owns_blocks);
        if owns_blocks {
            self.taken.remove(&head);
        }
        self.wanted_within.remove(&head);
    }

    /// Enters a compiled region; returns the program counters at which it can be entered.
    pub(crate) fn insert(
        &mut self,
        blocks: &Blocks,
        region: Region,
        compiled: Arc<Compiled>,
        owns_blocks: bool,
    ) -> Vec<u32> {
        let mut pcs = Vec::with_capacity(region.entries.len());
        for (entry, &id) in region.entries.iter().enumerate() {
            let block = blocks.get(id);
            let place = Place {
                compiled: Arc::downgrade(&compiled),
                entry: entry as u32,
                is_continuation: block.is_continuation,
            };
            self.entries.insert(block.start, (region.id, place));
            pcs.push(block.start);
        }
        self.rows.push_back(Row { id: region.id, compiled, region, owns_blocks });
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
            if self.entries.get(&pc).is_some_and(|(region, _)| *region == row.id) {
                self.entries.remove(&pc);
                self.cooling.entry(id).or_default().fail();
            }
        }
        for id in &row.region.blocks {
            if row.owns_blocks {
                self.taken.remove(id);
            }
            self.wanted_within.remove(id);
        }
        self.stats.evicted += 1;
        Some(row.region)
    }
}

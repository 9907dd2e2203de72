//! Which regions there are, where they can be entered, and which go when there is no room for more.

use crate::backoff::Backoff;
use pvm_frontend::{BlockId, Blocks, Exit, Region};
use pvm_ops::PAGE_SIZE;
use pvm_vm::{Answers, CompileStats, CompiledFunction, Context, Ended, Host, LastAnswer, Memory};
use std::collections::{HashMap, HashSet, VecDeque, hash_map};
use std::ops::Range;
use std::slice;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Weak};

/// A compiled region. Lives as long as anything may run in it.
#[derive(Debug)]
#[repr(C, align(64))] // the function comes first, and begins a cache line
pub(crate) struct Compiled {
    pub function: CompiledFunction,
    pub region: RegionId,
    /// Whether the guest's registers have 32 bits.
    pub is_narrow: bool,
    /// Set when it is found, cleared when it is passed over for eviction.
    pub used: AtomicBool,
    pub _held: Held,
}

/// A region that was compiled.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RegionId {
    pub(crate) id: u32,
    /// The program counter that was asked for.
    pub head: u32,
    /// How many instructions it has.
    pub len: u32,
    /// How many of its blocks dynamic jumps lead to.
    jump_targets: u32,
    /// Whether it has as much as it may.
    pub is_full: bool,
}

impl RegionId {
    /// That of a region of `blocks` around the block at `head`, which may have so many instructions.
    pub(crate) fn new(blocks: &Blocks, region: &Region, head: u32, most: usize) -> RegionId {
        let (len, jump_targets) = size(blocks, region.blocks.iter().copied());
        RegionId { id: region.id, head, len, jump_targets, is_full: len as usize >= most }
    }

    /// Whether a region of all these blocks, around the same head, would have nothing that this one has not. What is known of code
    /// that is found from a place on only grows, as long as it does not change. (Of a region that is full, other instructions might
    /// be taken by now; that is not worth compiling it again.)
    pub(crate) fn covers(&self, blocks: &Blocks) -> bool {
        let (len, jump_targets) = size(blocks, 0..blocks.len() as BlockId);
        len <= self.len && jump_targets <= self.jump_targets
    }
}

/// How many instructions these blocks have, and to how many of them dynamic jumps lead.
fn size(blocks: &Blocks, ids: impl Iterator<Item = BlockId>) -> (u32, u32) {
    ids.map(|id| blocks.get(id))
        .fold((0, 0), |(len, targets), block| (len + block.len, targets + u32::from(block.is_jump_target)))
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
    compiled: Weak<Compiled>,
    entry: Entry,
}

impl Place {
    /// The entry of this number.
    pub(crate) fn new(compiled: &Arc<Compiled>, pc: u32, number: u32, is_paid: bool) -> Place {
        Place { compiled: Arc::downgrade(compiled), entry: Entry { pc, bits: number | if is_paid { PAID } else { 0 } } }
    }

    /// Whether this is for that program counter, paid to the end of the block or not.
    #[inline]
    pub fn is_at(&self, pc: u32, is_paid: bool) -> bool {
        self.entry.is_at(pc, is_paid)
    }

    /// The program counter.
    pub fn pc(&self) -> u32 {
        self.entry.pc
    }

    /// The code there, if its region has not been evicted. It counts as used.
    pub fn hold(&self) -> Option<HeldPlace> {
        let compiled = self.compiled.upgrade()?;
        compiled.used.store(true, Ordering::Relaxed);
        Some(HeldPlace { compiled, entry: self.entry })
    }

    /// How many instructions the region has, if it has not been evicted.
    fn region_len(&self) -> Option<u32> {
        self.compiled.upgrade().map(|compiled| compiled.region.len)
    }
}

/// Where a region is entered. Many are at hand at a time, so that they are kept small.
#[derive(Clone, Copy, Debug)]
struct Entry {
    pc: u32,
    /// The number of the entry, and whether what comes there is paid to the end of the block.
    bits: u32,
}

/// A bit that no number of an entry has.
const PAID: u32 = 1 << 31;

impl Entry {
    #[inline]
    fn is_at(self, pc: u32, is_paid: bool) -> bool {
        (self.pc, self.bits & PAID != 0) == (pc, is_paid)
    }

    #[inline]
    fn number(self) -> u64 {
        u64::from(self.bits & !PAID)
    }
}

/// A place in compiled code, which is kept as long as this is.
#[derive(Clone, Debug)]
pub struct HeldPlace {
    compiled: Arc<Compiled>,
    entry: Entry,
}

impl HeldPlace {
    /// Whether this is for that program counter, paid to the end of the block or not.
    #[inline]
    pub fn is_at(&self, pc: u32, is_paid: bool) -> bool {
        self.entry.is_at(pc, is_paid)
    }

    /// The region that it is in.
    #[inline]
    pub fn region(&self) -> RegionId {
        self.compiled.region
    }

    /// Runs from there until compiled code returns.
    #[inline]
    pub fn run(&self, context: &mut Context, memory: &mut Memory) -> Exit {
        self.run_on(context, memory, |_, _| None)
    }

    /// Runs from there, and on from the place that `next` has for how compiled code has returned and what it has left, until there
    /// is none.
    #[inline]
    pub fn run_on<'a>(
        &'a self,
        context: &mut Context,
        memory: &mut Memory,
        mut next: impl FnMut(Exit, &mut Context) -> Option<&'a HeldPlace>,
    ) -> Exit {
        let next = |code, context: &mut Context| {
            let place = next(Exit::from_code(code), context)?;
            Some((&place.compiled.function, place.entry.number()))
        };
        let code = self.compiled.function.call(self.entry.number(), context, memory, next);
        if self.compiled.is_narrow {
            context.extend_registers();
        }
        Exit::from_code(code)
    }

    /// Runs from there on the host's guest until compiled code returns; host calls are answered. Also says how the last one was,
    /// if that is why.
    #[inline]
    pub fn run_answered<H: Host>(&self, host: &mut H, answers: &Answers<H>) -> (Exit, Option<LastAnswer>) {
        let Ended { code, answer } = self.compiled.function.call_answered(self.entry.number(), host, answers);
        (Exit::from_code(code), answer)
    }
}

/// A region in the table.
#[derive(Debug)]
pub(crate) struct Row {
    pub compiled: Arc<Compiled>,
    /// The number of the region.
    pub id: u32,
    /// The program counters at which it can be entered.
    pub entries: Vec<u32>,
    /// The program counters of its blocks, ascending, where code is known ahead. Others may have them only if they are compiled again.
    pub owned: Vec<u32>,
    /// The jump entries that lead to it.
    pub jump_entries: Vec<u32>,
    /// The bytes of its blocks, where code may change.
    pub bytes: Vec<Range<u64>>,
}

impl Row {
    /// Whether one of its blocks has the byte at `pc`.
    fn has(&self, pc: u32) -> bool {
        let pc = u64::from(pc);
        // A block that goes on at 0 is the last one, and its end comes behind it.
        let before = self.bytes.partition_point(|bytes| bytes.start <= pc);
        before.checked_sub(1).is_some_and(|at| pc < self.bytes[at].end)
    }
}

/// The regions of a program.
#[derive(Debug, Default)]
pub(crate) struct Table {
    entries: HashMap<u32, Place>,
    /// How many regions have a block, compiled or being compiled, of those that have any; also that of a region that could not be
    /// compiled.
    taken: HashMap<u32, u32>,
    /// Regions of code that is known ahead that were to be compiled again, which happens once.
    renewed: HashSet<u32>,
    /// Blocks that were evicted: each time they must be asked for twice as often before they are compiled again. Without
    /// that, a loop over more code than there is room for would compile all of it on every round.
    cooling: HashMap<u32, Backoff>,
    /// The same for the program as a whole, when memory for code cannot be had.
    shortage: Backoff,
    rows: HashMap<u32, Row>,
    /// The regions, oldest first, and some that are gone.
    order: VecDeque<u32>,
    /// The regions that have bytes in a page, where code may change.
    pages: HashMap<u32, Vec<u32>>,
    /// The pages whose code has changed.
    changed: HashSet<u32>,
    next_region: u32,
    pub stats: CompileStats,
}

/// What a block's request to be compiled leads to.
pub(crate) enum Plan {
    /// This region is to be compiled, and owns these blocks.
    Compile(Region, Vec<u32>),
    /// Not now; the block should get hot again first.
    Later,
    /// Never.
    Never,
}

impl Table {
    pub(crate) fn find(&self, pc: u32) -> Option<&Place> {
        self.entries.get(&pc)
    }

    /// The same, if all bytes of the region are in pages of which that `is` so, by an address in each.
    pub(crate) fn find_among(&self, pc: u32, is: impl Fn(u32) -> bool) -> Option<Place> {
        let place = self.find(pc)?;
        let row = self.rows.get(&place.compiled.upgrade()?.region.id)?;
        pages(&row.bytes).into_iter().all(|page| is(page * PAGE_SIZE)).then(|| place.clone())
    }

    /// Whether a region of code that is known ahead may be compiled again.
    pub(crate) fn may_renew(&mut self, region: RegionId) -> bool {
        self.rows.contains_key(&region.id) && self.renewed.insert(region.id)
    }

    /// Decides what becomes of the block at `pc`, and reserves what `form` says the region owns; it is given a number for the
    /// region and what others own. One that is `renewed` may have what others own, and must have what it had not.
    pub(crate) fn plan(
        &mut self,
        pc: u32,
        renewed: Option<RegionId>,
        form: impl FnOnce(u32, &dyn Fn(u32) -> bool) -> (Region, Vec<u32>),
    ) -> Plan {
        if self.next_region == u32::MAX {
            return Plan::Never;
        }
        if self.cooling.get_mut(&pc).is_some_and(Backoff::refuses) || self.shortage.refuses() {
            return Plan::Later;
        }
        let id = self.next_region;
        // Another thread is compiling it, or a region has it that cannot be entered there.
        if renewed.is_none() && self.taken.contains_key(&pc) {
            return Plan::Later;
        }
        let (region, owned) = form(id, &|pc| renewed.is_none() && self.taken.contains_key(&pc));
        if let Some(former) = renewed
            && self.rows.get(&former.id).is_none_or(|row| has_all(&row.owned, &owned))
        {
            return Plan::Never;
        }
        self.next_region += 1;
        owned.iter().for_each(|&pc| *self.taken.entry(pc).or_default() += 1);
        Plan::Compile(region, owned)
    }

    /// Lets others have a block, so far as this is about one region.
    fn untake(&mut self, pc: u32) {
        if let hash_map::Entry::Occupied(mut count) = self.taken.entry(pc) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }

    /// The regions of which a new one has all blocks.
    pub(crate) fn superseded_by(&self, owned: &[u32]) -> Vec<RegionId> {
        let is_superseded = |row: &&Row| !row.owned.is_empty() && has_all(owned, &row.owned);
        self.rows.values().filter(is_superseded).map(|row| row.compiled.region).collect()
    }

    /// Gives up on a planned region for good. Its head stays taken, so that it is not tried again, unless it was to replace a region
    /// that goes on to be there: when that is evicted, it may come back as it was.
    pub(crate) fn give_up(&mut self, owned: &[u32], head: u32, is_replacement: bool) {
        let is_free = |&pc: &u32| is_replacement || pc != head;
        owned.iter().copied().filter(is_free).for_each(|pc| self.untake(pc));
    }

    /// Gives up on a planned region because memory cannot be had, which will be the same for others.
    pub(crate) fn note_shortage(&mut self, owned: &[u32]) {
        self.release(owned);
        self.shortage.fail();
    }

    /// Gives up on a planned region for now, as other threads run in so much evicted code that there is no room.
    pub(crate) fn postpone(&mut self, owned: &[u32], head: u32) {
        self.release(owned);
        self.cooling.entry(head).or_default().fail();
    }

    /// Lets others have these blocks, so far as this is about one region.
    pub(crate) fn release(&mut self, owned: &[u32]) {
        owned.iter().for_each(|&pc| self.untake(pc));
    }

    /// Enters a compiled region, `places` being where it can be entered; returns their program counters. Where regions
    /// overlap, the longer one is entered.
    pub(crate) fn insert(&mut self, row: Row, places: impl IntoIterator<Item = Place>) -> Vec<u32> {
        let pcs = row.entries.clone();
        for (&pc, place) in pcs.iter().zip(places) {
            let present = self.entries.entry(pc).or_insert_with(|| place.clone());
            if present.region_len() <= place.region_len() {
                *present = place;
            }
        }
        for page in pages(&row.bytes) {
            self.pages.entry(page).or_default().push(row.id);
        }
        self.order.push_back(row.id);
        self.rows.insert(row.id, row);
        self.shortage = Backoff::default();
        pcs
    }

    /// Takes the oldest region that was not used since it was last passed over out of the table and returns it, so that
    /// what leads to it can be cut. Its memory is given back when nobody runs in it any more.
    pub(crate) fn evict(&mut self) -> Option<Row> {
        let mut passed = 0;
        let id = loop {
            let id = self.order.pop_front()?;
            let Some(row) = self.rows.get(&id) else { continue };
            if passed < self.rows.len() && row.compiled.used.swap(false, Ordering::Relaxed) {
                passed += 1;
                self.order.push_back(id);
                continue;
            }
            break id;
        };
        self.remove(id)
    }

    /// Whether code in the page of `pc` has changed.
    pub(crate) fn has_changed(&self, pc: u32) -> bool {
        !self.changed.is_empty() && self.changed.contains(&(pc / PAGE_SIZE))
    }

    /// Whether a region may take in the block at `pc`, where regions may overlap: unless it can be entered already, and `most`
    /// have it.
    pub(crate) fn may_share(&self, pc: u32, most: usize) -> bool {
        if !self.entries.contains_key(&pc) {
            return true;
        }
        let ids = self.pages.get(&(pc / PAGE_SIZE)).into_iter().flatten();
        let have = ids.filter(|id| self.rows.get(id).is_some_and(|row| row.has(pc)));
        have.take(most).count() < most
    }

    /// Takes out the regions that have bytes in the range, below 2^32, whose code has changed.
    pub(crate) fn forget(&mut self, range: &Range<u64>) -> Vec<Row> {
        self.changed.extend(pages(slice::from_ref(range)));
        let mut ids: Vec<u32> = pages(slice::from_ref(range))
            .iter()
            .flat_map(|page| self.pages.get(page).into_iter().flatten().copied())
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let is_touched = |bytes: &Range<u64>| bytes.start < range.end && range.start < bytes.end;
        ids.retain(|id| self.rows.get(id).is_some_and(|row| row.bytes.iter().any(is_touched)));
        let rows = ids.into_iter().filter_map(|id| self.remove(id)).collect();
        if self.order.len() > 2 * self.rows.len() + MOST_GONE {
            self.order.retain(|id| self.rows.contains_key(id));
        }
        rows
    }

    /// Takes out a region that another one replaces, unless it is not one of these: regions of other caches have numbers, too.
    pub(crate) fn retire(&mut self, RegionId { id, head, .. }: RegionId) -> Option<Row> {
        self.rows.get(&id).filter(|row| row.compiled.region.head == head)?;
        let row = self.remove(id)?;
        for pc in &row.entries {
            self.cooling.remove(pc);
        }
        Some(row)
    }

    fn remove(&mut self, id: u32) -> Option<Row> {
        let row = self.rows.remove(&id)?;
        for pc in &row.entries {
            // Another region may have taken over the entry.
            if self.entries.get(pc).is_some_and(|place| place.compiled.as_ptr() == Arc::as_ptr(&row.compiled)) {
                self.entries.remove(pc);
            }
            self.cooling.entry(*pc).or_default().fail();
        }
        self.release(&row.owned);
        self.renewed.remove(&id);
        for page in pages(&row.bytes) {
            if let Some(ids) = self.pages.get_mut(&page) {
                ids.retain(|&one| one != id);
            }
        }
        self.stats.evicted += 1;
        Some(row)
    }
}

/// Whether one list of program counters has all of another one, both ascending.
fn has_all(all: &[u32], some: &[u32]) -> bool {
    some.iter().all(|pc| all.binary_search(pc).is_ok())
}

/// More regions that are gone are not kept in the order than this, and twice as many as there are.
const MOST_GONE: usize = 64;

/// The numbers of the pages that have these bytes, ascending.
fn pages(bytes: &[Range<u64>]) -> Vec<u32> {
    let page = u64::from(PAGE_SIZE);
    let mut pages: Vec<u32> = bytes
        .iter()
        .filter(|bytes| !bytes.is_empty())
        .flat_map(|bytes| (bytes.start / page) as u32..=((bytes.end - 1) / page) as u32)
        .collect();
    pages.sort_unstable();
    pages.dedup();
    pages
}

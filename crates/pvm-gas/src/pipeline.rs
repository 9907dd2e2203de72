//! The pipeline model of the 0.8 line (Gray Paper 0.8, A.9; `pvm.md` 6.4).
//!
//! A block costs what it takes on a processor with 4 decode slots per cycle, a reorder buffer of 32 entries, at most 5
//! starts per cycle and a few [`Units`]. Registers are renamed: an instruction waits only for those that still compute
//! its sources.
//!
//! The buffer is a ring. Each state is a set of slots in one word, so a cycle costs a few operations on words plus the
//! work on entries that change state, and cycles in which nothing can change are skipped. The literal version, which
//! looks at every entry in every cycle, is the test `tests/reference.rs`.
//!
//! ```text
//!            decode            next cycle          units free,         latency over        next cycle
//!                                                  sources there
//! (nothing) --------> decoded ------------> waiting ---------> executing ---------> drained ---------> finished
//!                                                                                                      retires in order
//! ```

use crate::issue::{Issue, Work};
use crate::units::Units;
use pvm_program::Code;

/// The latency of loads if they hit the first-level cache.
pub const L1_LATENCY: u8 = 4;

/// The latency of loads if they hit the second-level cache: what the Gray Paper charges.
pub const L2_LATENCY: u8 = 25;

/// The latency of loads if they hit the third-level cache.
pub const L3_LATENCY: u8 = 37;

const DECODE_SLOTS: u8 = 4;
const BUFFER: u32 = 32;
const STARTS_PER_CYCLE: u32 = 5;

/// The cycles of an empty pipeline, which are not charged.
const FILL: u64 = 3;

/// What the part of a block from `pc` to its end costs, if loads take `memory_latency` cycles (0 counts as 1).
///
/// Linear in the length of the block. Costs of 2^32 or more are `u32::MAX`.
pub fn pipeline_cost(code: &Code, mut pc: u32, memory_latency: u8) -> u32 {
    let mut pipeline = Pipeline::new();
    loop {
        let (issue, goes_on) = Issue::fetch(code, pc, memory_latency);
        pipeline.issue(&issue);
        if !goes_on {
            break;
        }
        pc = code.next(pc);
    }
    let cost = pipeline.finish().saturating_sub(FILL).max(1);
    u32::try_from(cost).unwrap_or(u32::MAX)
}

/// The processor. Sets of slots have one bit for each slot of the ring.
struct Pipeline {
    cycles: u64,
    /// Decode slots left in this cycle.
    decode: u8,
    free: Units,
    /// The slot of the oldest entry.
    head: u32,
    /// How many entries there are.
    len: u32,
    decoded: u32,
    waiting: u32,
    executing: u32,
    drained: u32,
    finished: u32,
    /// For each slot: the slots whose results it still waits for.
    waits_for: [u32; BUFFER as usize],
    /// For each slot: the cycles of latency that it starts with.
    latency: [u8; BUFFER as usize],
    /// For each slot that is executing: the cycle in which the result is there.
    done_at: [u64; BUFFER as usize],
    units: [Units; BUFFER as usize],
    /// For each register: the slot (as a set) that computes it, or none. As long as [`pvm_ops::Reg`] has values, which
    /// saves a bounds check.
    writer: [u32; 32],
}

impl Pipeline {
    fn new() -> Pipeline {
        Pipeline {
            cycles: 0,
            decode: DECODE_SLOTS,
            free: Units::ALL,
            head: 0,
            len: 0,
            decoded: 0,
            waiting: 0,
            executing: 0,
            drained: 0,
            finished: 0,
            waits_for: [0; BUFFER as usize],
            latency: [0; BUFFER as usize],
            done_at: [0; BUFFER as usize],
            units: [Units::NONE; BUFFER as usize],
            writer: [0; 32],
        }
    }

    /// Decodes the next instruction, as soon as there is room for it.
    fn issue(&mut self, issue: &Issue) {
        if self.decode < issue.decode || self.len == BUFFER {
            self.tick();
            while self.len == BUFFER {
                self.skip_idle();
                self.tick();
            }
        }
        self.decode = self.decode.saturating_sub(issue.decode);
        match issue.work {
            Work::Rename { dst, src } => self.writer[dst.index()] = self.writer[src.index()],
            Work::Execute { latency, units, reads, writes } => {
                let slot = (self.head + self.len) % BUFFER;
                let at = slot as usize;
                self.len += 1;
                self.decoded |= 1 << slot;
                self.waits_for[at] = slots(reads).fold(0, |waits, reg| waits | self.writer[reg]);
                self.latency[at] = latency;
                self.units[at] = units;
                for reg in slots(writes) {
                    self.writer[reg] = 1 << slot;
                }
            }
        }
    }

    /// Runs until every instruction has retired; the cycles that all took.
    fn finish(mut self) -> u64 {
        self.tick();
        while self.len > 0 {
            self.skip_idle();
            self.tick();
        }
        self.cycles
    }

    fn tick(&mut self) {
        self.retire();
        self.start();
        self.advance();
        self.waiting |= self.decoded;
        self.decoded = 0;
        self.decode = DECODE_SLOTS;
        self.cycles += 1;
    }

    /// Drops finished entries from the head, in order.
    fn retire(&mut self) {
        let run = self.finished.rotate_right(self.head).trailing_ones();
        for _ in 0..run {
            self.finished &= !(1 << self.head);
            self.head = (self.head + 1) % BUFFER;
        }
        self.len -= run;
    }

    /// Starts what can start, oldest first.
    fn start(&mut self) {
        let mut left = STARTS_PER_CYCLE;
        // By age instead of by slot.
        let mut candidates = self.waiting.rotate_right(self.head);
        while candidates != 0 && left > 0 {
            let slot = (self.head + candidates.trailing_zeros()) % BUFFER;
            candidates &= candidates - 1;
            let at = slot as usize;
            if self.waits_for[at] == 0 && self.free.take(self.units[at]) {
                self.waiting &= !(1 << slot);
                self.executing |= 1 << slot;
                // This cycle is the first of its latency.
                self.done_at[at] = self.cycles + u64::from(self.latency[at]) - 1;
                left -= 1;
            }
        }
    }

    /// Lets a cycle of execution pass.
    fn advance(&mut self) {
        self.finished |= self.drained;
        self.drained = 0;
        for at in slots(self.executing) {
            if self.done_at[at] == self.cycles {
                self.drained |= 1 << at;
                self.free.give_back(self.units[at]);
            }
        }
        if self.drained != 0 {
            self.executing &= !self.drained;
            let pending = !self.drained;
            self.waits_for.iter_mut().for_each(|waits| *waits &= pending);
            self.writer.iter_mut().for_each(|writer| *writer &= pending);
        }
    }

    /// Goes to the cycle in which the next result is there, if nothing can change before. Only while nothing is decoded.
    fn skip_idle(&mut self) {
        let oldest = 1 << self.head;
        if self.decoded | self.drained | (self.finished & oldest) != 0 || self.can_start() {
            return;
        }
        if let Some(next) = slots(self.executing).map(|at| self.done_at[at]).min() {
            self.cycles = next;
        }
    }

    fn can_start(&self) -> bool {
        slots(self.waiting).any(|at| self.waits_for[at] == 0 && { self.free }.take(self.units[at]))
    }
}

/// The members of a set of up to 32, in ascending order.
fn slots(mut set: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        let member = set.trailing_zeros();
        set &= set.checked_sub(1)?;
        Some(member as usize)
    })
}

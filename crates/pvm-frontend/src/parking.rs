//! Which guest registers stay on the stack.
//!
//! Every register is observable at every exit, so all of them are alive all the time: with the gas and what is computed on
//! the way they are more values than a host has registers. Left alone, the register allocator spills whichever comes last,
//! in the hottest loop if need be. So those that are touched least are *parked*: they are read from a place on the stack
//! and written to it. Each loop parks what it touches least; on the way into it and out of it registers are stored and
//! loaded.
//!
//! Guests of 32 bits have many registers. In a *brief* region of theirs all are parked but in its loops, and that in the context
//! itself: whoever enters it or leaves it has nothing to do. That is not the fastest code, but large programs run little of it at
//! a time, and it is compiled in three quarters of the time.
//!
//! Another region of theirs that uses more registers than there is room for is *crowded*, as brief ones are: there, what
//! nobody will read before it is written again is parked before what is alive, and in loops with very many registers
//! always. And each loop is a *zone*, with values of its own for what it touches and exits of its own: with common exits
//! the allocator sees each register as one range throughout the region, and once it is short of registers anywhere, it
//! keeps that on the stack nearly everywhere.

use crate::Blocks;
use crate::graph::Graph;
use crate::loops::Loops;
use crate::uses::Uses;
use pvm_ops::{GuestCode, Reg, Width};

/// How many guest registers have a host register all the time. Cranelift allocates 14 on x86-64; the gas takes one if there is any, and
/// what is computed on the way needs the others. (Without gas one more made a bytecode interpreter take 1.2 times as long.)
const ROOM: u32 = 10;
/// The same for guests of 32 bits, with the gas.
const ROOM_NARROW: u32 = 11;
/// In a loop of a guest of 32 bits, what it does not touch has host registers only as long as there are no more in use. If there
/// are, the register allocator may find that to be the best use of them, and keep on the stack what the loop computes.
const FILLED: u32 = 7;
/// In a loop that touches no more than this, loops need no zones of their own.
const ROOMY: u32 = 13;
/// A loop that touches more than this parks whatever is not alive.
const FULL: u32 = 17;

/// Registers parked in each block of a region, and what passing from block to block takes. Blocks by position, registers as
/// sets.
#[derive(Debug, Default)]
pub(crate) struct Parking {
    is_crowded: bool,
    is_brief: bool,
    /// What is parked where each block begins.
    parked: Vec<u32>,
    /// What is parked where dynamic jumps lead.
    behind_jumps: u32,
    /// What may differ from where it is parked at the end of each block.
    dirty: Vec<u32>,
    /// What is parked where each block begins, and behind it on some way.
    lasting: Vec<u32>,
    zones: Vec<Zone>,
}

/// A part of a region where some registers have values of their own.
#[derive(Clone, Copy, Debug, Default)]
struct Zone {
    /// Zero is what belongs to no loop.
    number: u32,
    /// What has values of its own unless it is parked.
    own: u32,
    /// What its blocks touch.
    touched: u32,
}

/// What passing from one block to another takes: sets of registers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Passage {
    /// To be stored where they are parked first.
    pub stores: u32,
    /// To be loaded from there then.
    pub loads: u32,
    /// To be copied to values of their own.
    pub copies: u32,
}

impl Parking {
    /// Decides for a region; `taken` is how many host registers are needed for something else.
    pub(crate) fn new<C: GuestCode>(
        code: &C,
        blocks: &Blocks,
        graph: &Graph<'_>,
        loops: &Loops,
        taken: u32,
    ) -> Parking {
        let successors = &graph.successors;
        let count = graph.blocks.len();
        let uses = Uses::new(code, blocks, graph);
        let everywhere: Vec<usize> = (0..count).collect();
        let used = uses.touched_in(&everywhere);
        let is_narrow = code.width() == Width::W32;
        let room = if is_narrow { ROOM_NARROW - taken } else { ROOM };
        let is_brief = graph.region.is_brief && is_narrow;
        let is_crowded = is_brief || used.count_ones() > room && is_narrow;
        let nothing = || vec![0; count];
        let zones = vec![Zone::default(); count];
        let mut parking = Parking {
            is_crowded,
            is_brief,
            parked: nothing(),
            behind_jumps: 0,
            dirty: nothing(),
            lasting: nothing(),
            zones,
        };
        if used.count_ones() <= room && !is_brief {
            return parking;
        }
        let live = if is_crowded { uses.live(successors) } else { nothing() };
        // Those that cost least, loops counting more; where that is equal, those that are parked anyway. Of guests that have few,
        // each instruction that touches a register costs, else each block.
        let choose = |body: &[usize], around: u32| -> u32 {
            let is_tight = is_crowded && uses.touched_in(body).count_ones() > room;
            let cost = |at: usize, reg: Reg| match is_tight {
                _ if !is_crowded => u64::from(uses.touches(at, reg)),
                true => u64::from(uses.read(at) & reg.bit() != 0) + u64::from(uses.written(at) & reg.bit() != 0),
                false => u64::from(uses.touched(at) & reg.bit() != 0),
            };
            let weight =
                |reg: Reg| -> u64 { body.iter().map(|&at| cost(at, reg) * 8_u64.pow(loops.depth(at).min(8))).sum() };
            let candidates = match is_tight {
                true => body.iter().fold(0, |all, &at| all | live[at]),
                false if is_brief => uses.touched_in(body),
                false => used,
            };
            let mut regs: Vec<Reg> = Reg::ALL.into_iter().filter(|reg| candidates & reg.bit() != 0).collect();
            regs.sort_by_cached_key(|&reg| (weight(reg), around & reg.bit() == 0));
            let room =
                if is_narrow && !is_tight { room.min(FILLED.max(uses.touched_in(body).count_ones())) } else { room };
            let excess = regs.len().saturating_sub(room as usize);
            regs.iter().take(excess).fold(used & !candidates, |all, reg| all | reg.bit())
        };
        // Dynamic jumps lead from any of their places to any other of them, so all of these park the same registers.
        parking.behind_jumps = if is_brief { used } else { choose(&everywhere, 0) };
        parking.parked.fill(parking.behind_jumps);
        let mut is_full = vec![false; count];
        let is_dynamic = |at: usize| uses.is_target(at) || uses.jumps(at);
        for (number, body) in (1..).zip(loops.outermost_first().filter(|body| !body.iter().any(|&at| is_dynamic(at)))) {
            let parked = choose(body, parking.parked[body[0]]);
            body.iter().for_each(|&at| parking.parked[at] = parked);
            let around = parking.zones[body[0]];
            if is_crowded && (around.number == 0 || around.touched.count_ones() > ROOMY) {
                let touched = uses.touched_in(body);
                body.iter().for_each(|&at| {
                    is_full[at] = touched.count_ones() > FULL;
                    parking.zones[at] = Zone { number, own: touched & !parked, touched };
                });
            }
        }
        (0..count).filter(|&at| is_full[at]).for_each(|at| parking.parked[at] |= used & !live[at]);
        parking.find_lasting(successors, &uses);
        parking.find_dirty(successors, &uses);
        parking
    }

    /// Finds what must be where it is parked behind each block.
    fn find_lasting(&mut self, successors: &[Vec<usize>], uses: &Uses) {
        for (at, to) in successors.iter().enumerate() {
            // Ways out of the region find registers where they were parked.
            let leaves = to.len() < uses.ways(at);
            let behind_jump = if uses.jumps(at) { self.behind_jumps } else { 0 };
            self.lasting[at] = self.parked[at];
            if self.is_crowded && !leaves {
                self.lasting[at] &= to.iter().fold(behind_jump, |all, &to| all | self.parked[to]);
            }
        }
    }

    /// Follows what is written along the edges until nothing changes.
    fn find_dirty(&mut self, successors: &[Vec<usize>], uses: &Uses) {
        // A dynamic jump within the region may come with any register changed.
        let all = (0..self.parked.len()).fold(0, |all, at| all | uses.written(at));
        let mut before: Vec<u32> =
            (0..self.parked.len()).map(|at| if uses.is_target(at) { all & !self.parked[at] } else { 0 }).collect();
        let mut changed = true;
        while changed {
            changed = false;
            for (at, to) in successors.iter().enumerate() {
                self.dirty[at] = before[at] | uses.written(at);
                // In a crowded region a block puts where it is parked only what lasts, and a loop that is left early nothing.
                let stored = if self.is_crowded { 0 } else { self.parked[at] };
                for &to in to {
                    let new = before[to] | self.dirty[at] & !stored & !self.parked[to];
                    changed |= new != before[to];
                    before[to] = new;
                }
            }
        }
    }

    /// Whether the region uses more registers than there is room for, of a guest that has many.
    pub(crate) fn is_crowded(&self) -> bool {
        self.is_crowded
    }

    /// Whether registers are parked in the context.
    pub(crate) fn is_in_context(&self) -> bool {
        self.is_brief
    }

    /// The registers that are parked where the block at this position begins.
    pub(crate) fn parked(&self, at: usize) -> u32 {
        self.parked[at]
    }

    /// Those of them that must be where they are parked at its end.
    pub(crate) fn lasting(&self, at: usize) -> u32 {
        self.lasting[at]
    }

    /// The registers that are parked where dynamic jumps lead.
    pub(crate) fn behind_jumps(&self) -> u32 {
        self.behind_jumps
    }

    /// The registers that are parked in any block.
    pub(crate) fn anywhere(&self) -> u32 {
        self.parked.iter().fold(self.behind_jumps, |all, one| all | one)
    }

    /// The zone of the block at this position.
    pub(crate) fn zone(&self, at: usize) -> u32 {
        self.zones[at].number
    }

    /// What passing along an edge takes.
    pub(crate) fn passage(&self, from: usize, to: usize) -> Passage {
        let (here, there) = (self.zones[from], self.zones[to]);
        let own = if here.number == there.number { 0 } else { here.own | there.own };
        let copies = own & !self.parked[from] & !self.parked[to];
        Passage { copies, ..self.passage_to(from, self.parked[to]) }
    }

    /// What a dynamic jump at the end of a block takes.
    pub(crate) fn passage_by_jump(&self, from: usize) -> Passage {
        self.passage_to(from, self.behind_jumps)
    }

    fn passage_to(&self, from: usize, there: u32) -> Passage {
        let here = self.parked[from];
        Passage { stores: there & !here & self.dirty[from], loads: here & !there, copies: 0 }
    }
}

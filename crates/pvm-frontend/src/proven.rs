//! Which memory accesses cannot be refused, as accesses before them have not been.
//!
//! Rights change only between runs of compiled code and at host calls. So once an access off a register has been made, others off
//! the same register are certain that lie within the pages that those before have touched: as the frame of a function, of which the
//! first instructions save registers. They need no check, and no code that leaves the region with all registers as they are
//! there.
//!
//! What is proven where a block begins is so on each way from other blocks of the region. Who enters the region there from elsewhere
//! has to find out whether it holds; if it does not, no way within the region leads there again as the registers are, so the
//! interpreter may as well go on.

use crate::Blocks;
use crate::blocks::{Block, instructions};
use crate::graph::Graph;
use crate::groups::{Group, access};
use crate::loops;
use pvm_ops::{BinaryOp, GuestCode, Inst, Operand, PAGE_SIZE, Reg, UnaryOp, Width};
use pvm_vm::{READABLE, WRITABLE};

/// What is known to be accessible at some place in the code: at most one range for each register (or none, for addresses) and right.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Proven(Vec<Group>);

/// What an instruction has to do with that, or several that have no access.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Step {
    /// Its access.
    pub access: Option<Group>,
    /// The registers that are written.
    written: u32,
    /// The one that becomes the sum of another one and a constant, that one, and the constant.
    sum: Option<(Reg, Reg, i64)>,
    /// Whether the host acts.
    calls: bool,
}

/// A set of ranges, by register and right. Addresses without a register come last.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Ranges(u128);

impl Proven {
    /// For each block of a region, by position, what is proven where it begins and of use from there on.
    ///
    /// Of RISC-V programs nothing is.
    pub(crate) fn places<C: GuestCode>(code: &C, blocks: &Blocks, graph: &Graph<'_>) -> Vec<Proven> {
        if code.width() == Width::W32 {
            return vec![Proven::default(); graph.blocks.len()];
        }
        let flow = Flow::new(blocks, graph);
        let steps: Vec<Vec<Step>> = graph.blocks.iter().map(|&id| steps(code, blocks.get(id))).collect();
        let behind = |at: usize, before: &Proven| before.behind(&steps[at]);

        // First what ways have proven that do not come back, then what those prove that do.
        let mut places = vec![Proven::default(); graph.blocks.len()];
        let mut ends: Vec<Option<Proven>> = vec![None; graph.blocks.len()];
        for &at in &flow.order {
            places[at] = Proven::common(flow.before(at).filter_map(|from| ends[from].as_ref()));
            ends[at] = Some(behind(at, &places[at]));
        }
        for _ in 0..2 {
            for &at in &flow.order {
                places[at] = Proven::common(flow.before(at).filter_map(|from| ends[from].as_ref()));
            }
            flow.order.iter().for_each(|&at| ends[at] = Some(behind(at, &places[at])));
        }
        // What then does not hold on all ways is not proven.
        let mut changed = true;
        while changed {
            changed = false;
            for &at in &flow.order {
                let ways = || flow.before(at).filter_map(|from| ends[from].as_ref());
                let former = places[at].0.len();
                places[at].0.retain(|one| ways().all(|way| way.allows(one)));
                if places[at].0.len() != former {
                    changed = true;
                    ends[at] = Some(behind(at, &places[at]));
                }
            }
        }
        let wanted = wanted(&flow, &steps, &places);
        for (place, wanted) in places.iter_mut().zip(wanted) {
            place.0.retain(|one| wanted.contains(one));
        }
        places
    }

    /// The ranges.
    pub(crate) fn ranges(&self) -> impl Iterator<Item = &Group> {
        // Who may write may read.
        let is_within = |one: &Group| one.right == READABLE && self.allows(&Group { right: WRITABLE, ..*one });
        self.0.iter().filter(move |one| !is_within(one))
    }

    /// Whether all bytes of an access are known to be accessible.
    pub(crate) fn allows(&self, access: &Group) -> bool {
        self.find(access.base, access.right).is_some_and(|one| one.low <= access.low && access.high <= one.high)
    }

    /// Adds an access that was not refused. Where it does not depend on a register, it tells of the whole page.
    pub(crate) fn prove(&mut self, one: Group) {
        let page = i64::from(PAGE_SIZE);
        let start = one.low - one.low % page;
        let is_whole = one.base.is_none() && one.high <= start + page;
        let one = if is_whole { Group { low: start, high: start + page, ..one } } else { one };
        self.add(Group { right: READABLE, ..one });
        if one.right == WRITABLE {
            self.add(one);
        }
    }

    /// What an instruction adds to that when it has been executed, or takes away.
    pub(crate) fn execute(&mut self, step: &Step) {
        if let Some(one) = step.access {
            self.prove(one);
        }
        if step.calls {
            self.0.clear();
        }
        if self.0.is_empty() {
            return;
        }
        let of_sum = step.sum.into_iter().flat_map(|(dst, src, by)| {
            let of_source = self.0.iter().filter(move |one| one.base == Some(src));
            of_source.map(move |one| Group { base: Some(dst), low: one.low - by, high: one.high - by, ..*one })
        });
        let of_sum: Vec<Group> = of_sum.collect();
        self.0.retain(|one| one.base.is_none_or(|base| step.written & base.bit() == 0));
        self.0.extend(of_sum);
    }

    fn behind(&self, steps: &[Step]) -> Proven {
        let mut proven = self.clone();
        steps.iter().for_each(|step| proven.execute(step));
        proven
    }

    fn find(&self, base: Option<Reg>, right: u8) -> Option<&Group> {
        self.0.iter().find(|one| (one.base, one.right) == (base, right))
    }

    /// Adds a range to that which is known; what is far from it takes its place.
    fn add(&mut self, new: Group) {
        match self.0.iter_mut().find(|one| (one.base, one.right) == (new.base, new.right)) {
            Some(one) => {
                let (low, high) = (one.low.min(new.low), one.high.max(new.high));
                // No more than two pages, those of the first byte and the last one.
                let is_near = high - low <= i64::from(PAGE_SIZE);
                *one = if is_near { Group { low, high, ..new } } else { new };
            }
            None => self.0.push(new),
        }
    }

    /// What all of these have proven.
    fn common<'a>(mut all: impl Iterator<Item = &'a Proven>) -> Proven {
        let Some(first) = all.next() else { return Proven::default() };
        all.fold(first.clone(), |common, other| {
            let both = common.0.iter().filter_map(|one| {
                let other = other.find(one.base, one.right)?;
                let (low, high) = (one.low.max(other.low), one.high.min(other.high));
                (low < high).then_some(Group { low, high, ..*one })
            });
            Proven(both.collect())
        })
    }
}

impl Ranges {
    fn bits(base: Option<Reg>, right: u8) -> u128 {
        1 << (2 * base.map_or(32, Reg::index) + usize::from(right == WRITABLE))
    }

    /// Both rights.
    fn of(reg: Reg) -> u128 {
        Ranges::bits(Some(reg), READABLE) | Ranges::bits(Some(reg), WRITABLE)
    }

    fn contains(self, one: &Group) -> bool {
        self.0 & Ranges::bits(one.base, one.right) != 0
    }

    /// What is wanted in front of an instruction if this is behind it; whether its access `is_proven`.
    fn in_front_of(&mut self, step: &Step, is_proven: bool) {
        let behind = self.0;
        if behind != 0 {
            for reg in Reg::ALL.into_iter().filter(|reg| step.written & reg.bit() != 0) {
                self.0 &= !Ranges::of(reg);
            }
        }
        if let Some((dst, src, _)) = step.sum {
            let wanted = (behind & Ranges::of(dst)) >> (2 * dst.index());
            self.0 |= wanted << (2 * src.index());
        }
        if let Some(one) = step.access.filter(|_| is_proven) {
            self.0 |= Ranges::bits(one.base, one.right);
        }
    }
}

impl Step {
    pub(crate) fn new(inst: &Inst) -> Step {
        let sum = match *inst {
            Inst::Unary { op: UnaryOp::Move, dst, src, .. } => Some((dst, src, 0)),
            // Addresses are sums modulo 2^32, so results of 32 bits are as good.
            Inst::Binary { op: BinaryOp::Add, dst, lhs: Operand::Reg(src), rhs: Operand::Imm(by), .. } => {
                Some((dst, src, i64::from(by)))
            }
            _ => None,
        };
        let calls = matches!(inst, Inst::HostCall { .. } | Inst::Sbrk { .. });
        Step { access: access(inst), written: inst.registers().writes, sum, calls }
    }

    /// The same, seen as if it proved nothing.
    pub(crate) fn without_access(self) -> Step {
        Step { access: None, ..self }
    }

    /// Whether it only writes registers.
    fn only_writes(&self) -> bool {
        self.access.is_none() && self.sum.is_none() && !self.calls
    }
}

/// The steps of a block.
fn steps<C: GuestCode>(code: &C, block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for step in instructions(code, block).map(|(_, inst)| Step::new(&inst)) {
        match steps.last_mut() {
            Some(last) if last.only_writes() && step.only_writes() => last.written |= step.written,
            _ => steps.push(step),
        }
    }
    steps
}

/// How blocks lead to each other, as far as what they have proven goes with it. That is not so where dynamic jumps, host calls or blocks
/// outside of the region lead, too: it would be looked up for each of them, and need not hold.
struct Flow {
    /// Positions, as a rule behind those that lead to them.
    order: Vec<usize>,
    predecessors: Vec<Vec<usize>>,
    successors: Vec<Vec<usize>>,
}

impl Flow {
    fn new(blocks: &Blocks, graph: &Graph<'_>) -> Flow {
        let is_open = |to: usize| !graph.is_copy(to) && graph.region.is_led_to(blocks, graph.blocks[to]);
        let mut predecessors = vec![Vec::new(); graph.blocks.len()];
        let mut successors = vec![Vec::new(); graph.blocks.len()];
        for (from, to) in graph.successors.iter().enumerate() {
            successors[from] = to.iter().copied().filter(|&to| !is_open(to)).collect();
            successors[from].iter().for_each(|&to| predecessors[to].push(from));
        }
        let mut order = loops::walk(&graph.successors, graph.region.roots(blocks, &graph.successors)).postorder;
        order.reverse();
        Flow { order, predecessors, successors }
    }

    fn before(&self, at: usize) -> impl Iterator<Item = usize> {
        self.predecessors[at].iter().copied()
    }
}

/// The ranges of which there is use where each block begins.
fn wanted(flow: &Flow, steps: &[Vec<Step>], places: &[Proven]) -> Vec<Ranges> {
    let is_proven = |(steps, place): (&Vec<Step>, &Proven)| -> Vec<bool> {
        let mut proven = place.clone();
        let follow = |step: &Step| {
            let is_proven = step.access.is_some_and(|access| proven.allows(&access));
            proven.execute(step);
            is_proven
        };
        steps.iter().map(follow).collect()
    };
    let is_proven: Vec<Vec<bool>> = steps.iter().zip(places).map(is_proven).collect();
    let mut wanted = vec![Ranges::default(); places.len()];
    let mut stack = flow.order.clone();
    while let Some(at) = stack.pop() {
        let mut here = Ranges(flow.successors[at].iter().fold(0, |all, &to| all | wanted[to].0));
        steps[at].iter().zip(&is_proven[at]).rev().for_each(|(step, &is_proven)| here.in_front_of(step, is_proven));
        if here != wanted[at] {
            wanted[at] = here;
            stack.extend(flow.before(at));
        }
    }
    wanted
}

#[cfg(test)]
mod tests {
    use super::*;
    use pvm_ops::{Address, LoadKind, Size};

    const R1: Reg = Reg::ALL[1];
    const R2: Reg = Reg::ALL[2];

    fn load(base: Reg, offset: i32) -> Inst {
        let (kind, address) = (LoadKind { size: Size::B8, signed: false }, Address { base: Some(base), offset });
        Inst::Load { kind, dst: Reg::ALL[9], address }
    }

    fn store(base: Reg, offset: i32) -> Inst {
        let address = Address { base: Some(base), offset };
        Inst::Store { size: Size::B8, value: Operand::Imm(0), address }
    }

    fn add(dst: Reg, src: Reg, by: i32) -> Inst {
        let (lhs, rhs) = (Operand::Reg(src), Operand::Imm(by));
        Inst::Binary { op: BinaryOp::Add, width: Width::W64, dst, lhs, rhs }
    }

    fn behind(insts: &[Inst]) -> Proven {
        let mut proven = Proven::default();
        insts.iter().for_each(|inst| proven.execute(&Step::new(inst)));
        proven
    }

    fn allows(proven: &Proven, inst: Inst) -> bool {
        proven.allows(&access(&inst).unwrap())
    }

    #[test]
    fn what_lies_between_two_accesses_is_proven() {
        let proven = behind(&[store(R1, 264), store(R1, 0)]);
        assert!(allows(&proven, store(R1, 100)) && allows(&proven, load(R1, 264)));
        assert!(!allows(&proven, load(R1, 265)) && !allows(&proven, load(R1, -1)) && !allows(&proven, load(R2, 100)));
        let far = behind(&[load(R1, 0), load(R1, 4089)]);
        assert!(!allows(&far, load(R1, 8)) && allows(&far, load(R1, 4089)), "there may be a page in between");
    }

    #[test]
    fn an_access_without_a_register_proves_its_page() {
        let kind = LoadKind { size: Size::B4, signed: false };
        let at = |offset: u32| Inst::Load { kind, dst: R1, address: Address { base: None, offset: offset as i32 } };
        let proven = behind(&[at(0x2_0ffc)]);
        assert!(allows(&proven, at(0x2_0000)) && !allows(&proven, at(0x2_0ffd)) && !allows(&proven, at(0x2_1000)));
        assert!(allows(&behind(&[at(0xffff_fffc)]), at(0xffff_f000)));
        let wraps = behind(&[at(0xffff_fffd)]);
        assert!(allows(&wraps, at(0xffff_fffd)) && !allows(&wraps, at(0xffff_fffc)), "it is in two pages");
    }

    #[test]
    fn who_may_read_may_not_write() {
        let proven = behind(&[load(R1, 0), load(R1, 32), store(R1, 8)]);
        assert!(allows(&proven, load(R1, 24)) && allows(&proven, store(R1, 8)) && !allows(&proven, store(R1, 9)));
        assert_eq!(proven.ranges().count(), 2);
        assert_eq!(behind(&[store(R1, 8)]).ranges().count(), 1, "who may write may read");
    }

    #[test]
    fn sums_take_it_along_and_other_values_do_not() {
        let proven = behind(&[store(R1, 16), add(R2, R1, 8), add(R1, R1, -16)]);
        assert!(allows(&proven, store(R2, 8)) && allows(&proven, store(R1, 32)) && !allows(&proven, store(R1, 16)));
        assert!(!allows(&behind(&[load(R1, 0), Inst::LoadImm { dst: R1, value: 5 }]), load(R1, 0)));
        assert!(!allows(&behind(&[load(Reg::ALL[9], 0)]), load(Reg::ALL[9], 0)), "what is loaded is another address");
    }

    #[test]
    fn hosts_may_take_rights_away() {
        assert_eq!(behind(&[store(R1, 16), Inst::HostCall { id: 1 }]), Proven::default());
        assert_eq!(behind(&[store(R1, 16), Inst::Sbrk { dst: R2, size: R2 }]), Proven::default());
    }

    #[test]
    fn where_ways_meet_holds_what_all_have_proven() {
        let ways = [behind(&[store(R1, 0), store(R1, 32)]), behind(&[load(R2, 0), store(R1, 16), load(R1, 64)])];
        let common = Proven::common(ways.iter());
        assert!(allows(&common, store(R1, 16)) && allows(&common, load(R1, 32)));
        assert!(!allows(&common, store(R1, 0)) && !allows(&common, load(R1, 64)) && !allows(&common, load(R2, 0)));
    }

    #[test]
    fn what_is_wanted_is_followed_back_to_where_it_comes_from() {
        let mut wanted = Ranges::default();
        let used = access(&store(R2, 8)).unwrap();
        wanted.in_front_of(&Step::new(&store(R2, 8)), true);
        assert!(wanted.contains(&used) && !wanted.contains(&access(&load(R2, 8)).unwrap()));
        wanted.in_front_of(&Step::new(&add(R2, R1, 8)), false);
        assert!(wanted.contains(&access(&store(R1, 0)).unwrap()) && !wanted.contains(&used));
        wanted.in_front_of(&Step::new(&Inst::LoadImm { dst: R1, value: 0 }), false);
        assert_eq!(wanted, Ranges::default());
    }
}

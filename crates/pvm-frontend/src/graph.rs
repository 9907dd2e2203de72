//! How the blocks of a region lead to each other, with small loops written several times.
//!
//! What a loop costs beside its work each round pays: a comparison of the gas and its deduction, a jump back, moves between registers.
//! Where it is written several times in a row, several rounds share that. Loops of one block are none of this: the translator
//! writes those, as it knows more of them (`translate/rounds`).

use crate::blocks::{BlockId, Ending, instructions};
use crate::loops::Loops;
use crate::{Blocks, Region};
use pvm_ops::{BinaryOp, GuestCode, Inst, Operand, Reg, UnaryOp, Width};

/// Loops are written several times up to this length in all, in instructions.
const UNROLLED_LEN: u32 = 32;
/// No loop is written more often than this.
const MOST_COPIES: u32 = 4;

/// The blocks of a region and how they lead to each other. A place in it is called a position.
#[derive(Clone, Debug)]
pub(crate) struct Graph<'a> {
    /// The region.
    pub region: &'a Region,
    /// The blocks of the region, at the positions that they have there, and behind them copies.
    pub blocks: Vec<BlockId>,
    /// The positions that each one leads to.
    pub successors: Vec<Vec<usize>>,
    /// For each position the head of the loop that it belongs to, if that is written several times.
    unrolled: Vec<Option<usize>>,
}

impl<'a> Graph<'a> {
    /// That of a region.
    ///
    /// RISC-V programs of 32 bits have their loops written once.
    pub fn new<C: GuestCode>(code: &C, region: &'a Region, blocks: &Blocks) -> Self {
        let mut graph = Graph::once(region, blocks);
        if code.width() == Width::W64 {
            let loops = Loops::find(region, blocks, &graph.successors);
            loops.outermost_first().for_each(|body| graph.unroll(code, blocks, body));
        }
        graph
    }

    /// With all loops written once.
    fn once(region: &'a Region, blocks: &Blocks) -> Self {
        let unrolled = vec![None; region.blocks.len()];
        Graph { region, blocks: region.blocks.clone(), successors: region.successors(blocks), unrolled }
    }

    /// Whether what is at a position is a copy, to which only its loop leads.
    pub fn is_copy(&self, at: usize) -> bool {
        at >= self.region.blocks.len()
    }

    /// Whether this edge leads out of a loop that is written several times.
    pub fn leaves_unrolled(&self, from: usize, to: usize) -> bool {
        self.unrolled[from].is_some() && self.unrolled[to] != self.unrolled[from]
    }

    /// The position of a block as what the one at `from` leads to.
    pub fn behind(&self, from: usize, block: BlockId) -> Option<usize> {
        self.successors[from].iter().copied().find(|&to| self.blocks[to] == block)
    }

    /// Writes a loop several times, of which the head is given first: what leads back to the head in one copy leads to that of the
    /// next, and what leaves the loop does so from each.
    fn unroll<C: GuestCode>(&mut self, code: &C, blocks: &Blocks, body: &[usize]) {
        let len: u32 = body.iter().map(|&at| blocks.get(self.blocks[at]).len).sum();
        let copies = (UNROLLED_LEN / len).min(MOST_COPIES) as usize;
        let ends = |&at: &usize| blocks.get(self.blocks[at]).ending == Ending::Terminator;
        // Heads of inner loops are entered, too.
        let is_entered = |&at: &usize| self.region.entry(self.blocks[at]).is_some();
        let can_be = body.len() > 1 && body.iter().all(ends) && !body[1..].iter().any(is_entered);
        if copies < 2 || !can_be {
            return;
        }
        let loop_body = Body { graph: self, code, blocks, positions: body };
        if loop_body.is_counted() && !loop_body.decides_by_past() {
            self.write_copies(body, copies);
        }
    }

    fn write_copies(&mut self, body: &[usize], copies: usize) {
        let (head, first) = (body[0], self.blocks.len());
        // Where a copy has what is at this position.
        let place = |copy: usize, at: usize| match body.iter().position(|&member| member == at) {
            Some(index) if copy > 0 => first + (copy - 1) * body.len() + index,
            _ => at,
        };
        let once: Vec<Vec<usize>> = body.iter().map(|&at| self.successors[at].clone()).collect();
        for copy in 0..copies {
            for (&at, successors) in body.iter().zip(&once) {
                let onward = |&to: &usize| place(if to == head { (copy + 1) % copies } else { copy }, to);
                let successors = successors.iter().map(onward).collect();
                if copy == 0 {
                    self.successors[at] = successors;
                    self.unrolled[at] = Some(head);
                } else {
                    self.blocks.push(self.blocks[at]);
                    self.successors.push(successors);
                    self.unrolled.push(Some(head));
                }
            }
        }
    }
}

/// The instructions of a loop.
struct Body<'a, C> {
    graph: &'a Graph<'a>,
    code: &'a C,
    blocks: &'a Blocks,
    /// The positions of its blocks.
    positions: &'a [usize],
}

impl<C: GuestCode> Body<'_, C> {
    fn insts(&self, at: usize) -> impl Iterator<Item = Inst> {
        instructions(self.code, self.blocks.get(self.graph.blocks[at])).map(|(_, inst)| inst)
    }

    fn writers(&self, reg: Reg) -> impl Iterator<Item = Inst> {
        self.positions.iter().flat_map(|&at| self.insts(at)).filter(writes(reg))
    }

    /// Whether what is at a position leads on within the loop only.
    fn stays(&self, at: usize) -> bool {
        self.graph.successors[at].iter().all(|to| self.positions.contains(to))
    }

    /// Whether all that a round does to this register is to add a constant.
    fn steps(&self, reg: Reg) -> bool {
        let adds = |inst| match inst {
            Inst::Binary { op: BinaryOp::Add, lhs, rhs: Operand::Imm(_), .. } => lhs == Operand::Reg(reg),
            _ => false,
        };
        self.writers(reg).count() == 1 && self.writers(reg).all(adds)
    }

    /// Whether a loop counts its rounds: where it goes on or is left it compares a register to which each round adds a constant with
    /// what stays the same. Others have few rounds as a rule, as those that skip what is between two words.
    fn is_counted(&self) -> bool {
        let counts = |at: usize, compared: Reg| {
            // What the register was before may be compared.
            self.steps(match self.insts(at).filter(writes(compared)).last() {
                Some(Inst::Unary { op: UnaryOp::Move, src, .. }) => src,
                _ => compared,
            })
        };
        let same = |reg: Reg| self.writers(reg).all(|inst| matches!(inst, Inst::LoadImm { .. }));
        self.positions.iter().any(|&at| match self.insts(at).last() {
            Some(Inst::Branch { lhs, rhs, .. }) => {
                let decides = self.graph.successors[at].len() < 2 || !self.stays(at);
                let ways = [(Some(lhs), rhs.reg()), (rhs.reg(), Some(lhs))];
                decides
                    && ways.iter().any(|&(one, other)| one.is_some_and(|one| counts(at, one)) && other.is_none_or(same))
            }
            _ => false,
        })
    }

    /// Whether a branch within the loop decides by what rounds before have left in a register, as where a sort exchanges neighbours.
    /// The host foresees such branches by what they have done before, of which each copy would know only a part.
    fn decides_by_past(&self) -> bool {
        let changes = |reg: Reg| !self.steps(reg) && self.writers(reg).next().is_some();
        self.positions.iter().filter(|&&at| self.graph.successors[at].len() > 1 && self.stays(at)).any(|&at| {
            let left = |reg: Reg| !self.insts(at).any(|inst| writes(reg)(&inst)) && changes(reg);
            match self.insts(at).last() {
                Some(Inst::Branch { lhs, rhs, .. }) => left(lhs) || rhs.reg().is_some_and(left),
                _ => false,
            }
        })
    }
}

fn writes(reg: Reg) -> impl Fn(&Inst) -> bool {
    move |inst| inst.registers().writes & reg.bit() != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blocks::Block;
    use crate::listing::Listing;
    use pvm_ops::{Address, Cond, LoadKind, Size, Target};

    #[test]
    fn copies_lead_on_to_each_other_and_out() {
        let (len, ending, is_continuation, is_jump_target) = (1, Ending::Terminator, false, false);
        let block = |(start, successors)| Block { start, len, ending, is_continuation, is_jump_target, successors };
        let successors = [[Some(1), None], [Some(2), Some(3)], [Some(1), Some(4)], [Some(1), None], [None, None]];
        let blocks = Blocks::linked((0..).zip(successors).map(block).collect());
        let region = Region::whole(0, &blocks, 0, false);
        let mut graph = Graph::once(&region, &blocks);
        graph.write_copies(&[1, 2, 3], 3);
        assert_eq!(graph.blocks[5..], [1, 2, 3, 1, 2, 3]);
        assert_eq!(graph.successors[..5], [vec![1], vec![2, 3], vec![5, 4], vec![5], vec![]]);
        assert_eq!(graph.successors[5..8], [vec![6, 7], vec![8, 4], vec![8]]);
        assert_eq!(graph.successors[8..], [vec![9, 10], vec![1, 4], vec![1]]);
        assert_eq!(graph.behind(9, 4), Some(4));
        assert_eq!(graph.behind(6, 1), Some(8), "the next copy");
        assert!(graph.leaves_unrolled(9, 4) && !graph.leaves_unrolled(9, 1) && !graph.leaves_unrolled(0, 1));
        assert!(graph.is_copy(5) && !graph.is_copy(4));
    }

    /// How many blocks a loop has, copies included, that compares a register with each of some words. On one way through it the word
    /// is moved to `keep`.
    fn blocks_of_walk(keep: Reg) -> usize {
        let [greatest, neighbour, at, end] = [3, 2, 9, 7].map(|index| Reg::ALL[index]);
        let address = |offset| Address { base: Some(at), offset };
        let kind = LoadKind { size: Size::B4, signed: true };
        let branch =
            |cond, lhs, rhs, target| Inst::Branch { cond, lhs, rhs: Operand::Reg(rhs), target: Target::Block(target) };
        let step = (Operand::Reg(at), Operand::Imm(4));
        let insts = vec![
            Inst::Jump { link: None, target: Target::Block(3) },
            Inst::Binary { op: BinaryOp::Add, width: Width::W64, dst: at, lhs: step.0, rhs: step.1 },
            branch(Cond::Eq, at, end, 8),
            Inst::Load { kind, dst: neighbour, address: address(0) },
            branch(Cond::LtU, neighbour, greatest, 7),
            Inst::Unary { op: UnaryOp::Move, width: Width::W64, dst: keep, src: neighbour },
            Inst::Jump { link: None, target: Target::Block(1) },
            Inst::Jump { link: None, target: Target::Block(1) },
            Inst::Trap,
        ];
        let code = Listing { insts, entries: vec![] };
        let blocks = code.blocks();
        let region = Region::whole(0, &blocks, 0, false);
        Graph::new(&code, &region, &blocks).blocks.len()
    }

    #[test]
    fn what_rounds_before_decide_is_written_once() {
        let (greatest, other) = (Reg::ALL[3], Reg::ALL[5]);
        assert_eq!(blocks_of_walk(greatest), 6);
        assert_eq!(blocks_of_walk(other), 6 + 3 * 4);
    }
}

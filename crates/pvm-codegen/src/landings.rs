//! Where compiled code goes on when the host refuses an access.
//!
//! In the IR a branch stands before each access that the host watches over; what it compares does not matter. It leads to
//! code that stores the guest's state as it is there, the *landing*; so Cranelift keeps that state and says where it is. Once there
//! is machine code the branch has served: its target goes into a table for the signal handler, and it is taken out.
//!
//! ```text
//! test rbx, 1 << 30; jnz landing  is taken out
//! mov rcx, [rsp + 8]              rarely: what the register allocator moves before the access
//! mov rax, [rbx + 16]             the access
//! ```
//!
//! The landing wants to find everything as it is at the branch. Instructions in between may only change what the landing
//! does not read, which [`Effects`] tells. If one of them only loads an address that the branch has had in another register, the
//! access [uses that register](crate::spared). Other registers that the landing wants are [saved](crate::saved). Where they change
//! more, the region is translated again with that access checked before it is made, like all of them are where the host does not
//! watch.

use crate::compact::Rewritten;
use crate::effects::{Effects, read_by};
use crate::saved::{Saved, save};
use crate::spared::spare;
use cranelift_codegen::{Final, MachSrcLoc, MachTrap};
use iced_x86::{Decoder, DecoderOptions, Instruction, InstructionInfoFactory, Mnemonic, OpKind, Register};
use pvm_clif::{TRIPWIRE, WATCHED};
use pvm_frontend::Mark;
use pvm_vm::Landing;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// What became of the branches.
pub(crate) enum Extracted {
    /// All of them lead to landings.
    Landings(Landings),
    /// Accesses of these numbers have none.
    Missing(BTreeSet<u32>),
}

/// Where the accesses of a function go on, and what is to become of its code.
#[derive(Default)]
pub(crate) struct Landings {
    /// By ascending access.
    pub landings: Vec<Landing>,
    /// Registers to restore on the way to landings, by ascending access.
    pub saved: Vec<Saved>,
    /// Instructions that are of no use any more, ascending.
    pub idle: Vec<Range<usize>>,
    /// Accesses that are written otherwise, and what stands in place of branches, ascending.
    pub rewritten: Vec<Rewritten>,
}

/// Finds the branches to landings in x86-64 `code`, whose basic blocks start at `blocks`, ascending. `traps` and `marks` are what
/// Cranelift says of it; `watched` are the numbers of the accesses that are to have landings.
pub(crate) fn extract(
    code: &[u8],
    blocks: &[u32],
    traps: &[MachTrap],
    marks: &[MachSrcLoc<Final>],
    watched: BTreeSet<u32>,
) -> Extracted {
    let mark = |range: &MachSrcLoc<Final>| Mark::from_source_loc(range.loc);
    let branches: HashMap<u32, Range<u32>> = marks
        .iter()
        .filter_map(|range| match mark(range) {
            Mark::Landing(number) => Some((number, range.start..range.end)),
            _ => None,
        })
        .collect();
    let mut search = Search { code, blocks, reads: HashMap::new(), factory: InstructionInfoFactory::new() };
    let mut found = Landings::default();
    // What Cranelift has taken out because of another access is missing, too: that one counts on this one.
    let (mut missing, mut unseen) = (BTreeSet::new(), watched);
    for trap in traps.iter().filter(|trap| [WATCHED, TRIPWIRE].contains(&trap.code)) {
        let access = trap.offset;
        let within = marks.partition_point(|range| range.end <= access);
        let number = match marks.get(within).filter(|range| range.start <= access).map(mark) {
            Some(Mark::Access(number)) => number,
            Some(Mark::Proven) => continue,
            // An instruction from elsewhere has taken the load into itself, and there is no telling which.
            _ => return Extracted::Missing(branches.into_keys().chain(unseen).collect()),
        };
        let branch = branches.get(&number).cloned();
        unseen.remove(&number);
        if branch.and_then(|branch| search.landing(access, branch, &mut found)).is_none() {
            missing.insert(number);
        }
    }
    missing.extend(unseen);
    if !missing.is_empty() {
        return Extracted::Missing(missing);
    }
    found.landings.sort_unstable_by_key(|landing| landing.access);
    found.saved.sort_unstable_by_key(|saved| saved.access);
    found.rewritten.sort_unstable_by_key(|one| one.at.start);
    let is_rewritten =
        |range: &Range<usize>| found.rewritten.binary_search_by_key(&range.start, |one| one.at.start).is_ok();
    let idle = branches.into_values().flat_map(|branch| idle(code, branch));
    found.idle.extend(idle.filter(|range| !is_rewritten(range)));
    found.idle.sort_unstable_by_key(|range| range.start);
    Extracted::Landings(found)
}

/// Where cold code begins, of which ways in come first and then landings. `marks` are ascending.
pub(crate) fn cold(marks: &[MachSrcLoc<Final>], landings: &[Landing]) -> Option<u32> {
    let ways_in = marks.iter().find(|range| Mark::from_source_loc(range.loc) == Mark::WayIn).map(|range| range.start);
    let landing = landings.iter().map(|landing| landing.landing).min();
    ways_in.into_iter().chain(landing).min()
}

/// The instructions from `start` up to `end`.
fn decode(code: &[u8], start: u32, end: u32) -> Vec<Instruction> {
    let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
    let mut instructions = Vec::new();
    if decoder.set_position(start as usize).is_ok() {
        decoder.set_ip(start.into());
        while decoder.ip() < u64::from(end) {
            instructions.push(decoder.decode());
        }
    }
    instructions
}

/// A branch to a landing: the test of a bit of an address, and the jump that depends on it.
struct Branch {
    test: Range<usize>,
    tested: Register,
    jump: Range<usize>,
    target: u32,
}

impl Branch {
    /// Finds the branch in the instructions that it was translated to. `None` if it is not what is expected.
    fn find(instructions: &[Instruction]) -> Option<Branch> {
        let at = |one: &Instruction| one.ip() as usize..one.next_ip() as usize;
        let jump = instructions.iter().find(|one| one.is_jcc_short_or_near())?;
        let before = instructions.iter().rev().skip_while(|one| one.ip() >= jump.ip());
        let test = before.into_iter().find(|one| one.mnemonic() != Mnemonic::Mov)?;
        let is_branch = jump.mnemonic() == Mnemonic::Jne
            && test.mnemonic() == Mnemonic::Test
            && test.op0_register().is_gpr64()
            && test.op1_kind() != OpKind::Register;
        let target = u32::try_from(jump.near_branch_target()).ok()?;
        is_branch.then_some(Branch { test: at(test), tested: test.op0_register(), jump: at(jump), target })
    }
}

/// Looks for the landings of a function.
struct Search<'a> {
    code: &'a [u8],
    blocks: &'a [u32],
    /// What landings read, by their offsets: many lead to the same code.
    reads: HashMap<u32, Option<Effects>>,
    factory: InstructionInfoFactory,
}

impl Search<'_> {
    /// Finds where the branch before an access leads, if nothing in between changes what is read there.
    fn landing(&mut self, access: u32, branch: Range<u32>, found: &mut Landings) -> Option<()> {
        let Search { code, blocks, reads, factory } = self;
        let instructions = decode(code, branch.start, access);
        let Branch { test, tested, jump, target } = Branch::find(&instructions)?;
        let behind = instructions.partition_point(|one| (one.ip() as usize) < jump.end);
        let between = &instructions[behind..];
        let landing = Landing { access, landing: target };
        if between.is_empty() {
            found.landings.push(landing);
            return Some(());
        }
        let read = reads.entry(target).or_insert_with(|| read_by(code, target, factory)).as_ref()?;
        let written = writes(between, factory)?;
        if !written.overlap(read) {
            found.landings.push(landing);
            return Some(());
        }
        let block = *blocks.get(blocks.partition_point(|&start| start as usize <= test.start).checked_sub(1)?)?;
        // What stands between the test and the jump comes before the access, too.
        let before = decode(code, block, jump.start as u32);
        if let Some(spared) = spare(code, &before, tested, between, access, factory) {
            let rest: Vec<_> = between.iter().filter(|one| one.ip() as usize != spared.reload.start).copied().collect();
            if !writes(&rest, factory)?.overlap(read) {
                found.landings.push(landing);
                found.idle.push(spared.reload);
                found.rewritten.push(spared.access);
                return Some(());
            }
        }
        let registers = written.common_registers(read)?;
        // In place of the jump.
        found.rewritten.push(Rewritten { at: jump, bytes: save(&registers)? });
        found.saved.push(Saved { access, registers });
        found.landings.push(landing);
        Some(())
    }
}

/// What instructions write; `None` if they do more.
pub(crate) fn writes(instructions: &[Instruction], factory: &mut InstructionInfoFactory) -> Option<Effects> {
    instructions.iter().try_fold(Effects::default(), |all, one| all.and_writes(one, factory))
}

/// The instructions of a branch to a landing.
fn idle(code: &[u8], branch: Range<u32>) -> impl Iterator<Item = Range<usize>> {
    let branch = Branch::find(&decode(code, branch.start, branch.end));
    branch.into_iter().flat_map(|Branch { test, jump, .. }| [test, jump])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_expected_branch_is_one() {
        let find = |code: &[u8]| Branch::find(&decode(code, 0, code.len() as u32)).map(|branch| branch.target);
        let jne = [0x0f, 0x85, 0x10, 0, 0, 0];
        let je = [0x0f, 0x84, 0x10, 0, 0, 0];
        let (test_64, test_8) = ([0x49, 0xf7, 0xc4, 1, 0, 0, 0], [0x41, 0xf6, 0xc4, 1]);
        let two = [0x4d, 0x85, 0xe4];
        assert_eq!(find(&[&test_64[..], &jne].concat()), Some(29), "test r12, 1; jne");
        assert_eq!(find(&[&test_64[..], &[0x89, 0xd0], &jne].concat()), Some(31), "with a move in between");
        assert_eq!(find(&[&test_64[..], &je].concat()), None, "the other way");
        assert_eq!(find(&[&test_8[..], &jne].concat()), None, "of a flag, not of an address");
        assert_eq!(find(&[&two[..], &jne].concat()), None, "of a value with itself");
        assert_eq!(find(&jne), None, "on what happened before");
    }
}

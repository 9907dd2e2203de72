//! Where compiled code goes on when the host refuses an access.
//!
//! In the IR a branch that is never taken stands before each access that the host watches over. It leads to code that
//! stores the guest's state as it is there, the *landing*; so Cranelift keeps that state and says where it is. Once there
//! is machine code the branch has served: its target goes into a table for the signal handler, and a no-op takes its place.
//!
//! ```text
//! test r13, r13; jz landing  becomes a no-op
//! mov ecx, [rsp + 8]         rarely: what the register allocator moves before the access
//! mov rax, [r13 + rcx]       the access
//! ```
//!
//! The landing wants to find everything as it is at the branch. Instructions in between may only change what the landing
//! does not read, which [`Effects`] tells. Where they change more, the region is translated again with that access checked
//! before it is made, like all of them are where the host does not watch.

use crate::effects::{Effects, read_by};
use cranelift_codegen::{Final, MachSrcLoc, MachTrap};
use iced_x86::{Decoder, DecoderOptions, Instruction, Mnemonic};
use pvm_clif::WATCHED;
use pvm_frontend::Mark;
use pvm_vm::Landing;
use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

/// What became of the branches.
pub(crate) enum Extracted {
    /// All of them lead to landings, by ascending access.
    Landings(Box<[Landing]>),
    /// Accesses of these numbers have none.
    Missing(BTreeSet<u32>),
}

/// Takes the branches to landings out of x86-64 `code`. `traps` and `marks` are what Cranelift says of it; `checked` are
/// the accesses that need no landing.
pub(crate) fn extract(
    code: &mut [u8],
    traps: &[MachTrap],
    marks: &[MachSrcLoc<Final>],
    checked: &BTreeSet<u32>,
) -> Extracted {
    let mark = |range: &MachSrcLoc<Final>| Mark::from_source_loc(range.loc);
    let branches: HashMap<u32, Range<u32>> = marks
        .iter()
        .filter_map(|range| match mark(range) {
            Mark::Landing(number) => Some((number, range.start..range.end)),
            _ => None,
        })
        .collect();
    let (mut landings, mut missing) = (Vec::new(), BTreeSet::new());
    // What landings read, by their offsets: many lead to the same code.
    let mut reads = HashMap::new();
    for trap in traps.iter().filter(|trap| trap.code == WATCHED) {
        let access = trap.offset;
        let within = marks.partition_point(|range| range.end <= access);
        let Some(Mark::Access(number)) = marks.get(within).filter(|range| range.start <= access).map(mark) else {
            unreachable!("an access that the host watches over has no mark");
        };
        if checked.contains(&number) {
            continue;
        }
        let branch = branches.get(&number).cloned();
        match branch.and_then(|branch| landing(code, access, branch, &mut reads)) {
            Some(landing) => landings.push(Landing { access, landing }),
            None => {
                missing.insert(number);
            }
        }
    }
    if !missing.is_empty() {
        return Extracted::Missing(missing);
    }
    branches.into_values().for_each(|branch| take_out(code, branch));
    landings.sort_unstable_by_key(|landing| landing.access);
    Extracted::Landings(landings.into())
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

/// Where the branch before an access leads, if nothing in between changes what is read there.
fn landing(code: &[u8], access: u32, branch: Range<u32>, reads: &mut HashMap<u32, Option<Effects>>) -> Option<u32> {
    let instructions = decode(code, branch.start, access);
    let at = instructions.iter().position(|instruction| instruction.mnemonic() == Mnemonic::Je)?;
    let target = u32::try_from(instructions[at].near_branch_target()).ok()?;
    let between = instructions[at + 1..].iter().try_fold(Effects::default(), |all, one| all.and_writes(one))?;
    let read = reads.entry(target).or_insert_with(|| read_by(code, target));
    (!between.overlap(read.as_ref()?)).then_some(target)
}

/// `test r, r`, which only the branch looks at.
fn is_idle(instruction: &Instruction) -> bool {
    instruction.mnemonic() == Mnemonic::Test && instruction.op0_register() == instruction.op1_register()
}

/// Puts no-ops in place of a branch that is never taken.
fn take_out(code: &mut [u8], branch: Range<u32>) {
    let instructions = decode(code, branch.start, branch.end);
    let idle = instructions.iter().filter(|one| one.mnemonic() == Mnemonic::Je || is_idle(one));
    let mut ranges: Vec<Range<usize>> = Vec::new();
    for range in idle.map(|one| one.ip() as usize..one.next_ip() as usize) {
        match ranges.last_mut() {
            Some(last) if last.end == range.start => last.end = range.end,
            _ => ranges.push(range),
        }
    }
    ranges.into_iter().for_each(|range| fill(&mut code[range]));
}

/// The no-ops of one to nine bytes that processors' manuals recommend.
const NO_OPS: [&[u8]; 9] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x0f, 0x1f, 0x80, 0x00, 0x00, 0x00, 0x00],
    &[0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x84, 0x00, 0x00, 0x00, 0x00, 0x00],
];

/// Fills with as few no-ops as possible.
fn fill(bytes: &mut [u8]) {
    for chunk in bytes.chunks_mut(NO_OPS.len()) {
        chunk.copy_from_slice(NO_OPS[chunk.len() - 1]);
    }
}

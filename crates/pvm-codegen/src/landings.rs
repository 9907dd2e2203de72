//! Where compiled code goes on when the host refuses an access.
//!
//! In the IR a branch that is never taken stands before each access that the host watches over. It leads to code that
//! stores the guest's state as it is there, the *landing*; so Cranelift keeps that state and says where it is. Once there
//! is machine code the branch has served: its target goes into a table for the signal handler, and it is taken out.
//!
//! ```text
//! test r13, r13; jz landing  is taken out
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
    /// All of them lead to landings, by ascending access. Instructions that are of no use any more, ascending.
    Landings(Vec<Landing>, Vec<Range<usize>>),
    /// Accesses of these numbers have none.
    Missing(BTreeSet<u32>),
}

/// Finds the branches to landings in x86-64 `code`. `traps` and `marks` are what Cranelift says of it.
pub(crate) fn extract(code: &[u8], traps: &[MachTrap], marks: &[MachSrcLoc<Final>]) -> Extracted {
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
            // An instruction from elsewhere has taken the load into itself, and there is no telling which.
            return Extracted::Missing(branches.into_keys().collect());
        };
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
    landings.sort_unstable_by_key(|landing| landing.access);
    let mut idle: Vec<_> = branches.into_values().flat_map(|branch| idle(code, branch)).collect();
    idle.sort_unstable_by_key(|range| range.start);
    Extracted::Landings(landings, idle)
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

/// The instructions of a branch that is never taken: the jump, and the test that only it looks at.
fn idle(code: &[u8], branch: Range<u32>) -> impl Iterator<Item = Range<usize>> {
    let is_test = |one: &Instruction| one.mnemonic() == Mnemonic::Test && one.op0_register() == one.op1_register();
    let instructions = decode(code, branch.start, branch.end).into_iter();
    let idle = instructions.filter(move |one| one.mnemonic() == Mnemonic::Je || is_test(one));
    idle.map(|one| one.ip() as usize..one.next_ip() as usize)
}

/// Puts no-ops in place of instructions.
pub(crate) fn blot_out(code: &mut [u8], idle: &[Range<usize>]) {
    for range in idle {
        let bytes = &mut code[range.clone()];
        bytes.copy_from_slice(NO_OPS[bytes.len() - 1]);
    }
}

/// The no-ops of one to six bytes that processors' manuals recommend.
const NO_OPS: [&[u8]; 6] = [
    &[0x90],
    &[0x66, 0x90],
    &[0x0f, 0x1f, 0x00],
    &[0x0f, 0x1f, 0x40, 0x00],
    &[0x0f, 0x1f, 0x44, 0x00, 0x00],
    &[0x66, 0x0f, 0x1f, 0x44, 0x00, 0x00],
];

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
//! does not read, which [`Effects`] tells. Where they change more, the region is translated again with the branch behind
//! that access. There whatever stands in between is made up for: the landing is reached by way of a copy of it, behind the
//! function.

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
    /// The landings of accesses of these numbers must come behind them.
    Late(BTreeSet<u32>),
}

/// Machine code is not what was expected around the access at this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no landing is found for the access at {access:#x} of the machine code")]
pub struct NoLanding {
    /// The offset of the access.
    pub access: u32,
}

/// Takes the branches to landings out of x86-64 `code`, and adds what is needed to reach them.
pub(crate) fn extract(
    code: &mut Vec<u8>,
    traps: &[MachTrap],
    marks: &[MachSrcLoc<Final>],
) -> Result<Extracted, NoLanding> {
    let mark = |range: &MachSrcLoc<Final>| Mark::from_source_loc(range.loc);
    let branches: HashMap<u32, Range<u32>> = marks
        .iter()
        .filter_map(|range| match mark(range) {
            Mark::Landing(number) => Some((number, range.start..range.end)),
            _ => None,
        })
        .collect();
    let (mut landings, mut late) = (Vec::new(), BTreeSet::new());
    // What landings read, by their offsets: many lead to the same code.
    let mut reads = HashMap::new();
    for trap in traps.iter().filter(|trap| trap.code == WATCHED) {
        let access = trap.offset;
        let missing = NoLanding { access };
        let within = marks.partition_point(|range| range.end <= access);
        let Some(Mark::Access(number)) = marks.get(within).filter(|range| range.start <= access).map(mark) else {
            return Err(missing);
        };
        let branch = branches.get(&number).ok_or(missing)?;
        let landing = if branch.start > access {
            Some(late_landing(code, access, branch.end).ok_or(missing)?)
        } else {
            early_landing(code, access, branch.clone(), &mut reads)
        };
        match landing {
            Some(landing) => landings.push(Landing { access, landing }),
            None => {
                late.insert(number);
            }
        }
    }
    if !late.is_empty() {
        return Ok(Extracted::Late(late));
    }
    branches.into_values().for_each(|branch| take_out(code, branch));
    landings.sort_unstable_by_key(|landing| landing.access);
    Ok(Extracted::Landings(landings.into()))
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

/// The landing of a branch that stands before its access, if nothing in between changes what it reads.
fn early_landing(
    code: &[u8],
    access: u32,
    branch: Range<u32>,
    reads: &mut HashMap<u32, Option<Effects>>,
) -> Option<u32> {
    let instructions = decode(code, branch.start, access);
    let at = instructions.iter().position(|instruction| instruction.mnemonic() == Mnemonic::Je)?;
    let target = u32::try_from(instructions[at].near_branch_target()).ok()?;
    let between = instructions[at + 1..].iter().try_fold(Effects::default(), |all, one| all.and_writes(one))?;
    let read = reads.entry(target).or_insert_with(|| read_by(code, target));
    (!between.overlap(read.as_ref()?)).then_some(target)
}

/// The landing of a branch that stands behind its access, reached by way of a copy of what is in between.
fn late_landing(code: &mut Vec<u8>, access: u32, end: u32) -> Option<u32> {
    let instructions = decode(code, access, end);
    let (mut moves, mut target) = (Vec::new(), None);
    for instruction in instructions.iter().skip(1) {
        match instruction.mnemonic() {
            Mnemonic::Je => {
                target = u32::try_from(instruction.near_branch_target()).ok();
                break;
            }
            _ if is_idle(instruction) => {}
            Mnemonic::Mov if !instruction.is_ip_rel_memory_operand() => moves.push(instruction),
            _ => return None,
        }
    }
    let target = target?;
    if moves.is_empty() {
        return Some(target);
    }
    let start = code.len() as u32;
    for one in moves {
        code.extend_from_within(one.ip() as usize..one.next_ip() as usize);
    }
    let next = code.len() as u32 + 5;
    code.push(0xe9);
    code.extend_from_slice(&target.wrapping_sub(next).to_le_bytes());
    Some(start)
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

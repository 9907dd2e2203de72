//! Where compiled code goes on when the host refuses an access.
//!
//! In the IR each access that the host watches over is followed by a branch that is never taken, to code that stores the
//! guest's state as it was before the access. The branch makes Cranelift keep that state and say where it is. Once there
//! is machine code the branch has served: its target, the *landing*, goes into a table for the signal handler, and no-ops
//! take its place.
//!
//! ```text
//! mov rax, [r13 + rcx]       the access
//! mov [rsp + 8], rax         rarely: what the register allocator moves before the branch
//! test r13, r13; jz landing  becomes one no-op
//! ```
//!
//! The landing expects those moves to have been made, so it is reached by way of a copy of them, behind the function.

use cranelift_codegen::{MachSrcLoc, MachTrap, binemit::CodeOffset};
use iced_x86::{Decoder, DecoderOptions, Mnemonic};
use pvm_clif::WATCHED;
use pvm_frontend::Mark;
use pvm_vm::Landing;
use std::collections::HashMap;
use std::ops::Range;

/// Machine code is not what was expected behind the access at this offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no landing is found for the access at {access:#x} of the machine code")]
pub struct NoLanding {
    /// The offset of the access.
    pub access: u32,
}

/// Takes the branches to landings out of x86-64 `code`, adds what is needed to reach them, and returns the landings by
/// ascending access.
pub(crate) fn extract(
    code: &mut Vec<u8>,
    traps: &[MachTrap],
    marks: &[MachSrcLoc<cranelift_codegen::Final>],
) -> Result<Box<[Landing]>, NoLanding> {
    let mark = |range: &MachSrcLoc<_>| Mark::from_source_loc(range.loc);
    let branches: HashMap<u32, Range<CodeOffset>> = marks
        .iter()
        .filter_map(|range| match mark(range) {
            Mark::Landing(number) => Some((number, range.start..range.end)),
            _ => None,
        })
        .collect();
    let mut landings = Vec::new();
    for trap in traps.iter().filter(|trap| trap.code == WATCHED) {
        let access = trap.offset;
        let within = marks.partition_point(|range| range.end <= access);
        let branch = match marks.get(within).filter(|range| range.start <= access).map(mark) {
            Some(Mark::Access(number)) => branches.get(&number),
            _ => None,
        };
        let branch = branch.and_then(|branch| Branch::find(code, access, branch.end)).ok_or(NoLanding { access })?;
        let landing = branch.take_out(code);
        landings.push(Landing { access, landing });
    }
    landings.sort_unstable_by_key(|landing| landing.access);
    Ok(landings.into())
}

/// The branch behind an access.
struct Branch {
    /// Where it leads if the access was refused.
    target: u32,
    /// Instructions that can be taken out, as they decide nothing.
    idle: Vec<Range<usize>>,
    /// Instructions between the access and the branch.
    moves: Vec<Range<usize>>,
}

impl Branch {
    /// Decodes what is behind the access at `access`, up to `end`.
    fn find(code: &[u8], access: u32, end: u32) -> Option<Branch> {
        let mut decoder = Decoder::with_ip(64, code, 0, DecoderOptions::NONE);
        decoder.set_position(access as usize).ok()?;
        decoder.set_ip(access.into());
        let first = decoder.decode();
        if first.is_invalid() {
            return None;
        }
        let (mut idle, mut moves) = (Vec::new(), Vec::new());
        while decoder.ip() < u64::from(end) {
            let instruction = decoder.decode();
            let at = instruction.ip() as usize..instruction.next_ip() as usize;
            match instruction.mnemonic() {
                Mnemonic::Je => {
                    idle.push(at);
                    let target = u32::try_from(instruction.near_branch_target()).ok()?;
                    return Some(Branch { target, idle, moves });
                }
                // Leads over the landing: needed where it stands.
                Mnemonic::Jne => return Some(Branch { target: at.end as u32, idle: Vec::new(), moves }),
                Mnemonic::Test if instruction.op0_register() == instruction.op1_register() => idle.push(at),
                Mnemonic::Mov if !instruction.is_ip_rel_memory_operand() => moves.push(at),
                _ => return None,
            }
        }
        None
    }

    /// Takes the branch out; returns where to go on instead.
    fn take_out(self, code: &mut Vec<u8>) -> u32 {
        let mut joined: Vec<Range<usize>> = Vec::new();
        for range in self.idle {
            match joined.last_mut() {
                Some(last) if last.end == range.start => last.end = range.end,
                _ => joined.push(range),
            }
        }
        joined.into_iter().for_each(|range| fill(&mut code[range]));
        if self.moves.is_empty() {
            return self.target;
        }
        let start = code.len() as u32;
        for range in self.moves {
            code.extend_from_within(range);
        }
        let next = code.len() as u32 + 5;
        code.push(0xe9);
        code.extend_from_slice(&self.target.wrapping_sub(next).to_le_bytes());
        start
    }
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

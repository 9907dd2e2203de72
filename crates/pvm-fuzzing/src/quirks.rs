//! Where the `polkavm` crate, version 0.35, is known to differ from the Gray Paper, and what becomes of such cases.
//!
//! Nothing is left out in silence: each case that is not compared, or not to its end, is counted under the quirk that is
//! to blame. Some quirks show in the program and exclude the case ([`exclusion`]); others show when the guest stops, and
//! the comparison ends there after it was checked that the quirk explains all of the difference ([`explanation`]).

use crate::{Action, Case, Page, Step, Stop};
use pvm_gas::GasModel;
use pvm_isa::{Format, MAX_SKIP, Meaning, Opcode, Profile};
use pvm_ops::{GuestCode, PAGE_SIZE};
use pvm_program::{Blob, Code};
use pvm_runtime::Exit;

/// Why a case is not compared with `polkavm`, or not to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Quirk {
    /// It knows neither the opcodes of the other profiles nor our other ways to meter.
    OtherRules,
    /// It does not take jump tables whose entries are longer than four bytes.
    LongEntries,
    /// A jump table whose entries have no bytes is empty to it; in the Gray Paper its entries are 0.
    EmptyEntries,
    /// It did not take the program, for no reason that is listed here.
    Refused,
    /// The instruction may be `memset`, which the draft profile does not have.
    Memset,
    /// Its `sbrk` answers with the new end of the heap, and the heap is elsewhere.
    Sbrk,
    /// Of the byte that names the destination of a three-register instruction it takes the low half, the Gray Paper the
    /// whole.
    WideDestination,
    /// An instruction of 25 bytes, the longest there are, is not followed by another one.
    LongestInstruction,
    /// Its gas is signed.
    SignedGas,
    /// The last bytes of the address space cannot be accessed even if their page is mapped; no JAM guest has that page.
    LastPage,
    /// A branch or `fallthrough` panics if it could lead to where no block starts, whether it goes there or not (for
    /// branches, as in the 0.8 line).
    BothWays,
    /// A jump may go behind a terminator where an undefined opcode stands; it then panics there.
    UndefinedTarget,
    /// A store across a read-only page and one that is not there faults at the second, in the Gray Paper at the first.
    StoreAcross,
    /// A host cannot start the guest at an instruction that no block leads to.
    OutsideBlocks,
}

impl Quirk {
    /// Every quirk.
    pub const ALL: [Quirk; 14] = [
        Quirk::OtherRules,
        Quirk::LongEntries,
        Quirk::EmptyEntries,
        Quirk::Refused,
        Quirk::Memset,
        Quirk::Sbrk,
        Quirk::WideDestination,
        Quirk::LongestInstruction,
        Quirk::SignedGas,
        Quirk::LastPage,
        Quirk::BothWays,
        Quirk::UndefinedTarget,
        Quirk::StoreAcross,
        Quirk::OutsideBlocks,
    ];

    /// A name for statistics.
    pub const fn name(self) -> &'static str {
        match self {
            Quirk::OtherRules => "other-rules",
            Quirk::LongEntries => "long-entries",
            Quirk::EmptyEntries => "empty-entries",
            Quirk::Refused => "refused",
            Quirk::Memset => "memset",
            Quirk::Sbrk => "sbrk",
            Quirk::WideDestination => "wide-destination",
            Quirk::LongestInstruction => "longest-instruction",
            Quirk::SignedGas => "signed-gas",
            Quirk::LastPage => "last-page",
            Quirk::BothWays => "both-ways",
            Quirk::UndefinedTarget => "undefined-target",
            Quirk::StoreAcross => "store-across",
            Quirk::OutsideBlocks => "outside-blocks",
        }
    }
}

const LAST_PAGE: u32 = 0xffff_f000;
/// The opcode of `memset` in `Latest64`.
const MEMSET: u8 = 2;

/// The quirk for which a case cannot be compared at all.
pub fn exclusion(case: &Case, blob: &Blob, ours: &[Stop]) -> Option<Quirk> {
    if case.profile != Profile::Draft || case.gas_model != GasModel::Instruction {
        return Some(Quirk::OtherRules);
    }
    if blob.jump_size > 4 {
        return Some(Quirk::LongEntries);
    }
    if blob.jump_size == 0 && blob.jump_count > 0 {
        return Some(Quirk::EmptyEntries);
    }
    let actions = || case.script.iter().flat_map(|step| &step.actions);
    let is_signed = |gas: u64| gas > u64::MAX >> 2;
    if is_signed(case.gas) || actions().any(|action| matches!(action, Action::Gas(gas) if is_signed(*gas))) {
        return Some(Quirk::SignedGas);
    }
    if maps_last_page(case, ours) {
        return Some(Quirk::LastPage);
    }
    let code = Code::new(blob, case.profile);
    let is_longest = |pc| code.skip(pc) == MAX_SKIP && code.starts_instruction(code.next(pc));
    code.instruction_starts().find_map(|pc| match (code.opcode(pc), code.bytes()[pc as usize]) {
        (_, MEMSET) => Some(Quirk::Memset),
        _ if is_longest(pc) => Some(Quirk::LongestInstruction),
        (Some(Opcode::Sbrk), _) => Some(Quirk::Sbrk),
        (Some(opcode), _) if opcode.spec().format == Format::RegRegReg => {
            let is_wide = code.bytes().get(pc as usize + 2).is_some_and(|&byte| byte > 15);
            is_wide.then_some(Quirk::WideDestination)
        }
        _ => None,
    })
}

fn maps_last_page(case: &Case, ours: &[Stop]) -> bool {
    let is_last = |page: &Page| page.address == LAST_PAGE;
    let maps = |action: &Action| matches!(action, Action::Map(page) if is_last(page));
    let answers =
        |(stop, step): (&Stop, &Step)| stop.exit == Exit::PageFault { address: LAST_PAGE } && step.fault.is_some();
    case.pages.iter().any(is_last)
        || case.script.iter().flat_map(|step| &step.actions).any(maps)
        || ours.iter().zip(&case.script).any(answers)
}

/// The quirk that explains how two runs differ from `at` on, if one explains all of it.
///
/// `replay` plays our side again with other gas in one leg.
pub fn explanation(
    case: &Case,
    blob: &Blob,
    ours: &[Stop],
    theirs: &[Stop],
    at: usize,
    replay: impl Fn(usize, u64) -> Vec<Stop>,
) -> Option<Quirk> {
    let (our, their) = (ours.get(at)?, theirs.get(at)?);
    let code = Code::new(blob, case.profile);
    let meaning = |pc| code.opcode(pc).map(|opcode| opcode.spec().meaning);
    if let (Exit::PageFault { address: first }, Exit::PageFault { address: second }) = (our.exit, their.exit) {
        let is_next = second == first.wrapping_add(PAGE_SIZE) && matches!(meaning(our.pc), Some(Meaning::Store(_)));
        let alike = Stop { exit: our.exit, ..their.clone() };
        return (is_next && alike == *our).then_some(Quirk::StoreAcross);
    }
    // We panic at the jump; they go on to its target, and panic there if they can pay for one instruction more.
    let undefined = code.starts_instruction(their.pc) && code.opcode(their.pc).is_none();
    if our.exit == Exit::Panic && undefined && meaning(our.pc).is_some_and(Meaning::ends_block) {
        let gas = match their.exit {
            Exit::Panic => Some(their.gas + 1),
            Exit::OutOfGas => Some(their.gas),
            _ => None,
        };
        if gas.is_some_and(|gas| Stop { exit: our.exit, pc: our.pc, gas, ..their.clone() } == *our) {
            return Some(Quirk::UndefinedTarget);
        }
    }
    if their.exit != Exit::Panic {
        return None;
    }
    let start = leg(case, theirs, at)?;
    if start.pc == Some(their.pc) && start.gas == their.gas && !is_in_block(&code, their.pc) {
        return Some(Quirk::OutsideBlocks);
    }
    if leads_nowhere(&code, their.pc) {
        // They stopped at a branch that we passed. With exactly the gas that they had paid before it, we must stop there.
        let paid = start.gas.checked_sub(their.gas + 1)?;
        let alike = Stop { exit: Exit::OutOfGas, gas: 0, ..their.clone() };
        return (replay(at, paid).get(at) == Some(&alike)).then_some(Quirk::BothWays);
    }
    None
}

/// Whether one of the ways on from a branch or `fallthrough` is invalid.
fn leads_nowhere(code: &Code, pc: u32) -> bool {
    let is_start = |place: i64| u32::try_from(place).is_ok_and(|place| code.is_block_start(place));
    let goes_on = |meaning| matches!(meaning, Meaning::Branch(_) | Meaning::Fallthrough);
    code.opcode(pc).is_some_and(|opcode| goes_on(opcode.spec().meaning))
        && (!is_start(i64::from(code.next(pc)))
            || code.instruction(pc).and_then(|it| it.operands.target()).is_some_and(|target| !is_start(target)))
}

/// Whether running from some block start, without a jump, gets to `pc`.
fn is_in_block(code: &Code, pc: u32) -> bool {
    let Some(mut at) = code.block_starts().take_while(|&start| start <= pc).last() else { return false };
    while at < pc && code.opcode(at).is_some_and(|opcode| !opcode.spec().meaning.ends_block()) {
        at = code.next(at);
    }
    at == pc
}

/// How a leg began.
struct Leg {
    /// Where, if the host has said.
    pc: Option<u32>,
    gas: u64,
}

fn leg(case: &Case, stops: &[Stop], at: usize) -> Option<Leg> {
    let Some(before) = at.checked_sub(1) else { return Some(Leg { pc: Some(case.pc), gas: case.gas }) };
    let (stop, step) = (&stops[before], case.script.get(before)?);
    let more = if stop.exit == Exit::OutOfGas { step.gas } else { 0 };
    let mut leg = Leg { pc: None, gas: stop.gas.saturating_add(more) };
    match stop.exit {
        Exit::Halt | Exit::Panic => leg.pc = step.restart,
        // Nothing has run since the host said.
        Exit::Interrupted => leg.pc = Some(stop.pc),
        _ => {}
    }
    for action in &step.actions {
        match *action {
            Action::Gas(gas) => leg.gas = gas,
            Action::Pc(pc) => leg.pc = Some(pc),
            _ => {}
        }
    }
    Some(leg)
}

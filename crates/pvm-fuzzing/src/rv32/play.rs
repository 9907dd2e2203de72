//! Playing a case, and what can be observed of it.

use super::case::{Action, Answer, Case, Step};
use crate::{Machine, Ours};
use pvm_ops::{PAGE_SIZE, Trap};
use pvm_runtime::{Access, Exit};
use std::collections::BTreeSet;
use std::fmt::Debug;

const PAGE: u64 = PAGE_SIZE as u64;

/// All that can be observed of a guest when it has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why it stopped.
    pub exit: Exit,
    /// Where.
    pub pc: u32,
    /// Where it would go on.
    pub next_pc: u32,
    /// Gas that is left.
    pub gas: u64,
    /// Instructions executed so far, if that is known.
    pub retired: Option<u64>,
    /// Registers.
    pub registers: [u64; 32],
    /// A hash of every page that has been mapped so far: its right and its bytes.
    pub memory: u64,
}

/// Plays a case on a guest that is at the start of its program, and returns what was observed at each stop.
pub(super) fn play(case: &Case, guest: &mut Ours) -> Vec<Stop> {
    let mut pages: BTreeSet<u32> = case.areas.iter().flat_map(|area| area.pages()).collect();
    start(case, guest);
    let mut stops = Vec::new();
    loop {
        let exit = guest.run();
        let instance = guest.instance();
        stops.push(Stop {
            exit,
            pc: instance.pc(),
            next_pc: instance.next_pc(),
            gas: instance.gas(),
            retired: instance.instructions_retired(),
            registers: *instance.all_registers(),
            memory: hash(guest, &pages),
        });
        match case.script.get(stops.len() - 1) {
            Some(step) if react(case, step, exit, guest, &mut pages) => {}
            _ => return stops,
        }
    }
}

fn start(case: &Case, guest: &mut Ours) {
    let instance = guest.instance_mut();
    instance.set_machine_mode(case.machine_mode);
    *instance.all_registers_mut() = case.registers.map(u64::from);
    instance.set_pc(case.pc);
    instance.set_gas(case.gas);
}

/// Does what the script says; whether the run goes on.
fn react(case: &Case, step: &Step, exit: Exit, guest: &mut Ours, pages: &mut BTreeSet<u32>) -> bool {
    let instance = guest.instance_mut();
    match exit {
        Exit::OutOfGas => instance.set_gas(instance.gas().saturating_add(step.gas)),
        Exit::Trap { trap, value } => match step.trap {
            Answer::End => return false,
            Answer::Again => {}
            Answer::GoTo(pc) => instance.set_pc(pc),
            Answer::Skip(bytes) => instance.set_pc(instance.pc().wrapping_add(bytes)),
            Answer::Grant(access) if matches!(trap, Trap::LoadFault | Trap::StoreFault | Trap::FetchFault) => {
                let page = value / PAGE_SIZE * PAGE_SIZE;
                // A page that is there lacks only a right: what it holds must stay.
                let is_there = instance.memory().access(page) != Access::None;
                let memory = instance.memory_mut();
                let change = if is_there { memory.protect(page, PAGE, access) } else { memory.map(page, PAGE, access) };
                pages.insert(page);
                return change.is_ok();
            }
            Answer::Grant(_) => return false,
        },
        _ => {}
    }
    step.actions.iter().for_each(|action| act(case, *action, guest, pages));
    true
}

fn act(case: &Case, action: Action, guest: &mut Ours, pages: &mut BTreeSet<u32>) {
    let instance = guest.instance_mut();
    let memory = instance.memory_mut();
    // What is refused is so on every engine: the hash tells.
    match action {
        Action::Register(index, value) => instance.all_registers_mut()[index % 32] = value.into(),
        Action::Gas(gas) => instance.set_gas(gas),
        Action::Pc(pc) => instance.set_pc(pc),
        Action::Write(address, value) => drop(memory.write(address, &value.to_le_bytes())),
        Action::Initialise(address, value) => drop(memory.initialise(address, &value.to_le_bytes())),
        Action::Map(page) => {
            drop(memory.map(page.address, PAGE, page.access));
            pages.insert(page.address);
        }
        Action::Protect(page) => {
            drop(memory.protect(page.address, PAGE, page.access));
            pages.insert(page.address);
        }
        Action::Unmap(page) => drop(memory.map(page, PAGE, Access::None)),
        Action::Fence => instance.fence_code(),
        Action::Interrupt => guest.interrupt(),
        Action::Reset => {
            instance.reset(&[]).expect("memory that was there before");
            start(case, guest);
        }
    }
}

fn hash(guest: &Ours, pages: &BTreeSet<u32>) -> u64 {
    let memory = guest.instance().memory();
    let mut bytes = [0; PAGE_SIZE as usize];
    let mut hash = 0;
    let mut mix = |word: u64| hash = (u64::rotate_left(hash, 5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for &page in pages {
        mix(u64::from(page) | memory.access(page) as u64);
        if memory.read(page, &mut bytes).is_ok() {
            bytes.as_chunks::<8>().0.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
        }
    }
    hash
}

/// What two stops differ in, in words.
pub(super) fn describe(expected: &Stop, found: &Stop) -> String {
    let mut words = Vec::new();
    let mut differ = |what: &str, expected: &dyn Debug, found: &dyn Debug| {
        let [expected, found] = [expected, found].map(|value| format!("{value:x?}"));
        if expected != found {
            words.push(format!("{what}: {expected} and {found}"));
        }
    };
    differ("exit", &expected.exit, &found.exit);
    differ("pc", &expected.pc, &found.pc);
    differ("next pc", &expected.next_pc, &found.next_pc);
    differ("gas", &expected.gas, &found.gas);
    differ("instructions", &expected.retired, &found.retired);
    differ("memory", &expected.memory, &found.memory);
    for (index, (expected, found)) in expected.registers.iter().zip(&found.registers).enumerate() {
        differ(&format!("x{index}"), expected, found);
    }
    words.join("; ")
}

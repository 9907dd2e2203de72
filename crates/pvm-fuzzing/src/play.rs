//! Playing a case on an engine, and what can be observed of it.

use crate::{Action, Case, Step};
use pvm_isa::REG_COUNT;
use pvm_ops::PAGE_SIZE;
use pvm_runtime::{Access, Exit};
use std::collections::BTreeSet;

/// A guest on some engine, as a host sees it.
pub trait Machine {
    /// Runs until something stops the guest.
    fn run(&mut self) -> Exit;
    /// Asks the guest to stop before it runs on.
    fn interrupt(&mut self);
    /// The program counter of the last stop.
    fn pc(&self) -> u32;
    /// Goes on at another place.
    fn set_pc(&mut self, pc: u32);
    /// Gas that is left.
    fn gas(&self) -> u64;
    /// Sets the gas.
    fn set_gas(&mut self, gas: u64);
    /// All registers.
    fn registers(&self) -> [u64; REG_COUNT];
    /// Sets a register.
    fn set_register(&mut self, index: usize, value: u64);
    /// What the guest may do with a page.
    fn access(&self, page: u32) -> Access;
    /// Maps a page of zeros, or takes it away.
    fn map(&mut self, page: u32, access: Access);
    /// Changes the right of a mapped page to another one.
    fn protect(&mut self, page: u32, access: Access);
    /// Writes where the guest may.
    fn write(&mut self, address: u32, bytes: &[u8]);
    /// The bytes of a page that the guest may read.
    fn read(&mut self, page: u32, into: &mut [u8]);
}

/// All that can be observed of a guest when it has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stop {
    /// Why it stopped.
    pub exit: Exit,
    /// Where.
    pub pc: u32,
    /// Gas that is left.
    pub gas: u64,
    /// Registers.
    pub registers: [u64; REG_COUNT],
    /// A hash of every page that has been mapped so far: its right and its bytes.
    pub memory: u64,
}

/// Plays a case and returns what was observed at each stop.
///
/// `gas_of_leg` can give a leg (a run between two stops, counted from 0) other gas than the case does.
pub fn play(case: &Case, machine: &mut impl Machine, gas_of_leg: Option<(usize, u64)>) -> Vec<Stop> {
    let mut pages = start(case, machine);
    let mut stops = Vec::new();
    loop {
        if let Some((_, gas)) = gas_of_leg.filter(|&(leg, _)| leg == stops.len()) {
            machine.set_gas(gas);
        }
        let exit = machine.run();
        let memory = hash(machine, &pages);
        let stop = Stop { exit, pc: machine.pc(), gas: machine.gas(), registers: machine.registers(), memory };
        let step = case.script.get(stops.len());
        stops.push(stop);
        match step {
            Some(step) if react(step, exit, machine, &mut pages) => {}
            _ => return stops,
        }
    }
}

fn start(case: &Case, machine: &mut impl Machine) -> BTreeSet<u32> {
    let mut pages = BTreeSet::new();
    for page in &case.pages {
        machine.map(page.address, Access::ReadWrite);
        machine.write(page.address, &initial_bytes(page.address));
        machine.protect(page.address, page.access);
        pages.insert(page.address);
    }
    if let Some((start, limit)) = case.heap {
        pages.extend((start / PAGE_SIZE..limit.div_ceil(PAGE_SIZE)).map(|page| page * PAGE_SIZE));
    }
    for (index, value) in case.registers.into_iter().enumerate() {
        machine.set_register(index, value);
    }
    machine.set_pc(case.pc);
    machine.set_gas(case.gas);
    pages
}

fn initial_bytes(page: u32) -> Vec<u8> {
    (page..=page + (PAGE_SIZE - 1)).map(|at| (at.wrapping_mul(167) >> 3) as u8 ^ (at >> 12) as u8).collect()
}

/// Does what the script says; whether the run goes on.
fn react(step: &Step, exit: Exit, machine: &mut impl Machine, pages: &mut BTreeSet<u32>) -> bool {
    match exit {
        Exit::OutOfGas => machine.set_gas(machine.gas().saturating_add(step.gas)),
        Exit::PageFault { address } => {
            if let Some(access) = step.fault {
                // A page that is there lacks only a right: what it holds must stay.
                match machine.access(address) {
                    Access::None => machine.map(address, access),
                    _ => machine.protect(address, access),
                }
                pages.insert(address);
            }
        }
        Exit::Halt | Exit::Panic => match step.restart {
            Some(pc) => machine.set_pc(pc),
            None => return false,
        },
        Exit::HostCall { .. } | Exit::Interrupted | Exit::Ecall | Exit::Trap { .. } => {}
    }
    for action in &step.actions {
        match *action {
            Action::Register(index, value) => machine.set_register(index % REG_COUNT, value),
            Action::Gas(gas) => machine.set_gas(gas),
            Action::Pc(pc) => machine.set_pc(pc),
            Action::Write(address, value) => {
                let last = address.saturating_add(7);
                let writable = |address| machine.access(address / PAGE_SIZE * PAGE_SIZE) == Access::ReadWrite;
                if last - address == 7 && writable(address) && writable(last) {
                    machine.write(address, &value.to_le_bytes());
                }
            }
            Action::Map(page) => {
                machine.map(page.address, page.access);
                pages.insert(page.address);
            }
            Action::Protect(page) if machine.access(page.address) != Access::None => {
                machine.protect(page.address, page.access);
            }
            Action::Protect(_) => {}
            Action::Unmap(page) => machine.map(page, Access::None),
            Action::Interrupt => machine.interrupt(),
        }
    }
    true
}

fn hash(machine: &mut impl Machine, pages: &BTreeSet<u32>) -> u64 {
    let mut bytes = [0; PAGE_SIZE as usize];
    let mut hash = 0;
    let mut mix = |word: u64| hash = (u64::rotate_left(hash, 5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for &page in pages {
        let access = machine.access(page);
        mix(u64::from(page) | access as u64);
        if access != Access::None {
            machine.read(page, &mut bytes);
            for word in bytes.chunks_exact(8) {
                mix(word.iter().fold(0, |word, &byte| word << 8 | u64::from(byte)));
            }
        }
    }
    hash
}

/// What two engines differ in first: the number of the stop, and what it is in words; `describe` says what two stops differ in.
pub(crate) fn first_difference<S: PartialEq>(
    expected: &[S],
    found: &[S],
    describe: impl FnOnce(&S, &S) -> String,
) -> Option<(usize, String)> {
    let at = (0..expected.len().max(found.len())).find(|&at| expected.get(at) != found.get(at))?;
    let words = match (expected.get(at), found.get(at)) {
        (Some(expected), Some(found)) => describe(expected, found),
        (expected, _) => format!("{} run ended", if expected.is_some() { "the other" } else { "the first" }),
    };
    Some((at, words))
}

/// What two stops differ in, in words.
pub(crate) fn describe(expected: &Stop, found: &Stop) -> String {
    let mut words = Vec::new();
    let mut differ = |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
        words.push(format!("{what}: {expected:x?} and {found:x?}"));
    };
    if expected.exit != found.exit {
        differ("exit", &expected.exit, &found.exit);
    }
    if expected.pc != found.pc {
        differ("pc", &expected.pc, &found.pc);
    }
    if expected.gas != found.gas {
        differ("gas", &expected.gas, &found.gas);
    }
    for (index, (expected, found)) in expected.registers.iter().zip(&found.registers).enumerate() {
        if expected != found {
            differ(&format!("r{index}"), expected, found);
        }
    }
    if expected.memory != found.memory {
        differ("memory", &expected.memory, &found.memory);
    }
    words.join("; ")
}

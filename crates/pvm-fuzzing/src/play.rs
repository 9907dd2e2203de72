//! Playing a case on an engine, and what can be observed of it.

use crate::{Action, Case, Step};
use pvm_isa::REG_COUNT;
use pvm_ops::PAGE_SIZE;
use pvm_runtime::{Access, Exit};
use std::collections::BTreeSet;

/// What runs a guest.
pub trait Machine {
    /// The guest.
    type Guest: Stopped;
    /// Runs until something stops the guest.
    fn run(&mut self) -> Exit;
    /// Asks the guest to stop before it runs on.
    fn interrupt(&mut self);
    /// The guest, between runs.
    fn guest(&mut self) -> &mut Self::Guest;
}

/// A guest on some engine that has stopped, as a host sees it.
pub trait Stopped {
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
pub fn play<M: Machine>(case: &Case, machine: &mut M, gas_of_leg: Option<(usize, u64)>) -> Vec<Stop> {
    let mut player = Player::start(case, machine.guest());
    loop {
        if let Some((_, gas)) = gas_of_leg.filter(|&(leg, _)| leg == player.stops.len()) {
            machine.guest().set_gas(gas);
        }
        let exit = machine.run();
        if !player.stopped(case, machine.guest(), exit) {
            return player.stops;
        }
        if player.take_interruption() {
            machine.interrupt();
        }
    }
}

/// A case that is being played.
#[derive(Debug)]
pub(crate) struct Player {
    pages: BTreeSet<u32>,
    /// What was observed so far.
    pub stops: Vec<Stop>,
    interrupts: bool,
}

impl Player {
    /// Brings the guest to the start.
    pub(crate) fn start(case: &Case, guest: &mut impl Stopped) -> Player {
        Player { pages: start(case, guest), stops: Vec::new(), interrupts: false }
    }

    /// Notes that the guest has stopped, and does what the script says. Returns whether the run goes on.
    pub(crate) fn stopped(&mut self, case: &Case, guest: &mut impl Stopped, exit: Exit) -> bool {
        let memory = hash(guest, &self.pages);
        let stop = Stop { exit, pc: guest.pc(), gas: guest.gas(), registers: guest.registers(), memory };
        let step = case.script.get(self.stops.len());
        self.stops.push(stop);
        let Some(step) = step else { return false };
        self.interrupts = step.actions.iter().any(|action| matches!(action, Action::Interrupt));
        react(step, exit, guest, &mut self.pages)
    }

    /// Whether the guest is to stop before it runs on.
    pub(crate) fn take_interruption(&mut self) -> bool {
        std::mem::take(&mut self.interrupts)
    }
}

fn start(case: &Case, guest: &mut impl Stopped) -> BTreeSet<u32> {
    let mut pages = BTreeSet::new();
    for page in &case.pages {
        guest.map(page.address, Access::ReadWrite);
        guest.write(page.address, &initial_bytes(page.address));
        guest.protect(page.address, page.access);
        pages.insert(page.address);
    }
    if let Some((start, limit)) = case.heap {
        pages.extend((start / PAGE_SIZE..limit.div_ceil(PAGE_SIZE)).map(|page| page * PAGE_SIZE));
    }
    for (index, value) in case.registers.into_iter().enumerate() {
        guest.set_register(index, value);
    }
    guest.set_pc(case.pc);
    guest.set_gas(case.gas);
    pages
}

fn initial_bytes(page: u32) -> Vec<u8> {
    (page..=page + (PAGE_SIZE - 1)).map(|at| (at.wrapping_mul(167) >> 3) as u8 ^ (at >> 12) as u8).collect()
}

/// Does what the script says; whether the run goes on.
fn react(step: &Step, exit: Exit, guest: &mut impl Stopped, pages: &mut BTreeSet<u32>) -> bool {
    match exit {
        Exit::OutOfGas => guest.set_gas(guest.gas().saturating_add(step.gas)),
        Exit::PageFault { address } => {
            if let Some(access) = step.fault {
                // A page that is there lacks only a right: what it holds must stay.
                match guest.access(address) {
                    Access::None => guest.map(address, access),
                    _ => guest.protect(address, access),
                }
                pages.insert(address);
            }
        }
        Exit::Halt | Exit::Panic => match step.restart {
            Some(pc) => guest.set_pc(pc),
            None => return false,
        },
        Exit::HostCall { .. } | Exit::Interrupted | Exit::Ecall | Exit::Trap { .. } => {}
    }
    for action in &step.actions {
        match *action {
            Action::Register(index, value) => guest.set_register(index % REG_COUNT, value),
            Action::Gas(gas) => guest.set_gas(gas),
            Action::Pc(pc) => guest.set_pc(pc),
            Action::Write(address, value) => {
                let last = address.saturating_add(7);
                let writable = |address| guest.access(address / PAGE_SIZE * PAGE_SIZE) == Access::ReadWrite;
                if last - address == 7 && writable(address) && writable(last) {
                    guest.write(address, &value.to_le_bytes());
                }
            }
            Action::Map(page) => {
                guest.map(page.address, page.access);
                pages.insert(page.address);
            }
            Action::Protect(page) if guest.access(page.address) != Access::None => {
                guest.protect(page.address, page.access);
            }
            Action::Protect(_) => {}
            Action::Unmap(page) => guest.map(page, Access::None),
            // That is for whoever runs the guest.
            Action::Interrupt => {}
        }
    }
    true
}

fn hash(guest: &mut impl Stopped, pages: &BTreeSet<u32>) -> u64 {
    let mut bytes = [0; PAGE_SIZE as usize];
    let mut hash = 0;
    let mut mix = |word: u64| hash = (u64::rotate_left(hash, 5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    for &page in pages {
        let access = guest.access(page);
        mix(u64::from(page) | access as u64);
        if access != Access::None {
            guest.read(page, &mut bytes);
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

//! The pipeline model, word for word as the specification has it (`pvm.md` 6.4), against the fast one.
//!
//! Everything is looked at in every cycle, sources and destinations are read off the operands instead of the lowered
//! instruction: slow, and different enough from the shipped model to be a check of it.

use pvm_gas::{L1_LATENCY, L2_LATENCY, pipeline_cost};
use pvm_isa::{Discount, Latency, Meaning, Opcode, Operands, Profile, SPECS, Unit};
use pvm_ops::Reg;
use pvm_program::{Blob, Code};

#[derive(Clone, Copy, PartialEq)]
enum State {
    Decoded,
    Waiting,
    Executing,
    Finished,
}

struct Entry {
    state: State,
    left: i32,
    units: [i32; 5],
    waits: Vec<usize>,
}

/// Entries are never removed; `head` is the first that has not retired.
#[derive(Default)]
struct Machine {
    entries: Vec<Entry>,
    head: usize,
    writer: [Option<usize>; 13],
    used: [i32; 5],
    slots: u8,
    cycles: u32,
}

const UNITS: [i32; 5] = [4, 4, 4, 1, 1];

fn units(unit: Unit) -> [i32; 5] {
    match unit {
        Unit::None => [0; 5],
        Unit::Alu => [1, 0, 0, 0, 0],
        Unit::TwoAlu => [2, 0, 0, 0, 0],
        Unit::Load => [1, 1, 0, 0, 0],
        Unit::Store => [1, 0, 1, 0, 0],
        Unit::Mul => [1, 0, 0, 1, 0],
        Unit::Div => [1, 0, 0, 0, 1],
    }
}

/// Sources and destination; the shifted value is the first source.
fn registers(meaning: Meaning, operands: Operands) -> (Vec<Reg>, Option<Reg>) {
    match (operands, meaning) {
        (Operands::RegRegReg { d, a, b }, _) => (vec![a, b], Some(d)),
        (Operands::RegRegImm { a, b, .. }, Meaning::Store(_)) => (vec![a, b], None),
        (Operands::RegRegImm { a, b, .. }, _) => (vec![b], Some(a)),
        (Operands::RegReg { d, a }, _) => (vec![a], Some(d)),
        (Operands::RegRegOffset { a, b, .. }, _) => (vec![a, b], None),
        (Operands::RegRegImmImm { b, .. }, _) => (vec![b], None),
        (Operands::RegImmOffset { a, .. }, Meaning::Branch(_)) => (vec![a], None),
        (Operands::RegImmImm { a, .. }, _) => (vec![a], None),
        (Operands::RegImm { a, .. }, Meaning::Store(_) | Meaning::JumpIndirect) => (vec![a], None),
        (Operands::RegImm { a, .. } | Operands::RegImm64 { a, .. }, _) => (vec![], Some(a)),
        _ => (vec![], None),
    }
}

impl Machine {
    fn len(&self) -> usize {
        self.entries.len() - self.head
    }

    fn tick(&mut self) {
        while self.entries.get(self.head).is_some_and(|entry| entry.state == State::Finished) {
            self.head += 1;
        }
        let mut starts = 0;
        for entry in &mut self.entries[self.head..] {
            let fits = (0..5).all(|i| self.used[i] + entry.units[i] <= UNITS[i]);
            if starts < 5 && entry.state == State::Waiting && entry.waits.is_empty() && fits {
                entry.state = State::Executing;
                (0..5).for_each(|i| self.used[i] += entry.units[i]);
                starts += 1;
            }
        }
        for at in self.head..self.entries.len() {
            if self.entries[at].state != State::Executing {
                continue;
            }
            self.entries[at].left -= 1;
            if self.entries[at].left == 0 {
                (0..5).for_each(|i| self.used[i] -= self.entries[at].units[i]);
                self.entries.iter_mut().for_each(|entry| entry.waits.retain(|&wait| wait != at));
                self.writer.iter_mut().filter(|writer| **writer == Some(at)).for_each(|writer| *writer = None);
            } else if self.entries[at].left == -1 {
                self.entries[at].state = State::Finished;
            }
        }
        for entry in &mut self.entries[self.head..] {
            if entry.state == State::Decoded {
                entry.state = State::Waiting;
            }
        }
        self.slots = 4;
        self.cycles += 1;
    }
}

fn is_cold(code: &Code, pc: i64) -> bool {
    let inside = (0..code.bytes().len() as i64).contains(&pc);
    let unlikely = Opcode::Unlikely.byte(code.profile());
    !inside || code.bytes()[pc as usize] == 0 || Some(code.bytes()[pc as usize]) == unlikely
}

fn reference(code: &Code, mut pc: u32, memory: u8) -> u32 {
    let mut machine = Machine { slots: 4, ..Machine::default() };
    loop {
        let instruction = code.instruction(pc);
        let spec = instruction.map_or(Opcode::Trap, |instruction| instruction.opcode).spec();
        let operands = instruction.map_or(Operands::None, |instruction| instruction.operands);
        let (sources, destination) = registers(spec.meaning, operands);
        let same = |source: Option<&Reg>| destination.is_some() && source.copied() == destination;
        let extra = match spec.cost.extra {
            Discount::Flat => false,
            Discount::DstIsSrc | Discount::DstIsShifted => !same(sources.first()),
            Discount::DstIsEither => !same(sources.first()) && !same(sources.get(1)),
        };
        let decode = spec.cost.decode + u8::from(extra);
        if machine.slots < decode || machine.len() == 32 {
            machine.tick();
            while machine.len() > 31 {
                machine.tick();
            }
        }
        machine.slots -= decode;
        if spec.opcode == Opcode::MoveReg {
            machine.writer[destination.unwrap().index()] = machine.writer[sources[0].index()];
        } else {
            let latency = match spec.cost.latency {
                Latency::Cycles(cycles) => cycles,
                Latency::Memory => memory,
                Latency::Branch => {
                    let cold = is_cold(code, operands.target().unwrap()) || is_cold(code, i64::from(code.next(pc)));
                    if cold { 1 } else { 20 }
                }
            };
            let waits = sources.iter().filter_map(|source| machine.writer[source.index()]).collect();
            let entry = Entry { state: State::Decoded, left: i32::from(latency), units: units(spec.cost.unit), waits };
            machine.entries.push(entry);
            if let Some(destination) = destination {
                machine.writer[destination.index()] = Some(machine.entries.len() - 1);
            }
        }
        if spec.meaning.ends_block() {
            break;
        }
        pc = code.next(pc);
    }
    machine.tick();
    while machine.len() > 0 {
        machine.tick();
    }
    machine.cycles.saturating_sub(3).max(1)
}

/// A generator of numbers that look random (xorshift); the same in every run.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as usize % limit
    }
}

/// A block of `len` instructions over few registers, most of them no terminators.
fn block(numbers: &mut Numbers, profile: Profile, len: usize, registers: usize) -> Code {
    let (mut bytes, mut starts) = (Vec::new(), Vec::new());
    while starts.len() < len {
        let spec = &SPECS[numbers.below(SPECS.len())];
        let Some(byte) = spec.opcode.byte(profile) else { continue };
        if spec.meaning.ends_block() && numbers.below(40) > 0 {
            continue;
        }
        // Long latencies hide everything else; have fewer of them.
        let slow = matches!(spec.cost.latency, Latency::Cycles(cycles) if cycles > 10);
        if slow && numbers.below(6) > 0 {
            continue;
        }
        starts.push(bytes.len());
        let pair = numbers.below(registers) | numbers.below(registers) << 4;
        let operands = [pair as u8, numbers.below(registers) as u8, numbers.below(256) as u8];
        bytes.push(byte);
        bytes.extend(&operands[..numbers.below(4)]);
    }
    let mut bitmask = vec![0; bytes.len().div_ceil(8)];
    starts.iter().for_each(|start| bitmask[start / 8] |= 1 << (start % 8));
    Code::new(&Blob { code: bytes, bitmask, ..Blob::default() }, profile)
}

#[test]
fn the_fast_model_is_the_specified_one() {
    let mut numbers = Numbers(0x9e37_79b9_7f4a_7c15);
    for round in 0..3000 {
        let profile = Profile::ALL[round % 3];
        let len = 1 + numbers.below(if round % 10 == 0 { 300 } else { 60 });
        let registers = 1 + numbers.below(16);
        let code = block(&mut numbers, profile, len, registers);
        for memory in [L1_LATENCY, L2_LATENCY] {
            for pc in [0, numbers.below(code.bytes().len() + 2) as u32] {
                let (fast, slow) = (pipeline_cost(&code, pc, memory), reference(&code, pc, memory));
                assert_eq!(fast, slow, "round {round}, pc {pc}, {profile}: {:?}", code.bytes());
            }
        }
    }
}

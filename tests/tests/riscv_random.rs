//! Random RISC-V programs do the same interpreted and compiled: stops, registers, memory and gas. They jump anywhere, also into
//! the middle of instructions, and change their own code.

use pvm_ops::Reg;
use pvm_program::Executable;
use pvm_runtime::{Access, Config, Engine, Exit, FaultDetection, GasModel, Instance, Jit, Module, Options};
use pvm_rv32::{Instruction, Meaning, SPECS};

const BASE: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;
const LEN: usize = 240;

struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(0x5851_f42d_4c95_7f2d).wrapping_add(0x1405_7b7e_f767_814f);
        (self.0 >> 33) as u32 ^ (self.0 >> 17) as u32
    }

    fn below(&mut self, limit: u32) -> u32 {
        self.next() % limit
    }

    fn reg(&mut self) -> Reg {
        // Few registers, so that values flow; sometimes any.
        if self.below(8) == 0 { Reg::wrapping(self.next() as u8) } else { Reg::wrapping(8 + self.below(8) as u8) }
    }
}

/// An instruction that can be encoded.
fn instruction(random: &mut Random) -> u32 {
    loop {
        let spec = &SPECS[random.below(SPECS.len() as u32) as usize];
        let is_rare = matches!(
            spec.meaning,
            Meaning::TrapReturn | Meaning::Breakpoint | Meaning::EnvironmentCall | Meaning::Control(..)
        );
        if is_rare && random.below(8) != 0 {
            continue;
        }
        let imm = match spec.meaning {
            // Near, and even.
            Meaning::Jump | Meaning::Branch(_) => (random.below(128) as i32 - 56) * 2,
            Meaning::LoadUpper | Meaning::AddUpper => [0x1_0000, 0x2_0000, 0, -4096][random.below(4) as usize],
            Meaning::Control(..) => [0xc00, 0xc02, 0xc80, 0xc01, 0x300][random.below(5) as usize],
            Meaning::Load(_) | Meaning::Store(_) => random.below(64) as i32 * 2 + random.below(4) as i32 / 3,
            _ => random.below(64) as i32 - 16,
        };
        let [rd, rs1, rs2] = [(); 3].map(|()| random.reg());
        let rs1 = if spec.format.rs1 == spec.format.rd { rd } else { rs1 };
        // The places say what else is fixed.
        let fixed = |place, reg| match place {
            pvm_rv32::Place::Fixed(fixed) => fixed,
            pvm_rv32::Place::Absent => Reg::R0,
            _ => reg,
        };
        let format = &spec.format;
        let one = Instruction {
            spec,
            rd: fixed(format.rd, rd),
            rs1: fixed(format.rs1, rs1),
            rs2: fixed(format.rs2, rs2),
            imm: if format.imm.is_empty() { 0 } else { imm },
        };
        if let Some(bits) = one.encode() {
            return bits;
        }
    }
}

fn program(random: &mut Random) -> Vec<u8> {
    let mut bytes = Vec::new();
    while bytes.len() < LEN * 4 {
        let bits = instruction(random);
        let len = if bits & 3 == 3 { 4 } else { 2 };
        bytes.extend(&bits.to_le_bytes()[..len]);
    }
    bytes
}

#[derive(Debug, PartialEq)]
struct Stop {
    exit: Exit,
    pc: u32,
    gas: u64,
    registers: [u64; 32],
}

/// Runs a program, going on behind what stops it, with some gas at a time.
fn play(engine: &Engine, bytes: &[u8], model: GasModel, seed: u64) -> (Vec<Stop>, Vec<u8>) {
    let executable = Executable::flat(bytes, BASE).expect("it is small");
    let module = Module::from_executable(engine, executable, Options { gas_model: Some(model), profile: None });
    let mut instance = Instance::new(&module.expect("the model fits"), &[]).expect("there is memory");
    instance.memory_mut().map(DATA, 0x2000, Access::ReadWrite).expect("there is memory");
    let mut random = Random(seed);
    for register in &mut instance.all_registers_mut()[1..] {
        *register = u64::from(match random.below(4) {
            0 => DATA + random.below(0x100),
            1 => BASE + 2 * random.below(2 * LEN as u32),
            2 => random.below(64),
            _ => random.next(),
        });
    }
    let mut stops = Vec::new();
    let mut left = if model == GasModel::None { 40 } else { 3000_u64 };
    while left > 0 && stops.len() < 60 {
        let gas = match model {
            GasModel::None => 0,
            _ => u64::from(1 + random.below(400)),
        };
        instance.set_gas(gas);
        let exit = instance.run();
        stops.push(Stop { exit, pc: instance.pc(), gas: instance.gas(), registers: *instance.all_registers() });
        left = left.saturating_sub(1 + gas - instance.gas());
        match exit {
            Exit::Ecall | Exit::OutOfGas => {}
            _ => {
                // Somewhere else, with a register that makes sense.
                let pc = BASE + 2 * random.below(2 * LEN as u32);
                instance.set_pc(pc);
                instance.all_registers_mut()[8 + random.below(8) as usize] = u64::from(DATA + random.below(0x200));
            }
        }
    }
    let mut memory = vec![0; 0x1000];
    instance.memory().read(BASE, &mut memory[..0x400]).expect("it is readable");
    let mut data = vec![0; 0x2000];
    instance.memory().read(DATA, &mut data).expect("it is readable");
    memory.extend(data);
    (stops, memory)
}

fn engine(jit: Jit, threshold: u32, region_limit: usize, faults: FaultDetection) -> Engine {
    let config = Config { jit, jit_threshold: threshold, region_limit, fault_detection: faults, ..Config::default() };
    Engine::new(&config).expect("there is a compiler")
}

#[test]
fn random_programs_do_the_same_on_both_tiers() {
    let reference = engine(Jit::Off, 0, 1, FaultDetection::Checks);
    let checks = FaultDetection::Checks;
    let others = [
        engine(Jit::Cranelift, 0, 1000, FaultDetection::best()),
        engine(Jit::Cranelift, 3, 1000, FaultDetection::best()),
        engine(Jit::Cranelift, 0, 7, checks),
        engine(Jit::Cranelift, 1, 40, checks),
    ];
    let count: u64 = std::env::var("RISCV_PROGRAMS").ok().and_then(|count| count.parse().ok()).unwrap_or(60);
    let first: u64 = std::env::var("RISCV_FIRST").ok().and_then(|count| count.parse().ok()).unwrap_or(0);
    for seed in first..first + count {
        let mut random = Random(seed ^ 0x9e37_79b9_7f4a_7c15);
        random.next();
        let bytes = program(&mut random);
        let expected = play(&reference, &bytes, GasModel::Instruction, seed);
        let other = &others[seed as usize % others.len()];
        let found = play(other, &bytes, GasModel::Instruction, seed);
        for (at, (expected, found)) in expected.0.iter().zip(&found.0).enumerate() {
            assert_eq!(expected, found, "seed {seed}, stop {at}");
        }
        assert_eq!(expected.0.len(), found.0.len(), "seed {seed}");
        assert!(expected.1 == found.1, "seed {seed}: memory differs");
    }
}

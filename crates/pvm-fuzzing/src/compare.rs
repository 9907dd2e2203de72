//! Running one guest on several engines, and comparing all that can be observed.

use pvm_gas::GasModel;
use pvm_isa::{Profile, REG_COUNT};
use pvm_program::Blob;
use pvm_runtime::{Access, Engine, Exit, Instance, Module, Options};

/// Pages that a guest starts with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pages {
    /// The first byte.
    pub address: u32,
    /// How many bytes, whole pages.
    pub size: u32,
    /// What the guest may do there.
    pub access: Access,
}

/// The state that a run starts in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Setup {
    /// Registers.
    pub registers: [u64; REG_COUNT],
    /// Program counter.
    pub pc: u32,
    /// Gas.
    pub gas: u64,
}

/// All that can be observed of a guest when it has stopped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// Why it stopped.
    pub exit: Exit,
    /// Where.
    pub pc: u32,
    /// The gas that is left.
    pub gas: u64,
    /// Registers.
    pub registers: [u64; REG_COUNT],
}

/// A guest on one engine.
#[derive(Debug)]
pub struct Guest {
    instance: Instance,
    pages: Vec<Pages>,
}

impl Guest {
    /// Prepares a program with memory; each page holds bytes that depend on their place.
    ///
    /// # Panics
    ///
    /// If the pages cannot be mapped.
    pub fn new(engine: &Engine, blob: &Blob, profile: Profile, gas_model: GasModel, pages: &[Pages]) -> Guest {
        let options = Options { profile: Some(profile), gas_model: Some(gas_model) };
        let module = Module::from_program(engine, blob.clone().into(), options);
        let instance = Instance::new(&module, &[]).expect("memory for a guest");
        let mut guest = Guest { instance, pages: pages.to_vec() };
        guest.reset_memory();
        guest
    }

    /// Puts memory back to how it was at first.
    ///
    /// # Panics
    ///
    /// If the pages cannot be mapped.
    pub fn reset_memory(&mut self) {
        let memory = self.instance.memory_mut();
        memory.reset().expect("memory can be given back");
        for pages in &self.pages {
            memory.map(pages.address, u64::from(pages.size), pages.access).expect("pages can be mapped");
            let bytes: Vec<u8> = (0..pages.size).map(|at| (at.wrapping_mul(167) >> 3) as u8 ^ at as u8).collect();
            memory.initialise(pages.address, &bytes).expect("pages were mapped");
        }
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }

    /// The instance, to be changed.
    pub fn instance_mut(&mut self) -> &mut Instance {
        &mut self.instance
    }

    /// Runs from `setup`.
    pub fn run(&mut self, setup: &Setup) -> Observation {
        *self.instance.registers_mut() = setup.registers;
        self.instance.set_pc(setup.pc);
        self.instance.set_gas(setup.gas);
        self.resume()
    }

    /// Goes on.
    pub fn resume(&mut self) -> Observation {
        let exit = self.instance.run();
        Observation { exit, pc: self.instance.pc(), gas: self.instance.gas(), registers: *self.instance.registers() }
    }

    /// All bytes of the pages that it started with and may still read.
    pub fn memory(&self) -> Vec<u8> {
        let mut all = Vec::new();
        for pages in &self.pages {
            let mut bytes = vec![0; pages.size as usize];
            if self.instance.memory().read(pages.address, &mut bytes).is_ok() {
                all.extend(bytes);
            }
        }
        all
    }
}

/// What differs first, in words.
pub fn first_difference(expected: &Observation, found: &Observation) -> Option<String> {
    let differ = |what: &str, expected: &dyn std::fmt::Debug, found: &dyn std::fmt::Debug| {
        Some(format!("{what}: {expected:x?} and {found:x?}"))
    };
    match () {
        () if expected.exit != found.exit => differ("exit", &expected.exit, &found.exit),
        () if expected.pc != found.pc => differ("pc", &expected.pc, &found.pc),
        () if expected.gas != found.gas => differ("gas", &expected.gas, &found.gas),
        () => (0..REG_COUNT)
            .find(|&index| expected.registers[index] != found.registers[index])
            .and_then(|index| differ(&format!("r{index}"), &expected.registers[index], &found.registers[index])),
    }
}

//! Our engine as a [`Machine`].

use crate::{Case, Machine};
use pvm_isa::REG_COUNT;
use pvm_ops::PAGE_SIZE;
use pvm_program::Blob;
use pvm_runtime::{Access, Engine, Exit, Instance, Module, Options};

/// A guest of our engine.
#[derive(Debug)]
pub struct Ours {
    instance: Instance,
}

impl Ours {
    /// A guest for the program of `case`.
    ///
    /// # Panics
    ///
    /// If there is no memory for it.
    pub fn new(engine: &Engine, case: &Case, blob: &Blob) -> Ours {
        let options = Options { profile: Some(case.profile), gas_model: Some(case.gas_model) };
        let module = Module::from_program(engine, blob.clone().into(), options);
        let mut instance = Instance::new(&module, &[]).expect("memory for a guest");
        if let Some((start, limit)) = case.heap {
            instance.memory_mut().set_heap(start, limit, false);
        }
        Ours { instance }
    }

    /// The instance.
    pub fn instance(&self) -> &Instance {
        &self.instance
    }
}

const PAGE: u64 = PAGE_SIZE as u64;

impl Machine for Ours {
    fn run(&mut self) -> Exit {
        self.instance.run()
    }

    fn interrupt(&mut self) {
        self.instance.interrupt_handle().interrupt();
    }

    fn pc(&self) -> u32 {
        self.instance.pc()
    }

    fn set_pc(&mut self, pc: u32) {
        self.instance.set_pc(pc);
    }

    fn gas(&self) -> u64 {
        self.instance.gas()
    }

    fn set_gas(&mut self, gas: u64) {
        self.instance.set_gas(gas);
    }

    fn registers(&self) -> [u64; REG_COUNT] {
        *self.instance.registers()
    }

    fn set_register(&mut self, index: usize, value: u64) {
        self.instance.registers_mut()[index] = value;
    }

    fn access(&self, page: u32) -> Access {
        self.instance.memory().access(page)
    }

    fn map(&mut self, page: u32, access: Access) {
        self.instance.memory_mut().map(page, PAGE, access).expect("pages can be mapped");
    }

    fn protect(&mut self, page: u32, access: Access) {
        self.instance.memory_mut().protect(page, PAGE, access).expect("pages can be protected");
    }

    fn write(&mut self, address: u32, bytes: &[u8]) {
        self.instance.memory_mut().write(address, bytes).expect("the page is writable");
    }

    fn read(&mut self, page: u32, into: &mut [u8]) {
        self.instance.memory().read(page, into).expect("the page is readable");
    }
}

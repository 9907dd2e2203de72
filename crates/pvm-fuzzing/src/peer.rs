//! The interpreter of the `polkavm` crate as a [`Machine`], through its public interface.
//!
//! It is an engine that we did not write. Its instruction set `Latest64` is our draft profile with `memset` as opcode 2,
//! and it can meter single instructions. Where it has its own mind, [`crate::quirks`] says what is done about it. These
//! things are translated here, since they concern how a run stops and goes on and not what the guest does:
//!
//! * It knows no lowest 64 KiB: a fault there is the panic that the specification wants.
//! * Started where no instruction begins, it traps, and charges for that only if it has been there before; the
//!   specification has a trap stand there, which costs 1.
//! * A run that goes on after a page fault does not pay for the instruction again; by the specification it does.
//! * When the guest halts, it does not say where. There the program counter is not compared.
//! * It cannot be interrupted. A request to stop before the next run is answered here, and nothing runs.

use crate::quirks::Quirk;
use crate::{Case, Machine, Stopped};
use polkavm::program::InstructionSetKind;
use polkavm::{
    BackendKind, Config, Engine, GasMeteringKind, InterruptKind, MemoryProtection, Module, ModuleConfig, ProgramBlob,
    ProgramCounter, ProgramParts, RawInstance, Reg,
};
use pvm_isa::REG_COUNT;
use pvm_ops::PAGE_SIZE;
use pvm_program::{Blob, LOWEST_ADDRESS};
use pvm_runtime::{Access, Exit};

/// The engine, shared by all its guests.
pub struct PeerEngine {
    engine: Engine,
    config: ModuleConfig,
}

impl std::fmt::Debug for PeerEngine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("PeerEngine")
    }
}

impl PeerEngine {
    /// Its interpreter, metering as the Gray Paper does.
    ///
    /// # Panics
    ///
    /// If the engine does not work on this host.
    pub fn new() -> PeerEngine {
        let mut config = Config::new();
        config.set_backend(Some(BackendKind::Interpreter));
        config.set_allow_experimental(true);
        config.set_allow_dynamic_paging(true);
        config.set_cache_enabled(false);
        let mut module = ModuleConfig::new();
        module.set_gas_metering(Some(GasMeteringKind::Sync));
        module.set_per_instruction_metering(true);
        module.set_dynamic_paging(true);
        PeerEngine { engine: Engine::new(&config).expect("the interpreter works everywhere"), config: module }
    }
}

impl Default for PeerEngine {
    fn default() -> PeerEngine {
        PeerEngine::new()
    }
}

/// A guest of `polkavm`.
pub struct Peer<'c> {
    instance: RawInstance,
    blob: &'c Blob,
    interrupted: bool,
    /// Where the host has sent the guest, until it runs.
    sent_to: Option<u32>,
    /// The last run ended in a fault, and the guest goes on with the same instruction, which is paid.
    at_fault: bool,
    pc: u32,
}

impl<'c> Peer<'c> {
    /// A guest for the program of `case`, which no quirk excludes.
    ///
    /// # Errors
    ///
    /// If the engine does not take the program.
    pub fn new(engine: &PeerEngine, case: &Case, blob: &'c Blob) -> Result<Peer<'c>, Quirk> {
        let mut parts = ProgramParts::empty(InstructionSetKind::Latest64);
        parts.code_and_jump_table = case.program.as_slice().into();
        let program = ProgramBlob::from_parts(parts).map_err(|_| Quirk::Refused)?;
        let module = Module::from_blob(&engine.engine, &engine.config, program).map_err(|_| Quirk::Refused)?;
        let instance = module.instantiate().map_err(|_| Quirk::Refused)?;
        Ok(Peer { instance, blob, interrupted: false, sent_to: None, at_fault: false, pc: 0 })
    }

    /// The panic at a place without an instruction, at the price of one.
    fn missing_instruction(&mut self, pc: u32) -> Exit {
        let gas = self.instance.gas();
        if gas == 0 {
            // It takes back where it was sent, so that it can go there again with more gas.
            self.set_pc(pc);
            return Exit::OutOfGas;
        }
        self.instance.set_gas(gas - 1);
        self.pc = pc;
        Exit::Panic
    }
}

impl Machine for Peer<'_> {
    type Guest = Self;

    fn run(&mut self) -> Exit {
        if std::mem::take(&mut self.interrupted) {
            self.pc = self.instance.next_program_counter().map_or(self.pc, |pc| pc.0);
            return Exit::Interrupted;
        }
        if std::mem::take(&mut self.at_fault) {
            let gas = self.instance.gas();
            if gas == 0 {
                self.at_fault = true;
                return Exit::OutOfGas;
            }
            self.instance.set_gas(gas - 1);
        }
        let sent_to = self.sent_to.take();
        let gas = self.instance.gas();
        let interrupt = self.instance.run().expect("the interpreter has no errors of its own");
        self.pc = self.instance.program_counter().map_or(self.pc, |pc| pc.0);
        match interrupt {
            InterruptKind::Finished => Exit::Halt,
            InterruptKind::Trap => {
                match sent_to.filter(|&pc| !self.blob.starts_instruction(pc) && self.instance.gas() == gas) {
                    Some(pc) => self.missing_instruction(pc),
                    None => Exit::Panic,
                }
            }
            InterruptKind::Ecalli(id) => Exit::HostCall { id: id as i32 as u64 },
            InterruptKind::Segfault(fault) if fault.page_address < LOWEST_ADDRESS => Exit::Panic,
            InterruptKind::Segfault(fault) => {
                self.at_fault = true;
                Exit::PageFault { address: fault.page_address }
            }
            InterruptKind::NotEnoughGas => Exit::OutOfGas,
            InterruptKind::Step => unreachable!("steps are not traced"),
        }
    }

    fn interrupt(&mut self) {
        self.interrupted = true;
    }

    fn guest(&mut self) -> &mut Self {
        self
    }
}

impl Stopped for Peer<'_> {
    fn pc(&self) -> u32 {
        self.pc
    }

    fn set_pc(&mut self, pc: u32) {
        self.instance.set_next_program_counter(ProgramCounter(pc));
        self.sent_to = Some(pc);
        self.at_fault = false;
        self.pc = pc;
    }

    fn gas(&self) -> u64 {
        self.instance.gas().try_into().unwrap_or(0)
    }

    fn set_gas(&mut self, gas: u64) {
        self.instance.set_gas(gas.try_into().unwrap_or(i64::MAX));
    }

    fn registers(&self) -> [u64; REG_COUNT] {
        std::array::from_fn(|index| self.instance.reg(Reg::ALL[index]))
    }

    fn set_register(&mut self, index: usize, value: u64) {
        self.instance.set_reg(Reg::ALL[index], value);
    }

    fn access(&self, page: u32) -> Access {
        let may = |protection| self.instance.is_memory_accessible(page, PAGE_SIZE, protection);
        match () {
            () if may(MemoryProtection::ReadWrite) => Access::ReadWrite,
            () if may(MemoryProtection::Read) => Access::Read,
            () => Access::None,
        }
    }

    fn map(&mut self, page: u32, access: Access) {
        let protection = match access {
            Access::None => return self.instance.free_pages(page, PAGE_SIZE).expect("a page can be freed"),
            access if access.is_writable() => MemoryProtection::ReadWrite,
            _ => MemoryProtection::Read,
        };
        let mapped = self.instance.zero_memory_with_memory_protection(page, PAGE_SIZE, protection);
        mapped.expect("a page can be mapped");
    }

    fn protect(&mut self, page: u32, access: Access) {
        let done = match access {
            Access::None => return self.map(page, access),
            access if access.is_writable() => self.instance.unprotect_memory(page, PAGE_SIZE),
            _ => self.instance.protect_memory(page, PAGE_SIZE),
        };
        done.expect("a mapped page can be protected");
    }

    fn write(&mut self, address: u32, bytes: &[u8]) {
        self.instance.write_memory(address, bytes).expect("the page is writable");
    }

    fn read(&mut self, page: u32, into: &mut [u8]) {
        self.instance.read_memory_into(page, into).expect("the page is readable");
    }
}

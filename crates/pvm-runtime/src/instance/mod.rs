//! Instances: guests with their state and memory.

#[cfg(feature = "cranelift")]
mod native;
mod pace;
mod reset;
mod step;
mod system;
mod text;

pub(crate) use reset::Aside;

use crate::engine::InstanceSlot;
use crate::module::Guest;
use crate::riscv::Riscv;
use crate::source::Source;
use crate::{Alarm, CompileStats, InstanceError, Module};
use pace::Pace;
use pvm_gas::{GasModel, cost_from};
use pvm_interpreter::{Cells, Stop};
use pvm_isa::REG_COUNT;
use pvm_ops::{Fetched, GuestCode, MemoryFault, Trap};
use pvm_program::LOWEST_ADDRESS;
use pvm_vm::{Context, Interrupter, Memory, Template};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Why a run stopped. [`Instance::pc`] is that of the instruction that is named here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The program has ended, by a jump to the address for that.
    Halt,
    /// A trap, an invalid jump, or an access to the lowest 64 KiB.
    Panic,
    /// A memory access that was refused; nothing of it happened. A resumed run tries it again, and in the
    /// per-instruction gas model pays for it again.
    PageFault {
        /// The start of the page of the first offending byte.
        address: u32,
    },
    /// A host call. A resumed run goes on after it.
    HostCall {
        /// Its number, sign-extended as the instruction has it.
        id: u64,
    },
    /// The gas does not suffice. What cannot be paid is not deducted; with more gas the run can be resumed.
    OutOfGas,
    /// An [`InterruptHandle`] asked for it. The run can be resumed.
    Interrupted,
    /// A RISC-V program calls its environment. A resumed run goes on after it.
    Ecall,
    /// A RISC-V program cannot go on: nothing of the instruction happened.
    Trap {
        /// What is wrong.
        trap: Trap,
        /// More about it: the first address that was refused, or the bits of an illegal instruction.
        value: u32,
    },
}

/// What is added to the present time stays a time that the host can tell.
const LONGEST_WAIT: Duration = Duration::from_secs(1 << 31);

/// Stops a run from another thread.
#[derive(Clone, Debug)]
pub struct InterruptHandle {
    interrupter: Interrupter,
}

impl InterruptHandle {
    /// Makes the run that is going on, or the next one, stop with [`Exit::Interrupted`].
    pub fn interrupt(&self) {
        self.interrupter.interrupt();
    }
}

/// What an instance has executed, if [`crate::Config::count_instructions`] is set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Guest instructions that were interpreted.
    pub instructions_interpreted: u64,
    /// Guest instructions that ran as machine code.
    pub instructions_native: u64,
    /// How often machine code was entered.
    pub native_entries: u64,
}

/// A guest: registers, gas, program counter and memory of its own.
#[derive(Debug)]
pub struct Instance {
    module: Module,
    pub(crate) context: Box<Context>,
    pub(crate) memory: Memory,
    #[cfg(feature = "cranelift")]
    tier: Option<crate::tier::Tier>,
    /// The run stopped at a host call and goes on after it.
    pub(crate) at_host_call: bool,
    /// Gas beside that in the context: of the run, and in no slice yet.
    reserve: u64,
    pace: Pace,
    stats: Stats,
    /// What a RISC-V guest has beside that.
    pub(crate) riscv: Option<Box<Riscv>>,
    _slot: InstanceSlot,
}

/// Where the code of an instance of the module comes from, `cells` being what it interprets.
fn source<'a>(module: &'a Module, cells: &'a Cells) -> Source<'a> {
    match &module.shared.guest {
        Guest::Pvm(pvm) => Source::Program(&pvm.code),
        Guest::Riscv(_) => Source::Memory(cells),
    }
}

impl Instance {
    /// A guest at the start of its program, with this argument data and no gas.
    ///
    /// # Errors
    ///
    /// If memory cannot be had, the program takes no such arguments, or a limit of the engine does not allow it. Limits are
    /// looked at before anything is allocated.
    pub fn new(module: &Module, arguments: &[u8]) -> Result<Instance, InstanceError> {
        reset::check(module, arguments)?;
        let mut instance = Instance::with_memory(module, module.template()?)?;
        instance.fill(arguments)?;
        Ok(instance)
    }

    /// A guest whose memory is what the template says, and everything else to be set.
    pub(crate) fn with_memory(module: &Module, template: &Arc<Template>) -> Result<Instance, InstanceError> {
        let engine = module.engine();
        let slot = engine.instance_slot()?;
        let limit = engine.config().memory_limit;
        let mut memory = Memory::pooled(engine.pool(), limit, module.lowest_address(), template)?;
        if module.gas_model() == GasModel::None {
            memory.announce_interrupts()?;
        }
        Ok(Instance {
            module: module.clone(),
            context: Box::default(),
            memory,
            #[cfg(feature = "cranelift")]
            tier: None,
            at_host_call: false,
            reserve: 0,
            pace: Pace::new(module.gas_model()),
            stats: Stats::default(),
            riscv: None,
            _slot: slot,
        })
    }

    /// Forgets what is known of machine code and how often blocks are entered.
    pub(crate) fn renew_tier(&mut self) {
        #[cfg(feature = "cranelift")]
        {
            self.tier = None;
        }
    }

    /// What is interpreted.
    #[inline]
    fn cells(&self) -> &Cells {
        match &self.riscv {
            Some(riscv) => &riscv.cells,
            None => self.module.shared.guest.cells(),
        }
    }

    /// The instruction at `pc`.
    fn fetch(&self, pc: u32) -> Fetched {
        source(&self.module, self.cells()).fetch(&self.memory, pc)
    }

    /// Whether the guest is a RISC-V program.
    #[inline]
    pub(crate) fn is_riscv(&self) -> bool {
        self.riscv.is_some()
    }

    /// The module.
    #[inline]
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The registers.
    #[inline]
    pub fn registers(&self) -> &[u64; REG_COUNT] {
        self.context.state.registers.first_chunk().expect("there are more registers than that")
    }

    /// The registers, to be changed.
    #[inline]
    pub fn registers_mut(&mut self) -> &mut [u64; REG_COUNT] {
        self.context.state.registers.first_chunk_mut().expect("there are more registers than that")
    }

    /// All registers that a guest can have. Those of RISC-V have 32 bits and are sign-extended.
    #[inline]
    pub fn all_registers(&self) -> &[u64; 32] {
        &self.context.state.registers
    }

    /// All registers that a guest can have, to be changed. What RISC-V does not have is ignored: upper halves, and what is
    /// written to x0.
    #[inline]
    pub fn all_registers_mut(&mut self) -> &mut [u64; 32] {
        &mut self.context.state.registers
    }

    /// The program counter: of the instruction that stopped the last run, or that runs first.
    #[inline]
    pub fn pc(&self) -> u32 {
        self.context.state.pc
    }

    /// Where a resumed run goes on: behind a host call, or at [`Instance::pc`].
    pub fn next_pc(&self) -> u32 {
        if self.at_host_call { self.fetch(self.pc()).next } else { self.pc() }
    }

    /// Goes on at `pc`. A run that starts within a block pays for the rest of it.
    pub fn set_pc(&mut self, pc: u32) {
        self.context.state.pc = pc;
        self.context.state.paid = false;
        self.at_host_call = false;
    }

    /// The gas that is left.
    #[inline]
    pub fn gas(&self) -> u64 {
        self.context.state.gas + self.reserve
    }

    /// Sets the gas that is left.
    #[inline]
    pub fn set_gas(&mut self, gas: u64) {
        self.context.state.gas = gas;
        self.reserve = 0;
    }

    /// Takes gas, if there is that much where a run takes it from first.
    #[inline]
    pub(crate) fn charge(&mut self, cost: u64) -> bool {
        let left = self.context.state.gas.checked_sub(cost);
        if let Some(left) = left {
            self.context.state.gas = left;
        }
        left.is_some()
    }

    /// The guest's memory.
    #[inline]
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The guest's memory, to be changed. Whoever replaces it makes interrupt handles useless.
    #[inline]
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// A handle that stops a run from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle { interrupter: self.memory.interrupter() }
    }

    /// Has runs of this guest stop with [`Exit::Interrupted`] once so much time has passed, as long as what is returned lives. A
    /// thread of the engine watches the time; [`crate::Store::set_deadline`] has it watched for every run.
    ///
    /// # Errors
    ///
    /// If the host has no such thread.
    pub fn interrupt_after(&self, time: Duration) -> io::Result<Alarm> {
        self.module.engine().timer().set(self.interrupter(), Instant::now() + time.min(LONGEST_WAIT))
    }

    /// What has been executed so far.
    pub fn stats(&self) -> Stats {
        let native = self.context.state.instructions.wrapping_sub(self.stats.instructions_interpreted);
        Stats { instructions_native: native, ..self.stats }
    }

    /// What has been compiled so far: that of the module, for all its instances, and what this one has of code that it has
    /// changed.
    pub fn compile_stats(&self) -> CompileStats {
        #[cfg(feature = "cranelift")]
        if let Some(own) = self.riscv.as_ref().and_then(|riscv| riscv.cache.as_ref()) {
            return self.module.compile_stats() + own.stats();
        }
        self.module.compile_stats()
    }

    /// The result of a program that has halted: the bytes that registers 7 and 8 name as address and length, if the
    /// guest may read all of them, else none (Gray Paper A.7: Ψ_M).
    pub fn output(&self) -> Vec<u8> {
        let [address, len] = [self.registers()[7], self.registers()[8]];
        let Ok(address) = u32::try_from(address) else { return Vec::new() };
        if self.memory.check_readable(address, len).is_err() {
            return Vec::new();
        }
        // What is readable fits into the address space.
        let mut output = vec![0; len as usize];
        self.memory.read(address, &mut output).map(|()| output).unwrap_or_default()
    }

    /// What interrupts runs of this guest.
    pub(crate) fn interrupter(&self) -> Interrupter {
        self.memory.interrupter()
    }

    /// Runs until something stops the guest, and says what.
    pub fn run(&mut self) -> Exit {
        let exit = self.resume();
        self.let_go();
        exit
    }

    /// The same for a run that is resumed soon: machine code in which it has been is held.
    #[inline]
    pub(crate) fn resume(&mut self) -> Exit {
        #[cfg(feature = "cranelift")]
        if let Some(exit) = self.resume_native() {
            return self.resume_from(exit);
        }
        self.resume_to_the_end()
    }

    fn resume_to_the_end(&mut self) -> Exit {
        loop {
            if let Some(exit) = self.resume_for(u64::MAX) {
                return exit;
            }
        }
    }

    /// Lets go of machine code, which does not take up room any more once others need it.
    pub(crate) fn let_go(&mut self) {
        #[cfg(feature = "cranelift")]
        if let Some(tier) = &mut self.tier {
            tier.release();
        }
    }

    /// Runs as [`Instance::run`] does, but gives `None` once a metered run has used as much of this gas as it could, and
    /// there is more. A block that is dearer is finished all the same.
    pub(crate) fn run_for(&mut self, most: u64) -> Option<Exit> {
        let exit = self.resume_for(most);
        self.let_go();
        exit
    }

    /// Whether what gets hot is compiled.
    #[inline]
    fn is_compiled(&self) -> bool {
        #[cfg(feature = "cranelift")]
        let is_compiled = self.tier.is_some();
        #[cfg(not(feature = "cranelift"))]
        let is_compiled = false;
        is_compiled
    }

    /// The same for as much gas as is used up in less than a millisecond.
    pub(crate) fn run_for_a_slice(&mut self) -> Option<Exit> {
        self.run_for(self.pace.slice(self.is_compiled()))
    }

    #[inline]
    fn resume_for(&mut self, most: u64) -> Option<Exit> {
        if std::mem::take(&mut self.at_host_call) {
            self.step_over();
        }
        self.prepare_riscv();
        #[cfg(feature = "cranelift")]
        if self.tier.is_none() {
            self.make_tier();
        }
        let metered = self.module.gas_model() != GasModel::None;
        let gas = self.gas();
        self.reserve = if metered { gas } else { u64::MAX };
        self.context.state.gas = 0;
        // Where everything is interpreted, a run begins here after each host call, and does not ask for the time at once.
        let is_compiled = self.is_compiled();
        let (mut given, mut began) = (0u64, (is_compiled || most < u64::MAX).then(Instant::now));
        let exit = loop {
            // The slice is added to what is left of the last one, so that a block dearer than a slice, or than `most`, can be
            // paid. Whatever the pace is, no slice goes beyond `most` until that has been given.
            let limit = if given < most { self.pace.slice(is_compiled).min(most - given) } else { most.max(1) };
            let slice = self.reserve.min(limit);
            self.context.state.gas += slice;
            self.reserve -= slice;
            given = given.saturating_add(slice);
            if self.memory.take_interrupt() {
                break Some(Exit::Interrupted);
            }
            match self.run_slice(given < most) {
                Exit::OutOfGas if self.reserve > 0 => {
                    // Whatever runs, evicted code is not kept for longer than a slice takes.
                    self.let_go();
                    self.pace.note(&mut began);
                    if metered && given >= most && given > self.context.state.gas {
                        break None;
                    }
                }
                exit => break Some(exit),
            }
        };
        self.set_gas(if metered { self.gas() } else { gas });
        self.note_left();
        exit
    }

    /// What the run-time system does about what has stopped the interpreter; `None` if the guest goes on.
    fn stopped(&mut self, stop: Stop) -> Option<Exit> {
        match stop {
            Stop::Halt => Some(Exit::Halt),
            Stop::Panic => Some(Exit::Panic),
            Stop::HostCall { .. } if self.is_riscv() => self.environment_call(),
            Stop::HostCall { id } => Some(self.host_call(id)),
            Stop::OutOfGas => Some(Exit::OutOfGas),
            Stop::Hot => None,
            Stop::Fault(fault) => self.fault(fault),
            Stop::System => self.system(),
            Stop::Unknown => self.learn(),
        }
    }

    /// Goes on behind the instruction, within its block.
    #[inline]
    fn step_over(&mut self) {
        let pc = self.pc();
        // Where code is known ahead, it has been decoded.
        let known = self.cells().host_call(pc).map(|(_, next)| next);
        self.context.state.pc = known.unwrap_or_else(|| self.fetch(pc).next);
        self.context.state.paid = self.module.gas_model().charges_blocks();
    }

    /// Runs until the gas in the context does not suffice, or something else stops the guest. If there is to be `more` gas, that
    /// may be where machine code is short of it, which is before it is used up.
    fn run_slice(&mut self, more: bool) -> Exit {
        if let Some(exit) = self.pay_for_rest_of_block().or_else(|| self.misaligned_start()) {
            return exit;
        }
        #[cfg(feature = "cranelift")]
        let mut from = native::From::Outside;
        loop {
            #[cfg(feature = "cranelift")]
            match self.run_native(from) {
                native::End::Interpret
                    if more && self.reserve > 0 && self.context.state.gas < self.pace.slice(true) / 2 =>
                {
                    return Exit::OutOfGas;
                }
                native::End::Interpret => {}
                native::End::System => {
                    from = native::From::Outside;
                    match self.system() {
                        Some(exit) => return exit,
                        None => continue,
                    }
                }
                native::End::EnvironmentCall => {
                    from = native::From::Outside;
                    match self.environment_call() {
                        Some(exit) => return exit,
                        None => continue,
                    }
                }
                native::End::Exit(exit) => return exit,
            }
            let stop = self.interpret();
            let is_hot = stop == Stop::Hot;
            if let Some(exit) = self.stopped(stop) {
                return exit;
            }
            #[cfg(feature = "cranelift")]
            {
                from = if is_hot { native::From::Interpreter } else { native::From::Outside };
            }
            #[cfg(not(feature = "cranelift"))]
            let _ = (is_hot, more);
        }
    }

    /// In the pipeline model the price of a part of a block is known only by looking at it.
    #[inline]
    fn pay_for_rest_of_block(&mut self) -> Option<Exit> {
        if self.module.gas_model() != GasModel::Pipeline {
            return None;
        }
        let code = self.module.code()?;
        let state = &mut self.context.state;
        if state.paid || code.is_block_start(state.pc) {
            return None;
        }
        let cost = u64::from(cost_from(GasModel::Pipeline, code, state.pc));
        if state.gas < cost {
            return Some(Exit::OutOfGas);
        }
        state.gas -= cost;
        state.paid = true;
        None
    }

    fn interpret(&mut self) -> Stop {
        let cells = match &self.riscv {
            Some(riscv) => &riscv.cells,
            None => self.module.shared.guest.cells(),
        };
        let state = &mut self.context.state;
        #[cfg(feature = "cranelift")]
        let hotness = self.tier.as_mut().map(|tier| &mut tier.hotness);
        #[cfg(not(feature = "cranelift"))]
        let hotness = None;
        if self.module.engine().config().count_instructions {
            let before = state.instructions;
            let stop = cells.run::<_, true>(state, &mut self.memory, hotness);
            self.stats.instructions_interpreted += state.instructions.wrapping_sub(before);
            stop
        } else {
            cells.run::<_, false>(state, &mut self.memory, hotness)
        }
    }

    #[inline]
    fn host_call(&mut self, id: i32) -> Exit {
        self.at_host_call = true;
        Exit::HostCall { id: id as u64 }
    }

    /// A refused access. To the lowest 64 KiB it is a panic of the PVM (Gray Paper A.7).
    fn fault(&mut self, fault: MemoryFault) -> Option<Exit> {
        match fault.address {
            _ if self.is_riscv() => self.riscv_fault(fault),
            0..LOWEST_ADDRESS => Some(Exit::Panic),
            _ => Some(Exit::PageFault { address: fault.page() }),
        }
    }
}

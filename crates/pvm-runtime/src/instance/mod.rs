//! Instances: guests with their state and memory.

#[cfg(feature = "cranelift")]
mod native;

use crate::{InstanceError, Module};
use pvm_gas::{GasModel, cost_from};
use pvm_interpreter::Stop;
use pvm_isa::REG_COUNT;
use pvm_ops::{GuestCode, MemoryFault};
use pvm_program::{Format, LOWEST_ADDRESS, MAX_ARGUMENTS};
use pvm_vm::{Context, Interrupter, Memory};

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
}

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
    context: Box<Context>,
    memory: Memory,
    #[cfg(feature = "cranelift")]
    tier: Option<crate::tier::Tier>,
    /// The run stopped at a host call and goes on after it.
    at_host_call: bool,
    stats: Stats,
}

impl Instance {
    /// A guest at the start of its program, with this argument data and no gas.
    ///
    /// # Errors
    ///
    /// If memory cannot be had, or the program takes no such arguments.
    pub fn new(module: &Module, arguments: &[u8]) -> Result<Instance, InstanceError> {
        let shared = &module.shared;
        let program = &shared.program;
        if arguments.len() > MAX_ARGUMENTS as usize {
            return Err(InstanceError::Arguments { len: arguments.len() });
        }
        if !arguments.is_empty() && !program.takes_arguments() {
            return Err(InstanceError::NoArguments { format: program.format });
        }
        // The lowest 64 KiB are never accessible (Gray Paper A.7), but in test vectors they may be.
        let is_usual = program.image.segments.iter().all(|segment| segment.address >= LOWEST_ADDRESS);
        let lowest = if is_usual { LOWEST_ADDRESS } else { 0 };
        let config = shared.engine.config();
        let mut memory = Memory::new(config.memory_limit, shared.engine.fault_detection(), lowest)?;
        for segment in program.image.segments.iter().chain(&program.arguments(arguments)) {
            memory.map(segment.address, u64::from(segment.size), segment.access)?;
            memory.initialise(segment.address, &segment.data)?;
        }
        if let Some(heap) = program.image.heap {
            // PolkaVM's own `sbrk` answers with the new end, JAM's with the former one.
            memory.set_heap(heap.start, heap.limit, program.format == Format::PolkaVm);
        }
        let mut context = Box::<Context>::default();
        context.state.registers[..REG_COUNT].copy_from_slice(&program.registers(arguments.len() as u32));
        Ok(Instance {
            module: module.clone(),
            context,
            memory,
            #[cfg(feature = "cranelift")]
            tier: shared
                .cache
                .is_some()
                .then(|| crate::tier::Tier::new(&shared.cells, shared.engine.config().jit_threshold)),
            at_host_call: false,
            stats: Stats::default(),
        })
    }

    /// The module.
    pub fn module(&self) -> &Module {
        &self.module
    }

    /// The registers.
    pub fn registers(&self) -> &[u64; REG_COUNT] {
        self.context.state.registers.first_chunk().expect("there are more registers than that")
    }

    /// The registers, to be changed.
    pub fn registers_mut(&mut self) -> &mut [u64; REG_COUNT] {
        self.context.state.registers.first_chunk_mut().expect("there are more registers than that")
    }

    /// The program counter: of the instruction that stopped the last run, or that runs first.
    pub fn pc(&self) -> u32 {
        self.context.state.pc
    }

    /// Goes on at `pc`. A run that starts within a block pays for the rest of it.
    pub fn set_pc(&mut self, pc: u32) {
        self.context.state.pc = pc;
        self.context.state.paid = false;
        self.at_host_call = false;
    }

    /// The gas that is left.
    pub fn gas(&self) -> u64 {
        self.context.state.gas
    }

    /// Sets the gas that is left.
    pub fn set_gas(&mut self, gas: u64) {
        self.context.state.gas = gas;
    }

    /// The guest's memory.
    pub fn memory(&self) -> &Memory {
        &self.memory
    }

    /// The guest's memory, to be changed. Whoever replaces it makes interrupt handles useless.
    pub fn memory_mut(&mut self) -> &mut Memory {
        &mut self.memory
    }

    /// A handle that stops a run from another thread.
    pub fn interrupt_handle(&self) -> InterruptHandle {
        InterruptHandle { interrupter: self.memory.interrupter() }
    }

    /// What has been executed so far.
    pub fn stats(&self) -> Stats {
        self.stats
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

    /// Runs until something stops the guest, and says what.
    pub fn run(&mut self) -> Exit {
        if std::mem::take(&mut self.at_host_call) {
            self.step_over(self.pc());
        }
        let metered = self.module.gas_model() != GasModel::None;
        let gas = self.gas();
        let mut reserve = if metered { gas } else { u64::MAX };
        self.context.state.gas = 0;
        let exit = loop {
            // The slice is added to what is left of the last one, so that a block dearer than a slice can be paid.
            let slice = reserve.min(Context::SLICE);
            self.context.state.gas += slice;
            reserve -= slice;
            if self.memory.take_interrupt() {
                break Exit::Interrupted;
            }
            match self.run_slice() {
                Exit::OutOfGas if reserve > 0 => {}
                exit => break exit,
            }
        };
        let left = self.context.state.gas + reserve;
        self.set_gas(if metered { left } else { gas });
        exit
    }

    /// Goes on behind the instruction at `pc`, within its block.
    fn step_over(&mut self, pc: u32) {
        self.context.state.pc = self.module.shared.code.fetch(pc).next;
        self.context.state.paid = self.module.gas_model().charges_blocks();
    }

    fn run_slice(&mut self) -> Exit {
        let module = self.module.clone();
        let shared = &*module.shared;
        if let Some(exit) = self.pay_for_rest_of_block() {
            return exit;
        }
        #[cfg(feature = "cranelift")]
        let mut from = native::From::Outside;
        loop {
            #[cfg(feature = "cranelift")]
            if let Some(exit) = self.run_native(shared, from) {
                return exit;
            }
            match self.interpret(shared) {
                Stop::Halt => return Exit::Halt,
                Stop::Panic => return Exit::Panic,
                Stop::Fault(fault) => return fault_exit(fault),
                Stop::HostCall { id } => return self.host_call(id),
                Stop::OutOfGas => return Exit::OutOfGas,
                Stop::Hot => {
                    #[cfg(feature = "cranelift")]
                    {
                        from = native::From::Interpreter;
                    }
                }
            }
        }
    }

    /// In the pipeline model the price of a part of a block is known only by looking at it.
    fn pay_for_rest_of_block(&mut self) -> Option<Exit> {
        let shared = &*self.module.shared;
        let state = &mut self.context.state;
        if shared.gas_model != GasModel::Pipeline || state.paid || shared.code.is_block_start(state.pc) {
            return None;
        }
        let cost = u64::from(cost_from(shared.gas_model, &shared.code, state.pc));
        if state.gas < cost {
            return Some(Exit::OutOfGas);
        }
        state.gas -= cost;
        state.paid = true;
        None
    }

    fn interpret(&mut self, shared: &crate::module::Shared) -> Stop {
        let state = &mut self.context.state;
        #[cfg(feature = "cranelift")]
        let hotness = self.tier.as_mut().map(|tier| &mut tier.hotness);
        #[cfg(not(feature = "cranelift"))]
        let hotness = None;
        if shared.engine.config().count_instructions {
            let before = state.instructions;
            let stop = shared.cells.run::<_, true>(state, &mut self.memory, hotness);
            self.stats.instructions_interpreted += state.instructions.wrapping_sub(before);
            stop
        } else {
            shared.cells.run::<_, false>(state, &mut self.memory, hotness)
        }
    }

    fn host_call(&mut self, id: i32) -> Exit {
        self.at_host_call = true;
        Exit::HostCall { id: id as u64 }
    }
}

/// A refused access to the lowest 64 KiB is a panic (Gray Paper A.7).
fn fault_exit(fault: MemoryFault) -> Exit {
    match fault.address {
        0..LOWEST_ADDRESS => Exit::Panic,
        _ => Exit::PageFault { address: fault.page() },
    }
}

//! The part of a run that happens in machine code.

use super::{Exit, Instance, source};
use crate::source::Source;
use crate::tier::{Tier, host_call};
use pvm_codegen::HeldPlace;
use pvm_frontend::Exit as Native;
use pvm_gas::GasModel;
use pvm_ops::{Fetched, Inst, Memory};
use pvm_vm::Context;

/// How the guest came to where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// It starts here, or machine code led here: if a block begins here, nobody has counted that it is entered.
    Outside,
    /// The interpreter stopped before a block that it found hot.
    Interpreter,
}

/// Why no machine code runs any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// The interpreter has to go on.
    Interpret,
    /// The run-time system has to do what the instruction says.
    System,
    /// A RISC-V program calls its environment.
    EnvironmentCall,
    /// The run ends.
    Exit(Exit),
}

impl Instance {
    /// Makes what decides between machine code and interpreter, if there is a choice. Guests of a PVM program go on counting
    /// where others have stopped.
    #[cold]
    pub(super) fn make_tier(&mut self) {
        let cache = match &self.riscv {
            Some(riscv) => riscv.cache(&self.module),
            None => self.module.shared.cache.as_ref(),
        };
        if cache.is_none() {
            return;
        }
        let former = if self.riscv.is_none() { self.module.take_tier() } else { None };
        let threshold = self.module.engine().config().jit_threshold;
        self.tier = Some(former.unwrap_or_else(|| Tier::new(self.cells(), threshold)));
    }

    /// Runs machine code as long as there is any for where the guest is.
    pub(super) fn run_native(&mut self, mut from: From) -> End {
        let Instance { module, context, memory, tier, riscv, stats, .. } = self;
        let (cache, cells) = match riscv {
            Some(riscv) => (riscv.cache(module), &riscv.cells),
            None => (module.shared.cache.as_ref(), module.shared.guest.cells()),
        };
        let (Some(cache), Some(tier)) = (cache, tier) else { return End::Interpret };
        let source = source(module, cells);
        if from == From::Interpreter {
            tier.compile(cache, cells, source, memory, context.state.pc);
        }
        loop {
            let is_entered = from == From::Outside;
            let entries = &mut stats.native_entries;
            let Some(exit) = tier.run(cache, cells, source, context, memory, is_entered, entries) else {
                return End::Interpret;
            };
            context.state.paid = matches!(exit, Native::InterpretPaid | Native::EnterPaid);
            match exit {
                Native::EnterPaid => {}
                Native::Enter => tier.miss(cache, cells, source, memory, None),
                Native::EnterByJump => {
                    let jump = [context.jump, context.state.pc];
                    tier.miss(cache, cells, source, memory, Some(jump));
                }
                Native::Sbrk => sbrk(source, context, memory, module.gas_model()),
                Native::Interpret | Native::InterpretPaid => return End::Interpret,
                Native::System => return End::System,
                Native::HostCall if riscv.is_some() => return End::EnvironmentCall,
                Native::HostCall => {
                    let id = tier.host_call(module, context.state.pc);
                    return End::Exit(self.host_call(id));
                }
                Native::Halt => return End::Exit(Exit::Halt),
                Native::Panic => return End::Exit(Exit::Panic),
                Native::Interrupt => {
                    memory.take_interrupt();
                    return End::Exit(Exit::Interrupted);
                }
            }
            from = From::Outside;
        }
    }

    /// Goes on behind a host call in machine code that is held, if it can: what a run does that is resumed, without all that is
    /// not needed then. Says why machine code has returned.
    #[inline]
    pub(super) fn resume_native(&mut self) -> Option<Native> {
        if !self.may_go_on() {
            return None;
        }
        let Instance { context, memory, tier: Some(tier), stats, .. } = self else { return None };
        let place = tier.back(context.state.pc)?;
        stats.native_entries += 1;
        Some(place.run(context, memory))
    }

    /// Runs on from where machine code has returned that went on behind a host call.
    #[inline]
    pub(crate) fn resume_from(&mut self, exit: Native) -> Exit {
        if exit == Native::HostCall {
            let Instance { module, context, tier, .. } = self;
            context.state.paid = false;
            let id = match tier {
                Some(tier) => tier.host_call(module, context.state.pc),
                None => host_call(module, context.state.pc).0,
            };
            return Exit::HostCall { id: id as u64 };
        }
        self.at_host_call = false;
        self.left(exit).unwrap_or_else(|| self.resume_to_the_end())
    }

    /// Whether the guest is at a host call behind which it can go on at once. What no slice has been given yet stays where it is
    /// from one host call to the next.
    #[inline]
    fn may_go_on(&mut self) -> bool {
        if !self.at_host_call || self.memory.is_interrupted() {
            return false;
        }
        let slice = self.pace.slice(true);
        let gas = &mut self.context.state.gas;
        if *gas > slice {
            self.reserve += *gas - slice;
            *gas = slice;
        }
        true
    }

    /// The place behind the host call at which the guest is, if it can go on there at once.
    #[inline]
    pub(crate) fn place_behind_call(&mut self) -> Option<HeldPlace> {
        if !self.may_go_on() {
            return None;
        }
        let place = self.tier.as_mut()?.back(self.context.state.pc).cloned();
        self.stats.native_entries += u64::from(place.is_some());
        place
    }

    /// Whether machine code goes on that has called a host function. That may have taken the guest elsewhere if this says where it
    /// was.
    #[inline]
    pub(crate) fn goes_on(&mut self, left_at: Option<u32>) -> bool {
        match left_at {
            None => !self.memory.is_interrupted(),
            Some(pc) => self.may_go_on() && self.context.state.pc == pc,
        }
    }

    /// What machine code works on.
    #[inline]
    pub(crate) fn context_and_memory(&mut self) -> (&mut Context, &mut pvm_vm::Memory) {
        (&mut self.context, &mut self.memory)
    }

    /// What becomes of a run that has left machine code otherwise than by a host call; `None` if it goes on.
    #[cold]
    fn left(&mut self, exit: Native) -> Option<Exit> {
        self.context.state.paid = matches!(exit, Native::InterpretPaid | Native::EnterPaid);
        match exit {
            Native::Halt => return Some(Exit::Halt),
            Native::Panic => return Some(Exit::Panic),
            Native::Interrupt => {
                self.memory.take_interrupt();
                return Some(Exit::Interrupted);
            }
            Native::Sbrk => {
                let Instance { module, context, memory, .. } = self;
                sbrk(source(module, module.shared.guest.cells()), context, memory, module.gas_model());
            }
            Native::Enter | Native::EnterPaid | Native::EnterByJump | Native::Interpret | Native::InterpretPaid => {}
            Native::HostCall | Native::System => unreachable!("that is for the caller, or not in a PVM program"),
        }
        None
    }
}

/// Does the request for heap at which machine code has stopped.
fn sbrk(source: Source<'_>, context: &mut Context, memory: &mut pvm_vm::Memory, model: GasModel) {
    let state = &mut context.state;
    let Fetched { inst, next } = source.fetch(memory, state.pc);
    if let Inst::Sbrk { dst, size } = inst {
        state.registers[dst.index()] = memory.sbrk(state.registers[size.index()]);
    }
    state.pc = next;
    state.paid = model.charges_blocks();
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Some(tier) = self.tier.take().filter(|_| self.riscv.is_none()) {
            self.module.keep_tier(tier);
        }
    }
}

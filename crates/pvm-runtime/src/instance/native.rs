//! The part of a run that happens in machine code.

use super::{Exit, Instance};
use crate::module::Shared;
use pvm_frontend::Exit as Native;
use pvm_ops::{GuestCode, Inst, Memory};

/// How the guest came to where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum From {
    /// It starts here, or machine code led here: if a block begins here, nobody has counted that it is entered.
    Outside,
    /// The interpreter stopped before a block that it found hot.
    Interpreter,
}

impl Instance {
    /// Runs machine code as long as there is any for where the guest is. `None` if the interpreter has to go on.
    pub(super) fn run_native(&mut self, shared: &Shared, from: From) -> Option<Exit> {
        let exit = self.run_regions(shared, from);
        if let Some(tier) = &mut self.tier {
            tier.release();
        }
        exit
    }

    fn run_regions(&mut self, shared: &Shared, mut from: From) -> Option<Exit> {
        let (tier, cache) = (self.tier.as_mut()?, shared.cache.as_ref()?);
        if from == From::Interpreter {
            tier.compile(cache, &shared.cells, self.context.state.pc);
        }
        loop {
            let before = self.context.state.instructions;
            let exit = self.tier.as_mut()?.run(
                cache,
                &shared.cells,
                &mut self.context,
                &mut self.memory,
                from == From::Outside,
            )?;
            self.stats.native_entries += 1;
            self.stats.instructions_native += self.context.state.instructions.wrapping_sub(before);
            self.context.state.paid = matches!(exit, Native::InterpretPaid | Native::EnterPaid);
            match exit {
                Native::Enter | Native::EnterPaid => {}
                Native::Sbrk => self.grow_heap(),
                Native::Interpret | Native::InterpretPaid => return None,
                Native::HostCall => return Some(self.native_host_call()),
                Native::Halt => return Some(Exit::Halt),
                Native::Panic => return Some(Exit::Panic),
                Native::Interrupt => {
                    self.memory.take_interrupt();
                    return Some(Exit::Interrupted);
                }
            }
            from = From::Outside;
        }
    }

    /// Does what the `sbrk` here says, and goes on behind it.
    fn grow_heap(&mut self) {
        let pc = self.context.state.pc;
        if let Inst::Sbrk { dst, size } = self.module.shared.code.fetch(pc).inst {
            let registers = &mut self.context.state.registers;
            registers[dst.index()] = self.memory.sbrk(registers[size.index()]);
        }
        self.step_over(pc);
    }

    fn native_host_call(&mut self) -> Exit {
        match self.module.shared.code.fetch(self.context.state.pc).inst {
            Inst::HostCall { id } => self.host_call(id),
            other => unreachable!("compiled code took {other:?} for a host call"),
        }
    }
}

//! The part of a run that happens in machine code.

use super::{Exit, Instance, source};
use crate::Module;
use pvm_frontend::Exit as Native;
use pvm_ops::{Fetched, Inst, Memory};

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
    /// Runs machine code as long as there is any for where the guest is.
    pub(super) fn run_native(&mut self, module: &Module, from: From) -> End {
        let end = self.run_regions(module, from);
        if let Some(tier) = &mut self.tier {
            tier.release();
        }
        end
    }

    fn run_regions(&mut self, module: &Module, mut from: From) -> End {
        let (cache, cells) = match &self.riscv {
            Some(riscv) => (riscv.cache(module), &riscv.cells),
            None => (module.shared.cache.as_ref(), module.shared.guest.cells()),
        };
        let (Some(cache), Some(tier)) = (cache, &mut self.tier) else { return End::Interpret };
        let source = source(module, cells);
        if from == From::Interpreter {
            tier.compile(cache, cells, source, &self.memory, self.context.state.pc);
        }
        loop {
            let before = self.context.state.instructions;
            let is_entered = from == From::Outside;
            let Some(exit) = tier.run(cache, cells, source, &mut self.context, &mut self.memory, is_entered) else {
                return End::Interpret;
            };
            self.stats.native_entries += 1;
            self.stats.instructions_native += self.context.state.instructions.wrapping_sub(before);
            self.context.state.paid = matches!(exit, Native::InterpretPaid | Native::EnterPaid);
            match exit {
                Native::Enter | Native::EnterPaid => {}
                Native::EnterByJump => {
                    let jump = [self.context.jump, self.context.state.pc];
                    tier.miss(cache, cells, source, &self.memory, jump);
                }
                Native::Sbrk => {
                    let state = &mut self.context.state;
                    let Fetched { inst, next } = source.fetch(&self.memory, state.pc);
                    if let Inst::Sbrk { dst, size } = inst {
                        state.registers[dst.index()] = self.memory.sbrk(state.registers[size.index()]);
                    }
                    state.pc = next;
                    state.paid = module.gas_model().charges_blocks();
                }
                Native::Interpret | Native::InterpretPaid => return End::Interpret,
                Native::System => return End::System,
                Native::HostCall if self.riscv.is_some() => return End::EnvironmentCall,
                Native::HostCall => return End::Exit(self.native_host_call()),
                Native::Halt => return End::Exit(Exit::Halt),
                Native::Panic => return End::Exit(Exit::Panic),
                Native::Interrupt => {
                    self.memory.take_interrupt();
                    return End::Exit(Exit::Interrupted);
                }
            }
            from = From::Outside;
        }
    }

    fn native_host_call(&mut self) -> Exit {
        match self.fetch(self.pc()).inst {
            Inst::HostCall { id } => self.host_call(id),
            other => unreachable!("compiled code took {other:?} for a host call"),
        }
    }
}

//! The start of a guest, and how an instance comes back to it.

use super::Instance;
use crate::module::Guest;
use crate::riscv::Riscv;
use crate::{InstanceError, Module};
use pvm_isa::REG_COUNT;
use pvm_ops::{Access, PAGE_SIZE, State};
use pvm_program::{Format, MAX_ARGUMENTS, Segment};
use pvm_vm::MemoryError;

/// What a run has beside memory and gas, put aside while another function of the guest runs.
#[derive(Debug)]
pub(crate) struct Aside {
    state: State,
    at_host_call: bool,
}

/// Checks what can be known of a start without doing anything.
pub(super) fn check(module: &Module, arguments: &[u8]) -> Result<(), InstanceError> {
    if arguments.len() > MAX_ARGUMENTS as usize {
        return Err(InstanceError::Arguments { len: arguments.len() });
    }
    match &module.shared.guest {
        _ if arguments.is_empty() => {}
        Guest::Pvm(pvm) if pvm.program.takes_arguments() => {}
        Guest::Pvm(pvm) => return Err(InstanceError::NoArguments { format: pvm.program.format }),
        Guest::Riscv(_) => return Err(InstanceError::RiscvArguments),
    }
    let image = module.shared.guest.image();
    let segments = image.segments.iter().filter(|segment| segment.access != pvm_ops::Access::None);
    let sizes = segments.map(|segment| u64::from(segment.size));
    let wanted = sizes.sum::<u64>() + (arguments.len() as u64).next_multiple_of(u64::from(PAGE_SIZE));
    let limit = module.engine().config().memory_limit;
    if wanted > limit {
        return Err(MemoryError::Limit { wanted, limit }.into());
    }
    Ok(())
}

impl Instance {
    /// Brings the guest back to the start of its program, with this argument data and no gas, as if it had just been made:
    /// nothing is left of what it has been. Interrupt handles stay good, and [`Instance::stats`] goes on counting.
    ///
    /// # Errors
    ///
    /// As [`Instance::new`]. The guest is not at its start then unless the arguments were refused, which changes nothing.
    pub fn reset(&mut self, arguments: &[u8]) -> Result<(), InstanceError> {
        check(&self.module, arguments)?;
        let template = self.module.template()?;
        self.memory.begin(template)?;
        self.fill(arguments)
    }

    /// Forgets all that a guest has beside memory, in which there is the code of the module.
    pub(crate) fn begin_anew(&mut self) {
        self.at_host_call = false;
        let instructions = self.context.state.instructions;
        self.context.state = State { instructions, ..State::default() };
        self.reserve = 0;
        if self.module.executable().is_some() {
            self.memory.take_changes();
            self.riscv = Some(Box::new(Riscv::new(self.module.gas_model())));
            self.renew_tier();
        }
    }

    /// Brings everything to the start of the program but for memory, which is there, and adds arguments to that.
    pub(super) fn fill(&mut self, arguments: &[u8]) -> Result<(), InstanceError> {
        self.begin_anew();
        match &self.module.shared.guest {
            Guest::Pvm(pvm) => {
                let program = &pvm.program;
                if let Some(Segment { address, size, access, data, .. }) = program.arguments(arguments) {
                    // They are written while that needs no change of rights.
                    self.memory.map(address, size.into(), Access::ReadWrite)?;
                    self.memory.initialise(address, &data)?;
                    self.memory.protect(address, size.into(), access)?;
                }
                if let Some(heap) = program.image.heap {
                    // PolkaVM's own `sbrk` answers with the new end, JAM's with the former one.
                    self.memory.set_heap(heap.start, heap.limit, program.format == Format::PolkaVm);
                }
                let registers = program.registers(arguments.len() as u32);
                self.context.state.registers[..REG_COUNT].copy_from_slice(&registers);
            }
            Guest::Riscv(guest) => {
                self.context.state.pc = guest.executable.entry;
            }
        }
        Ok(())
    }

    /// Puts aside where the guest is.
    pub(crate) fn put_aside(&self) -> Aside {
        Aside { state: self.context.state.clone(), at_host_call: self.at_host_call }
    }

    /// Brings back what was put aside. Gas, counted instructions and the reservation of memory are as they are now.
    pub(crate) fn bring_back(&mut self, aside: &Aside) {
        let now = &self.context.state;
        let State { gas, instructions, reserved, .. } = *now;
        self.context.state = State { gas, instructions, reserved, ..aside.state.clone() };
        self.at_host_call = aside.at_host_call;
    }
}

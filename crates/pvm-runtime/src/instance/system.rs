//! What the run-time system does for RISC-V guests: traps, control registers, fences, reservations, code that is new.

use super::{Exit, Instance};
#[cfg(feature = "cranelift")]
use crate::module::Guest;
use crate::riscv::{Counters, Riscv};
use pvm_gas::GasModel;
use pvm_ops::{Address, ControlOp, Fetched, Inst, Memory, MemoryFault, NO_ADDRESS, Operand, Reg, Trap};
#[cfg(feature = "cranelift")]
use std::sync::Arc;

impl Instance {
    /// Gives a RISC-V guest a machine mode, to start in, or takes it away. With it, traps and calls of the environment go to
    /// the guest's own handler as soon as it has set one (`mtvec`), and stop the run only before that. Of machine mode there
    /// is what test programs need: `mstatus`, `mtvec`, `mepc`, `mcause`, `mtval`, `mscratch`, `mie`, identity, counters and
    /// `mret`.
    pub fn set_machine_mode(&mut self, has_machine_mode: bool) {
        if let Some(riscv) = &mut self.riscv {
            riscv.control.set_machine_mode(has_machine_mode);
        }
    }

    /// Makes stores of a RISC-V guest to code visible to it, as its own `fence.i` does. What the host changes in memory
    /// otherwise than as a store ([`pvm_vm::Memory::initialise`], `protect`, `map`) needs no fence.
    pub fn fence_code(&mut self) {
        self.memory.fence();
        self.apply_changes();
    }

    /// Instructions that a RISC-V guest has executed, if they are counted or metered one by one.
    pub fn instructions_retired(&self) -> Option<u64> {
        let riscv = self.riscv.as_ref()?;
        match (self.module.engine().config().count_instructions, self.module.gas_model()) {
            (true, _) => Some(self.context.state.instructions),
            (false, GasModel::Instruction) => Some(riscv.retired),
            _ => None,
        }
    }

    /// What a RISC-V guest needs before a run.
    #[inline]
    pub(super) fn prepare_riscv(&mut self) {
        if self.is_riscv() {
            self.prepare();
        }
    }

    fn prepare(&mut self) {
        let Some(riscv) = &mut self.riscv else { return };
        let registers = &mut self.context.state.registers;
        registers.iter_mut().for_each(|register| *register = *register as i32 as u64);
        registers[0] = 0;
        // The counter counts what is taken from it.
        if self.module.gas_model() == GasModel::Instruction {
            riscv.retired = riscv.retired.wrapping_add(self.context.state.gas);
        }
        self.apply_changes();
    }

    /// Notes what gas is left after a run.
    #[inline]
    pub(super) fn note_left(&mut self) {
        if let Some(riscv) = &mut self.riscv
            && self.module.gas_model() == GasModel::Instruction
        {
            riscv.retired = riscv.retired.wrapping_sub(self.context.state.gas);
        }
    }

    /// Forgets code that has changed since this was done last. An instance whose code is not the module's any more has
    /// machine code of its own for what has changed.
    fn apply_changes(&mut self) {
        let changes = self.memory.take_changes();
        let Some(riscv) = self.riscv.as_mut().filter(|_| !changes.is_empty()) else { return };
        for range in &changes {
            riscv.cells.forget(range.clone());
        }
        #[cfg(feature = "cranelift")]
        if let Some(cache) = &self.module.shared.cache {
            let Guest::Riscv(guest) = &self.module.shared.guest else { return };
            let engine = self.module.engine();
            if riscv.cache.is_none() {
                let own = crate::tier::riscv_cache(engine, &guest.executable, self.module.gas_model());
                riscv.cache = own.map(|own| Arc::new(own.upon(Arc::clone(cache))));
            }
            riscv.cache.iter().for_each(|own| changes.iter().for_each(|range| own.forget(range)));
            self.tier.iter_mut().for_each(crate::tier::Tier::forget_places);
        }
    }

    /// The trap of a RISC-V guest that its host has put to an odd address. By itself none comes to one: jumps clear the lowest
    /// bit (volume I, 2.5.1).
    pub(super) fn misaligned_start(&mut self) -> Option<Exit> {
        let pc = self.pc();
        let is_misaligned = self.is_riscv() && !pc.is_multiple_of(2);
        is_misaligned.then(|| self.trap(Trap::MisalignedTarget, pc)).flatten()
    }

    /// Decodes the code that the guest has come to.
    pub(super) fn learn(&mut self) -> Option<Exit> {
        let pc = self.pc();
        let Some(riscv) = &mut self.riscv else { unreachable!("the code of PVM programs is known ahead") };
        riscv.cells.learn(&pvm_rv32::Code::new(&self.memory), pc);
        #[cfg(feature = "cranelift")]
        if let Some(tier) = &mut self.tier {
            tier.hotness.follow(&riscv.cells);
        }
        None
    }

    /// Goes on at the guest's handler, or ends the run.
    fn trap(&mut self, trap: Trap, value: u32) -> Option<Exit> {
        let pc = self.pc();
        match self.riscv.as_mut().and_then(|riscv| riscv.control.trap(pc, trap, value)) {
            Some(handler) => self.go_on_at(handler),
            None => Some(Exit::Trap { trap, value }),
        }
    }

    fn go_on_at(&mut self, pc: u32) -> Option<Exit> {
        self.context.state.pc = pc;
        self.context.state.paid = false;
        None
    }

    /// An access that was refused. An atomic one is refused at its own address unless that is not aligned.
    pub(super) fn riscv_fault(&mut self, fault: MemoryFault) -> Option<Exit> {
        let trap = match self.fetch(self.pc()).inst {
            Inst::Atomic { .. } if !fault.address.is_multiple_of(4) => Trap::MisalignedStore,
            Inst::Store { .. } | Inst::Atomic { .. } => Trap::StoreFault,
            _ => Trap::LoadFault,
        };
        self.trap(trap, fault.address)
    }

    /// A call of the environment: to the guest's own handler, or to the host.
    pub(super) fn environment_call(&mut self) -> Option<Exit> {
        let pc = self.pc();
        match self.riscv.as_mut().and_then(|riscv| riscv.control.call(pc)) {
            Some(handler) => self.go_on_at(handler),
            None => {
                self.at_host_call = true;
                Some(Exit::Ecall)
            }
        }
    }

    /// Does what the instruction says that the run has stopped at.
    pub(super) fn system(&mut self) -> Option<Exit> {
        let Fetched { inst, .. } = self.fetch(self.pc());
        let done = match inst {
            Inst::Raise { trap, value } => Err((trap, value)),
            Inst::CodeFence => {
                self.fence_code();
                Ok(())
            }
            Inst::Control { op, number, dst, value, writes } => {
                let value = self.operand(value);
                self.control(number, dst, writes.then_some((op, value)))
            }
            Inst::TrapReturn => match self.riscv.as_mut().and_then(|riscv| riscv.control.leave_handler()) {
                Some(pc) => return self.go_on_at(pc),
                None => Err(self.illegal()),
            },
            Inst::LoadReserved { dst, address } => self.load_reserved(dst, address),
            Inst::StoreConditional { dst, value, address } => self.store_conditional(dst, value, address),
            other => unreachable!("{other:?} is not for the run-time system"),
        };
        match done {
            Ok(()) => {
                self.step_over();
                None
            }
            Err((trap, value)) => self.trap(trap, value),
        }
    }

    fn control(&mut self, number: u16, dst: Option<Reg>, change: Option<(ControlOp, u32)>) -> Result<(), (Trap, u32)> {
        let counters = self.counters();
        let old = self.riscv.as_mut().and_then(|riscv| riscv.control.access(number, change, counters));
        self.set(dst, old.ok_or_else(|| self.illegal())?);
        Ok(())
    }

    /// The trap of an instruction that may not be executed here.
    fn illegal(&self) -> (Trap, u32) {
        let instruction = pvm_rv32::Code::new(&self.memory).instruction(self.pc());
        let bits = instruction.ok().and_then(|instruction| instruction.encode()).unwrap_or(0);
        (Trap::IllegalInstruction, bits)
    }

    /// What counters say before the instruction. Where instructions are counted, each takes a cycle, so that runs can be
    /// repeated; the clock does so, too, if they are paid for. Otherwise they all count nanoseconds.
    fn counters(&self) -> Counters {
        let Some(riscv) = &self.riscv else { return Counters::default() };
        let clock = riscv.started.elapsed().as_nanos() as u64;
        let is_metered = self.module.gas_model() == GasModel::Instruction;
        let retired = match self.module.engine().config().count_instructions {
            true => Some(self.context.state.instructions),
            false if is_metered => Some(self.retired_so_far(riscv)),
            false => None,
        };
        // The instruction itself is counted already.
        let retired = retired.map(|retired| retired.wrapping_sub(1));
        let count = retired.unwrap_or(clock);
        Counters { cycle: count, time: if is_metered { count } else { clock }, instret: count }
    }

    /// Instructions executed, in the middle of a run that pays for them.
    fn retired_so_far(&self, riscv: &Riscv) -> u64 {
        riscv.retired.wrapping_sub(self.context.state.gas).wrapping_sub(self.reserve)
    }

    fn load_reserved(&mut self, dst: Option<Reg>, address: Address) -> Result<(), (Trap, u32)> {
        let address = self.address(address);
        if !address.is_multiple_of(4) {
            return Err((Trap::MisalignedLoad, address));
        }
        let bytes = self.memory.load(address).map_err(|fault| (Trap::LoadFault, fault.address))?;
        self.context.state.reserved = u64::from(address);
        self.set(dst, u32::from_le_bytes(bytes));
        Ok(())
    }

    fn store_conditional(&mut self, dst: Option<Reg>, value: Operand, address: Address) -> Result<(), (Trap, u32)> {
        let (address, value) = (self.address(address), self.operand(value));
        if !address.is_multiple_of(4) {
            return Err((Trap::MisalignedStore, address));
        }
        let is_reserved = self.context.state.reserved == u64::from(address);
        if is_reserved {
            let stored = self.memory.store(address, value.to_le_bytes());
            stored.map_err(|fault| (Trap::StoreFault, fault.address))?;
        }
        self.context.state.reserved = NO_ADDRESS;
        self.set(dst, u32::from(!is_reserved));
        Ok(())
    }

    fn operand(&self, operand: Operand) -> u32 {
        match operand {
            Operand::Reg(reg) => self.context.state.registers[reg.index()] as u32,
            Operand::Imm(imm) => imm as u32,
        }
    }

    fn address(&self, Address { base, offset }: Address) -> u32 {
        base.map_or(0, |reg| self.operand(Operand::Reg(reg))).wrapping_add(offset as u32)
    }

    fn set(&mut self, reg: Option<Reg>, value: u32) {
        if let Some(reg) = reg {
            self.context.state.registers[reg.index()] = value as i32 as u64;
        }
    }
}

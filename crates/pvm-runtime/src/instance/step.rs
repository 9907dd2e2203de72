//! One instruction at a time: interpreted, and exact in every gas model.

use super::{Exit, Instance};
use pvm_gas::GasModel;
use pvm_interpreter::Stop;

impl Instance {
    /// Runs one instruction, and says what has stopped the guest, if anything has. Steps and runs may follow one another: all
    /// is paid for and left as in one run.
    pub fn step(&mut self) -> Option<Exit> {
        if std::mem::take(&mut self.at_host_call) {
            self.step_over();
        }
        self.prepare_riscv();
        if self.memory.take_interrupt() {
            self.note_left();
            return Some(Exit::Interrupted);
        }
        let is_metered = self.module.gas_model() != GasModel::None;
        let gas = self.gas();
        // All of it in the context, where it is paid from.
        self.set_gas(if is_metered { gas } else { 1 });
        let exit = self.pay_for_rest_of_block().or_else(|| self.do_step());
        if !is_metered {
            self.set_gas(gas);
        }
        self.note_left();
        exit
    }

    fn do_step(&mut self) -> Option<Exit> {
        // The trap is the step; its handler, if there is one, comes next.
        if self.is_riscv() && !self.pc().is_multiple_of(2) {
            return self.misaligned_start();
        }
        loop {
            let cells = match &self.riscv {
                Some(riscv) => &riscv.cells,
                None => self.module.shared.guest.cells(),
            };
            let before = self.context.state.instructions;
            let result = cells.step(&mut self.context.state, &mut self.memory);
            self.stats.instructions_interpreted += self.context.state.instructions.wrapping_sub(before);
            let Err(stop) = result else { return None };
            let exit = self.stopped(stop);
            // Code that has just been decoded has not run.
            if exit.is_some() || stop != Stop::Unknown {
                return exit;
            }
        }
    }
}

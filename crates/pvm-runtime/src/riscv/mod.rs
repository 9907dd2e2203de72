//! What a RISC-V guest has beside registers, memory and program counter.

mod control;

pub(crate) use control::{CONTROL_WORDS, Control, Counters};

#[cfg(feature = "cranelift")]
use crate::Module;
use pvm_gas::GasModel;
use pvm_interpreter::Cells;
use pvm_ops::Reg;
#[cfg(feature = "cranelift")]
use std::sync::Arc;
use std::time::Instant;

/// What an instance has for a RISC-V guest.
#[derive(Debug)]
pub(crate) struct Riscv {
    /// The code that it has come to.
    pub cells: Cells,
    /// Its own machine code, once its code is not the module's any more.
    #[cfg(feature = "cranelift")]
    pub cache: Option<Arc<pvm_codegen::CodeCache>>,
    /// The control registers.
    pub control: Control,
    /// Instructions that earlier runs have executed, as far as gas tells; while one is going on, that and the gas it began with.
    pub retired: u64,
    /// When the clock of the guest began.
    pub started: Instant,
}

impl Riscv {
    pub(crate) fn new(model: GasModel) -> Riscv {
        Riscv {
            // x0 is always zero.
            cells: Cells::unknown(model, Reg::R0),
            #[cfg(feature = "cranelift")]
            cache: None,
            control: Control::default(),
            retired: 0,
            started: Instant::now(),
        }
    }

    /// The machine code, if there is any: the instance's own, or the module's.
    #[cfg(feature = "cranelift")]
    pub(crate) fn cache<'a>(&'a self, module: &'a Module) -> Option<&'a Arc<pvm_codegen::CodeCache>> {
        self.cache.as_ref().or(module.shared.cache.as_ref())
    }
}

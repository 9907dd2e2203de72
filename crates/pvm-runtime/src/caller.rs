//! The guest, as a host function sees it.

use crate::store::{Abi, Parts};
use crate::{CallError, Entry, Exit, HostStop, Instance, Memory};
use pvm_gas::GasModel;
use pvm_ops::MemoryFault;

/// A guest that has called its host, and the host's data for it.
///
/// Functions that read and write for the guest ([`Caller::read`] and those beside it) take its rights and end the run with
/// [`Exit::Panic`] where it may not access what it names, as the Gray Paper has it for most calls. [`Caller::memory`] tells
/// the fault instead, and knows more.
#[derive(Debug)]
pub struct Caller<'a, T> {
    parts: &'a mut Parts<T>,
    /// Where the guest was when the function could take it elsewhere for the first time.
    pub(crate) left_at: Option<u32>,
}

fn panic(_: MemoryFault) -> HostStop {
    HostStop::Exit(Exit::Panic)
}

/// An address that a guest names. Where its registers are wider than addresses, too large a value is nowhere.
fn address(value: u64) -> Result<u32, HostStop> {
    u32::try_from(value).map_err(|_| HostStop::Exit(Exit::Panic))
}

impl<T> Caller<'_, T> {
    #[inline]
    pub(crate) fn new(parts: &mut Parts<T>) -> Caller<'_, T> {
        Caller { parts, left_at: None }
    }

    /// The host's data.
    #[inline]
    pub fn data(&self) -> &T {
        &self.parts.data
    }

    /// The host's data, to be changed.
    #[inline]
    pub fn data_mut(&mut self) -> &mut T {
        &mut self.parts.data
    }

    /// The instance, for everything that has no name here.
    #[inline]
    pub fn instance(&self) -> &Instance {
        &self.parts.instance
    }

    /// The instance, to be changed.
    #[inline]
    pub fn instance_mut(&mut self) -> &mut Instance {
        let instance = &mut self.parts.instance;
        self.left_at.get_or_insert(instance.pc());
        instance
    }

    /// The guest's memory.
    #[inline]
    pub fn memory(&self) -> &Memory {
        self.parts.instance.memory()
    }

    /// The guest's memory, to be changed.
    #[inline]
    pub fn memory_mut(&mut self) -> &mut Memory {
        self.parts.instance.memory_mut()
    }

    /// The guest's memory and the host's data at once.
    #[inline]
    pub fn memory_and_data(&mut self) -> (&mut Memory, &mut T) {
        (self.parts.instance.memory_mut(), &mut self.parts.data)
    }

    /// A register by its number; a register that the guest does not have reads as 0. Those of RISC-V are sign-extended.
    #[inline]
    pub fn register(&self, number: usize) -> u64 {
        self.parts.instance.all_registers().get(number).copied().unwrap_or_default()
    }

    /// Sets a register by its number; one that there is not is ignored.
    #[inline]
    pub fn set_register(&mut self, number: usize, value: u64) {
        if let Some(register) = self.parts.instance.all_registers_mut().get_mut(number) {
            *register = value;
        }
    }

    /// An argument of the call, counted from 0: register 7 of a PVM program and those behind it, `a0` and those behind it for
    /// RISC-V, zero-extended.
    #[inline]
    pub fn argument(&self, index: usize) -> u64 {
        let instance = &self.parts.instance;
        Abi::ask(instance, |abi| abi.argument(instance, index))
    }

    /// Sets the result of the call: register 7, or `a0`.
    #[inline]
    pub fn set_result(&mut self, value: u64) {
        self.set_register(Abi::ask(&self.parts.instance, |abi| abi.first_argument), value);
    }

    /// The gas that is left.
    #[inline]
    pub fn gas(&self) -> u64 {
        self.parts.instance.gas()
    }

    /// Takes gas from the guest. In a run that is not metered nothing is taken.
    ///
    /// # Errors
    ///
    /// With [`Exit::OutOfGas`] if the guest has less: it has none then (Gray Paper B.2).
    #[inline]
    pub fn charge(&mut self, cost: u64) -> Result<(), HostStop> {
        let instance = &mut self.parts.instance;
        if instance.module().gas_model() == GasModel::None {
            return Ok(());
        }
        if instance.charge(cost) {
            return Ok(());
        }
        let instance = self.instance_mut();
        let left = instance.gas().checked_sub(cost);
        instance.set_gas(left.unwrap_or_default());
        left.map(|_| ()).ok_or(HostStop::Exit(Exit::OutOfGas))
    }

    /// Copies guest memory out.
    ///
    /// # Errors
    ///
    /// With [`Exit::Panic`] if the guest may not read all of it.
    #[inline]
    pub fn read(&self, at: u64, into: &mut [u8]) -> Result<(), HostStop> {
        if into.is_empty() {
            return Ok(());
        }
        self.memory().read(address(at)?, into).map_err(panic)
    }

    /// Copies `len` bytes of guest memory out. Nothing is allocated unless the guest may read all of them.
    ///
    /// # Errors
    ///
    /// As [`Caller::read`].
    pub fn read_vec(&self, at: u64, len: u64) -> Result<Vec<u8>, HostStop> {
        if len == 0 {
            return Ok(Vec::new());
        }
        self.memory().read_vec(address(at)?, len).map_err(panic)
    }

    /// Copies into guest memory.
    ///
    /// # Errors
    ///
    /// With [`Exit::Panic`] if the guest may not write all of it; nothing is written then.
    #[inline]
    pub fn write(&mut self, at: u64, from: &[u8]) -> Result<(), HostStop> {
        if from.is_empty() {
            return Ok(());
        }
        self.memory_mut().write(address(at)?, from).map_err(panic)
    }

    /// Calls a function of the guest, as [`crate::Store::call`] does, while the guest waits for its host. Registers and
    /// program counter of the guest are not touched; memory and gas are what the function makes of them.
    ///
    /// # Errors
    ///
    /// As [`crate::Store::call`]. Handed on with `?`, what stopped the function ends the outer run, too.
    pub fn call<'e>(&mut self, entry: impl Into<Entry<'e>>, arguments: &[u64]) -> Result<u64, CallError> {
        self.left_at.get_or_insert(self.parts.instance.pc());
        self.parts.call(entry.into(), arguments)
    }

    /// Runs another guest on behalf of this one: whatever interrupts this one stops that one with [`Exit::Interrupted`], too. A
    /// guest that is not metered is only interrupted by itself.
    pub fn run_inner(&self, inner: &mut Instance) -> Exit {
        loop {
            if let Some(exit) = inner.run_for_a_slice() {
                return exit;
            }
            if self.memory().is_interrupted() {
                return Exit::Interrupted;
            }
        }
    }
}

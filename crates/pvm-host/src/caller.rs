//! The guest, as a host function sees it.

use pvm_runtime::{Exit, GasModel, Instance};

/// What a host did in one call, in the order in which it did it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// What it read from memory: addresses, and the bytes that were there.
    pub reads: Vec<(u32, Vec<u8>)>,
    /// What it wrote to memory.
    pub writes: Vec<(u32, Vec<u8>)>,
    /// The registers that it set, also those that had the value before.
    pub registers: Vec<(u8, u64)>,
}

/// A guest during a host call. Whatever the host does through it is known to an [`crate::Observer`] afterwards.
#[derive(Debug)]
pub struct Caller<'a> {
    instance: &'a mut Instance,
    effects: Option<Effects>,
}

impl<'a> Caller<'a> {
    /// The guest of `instance`, which has stopped at a host call.
    pub(crate) fn new(instance: &'a mut Instance, is_observed: bool) -> Caller<'a> {
        Caller { instance, effects: is_observed.then(Effects::default) }
    }

    /// What was done, if anybody wants to know.
    pub(crate) fn into_effects(self) -> Effects {
        self.effects.unwrap_or_default()
    }

    /// The instance, to be looked at.
    pub fn instance(&self) -> &Instance {
        self.instance
    }

    /// A register, by its number below 13; others read as 0.
    pub fn register(&self, number: u8) -> u64 {
        self.instance.registers().get(usize::from(number)).copied().unwrap_or_default()
    }

    /// Sets a register, by its number below 13; others are ignored.
    pub fn set_register(&mut self, number: u8, value: u64) {
        let Some(register) = self.instance.registers_mut().get_mut(usize::from(number)) else { return };
        *register = value;
        if let Some(effects) = &mut self.effects {
            effects.registers.push((number, value));
        }
    }

    /// The gas that is left.
    pub fn gas(&self) -> u64 {
        self.instance.gas()
    }

    /// Takes gas from the guest. In a run that is not metered nothing is taken.
    ///
    /// # Errors
    ///
    /// If the guest has less: it has none then, and the run is to end with this exit (Gray Paper B.2).
    pub fn charge(&mut self, cost: u64) -> Result<(), Exit> {
        if self.instance.module().gas_model() == GasModel::None {
            return Ok(());
        }
        let left = self.gas().checked_sub(cost);
        self.instance.set_gas(left.unwrap_or_default());
        left.map(|_| ()).ok_or(Exit::OutOfGas)
    }

    /// Copies guest memory: the first bytes of a range, at most `most` of them. `None` unless the guest may read all
    /// of the range.
    pub fn read(&mut self, address: u64, len: u64, most: usize) -> Option<Vec<u8>> {
        if len == 0 {
            return Some(Vec::new());
        }
        let address = u32::try_from(address).ok()?;
        let memory = self.instance.memory();
        memory.check_readable(address, len).ok()?;
        let mut bytes = vec![0; usize::try_from(len).ok()?.min(most)];
        memory.read(address, &mut bytes).ok()?;
        if let Some(effects) = &mut self.effects {
            effects.reads.push((address, bytes.clone()));
        }
        Some(bytes)
    }

    /// Copies into guest memory. `None`, and nothing is written, unless the guest may write all of the range.
    pub fn write(&mut self, address: u64, bytes: &[u8]) -> Option<()> {
        if bytes.is_empty() {
            return Some(());
        }
        let address = u32::try_from(address).ok()?;
        self.instance.memory_mut().write(address, bytes).ok()?;
        if let Some(effects) = &mut self.effects {
            effects.writes.push((address, bytes.to_vec()));
        }
        Some(())
    }
}

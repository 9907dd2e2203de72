//! Calls of single functions of a guest.

use super::{Abi, Parts, Store};
use crate::instance::Aside;
use crate::{CallError, Exit, Module, Trap};

/// Where a guest is entered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry<'a> {
    /// At a program counter.
    Address(u32),
    /// At an export or symbol.
    Name(&'a str),
}

impl From<u32> for Entry<'_> {
    fn from(address: u32) -> Self {
        Entry::Address(address)
    }
}

impl<'a> From<&'a str> for Entry<'a> {
    fn from(name: &'a str) -> Self {
        Entry::Name(name)
    }
}

impl Entry<'_> {
    /// The program counter.
    pub(super) fn resolve(self, module: &Module) -> Result<u32, CallError> {
        match self {
            Entry::Address(address) => Ok(address),
            Entry::Name(name) => module.symbol(name).ok_or_else(|| CallError::Unknown { name: name.to_owned() }),
        }
    }
}

impl<T> Store<T> {
    /// Calls a function of the guest with integers as arguments, and returns its result: register 7 of a PVM program, `a0` of
    /// a RISC-V program, zero-extended. Memory and gas are what the function makes of them; registers and program counter
    /// are as before, so that a run that was stopped can be resumed afterwards.
    ///
    /// A RISC-V program gets a stack of a mebibyte near the end of its address space if its stack pointer is 0, and `gp`
    /// from the symbol `__global_pointer$`. Its function returns to an address without code.
    ///
    /// # Errors
    ///
    /// If there is no such function, the arguments do not fit, or the function does something else than return.
    pub fn call<'e>(&mut self, entry: impl Into<Entry<'e>>, arguments: &[u64]) -> Result<u64, CallError> {
        let _alarm = self.parts.alarm(self.deadline)?;
        self.parts.call(entry.into(), arguments)
    }
}

/// A call that is going on. Whatever ends it, the guest is back where it was.
struct Nested<'a, T> {
    parts: &'a mut Parts<T>,
    aside: Aside,
}

impl<T> Drop for Nested<'_, T> {
    fn drop(&mut self) {
        self.parts.instance.bring_back(&self.aside);
        self.parts.depth -= 1;
    }
}

impl<T> Parts<T> {
    pub(crate) fn call(&mut self, entry: Entry<'_>, arguments: &[u64]) -> Result<u64, CallError> {
        let abi = Abi::ask(&self.instance, |abi| abi);
        let limit = self.instance.module().engine().config().nesting_limit;
        // The first call is none from within another.
        if self.depth > limit {
            return Err(CallError::Nesting { limit });
        }
        let pc = entry.resolve(self.instance.module())?;
        abi.prepare(&mut self.instance)?;
        self.depth += 1;
        let nested = Nested { aside: self.instance.put_aside(), parts: self };
        let parts = &mut *nested.parts;
        abi.enter(&mut parts.instance, pc, arguments)?;
        match parts.run()? {
            Exit::Halt => {}
            Exit::Trap { trap: Trap::FetchFault, .. } if parts.instance.pc() == abi.returns_to => {}
            exit => return Err(CallError::Stopped(exit)),
        }
        Ok(abi.argument(&parts.instance, 0))
    }
}

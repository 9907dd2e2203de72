//! Machines within machines: `machine`, `peek`, `poke`, `pages`, `invoke`, `expunge` (Gray Paper B.7).

use super::{Access, Call, HUH, OK, OOB, WHO, answer, number, panic};
use crate::COST;
use pvm_runtime::{
    Access as Right, Caller, Exit, GasModel, HostResult, HostStop, Instance, InstanceError, Linker, MemoryError,
    Module, Options, Profile, Program, REG_COUNT,
};
use std::collections::BTreeMap;

/// How many inner machines a guest may have at once in the 0.8 line; 0.7 names no limit.
pub const MOST_MACHINES: usize = 63;

/// Pages of the address space.
const PAGES: u64 = 1 << 20;
/// Pages that are never accessible.
const LOWEST_PAGE: u64 = 16;
/// Gas and registers, as `invoke` reads and writes them.
const INVOCATION: usize = 8 + 8 * REG_COUNT;
/// How `invoke` says what has stopped a machine.
const HALT: u64 = 0;
const PANIC: u64 = 1;
const FAULT: u64 = 2;
const HOST: u64 = 3;
const OUT_OF_GAS: u64 = 4;

/// Why the host cannot do what a guest wants of an inner machine, though the guest may want it.
#[derive(Debug, thiserror::Error)]
pub enum InnerError {
    /// There are as many machines as there may be.
    #[error("the guest has {limit} inner machines, which is the limit")]
    Machines {
        /// How many there may be.
        limit: usize,
    },
    /// The machine could not be made.
    #[error("an inner machine could not be made: {0}")]
    Instance(#[from] InstanceError),
    /// Its memory could not be had.
    #[error("memory of an inner machine: {0}")]
    Memory(#[from] MemoryError),
}

/// The inner machines of a guest.
#[derive(Debug)]
pub struct InnerMachines {
    machines: BTreeMap<u64, Machine>,
    limit: usize,
}

impl Default for InnerMachines {
    fn default() -> InnerMachines {
        InnerMachines::new(MOST_MACHINES)
    }
}

#[derive(Debug)]
struct Machine {
    instance: Instance,
    /// Where it begins if that is beyond all code; its program counter is then as far as one goes, which is a trap, too.
    beyond: Option<u64>,
}

impl InnerMachines {
    /// None so far, and at most `limit` at once.
    pub fn new(limit: usize) -> InnerMachines {
        InnerMachines { machines: BTreeMap::new(), limit }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.machines.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.machines.is_empty()
    }

    /// The machine with this handle, to be looked at.
    pub fn get(&self, handle: u64) -> Option<&Instance> {
        self.machines.get(&handle).map(|machine| &machine.instance)
    }

    /// Adds a machine under the smallest handle that is free.
    fn add(&mut self, machine: Machine) -> u64 {
        let mut handle = 0;
        while self.machines.contains_key(&handle) {
            handle += 1;
        }
        self.machines.insert(handle, machine);
        handle
    }
}

impl Machine {
    fn pc(&self) -> u64 {
        self.beyond.unwrap_or_else(|| self.instance.next_pc().into())
    }
}

/// What does a call, once it is paid.
type Function<T> = fn(&mut Caller<'_, T>, Access<T, InnerMachines>) -> HostResult;

/// Links the calls for inner machines. They are numbered and metered as the guest is that makes them; where that one is not
/// metered, as its profile has it.
///
/// What interrupts the guest interrupts the machine that runs for it: `invoke` has put down its state then, as if gas had been
/// out, and the guest goes on behind the call when it is resumed.
pub fn link_inner<T: 'static>(linker: &mut Linker<T>, profile: Profile, machines: Access<T, InnerMachines>) {
    let calls: [(Call, Function<T>); 6] = [
        (Call::Machine, machine),
        (Call::Peek, peek),
        (Call::Poke, poke),
        (Call::Pages, pages),
        (Call::Invoke, invoke),
        (Call::Expunge, expunge),
    ];
    for (call, function) in calls {
        linker.func(number(call, profile), move |caller| {
            caller.charge(COST)?;
            function(caller, machines)
        });
    }
}

/// The arguments of a call.
fn arguments<T, const N: usize>(caller: &Caller<'_, T>) -> [u64; N] {
    std::array::from_fn(|index| caller.argument(index))
}

/// The range, if all of it is accessible as `check` says. Nothing is anywhere.
fn range(at: u64, len: u64, check: impl FnOnce(u32, u64) -> bool) -> Option<u32> {
    if len == 0 {
        return Some(0);
    }
    u32::try_from(at).ok().filter(|&at| check(at, len))
}

fn machine<T>(caller: &mut Caller<'_, T>, machines: Access<T, InnerMachines>) -> HostResult {
    let [at, len, pc] = arguments(caller);
    let blob = caller.read_vec(at, len)?;
    let Ok(program) = Program::parse_as(pvm_runtime::Format::Raw, &blob) else { return answer(caller, HUH) };
    if program.metadata.is_some() {
        return answer(caller, HUH);
    }
    let outer = caller.instance().module();
    let (engine, profile) = (outer.engine().clone(), outer.profile());
    let gas_model = match outer.gas_model() {
        GasModel::None => GasModel::default_for(profile.unwrap_or_default()),
        model => model,
    };
    let InnerMachines { machines: former, limit } = machines(caller.data_mut());
    if former.len() >= *limit {
        return Err(InnerError::Machines { limit: *limit }.into());
    }
    let module = Module::from_program(&engine, program, Options { profile, gas_model: Some(gas_model) });
    let mut instance = Instance::new(&module, &[]).map_err(InnerError::Instance)?;
    instance.set_pc(u32::try_from(pc).unwrap_or(u32::MAX));
    let beyond = (pc > u64::from(u32::MAX)).then_some(pc);
    let handle = machines(caller.data_mut()).add(Machine { instance, beyond });
    answer(caller, handle)
}

fn peek<T>(caller: &mut Caller<'_, T>, machines: Access<T, InnerMachines>) -> HostResult {
    let [handle, to, from, len] = arguments(caller);
    let Some(to) = range(to, len, |at, len| caller.memory().check_writable(at, len).is_ok()) else { return panic() };
    let Some(inner) = machines(caller.data_mut()).get(handle) else { return answer(caller, WHO) };
    let Some(from) = range(from, len, |at, len| inner.memory().check_readable(at, len).is_ok()) else {
        return answer(caller, OOB);
    };
    let Ok(bytes) = inner.memory().read_vec(from, len) else { return answer(caller, OOB) };
    caller.write(to.into(), &bytes)?;
    answer(caller, OK)
}

fn poke<T>(caller: &mut Caller<'_, T>, machines: Access<T, InnerMachines>) -> HostResult {
    let [handle, from, to, len] = arguments(caller);
    let bytes = caller.read_vec(from, len)?;
    let Some(inner) = machines(caller.data_mut()).machines.get_mut(&handle) else { return answer(caller, WHO) };
    let memory = inner.instance.memory_mut();
    let Some(to) = range(to, len, |at, len| memory.check_writable(at, len).is_ok()) else {
        return answer(caller, OOB);
    };
    let result = if bytes.is_empty() || memory.write(to, &bytes).is_ok() { OK } else { OOB };
    answer(caller, result)
}

fn pages<T>(caller: &mut Caller<'_, T>, machines: Access<T, InnerMachines>) -> HostResult {
    let [handle, first, count, mode] = arguments(caller);
    let Some(inner) = machines(caller.data_mut()).machines.get_mut(&handle) else { return answer(caller, WHO) };
    let is_within = first.checked_add(count).is_some_and(|end| end < PAGES);
    if mode > 4 || first < LOWEST_PAGE || !is_within {
        return answer(caller, HUH);
    }
    let memory = inner.instance.memory_mut();
    let (address, size) = ((first << 12) as u32, count << 12);
    let right = match mode {
        0 => Right::None,
        1 | 3 => Right::Read,
        _ => Right::ReadWrite,
    };
    let changed = if mode > 2 {
        let mut pages = (first..first + count).map(|page| memory.access((page << 12) as u32));
        if pages.any(|access| access == Right::None) {
            return answer(caller, HUH);
        }
        memory.protect(address, size, right)
    } else {
        memory.map(address, size, right)
    };
    changed.map_err(InnerError::Memory)?;
    answer(caller, OK)
}

fn invoke<T>(caller: &mut Caller<'_, T>, machines: Access<T, InnerMachines>) -> HostResult {
    let [handle, at] = arguments(caller);
    let is_writable = |at, len| caller.memory().check_writable(at, len).is_ok();
    let Some(at) = range(at, INVOCATION as u64, is_writable) else { return panic() };
    let mut bytes = [0; INVOCATION];
    caller.read(at.into(), &mut bytes)?;
    // Out of the host's data while it runs, which needs the guest as a whole.
    let Some(mut inner) = machines(caller.data_mut()).machines.remove(&handle) else { return answer(caller, WHO) };
    let (words, _) = bytes.as_chunks::<8>();
    inner.instance.set_gas(u64::from_le_bytes(words[0]));
    for (register, word) in inner.instance.registers_mut().iter_mut().zip(&words[1..]) {
        *register = u64::from_le_bytes(*word);
    }
    let exit = caller.run_inner(&mut inner.instance);
    let (gas, registers) = (inner.instance.gas(), *inner.instance.registers());
    if matches!(exit, Exit::Halt | Exit::Panic) {
        inner.instance.set_pc(0);
        inner.beyond = None;
    }
    machines(caller.data_mut()).machines.insert(handle, inner);
    let words: Vec<u8> = std::iter::once(gas).chain(registers).flat_map(u64::to_le_bytes).collect();
    caller.write(at.into(), &words)?;
    let (code, detail) = match exit {
        Exit::Halt => (HALT, None),
        Exit::Panic | Exit::Trap { .. } | Exit::Ecall => (PANIC, None),
        Exit::PageFault { address } => (FAULT, Some(u64::from(address))),
        Exit::HostCall { id } => (HOST, Some(id)),
        Exit::OutOfGas | Exit::Interrupted => (OUT_OF_GAS, None),
    };
    caller.set_result(code);
    if let Some(detail) = detail {
        caller.set_register(8, detail);
    }
    if exit == Exit::Interrupted { Err(HostStop::Exit(exit)) } else { Ok(()) }
}

fn expunge<T>(caller: &mut Caller<'_, T>, machines: Access<T, InnerMachines>) -> HostResult {
    let [handle] = arguments(caller);
    let machine = machines(caller.data_mut()).machines.remove(&handle);
    answer(caller, machine.map_or(WHO, |machine| machine.pc()))
}

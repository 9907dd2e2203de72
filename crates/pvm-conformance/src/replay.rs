//! Replaying a host-call trace: the recorded answers of the host are given again, and everything that the guest shows is
//! compared.

use crate::run::{Difference, compare, compare_bytes, compare_registers, status};
use crate::trace::{End, EndKind, HostCall, State, Trace};
use crate::vector::Status;
use pvm_runtime::{Access, Exit, Instance};

/// Runs a guest of the trace's program as the trace has it, and says how it ended.
///
/// # Errors
///
/// With the first difference.
pub fn replay(instance: &mut Instance, trace: &Trace) -> Result<Exit, Difference> {
    let end = trace.end.as_ref().ok_or("the trace has no end (HALT, OOG or PANIC)")?;
    for (address, data) in &trace.initial_memory {
        initialise(instance, *address, data)?;
    }
    *instance.registers_mut() = trace.start.registers;
    instance.set_pc(trace.start.pc);
    instance.set_gas(trace.start.gas);
    for (number, call) in trace.calls.iter().enumerate() {
        let exit = instance.run();
        let id = match exit {
            Exit::HostCall { id } => id,
            _ => return Err(format!("host call {number}: expected ecalli={}, found {}", call.id, describe(exit))),
        };
        answer(instance, call, id).map_err(|error| format!("host call {number}, {error}"))?;
    }
    let exit = match trace.calls.last() {
        Some(call) if is_ended_by_host(call, end) => return end_by_host(instance, end),
        _ => instance.run(),
    };
    let expected = match end.kind {
        EndKind::Halt => Status::Halt,
        EndKind::OutOfGas => Status::OutOfGas,
        EndKind::Panic { .. } => Status::Panic,
    };
    // Ψ_M turns a page fault into a panic (Gray Paper A.44).
    let found = match status(exit) {
        Some(Status::PageFault) => Some(Status::Panic),
        status => status,
    };
    if found != Some(expected) {
        return Err(format!("end: expected {expected}, found {}", describe(exit)));
    }
    compare_state(instance, &end.state).map_err(|error| format!("end, {error}"))?;
    Ok(exit)
}

/// Whether the host did not come to the end of the call but ended the run: it could not be paid, or panicked. The
/// program counter is still that of the call then.
fn is_ended_by_host(call: &HostCall, end: &End) -> bool {
    call.gas_after.is_none() && end.kind != EndKind::Halt && end.state.pc == call.state.pc
}

/// What the host leaves of the gas is its own affair; there cannot be more than before.
fn end_by_host(instance: &mut Instance, end: &End) -> Result<Exit, Difference> {
    let (exit, gas) = match end.kind {
        EndKind::OutOfGas => (Exit::OutOfGas, 0),
        EndKind::Halt | EndKind::Panic { .. } => (Exit::Panic, instance.gas().min(end.state.gas)),
    };
    instance.set_gas(gas);
    compare_state(instance, &end.state).map_err(|error| format!("end, {error}"))?;
    Ok(exit)
}

/// Compares the guest at a host call with the record, and gives the recorded answer.
fn answer(instance: &mut Instance, call: &HostCall, id: u64) -> Result<(), Difference> {
    compare("id", &id, &call.id)?;
    compare_state(instance, &call.state)?;
    for (address, expected) in &call.reads {
        let mut found = vec![0; expected.len()];
        instance
            .memory()
            .read(*address, &mut found)
            .map_err(|fault| format!("memread: {:#x} is not readable", fault.address))?;
        compare_bytes(*address, &found, expected)?;
    }
    for (address, data) in &call.writes {
        instance
            .memory_mut()
            .write(*address, data)
            .map_err(|fault| format!("memwrite: {:#x} is not writable", fault.address))?;
    }
    for &(register, value) in &call.set_registers {
        instance.registers_mut()[usize::from(register)] = value;
    }
    if let Some(gas) = call.gas_after {
        instance.set_gas(gas);
    }
    Ok(())
}

fn compare_state(instance: &Instance, expected: &State) -> Result<(), Difference> {
    compare("pc", &instance.pc(), &expected.pc)?;
    compare("gas", &instance.gas(), &expected.gas)?;
    compare_registers(instance.registers(), &expected.registers)
}

/// Puts bytes where the program image has nothing, the arguments among them: such pages are read-only.
fn initialise(instance: &mut Instance, address: u32, data: &[u8]) -> Result<(), Difference> {
    let page = pvm_ops::PAGE_SIZE;
    let end = u64::from(address) + data.len() as u64;
    let mut at = u64::from(address / page * page);
    while at < end {
        if instance.memory().access(at as u32) == Access::None {
            let mapped = instance.memory_mut().map(at as u32, u64::from(page), Access::Read);
            mapped.map_err(|error| error.to_string())?;
        }
        at += u64::from(page);
    }
    instance.memory_mut().initialise(address, data).map_err(|error| format!("memwrite before the start: {error}"))
}

fn describe(exit: Exit) -> String {
    match exit {
        Exit::HostCall { id } => format!("ecalli={id}"),
        Exit::PageFault { address } => format!("page-fault at {address:#x}"),
        exit => status(exit).map_or("interrupted".to_owned(), |status| status.to_string()),
    }
}

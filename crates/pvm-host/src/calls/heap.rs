//! `grow_heap`, which has taken the place of `sbrk` in the 0.8 line (Gray Paper B.6, as of pull request 508 to it; what it
//! costs may still change).

use super::answer;
use pvm_runtime::{Access, Caller, Format, GasModel, HostResult, Linker};

/// The number of `grow_heap`, in the 0.8 line; in 0.7 it is that of `fetch`.
pub const GROW_HEAP: u64 = 1;
/// What the call costs.
const CALL: u64 = 100;
/// What each page costs that becomes writable.
const PER_PAGE: u64 = 10;
const PAGE: u64 = 1 << 12;
/// What is left free below the stack.
const ZONE: u64 = 1 << 16;

/// Links `grow_heap`: the guest names the page up to which it wants to write in the region that begins with its data, and gets
/// the one up to which it can, counted from address 0. Where the heap cannot reach so far, or gas does not suffice for the pages,
/// nothing changes; without gas for the call itself the guest stops.
///
/// A limit of the engine to memory that is in the way of this is an error of the host, not an answer, as another host would
/// answer otherwise.
pub fn link_heap<T: 'static>(linker: &mut Linker<T>) {
    linker.func(GROW_HEAP, grow_heap);
}

fn grow_heap<T>(caller: &mut Caller<'_, T>) -> HostResult {
    let instance = caller.instance();
    let (end, limit, sbrk_returns_new_end) = instance.memory().heap();
    let is_polkavm = instance.module().program().is_some_and(|program| program.format == Format::PolkaVm);
    // The heap of a `.polkavm` container leaves the zone free already.
    let last = u64::from(limit).saturating_sub(if is_polkavm { 0 } else { ZONE }) / PAGE;
    let end = u64::from(end).div_ceil(PAGE);
    let wanted = caller.argument(0);
    let cost = CALL.saturating_add(PER_PAGE.saturating_mul(wanted.saturating_sub(end)));
    let is_paid = caller.gas() >= cost || instance.module().gas_model() == GasModel::None;
    if wanted <= end || wanted > last || !is_paid {
        caller.charge(CALL)?;
        return answer(caller, end);
    }
    caller.charge(cost)?;
    let (at, size) = ((end * PAGE) as u32, (wanted - end) * PAGE);
    let memory = caller.memory_mut();
    let is_new = (end..wanted).all(|page| memory.access((page * PAGE) as u32) == Access::None);
    // What the host has put there stays.
    let grown =
        if is_new { memory.map(at, size, Access::ReadWrite) } else { memory.protect(at, size, Access::ReadWrite) };
    grown?;
    memory.set_heap((wanted * PAGE) as u32, limit, sbrk_returns_new_end);
    answer(caller, wanted)
}

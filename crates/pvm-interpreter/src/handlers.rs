//! What handles each operation: functions that call one another.
//!
//! A handler does one instruction, or several, and ends with a call of the next one's handler. The compiler makes such a
//! call a jump, so running is a chain of jumps from handler to handler, with what is needed most in machine registers.
//!
//! Nothing but speed depends on that: without optimisation each handler has a frame on the stack, and there are never
//! many of them. What a handler sees of the code is a *window*, and what it sees of the gas is a *burst*; at the end of
//! either it returns, and [`Cells::run`](crate::Cells::run) goes on from there.

use crate::build::{MOST_ENTRIES, NONE, Starts};
use crate::cell::Cell;
use crate::machine::{Event, Machine, leave, leave_at, leave_at_unpaid, leave_unpaid};
use crate::pairs::CODES;
use crate::run::Stop;
use crate::step::{End, Registers, Step, Test, Way};
use pvm_ops::{HALT_ADDRESS, Memory};
use std::marker::PhantomData;

/// Runs the instruction whose operands are in the first of the cells, and those that follow.
pub(crate) type Handler<M> = for<'a> fn(&'a [Cell], &mut Registers, &mut M, &mut Machine<'a>, &'static Table<M>);

/// A handler for each code; see [`crate::pairs`].
pub(crate) struct Table<M: 'static>(pub [Handler<M>; CODES]);

/// Handlers for a kind of memory; `COUNTING` counts instructions.
pub(crate) struct Handlers<M, const COUNTING: bool>(PhantomData<M>);

/// Goes on behind `cell`.
#[inline(always)]
pub(crate) fn go_on<'a, M: Memory>(
    cell: &Cell,
    rest: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    table.0[cell.code as usize % CODES](rest, regs, memory, machine, table)
}

/// What a handler does: one instruction, or several that follow one another, and then what comes behind them.
pub(crate) trait Part {
    /// How many instructions it is.
    const LEN: usize;

    /// Does it; the operands are in the first of the cells.
    fn run<'a, M: Memory, const COUNTING: bool>(
        rest: &'a [Cell],
        regs: &mut Registers,
        memory: &mut M,
        machine: &mut Machine<'a>,
        table: &'static Table<M>,
    );
}

/// Does what `P` is; the table of handlers consists of this.
///
/// If the window ends before `P` does, nothing is done: the next window begins here, and is long enough.
pub(crate) fn handler<'a, M: Memory, const COUNTING: bool, P: Part>(
    rest: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    if rest.len() < P::LEN {
        return leave(rest, machine, Event::Pause);
    }
    P::run::<M, COUNTING>(rest, regs, memory, machine, table)
}

/// A step, and then what the cells say.
pub(crate) struct Only<S>(PhantomData<S>);

impl<S: Step> Part for Only<S> {
    const LEN: usize = 1;

    #[inline(always)]
    fn run<'a, M: Memory, const COUNTING: bool>(
        rest: &'a [Cell],
        regs: &mut Registers,
        memory: &mut M,
        machine: &mut Machine<'a>,
        table: &'static Table<M>,
    ) {
        let Some((cell, behind)) = rest.split_first() else { return leave(rest, machine, Event::Pause) };
        if !S::fast(cell, regs, memory) {
            return slowly::<M, COUNTING, S>(rest, regs, memory, machine, table);
        }
        machine.count::<COUNTING>();
        go_on(cell, behind, regs, memory, machine, table)
    }
}

/// A step, and then more.
pub(crate) struct Then<S, P>(PhantomData<(S, P)>);

impl<S: Step, P: Part> Part for Then<S, P> {
    const LEN: usize = 1 + P::LEN;

    #[inline(always)]
    fn run<'a, M: Memory, const COUNTING: bool>(
        rest: &'a [Cell],
        regs: &mut Registers,
        memory: &mut M,
        machine: &mut Machine<'a>,
        table: &'static Table<M>,
    ) {
        let Some((cell, behind)) = rest.split_first() else { return leave(rest, machine, Event::Pause) };
        if !S::fast(cell, regs, memory) {
            return slowly::<M, COUNTING, S>(rest, regs, memory, machine, table);
        }
        machine.count::<COUNTING>();
        P::run::<M, COUNTING>(behind, regs, memory, machine, table)
    }
}

/// Does a step that is out of the ordinary; behind it, the cells say how to go on.
#[cold]
#[inline(never)]
fn slowly<'a, M: Memory, const COUNTING: bool, S: Step>(
    rest: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    let Some((cell, behind)) = rest.split_first() else { return leave(rest, machine, Event::Pause) };
    machine.count::<COUNTING>();
    match S::slow(cell, regs, memory) {
        Ok(()) => go_on(cell, behind, regs, memory, machine, table),
        Err(fault) => leave(rest, machine, Event::Stop(Stop::Fault(fault))),
    }
}

/// A branch.
pub(crate) struct If<T>(PhantomData<T>);

impl<T: Test> Part for If<T> {
    const LEN: usize = 1;

    #[inline(always)]
    fn run<'a, M: Memory, const COUNTING: bool>(
        rest: &'a [Cell],
        regs: &mut Registers,
        memory: &mut M,
        machine: &mut Machine<'a>,
        table: &'static Table<M>,
    ) {
        let Some((cell, behind)) = rest.split_first() else { return leave(rest, machine, Event::Pause) };
        machine.count::<COUNTING>();
        if T::is_met(cell, regs) {
            enter(cell.y as u32, rest, regs, memory, machine, table)
        } else {
            enter_next(cell, behind, regs, memory, machine, table)
        }
    }
}

/// Another end of a segment.
pub(crate) struct Last<E>(PhantomData<E>);

impl<E: End> Part for Last<E> {
    const LEN: usize = 1;

    #[inline(always)]
    fn run<'a, M: Memory, const COUNTING: bool>(
        rest: &'a [Cell],
        regs: &mut Registers,
        memory: &mut M,
        machine: &mut Machine<'a>,
        table: &'static Table<M>,
    ) {
        let Some((cell, behind)) = rest.split_first() else { return leave(rest, machine, Event::Pause) };
        if E::COUNTS {
            machine.count::<COUNTING>();
        }
        match E::end(cell, regs) {
            Way::Next => enter_next(cell, behind, regs, memory, machine, table),
            Way::Cell(index) => enter(index, rest, regs, memory, machine, table),
            Way::Address(address) => enter_address(address, rest, regs, memory, machine, table),
            Way::Stop(stop) => leave(rest, machine, Event::Stop(stop)),
            Way::Unknown => {
                let pc = machine.code.pcs[machine.index_of(rest)];
                leave(rest, machine, Event::Unknown { pc })
            }
        }
    }
}

/// Enters the segment at the instruction at `index`; where there is no such, the jump at `at` panics.
#[inline(always)]
fn enter<'a, M: Memory>(
    index: u32,
    at: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    let index = index as usize;
    let Some([cell, behind @ ..]) = machine.window(index) else {
        return leave(at, machine, Event::Stop(Stop::Panic));
    };
    if machine.is_hot(index) {
        return leave_at(index, machine, Event::Stop(Stop::Hot));
    }
    if !machine.pay(cell.gas) {
        return leave_at_unpaid(index, cell.gas, machine);
    }
    go_on(cell, behind, regs, memory, machine, table)
}

/// Enters the segment that begins behind `cell`.
#[inline(always)]
fn enter_next<'a, M: Memory>(
    cell: &Cell,
    rest: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    if !machine.entered.is_empty() && machine.is_hot(machine.index_of(rest)) {
        return leave(rest, machine, Event::Stop(Stop::Hot));
    }
    if !machine.pay(cell.gas) {
        return leave_unpaid(rest, cell.gas, machine);
    }
    go_on(cell, rest, regs, memory, machine, table)
}

/// Enters where a dynamic jump to `address` goes.
#[inline(always)]
fn enter_address<'a, M: Memory>(
    address: u32,
    at: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    // Odd addresses, and 0, become numbers of entries that no table lists.
    let entry = address.rotate_right(1).wrapping_sub(1);
    match machine.jump_table.get(entry as usize) {
        Some(&index) => enter(index, at, regs, memory, machine, table),
        None => enter_unlisted(address, at, regs, memory, machine, table),
    }
}

/// Enters where a dynamic jump to `address` goes that the table does not list, or does not have, or where there is none.
#[cold]
#[inline(never)]
fn enter_unlisted<'a, M: Memory>(
    address: u32,
    at: &'a [Cell],
    regs: &mut Registers,
    memory: &mut M,
    machine: &mut Machine<'a>,
    table: &'static Table<M>,
) {
    match &machine.code.starts {
        Starts::Listed { .. } if address == HALT_ADDRESS => leave(at, machine, Event::Stop(Stop::Halt)),
        Starts::Listed { unlisted_jump, jump_count, .. } => {
            let entry = address.rotate_right(1).wrapping_sub(1);
            let is_entry = entry < MOST_ENTRIES && u64::from(entry) < *jump_count;
            enter(if is_entry { *unlisted_jump } else { NONE }, at, regs, memory, machine, table)
        }
        Starts::Found(places) => {
            let pc = address & !1;
            match places.jump(machine.code.pcs[machine.index_of(at)], pc) {
                Some(index) => enter(index, at, regs, memory, machine, table),
                None => leave(at, machine, Event::Unknown { pc }),
            }
        }
    }
}

//! The segment register by which compiled code addresses guest memory on x86-64.
//!
//! An instruction that names GS and 32-bit addresses reads `GS base + (register + constant) mod 2^32`: exactly a guest's
//! address, within one instruction, whatever the upper half of the register holds. Nothing of it can lead out of 4 GiB from the base. Linux leaves GS
//! to programs, and lets them set its base by an instruction (FSGSBASE, Linux 5.9); it belongs to a thread and is kept
//! when threads are switched.
//!
//! What we set stays set when compiled code returns, as setting it costs more than a call; what others had set is
//! restored, and what compiled code relies on that has called its host and goes on afterwards.

use std::arch::asm;
use std::cell::Cell;
use std::sync::LazyLock;

/// Whether programs may set the base of GS here.
pub(crate) fn is_available() -> bool {
    /// The bit of [`libc::AT_HWCAP2`] that says so.
    const FSGSBASE: u64 = 1 << 1;
    static IS_AVAILABLE: LazyLock<bool> = LazyLock::new(|| {
        // SAFETY: asks for a number.
        (unsafe { libc::getauxval(libc::AT_HWCAP2) }) & FSGSBASE != 0
    });
    *IS_AVAILABLE
}

thread_local! {
    /// What we set last in this thread.
    static OURS: Cell<usize> = const { Cell::new(0) };
}

/// Calls with the base of GS at this address. Only where it can be set. `is_nested` says whether other compiled code goes on
/// afterwards.
#[inline]
pub(crate) fn with_base<T>(base: usize, is_nested: impl FnOnce() -> bool, call: impl FnOnce() -> T) -> T {
    debug_assert!(is_available(), "the host does not let programs set the base of GS");
    let former = get();
    if former != base {
        set(base);
    }
    let result = call();
    if former != base {
        let is_ours = former == 0 || former == OURS.get();
        if is_ours && !is_nested() {
            OURS.set(base);
        } else {
            set(former);
        }
    }
    result
}

#[inline]
fn get() -> usize {
    let base;
    // SAFETY: the instruction is available; it reads a register that nothing else here depends on.
    unsafe { asm!("rdgsbase {}", out(reg) base, options(nomem, nostack, preserves_flags)) };
    base
}

#[inline]
fn set(base: usize) {
    // SAFETY: the instruction is available. No Rust code addresses memory by GS on Linux, so nothing is accessed elsewhere
    // for that; compiled code is called only between this and what it relies on.
    unsafe { asm!("wrgsbase {}", in(reg) base, options(nomem, nostack, preserves_flags)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_set_is_restored() {
        if !is_available() {
            return;
        }
        let outermost = || false;
        set(0x1000);
        assert_eq!(with_base(0x2000, outermost, get), 0x2000);
        assert_eq!(get(), 0x1000, "it was somebody's");
        set(0);
        assert_eq!(with_base(0x2000, outermost, get), 0x2000);
        assert_eq!(get(), 0x2000, "it was nobody's");
        assert_eq!(with_base(0x3000, outermost, get), 0x3000);
        assert_eq!(get(), 0x3000, "it was ours");
        let inner = || (with_base(0x2000, || true, get), get());
        assert_eq!(with_base(0x4000, outermost, inner), (0x2000, 0x4000), "who called it goes on");
        set(0);
    }
}

//! The handler of `SIGSEGV` leaves alone what is not about guests: each case runs in a process of its own, as it ends it.
#![cfg(all(target_os = "linux", target_arch = "x86_64", feature = "jit"))]

use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus};

/// Tells the child what to do.
const CASE: &str = "PVM_SIGNAL_CASE";

/// Runs `test` of this file in another process.
fn child(test: &str) -> ExitStatus {
    let child = Command::new(std::env::current_exe().unwrap()).args(["--exact", test]).env(CASE, test).output();
    child.unwrap().status
}

fn is_child() -> bool {
    std::env::var_os(CASE).is_some()
}

/// An access that nobody may make, not in compiled code.
fn fault() {
    // SAFETY: there is none: that the host refuses it and ends the process is what is tested.
    unsafe { std::ptr::without_provenance::<u8>(8).read_volatile() };
}

#[test]
fn a_fault_of_the_host_ends_the_process() {
    if is_child() {
        pvm_vm::install_handler().unwrap();
        pvm_vm::install_handler().unwrap();
        fault();
    } else {
        assert_eq!(child("a_fault_of_the_host_ends_the_process").signal(), Some(libc::SIGSEGV));
    }
}

extern "C" fn exit_with_42(_: libc::c_int) {
    // SAFETY: `_exit` may be called by handlers.
    unsafe { libc::_exit(42) };
}

#[test]
fn the_handler_that_was_there_before_is_called() {
    if is_child() {
        // SAFETY: the handler does what handlers may.
        unsafe { libc::signal(libc::SIGSEGV, exit_with_42 as *const () as libc::sighandler_t) };
        pvm_vm::install_handler().unwrap();
        fault();
    } else {
        assert_eq!(child("the_handler_that_was_there_before_is_called").code(), Some(42));
    }
}

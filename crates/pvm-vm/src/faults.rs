//! Accesses that the host refuses to compiled code: from the signal to the place where the code goes on.
//!
//! Compiled code has a *landing* for each guest access: code that stores the guest's state as it was before the access
//! and leaves. When the host refuses an access, it sends a signal; the handler looks up the instruction that caused it
//! and has the thread go on at its landing, in the same function and with the same stack. Every other signal goes to the
//! handler that was there before ours.

use std::cell::Cell;
use std::sync::atomic::{Ordering, compiler_fence};

/// How accesses that the guest may not make are detected in compiled code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultDetection {
    /// The host enforces the rights of pages, and a signal says that an access was refused.
    Signals,
    /// Compiled code looks up the rights of pages before each access.
    Checks,
}

impl FaultDetection {
    /// What this host can do best. [`FaultDetection::Signals`] needs x86-64 Linux from 5.9 on, for programs to set the base
    /// of a segment register.
    pub fn best() -> FaultDetection {
        if signal::is_available() { FaultDetection::Signals } else { FaultDetection::Checks }
    }
}

/// Where a function goes on after an access was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The instruction that accesses memory, in bytes from the start of the function.
    pub access: u32,
    /// The place where the function goes on.
    pub landing: u32,
}

/// The landings of the function that a thread is running.
#[derive(Debug)]
pub(crate) struct Landings {
    /// The address of the function.
    start: usize,
    /// By ascending access.
    landings: Box<[Landing]>,
}

impl Landings {
    /// The landings of the function at `start`, by ascending access.
    pub(crate) fn new(start: usize, landings: Box<[Landing]>) -> Landings {
        debug_assert!(landings.is_sorted_by_key(|landing| landing.access));
        Landings { start, landings }
    }

    /// How many there are.
    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.landings.len()
    }

    /// Calls functions, each in whose landings accesses may end that are refused until it returns.
    #[inline]
    pub(crate) fn watch<T>(call: impl FnOnce(&Watched<'_>) -> T) -> T {
        signal::RUNNING.with(|running| {
            let former = running.get();
            let result = call(&Watched(running));
            compiler_fence(Ordering::SeqCst);
            running.set(former);
            result
        })
    }

    /// Whether this thread is in such a function, which has called its host then.
    #[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), allow(dead_code))]
    pub(crate) fn is_any_watched() -> bool {
        !signal::RUNNING.get().is_null()
    }

    /// Where to go on after the instruction at this address was refused its access.
    #[cfg_attr(not(all(target_os = "linux", target_arch = "x86_64")), allow(dead_code))]
    fn find(&self, address: usize) -> Option<usize> {
        let offset = u32::try_from(address.checked_sub(self.start)?).ok()?;
        let at = self.landings.binary_search_by_key(&offset, |landing| landing.access).ok()?;
        Some(self.start + self.landings[at].landing as usize)
    }
}

/// The landings of the function that this thread runs, to be set.
pub(crate) struct Watched<'a>(&'a Cell<*const Landings>);

impl Watched<'_> {
    /// Sets them before the function is called. They live as long as it runs.
    #[inline]
    pub(crate) fn set(&self, landings: &Landings) {
        self.0.set(landings);
        // The handler runs in this thread: the order of the instructions is all that matters.
        compiler_fence(Ordering::SeqCst);
    }
}

/// Installs the handler, once for the process.
///
/// # Errors
///
/// If the host has no such signals, or refuses.
pub fn install_handler() -> std::io::Result<()> {
    signal::install()
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod signal {
    use super::Landings;
    use std::cell::Cell;
    use std::io;
    use std::mem::MaybeUninit;
    use std::ptr::null;
    use std::sync::OnceLock;

    pub(super) use crate::segment::is_available;

    thread_local! {
        /// The landings of the function that this thread is in. Constant at first and without a destructor, so that the
        /// handler may read it at any time.
        pub static RUNNING: Cell<*const Landings> = const { Cell::new(null()) };
    }

    /// What handled the signal before us.
    static FORMER: OnceLock<libc::sigaction> = OnceLock::new();

    pub fn install() -> io::Result<()> {
        if !is_available() {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "it does not let programs set the base of GS"));
        }
        if FORMER.get().is_some() {
            return Ok(());
        }
        let mut former = MaybeUninit::<libc::sigaction>::zeroed();
        // SAFETY: asks for the present action; the pointer is to room for one.
        if unsafe { libc::sigaction(libc::SIGSEGV, std::ptr::null(), former.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the call has succeeded.
        let former = unsafe { former.assume_init() };
        let mut result = Ok(());
        FORMER.get_or_init(|| {
            // SAFETY: all zeros is an action.
            let mut ours: libc::sigaction = unsafe { MaybeUninit::zeroed().assume_init() };
            ours.sa_sigaction = handle as *const () as usize;
            ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            // SAFETY: the handler does what handlers may: see there.
            if unsafe { libc::sigaction(libc::SIGSEGV, &ours, std::ptr::null_mut()) } != 0 {
                result = Err(io::Error::last_os_error());
            }
            former
        });
        result
    }

    /// Looks up the landing and has the thread go on there. Allocates nothing and takes no lock.
    extern "C" fn handle(number: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the host passes the thread's context to handlers installed with SA_SIGINFO.
        let context = unsafe { &mut *context.cast::<libc::ucontext_t>() };
        let pc = &mut context.uc_mcontext.gregs[libc::REG_RIP as usize];
        let running = RUNNING.get();
        // SAFETY: a pointer that is not null is that of a reference which lives as long as it is set (`watch`).
        if let Some(landing) = unsafe { running.as_ref() }.and_then(|running| running.find(*pc as usize)) {
            *pc = landing as i64;
            return;
        }
        pass_on(number, info, std::ptr::from_mut(context).cast());
    }

    /// Has the former handler act, or the default: the signal comes again when this one returns.
    fn pass_on(number: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        let former = FORMER.get().filter(|former| ![libc::SIG_DFL, libc::SIG_IGN].contains(&former.sa_sigaction));
        let Some(former) = former else {
            // SAFETY: restores the default action.
            unsafe { libc::signal(number, libc::SIG_DFL) };
            return;
        };
        if former.sa_flags & libc::SA_SIGINFO != 0 {
            type Handler = extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void);
            // SAFETY: whoever installed the handler with this flag said that it is such a function.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(former.sa_sigaction) };
            handler(number, info, context);
        } else {
            // SAFETY: as above, without the flag.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(libc::c_int)>(former.sa_sigaction) };
            handler(number);
        }
    }
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
mod signal {
    use super::Landings;
    use std::cell::Cell;
    use std::io;
    use std::ptr::null;

    thread_local! {
        pub static RUNNING: Cell<*const Landings> = const { Cell::new(null()) };
    }

    pub(super) const fn is_available() -> bool {
        false
    }

    pub fn install() -> io::Result<()> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "that is for x86-64 Linux"))
    }
}

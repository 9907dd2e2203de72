//! Host calls that are answered without leaving compiled code.
//!
//! At a host call, compiled code stores the guest's state, as where it returns, and calls the host function that the context
//! has for the number. If that has answered, it loads the state and goes on. A host function is Rust code which has the guest
//! at its disposal: it may change any of it, run it, and put another in its place. So it is looked at afterwards whether
//! compiled code finds what it works on where it was; if not, it returns at once and touches nothing.

use crate::context::{HostFunction, Links};
use crate::{CompiledFunction, Context, Memory};
use std::any::Any;
use std::ffi::c_void;
use std::fmt::{self, Debug, Formatter};
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A host: whoever has a guest.
pub trait Host {
    /// The guest's state and memory.
    fn guest(&mut self) -> (&mut Context, &mut Memory);
}

/// A host function, as compiled code calls it.
pub struct Answer<H> {
    function: HostFunction,
    /// Owns its data.
    owner: Arc<dyn Any + Send + Sync>,
    host: PhantomData<fn(&mut H)>,
}

impl<H: Host> Answer<H> {
    /// That function. It takes the host, whose guest is at the call, with all of its state in the context, and the number of the
    /// call; it returns whether compiled code goes on behind the call.
    pub fn new<F: Fn(&mut H, u64) -> bool + Send + Sync + 'static>(function: F) -> Answer<H> {
        let owner = Arc::new(function);
        let function = HostFunction { call: answer::<H, F>, data: Arc::as_ptr(&owner).cast() };
        Answer { function, owner, host: PhantomData }
    }
}

impl<H> Clone for Answer<H> {
    fn clone(&self) -> Answer<H> {
        Answer { function: self.function, owner: Arc::clone(&self.owner), host: PhantomData }
    }
}

impl<H> Debug for Answer<H> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").finish_non_exhaustive()
    }
}

/// Host functions by the numbers of calls, as far as compiled code calls them itself.
pub struct Answers<H> {
    functions: Box<[HostFunction; Context::ANSWERS_LEN]>,
    /// Own their data.
    _owners: Vec<Answer<H>>,
}

impl<H> Answers<H> {
    /// The functions that `find` has for numbers.
    pub fn new(find: impl FnMut(u64) -> Option<Answer<H>>) -> Answers<H> {
        let found: Vec<_> = (0..Context::ANSWERS_LEN as u64).map(find).collect();
        let function = |at: usize| found[at].as_ref().map_or(HostFunction::NONE, |answer| answer.function);
        let functions = Box::new(std::array::from_fn(function));
        Answers { functions, _owners: found.into_iter().flatten().collect() }
    }
}

impl<H> Debug for Answers<H> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").finish_non_exhaustive()
    }
}

/// How a run of compiled code has ended whose host calls are answered.
#[derive(Debug)]
pub struct Ended {
    /// What the compiled code has returned.
    pub code: u64,
    /// How the last call was answered, if that is why.
    pub answer: Option<LastAnswer>,
}

/// How a call was answered behind which compiled code does not go on: what the host function has panicked with, if it has.
/// Compiled code cannot be unwound.
pub type LastAnswer = Result<(), Box<dyn Any + Send>>;

/// A run of compiled code whose host calls are answered.
struct Session<H> {
    host: *mut H,
    run: u64,
    last: Option<LastAnswer>,
}

impl CompiledFunction {
    /// Runs the function as [`CompiledFunction::call`] does, on the host's guest, and has host calls answered.
    ///
    /// # Panics
    ///
    /// As there.
    pub fn call_answered<H: Host>(&self, entry: u64, host: &mut H, answers: &Answers<H>) -> Ended {
        static RUNS: AtomicU64 = AtomicU64::new(1);
        let run = RUNS.fetch_add(1, Ordering::Relaxed);
        let mut session = Session { host, run, last: None };
        // SAFETY: it has just been made of a reference.
        let (context, memory) = unsafe { &mut *session.host }.guest();
        self.assert_suits(memory);
        let outer = (context.links(), std::mem::replace(&mut memory.run, run));
        let base = memory.base();
        context.set_links(Links {
            memory: base,
            rights: memory.rights(),
            jump_entries: self.jump_entries(),
            answers: answers.functions.as_ptr(),
            session: ptr::from_mut(&mut session).cast(),
            run,
        });
        // The contract of `new` holds: each pointer is good until a call is answered, and after that if `answer` says so.
        let code = self.enter(entry, context, base, |_, _| None);
        // SAFETY: nobody else uses the pointer any more.
        let (context, memory) = unsafe { &mut *session.host }.guest();
        if context.run == run {
            context.set_links(outer.0);
        }
        if memory.run == run {
            memory.run = outer.1;
        }
        Ended { code, answer: session.last }
    }
}

/// Has a host function answer: what compiled code calls.
extern "C" fn answer<H: Host, F: Fn(&mut H, u64) -> bool>(
    context: *mut Context,
    function: *const c_void,
    number: u64,
) -> u64 {
    // SAFETY: compiled code passes the context that it was given. Its session is that of `call_answered`, which waits for the
    // code: sessions within this one have restored the links.
    let session: *mut Session<H> = unsafe { (*context).session }.cast();
    // SAFETY: as above. The function is one of the table that `call_answered` has been given, which owns it.
    let (host, run, function) = unsafe { (&mut *(*session).host, (*session).run, &*function.cast::<F>()) };
    let goes_on = catch_unwind(AssertUnwindSafe(|| {
        function(host, number) && {
            // One that moved away has taken the number of the run along, and a new one has none.
            let (now, memory) = host.guest();
            ptr::eq(context, now) && now.run == run && memory.run == run
        }
    }));
    match goes_on {
        Ok(true) => 0,
        // SAFETY: as above.
        Ok(false) => unsafe { stop(&raw mut (*session).last, Ok(())) },
        // SAFETY: as above.
        Err(panic) => unsafe { stop(&raw mut (*session).last, Err(panic)) },
    }
}

/// Notes the last answer of a run. Compiled code does not go on.
///
/// # Safety
///
/// The pointer is good, and nobody else uses it.
#[cold]
unsafe fn stop(place: *mut Option<LastAnswer>, last: LastAnswer) -> u64 {
    // SAFETY: the caller says so.
    unsafe { *place = Some(last) };
    1
}

//! Executable memory for compiled code.
//!
//! Machine code is written into fresh pages, which then become executable and are never written again. A page belongs to
//! one function, so dropping the function gives its pages back while others run.

use crate::context::Links;
use crate::faults::{Landings, Watched};
use crate::{Context, FaultDetection, Landing, Memory};
use cranelift_jit::{BranchProtection, JITMemoryKind, JITMemoryProvider};
use cranelift_module::{ModuleError, ModuleResult};
use memmap2::{Mmap, MmapMut};
use pvm_ops::PAGE_SIZE;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use wasmtime_internal_jit_icache_coherence as icache;

/// The memory of one JIT module.
///
/// Cranelift's module owns its provider; this handle shares it, so that the pages can be taken over once they are
/// executable and the module is gone.
#[derive(Clone, Debug, Default)]
pub struct CodeMemory {
    pages: Arc<Mutex<Pages>>,
}

#[derive(Debug, Default)]
struct Pages {
    writable: Vec<MmapMut>,
    executable: Vec<Mmap>,
}

impl CodeMemory {
    /// No memory yet.
    pub fn new() -> CodeMemory {
        CodeMemory::default()
    }

    /// The provider to give to a JIT module.
    pub fn provider(&self) -> Box<dyn JITMemoryProvider + Send> {
        Box::new(self.clone())
    }

    fn pages(&self) -> std::sync::MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The pages that are executable by now; the caller keeps them alive as long as code in them is used.
    fn take(&self) -> Vec<Mmap> {
        std::mem::take(&mut self.pages().executable)
    }
}

impl JITMemoryProvider for CodeMemory {
    fn allocate(&mut self, size: usize, _align: u64, _kind: JITMemoryKind) -> io::Result<*mut u8> {
        // Pages are aligned to more than any function asks for.
        let mut map = MmapMut::map_anon(size.max(1))?;
        let at = map.as_mut_ptr();
        self.pages().writable.push(map);
        Ok(at)
    }

    unsafe fn free_memory(&mut self) {
        *self.pages() = Pages::default();
    }

    fn finalize(&mut self, _branch_protection: BranchProtection) -> ModuleResult<()> {
        let mut pages = self.pages();
        for map in std::mem::take(&mut pages.writable) {
            // SAFETY: the range is that of the mapping.
            unsafe { icache::clear_cache(map.as_ptr().cast(), map.len()) }
                .map_err(|error| ModuleError::Allocation { err: error })?;
            let map = map.make_exec().map_err(|err| ModuleError::Allocation { err })?;
            pages.executable.push(map);
        }
        icache::pipeline_flush_mt().map_err(|error| ModuleError::Allocation { err: error })
    }
}

/// A function of machine code, with the pages that hold it.
///
/// What it takes to call it comes first, in one cache line if it begins with one.
#[derive(Debug)]
#[repr(C)]
pub struct CompiledFunction {
    entry: extern "C" fn(*mut Context, u64) -> u64,
    jump_entries: Arc<[AtomicU64]>,
    landings: Landings,
    detection: FaultDetection,
    is_metered: bool,
    uses_segment: bool,
    pages: Vec<Mmap>,
}

impl CompiledFunction {
    /// Takes over the executable pages of `memory`, and `entry`, a function in them that finds the words of its jump table in
    /// `jump_entries`. `landings` says where it goes on when the host refuses an access, by ascending access; it `uses_segment` if any
    /// instruction relies on the base of GS, also if none of these has a landing.
    ///
    /// # Safety
    ///
    /// `entry` is the address of a function in those pages that takes a pointer to a [`Context`] and a number, in the C
    /// convention of the host, and returns a number. It calls nothing but what the context names ([`Context::ANSWERS`]), as is
    /// said there. It touches nothing but the context, as many words as there are from the context's pointer to jump entries, the interrupt flag and the tripwire unless it is metered, and
    /// guest memory: under
    /// [`FaultDetection::Checks`] where the table of rights allows it; under [`FaultDetection::Signals`] from the base of GS at
    /// guest addresses, by instructions that the host does not refuse or whose landings are given, as are those of the tripwire: each
    /// of them in the function and good to go on at, with the registers as they are at the access; `uses_segment` is set then.
    pub unsafe fn new(
        memory: &CodeMemory,
        entry: *const u8,
        jump_entries: Arc<[AtomicU64]>,
        detection: FaultDetection,
        is_metered: bool,
        uses_segment: bool,
        landings: Box<[Landing]>,
    ) -> CompiledFunction {
        // SAFETY: the caller says that this is such a function.
        let entry = unsafe { std::mem::transmute::<*const u8, extern "C" fn(*mut Context, u64) -> u64>(entry) };
        let landings = Landings::new(entry as usize, landings);
        CompiledFunction { entry, pages: memory.take(), jump_entries, detection, is_metered, uses_segment, landings }
    }

    /// Runs the function from its entry of this number on the registers and gas of `context`, and whenever it returns, at each host
    /// call for one, the function and entry that `next` has for what it returned; returns what the last one returned, for which
    /// there was none.
    ///
    /// # Panics
    ///
    /// If faults are not detected in `memory` as the functions were compiled for, or they are to see interrupts there that are not
    /// announced.
    #[inline]
    pub fn call<'a>(
        &'a self,
        entry: u64,
        context: &mut Context,
        memory: &mut Memory,
        mut next: impl FnMut(u64, &mut Context) -> Option<(&'a CompiledFunction, u64)>,
    ) -> u64 {
        self.assert_suits(memory);
        // Compiled code that has called its host, which has us run, goes on with what it has there.
        let outer = context.is_answered().then(|| context.links());
        context.set_links(Links::unanswered(memory.base(), memory.rights(), self.jump_entries.as_ptr()));
        // The contract of `new` holds: every pointer is that of a reference that lives through the call.
        let go_on = |returned: u64, context: *mut Context| {
            // SAFETY: it is the context that the caller has lent, and compiled code does not run.
            let context = unsafe { &mut *context };
            let (function, entry) = next(returned, context)?;
            let is_alike = (function.detection, function.is_metered) == (self.detection, self.is_metered);
            assert!(is_alike, "the memory is made for other compiled code");
            context.jump_entries = function.jump_entries.as_ptr();
            Some((function, entry))
        };
        let result = self.enter(entry, context, memory.base(), go_on);
        if let Some(outer) = outer {
            context.set_links(outer);
        }
        result
    }

    #[inline]
    pub(crate) fn assert_suits(&self, memory: &Memory) {
        assert!(memory.detection() == self.detection, "the memory is made for other compiled code");
        assert!(self.is_metered || memory.announces_interrupts(), "the memory does not announce interrupts");
    }

    /// The word of the first entry of the jump table.
    #[inline]
    pub(crate) fn jump_entries(&self) -> *const AtomicU64 {
        self.jump_entries.as_ptr()
    }

    /// Calls the function, and then those that `next` has for what the last one returned. The links of the context, and guest
    /// memory at `base`, are good as long as they run; whether the context is still there then is known to `next`.
    #[inline]
    pub(crate) fn enter<'a>(
        &'a self,
        entry: u64,
        context: *mut Context,
        base: *mut u8,
        mut next: impl FnMut(u64, *mut Context) -> Option<(&'a CompiledFunction, u64)>,
    ) -> u64 {
        let mut at = (self, entry);
        // One that accesses no memory needs no preparation.
        while !at.0.uses_segment {
            let returned = (at.0.entry)(context, at.1);
            match next(returned, context) {
                Some(function) => at = function,
                None => return returned,
            }
        }
        Self::watched(base as usize, |watched| {
            loop {
                let (function, entry) = at;
                watched.set(&function.landings);
                let returned = (function.entry)(context, entry);
                match next(returned, context) {
                    Some(function) => at = function,
                    None => return returned,
                }
            }
        })
    }

    /// Calls with guest memory at the base of GS, and refused accesses ending in the landings that are set.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[inline]
    fn watched<T>(base: usize, call: impl FnOnce(&Watched<'_>) -> T) -> T {
        crate::segment::with_base(base, Landings::is_any_watched, || Landings::watch(call))
    }

    #[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
    fn watched<T>(_: usize, _: impl FnOnce(&Watched<'_>) -> T) -> T {
        unreachable!("the handler of signals could not be installed");
    }

    /// Where it begins.
    pub fn address(&self) -> usize {
        self.entry as usize
    }

    /// How many accesses have landings.
    pub fn landings(&self) -> usize {
        self.landings.len()
    }

    /// Bytes of executable memory that it occupies, whole pages.
    pub fn bytes(&self) -> usize {
        self.pages.iter().map(|map| map.len().next_multiple_of(PAGE_SIZE as usize)).sum()
    }
}

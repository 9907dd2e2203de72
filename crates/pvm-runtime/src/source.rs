//! Where an instance's code comes from: the program, or the guest's memory.

#[cfg(feature = "cranelift")]
use pvm_codegen::{Attempt, CodeCache, Reach, RegionId, Request};
use pvm_interpreter::Cells;
#[cfg(feature = "cranelift")]
use pvm_ops::{DynamicJumps, Width};
use pvm_ops::{Fetched, GuestCode};
use pvm_program::Code;
use pvm_vm::Memory;

/// Where code comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A PVM program.
    Program(&'a Code),
    /// Guest memory; the cells know what has been executed of it, which matters to a compiler only.
    Memory(#[cfg_attr(not(feature = "cranelift"), allow(dead_code))] &'a Cells),
}

impl Source<'_> {
    /// The instruction at `pc`.
    pub(crate) fn fetch(self, memory: &Memory, pc: u32) -> Fetched {
        match self {
            Source::Program(code) => code.fetch(pc),
            Source::Memory(_) => pvm_rv32::Code::new(memory).fetch(pc),
        }
    }

    /// Whether code is known only as far as the guest has come, so that regions may lack what is found later. Programs for the PVM
    /// are known ahead: their regions have what belongs to them from the beginning.
    #[cfg(feature = "cranelift")]
    pub(crate) fn is_found_as_it_runs(self) -> bool {
        matches!(self, Source::Memory(_))
    }

    /// Whether this is a RISC-V program of which more is known than what should be in one region when it is hot. (To compile the
    /// regions of large ones again as soon as those of others took 1.6 times as long.)
    #[cfg(feature = "cranelift")]
    pub(crate) fn is_large(self, cache: &CodeCache) -> bool {
        matches!(self, Source::Memory(cells) if cells.len() / LARGE > cache.reach().instructions)
    }

    /// How much is compiled together.
    #[cfg(feature = "cranelift")]
    pub(crate) fn reach(self, cache: &CodeCache) -> Reach {
        let reach = cache.reach();
        match self {
            Source::Program(_) => reach,
            Source::Memory(_) if self.is_large(cache) => {
                Reach { instructions: reach.instructions.div_ceil(2), is_brief: true, ..reach }
            }
            Source::Memory(_) => Reach { instructions: reach.instructions.saturating_mul(2), sharing: 4, ..reach },
        }
    }

    /// Has the block at `pc` compiled, and what goes with it; machine code of that region is to go then. `is_ahead` says that
    /// code is compiled before it has been executed.
    #[cfg(feature = "cranelift")]
    pub(crate) fn compile(
        self,
        cache: &CodeCache,
        memory: &Memory,
        pc: u32,
        warm: impl Fn(u32) -> bool,
        instead_of: Option<RegionId>,
        is_ahead: bool,
    ) -> Attempt {
        let request = Request { pc, reach: self.reach(cache), instead_of };
        match self {
            Source::Program(code) => cache.compile(code, request, || code.block_starts().collect(), warm),
            Source::Memory(cells) => {
                let code = Executed { code: pvm_rv32::Code::new(memory), cells, is_ahead };
                cache.compile(&code, request, Vec::new, |pc| is_ahead || warm(pc))
            }
        }
    }
}

/// A RISC-V program with more cells than so many times as there may be instructions in a region is large. What is hot in a smaller one
/// should be in one region: guests without instructions for floating point have functions for that, which are called from
/// everywhere. Large ones have their time in many places, each of which they leave soon: small regions take less memory; and if they
/// shared blocks, or had any that hardly run, nearly half of the time for compiling would go there.
#[cfg(feature = "cranelift")]
const LARGE: usize = 8;

/// Code in memory, and what the interpreter has seen of it.
#[cfg(feature = "cranelift")]
struct Executed<'a> {
    code: pvm_rv32::Code<'a, Memory>,
    cells: &'a Cells,
    is_ahead: bool,
}

#[cfg(feature = "cranelift")]
impl GuestCode for Executed<'_> {
    fn fetch(&self, pc: u32) -> Fetched {
        self.code.fetch(pc)
    }

    fn is_block_start(&self, pc: u32) -> bool {
        self.code.is_block_start(pc)
    }

    fn dynamic_jumps(&self) -> DynamicJumps<'_> {
        self.code.dynamic_jumps()
    }

    /// Returns lead to whoever calls, which is not what belongs to a function.
    fn likely_targets(&self, pc: u32) -> Vec<u32> {
        if self.code.is_return(pc) { Vec::new() } else { self.cells.targets(pc) }
    }

    fn is_return(&self, pc: u32) -> bool {
        self.code.is_return(pc)
    }

    /// What the guest has not come to by the time a region is hot would mostly be compiled for nothing: the ways of errors,
    /// and all that is behind them.
    fn is_likely(&self, pc: u32) -> bool {
        self.is_ahead || self.cells.has_learned(pc)
    }

    fn width(&self) -> Width {
        self.code.width()
    }
}

//! Where an instance's code comes from: the program, or the guest's memory.

#[cfg(feature = "cranelift")]
use pvm_codegen::{Attempt, CodeCache};
use pvm_interpreter::Cells;
#[cfg(feature = "cranelift")]
use pvm_ops::{DynamicJumps, Width};
use pvm_ops::{Fetched, GuestCode};
use pvm_program::{Code, Executable};
use pvm_vm::Memory;

/// The most even addresses to which compiled code finds its way by itself: 64 MiB of code. The table that it looks them up
/// in takes memory only where something is compiled.
const MOST_PLACES: u64 = 1 << 25;

/// The addresses that a program begins with as code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct CodeArea {
    first: u32,
    /// How many even addresses.
    count: u32,
}

impl CodeArea {
    pub(crate) fn of(executable: &Executable) -> CodeArea {
        let segments = || executable.image.segments.iter().filter(|one| one.access.is_executable());
        let first = segments().map(|one| one.address).min().unwrap_or(0);
        let end = segments().map(|one| u64::from(one.address) + u64::from(one.size)).max().unwrap_or(0);
        let count = (end.saturating_sub(u64::from(first)) / 2).min(MOST_PLACES);
        CodeArea { first, count: count as u32 }
    }

    #[cfg(feature = "cranelift")]
    pub(crate) fn dynamic_jumps(self) -> DynamicJumps<'static> {
        DynamicJumps::Direct { first: self.first, count: self.count }
    }
}

/// Where code comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Source<'a> {
    /// A PVM program.
    Program(&'a Code),
    /// Guest memory; the cells know what has been executed of it.
    Memory(CodeArea, &'a Cells),
}

impl Source<'_> {
    /// The instruction at `pc`.
    pub(crate) fn fetch(self, memory: &Memory, pc: u32) -> Fetched {
        match self {
            Source::Program(code) => code.fetch(pc),
            Source::Memory(area, _) => area.code(memory).fetch(pc),
        }
    }

    /// Has the block at `pc` compiled, and what goes with it.
    #[cfg(feature = "cranelift")]
    pub(crate) fn compile(self, cache: &CodeCache, memory: &Memory, pc: u32, warm: impl Fn(u32) -> bool) -> Attempt {
        match self {
            Source::Program(code) => cache.compile(code, pc, || code.block_starts().collect(), warm),
            Source::Memory(area, cells) => {
                cache.compile(&Executed { code: area.code(memory), cells }, pc, Vec::new, warm)
            }
        }
    }
}

impl CodeArea {
    /// The code in `memory`.
    pub(crate) fn code(self, memory: &Memory) -> pvm_rv32::Code<'_, Memory> {
        pvm_rv32::Code::new(memory, self.first, self.count)
    }
}

/// Code in memory, and what the interpreter has seen of it.
#[cfg(feature = "cranelift")]
struct Executed<'a> {
    code: pvm_rv32::Code<'a, Memory>,
    cells: &'a Cells,
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

    fn width(&self) -> Width {
        self.code.width()
    }
}

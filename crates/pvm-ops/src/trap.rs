//! Traps: why a guest cannot go on, in guests that tell reasons apart.

/// What is wrong with an instruction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trap {
    /// The target of a jump is no place where an instruction can begin.
    MisalignedTarget,
    /// Code may not be fetched from there.
    FetchFault,
    /// There is no such instruction, or it may not be executed.
    IllegalInstruction,
    /// It asks for a debugger.
    Breakpoint,
    /// A load must be aligned, and is not.
    MisalignedLoad,
    /// Memory may not be read.
    LoadFault,
    /// A store, or an atomic access, must be aligned, and is not.
    MisalignedStore,
    /// Memory may not be written.
    StoreFault,
}

impl std::fmt::Display for Trap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Trap::MisalignedTarget => "misaligned jump target",
            Trap::FetchFault => "instruction access fault",
            Trap::IllegalInstruction => "illegal instruction",
            Trap::Breakpoint => "breakpoint",
            Trap::MisalignedLoad => "misaligned load",
            Trap::LoadFault => "load access fault",
            Trap::MisalignedStore => "misaligned store or atomic access",
            Trap::StoreFault => "store access fault",
        })
    }
}

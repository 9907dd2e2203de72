//! Why compiled code returns.

/// What the number that compiled code returns says. The program counter in the context is that of the instruction that
/// is named here; everything before it has happened, and nothing of it unless said otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// A block that is not in the region, or not an entry of it, comes next. Nothing of it is charged.
    Enter,
    /// The same by a dynamic jump, whose program counter the context has.
    EnterByJump,
    /// The continuation of a block that has been paid comes next, and it is not in the region.
    EnterPaid,
    /// The interpreter must go on here, with nothing charged from here on.
    Interpret,
    /// The interpreter must go on here, within a block that has been paid.
    InterpretPaid,
    /// A host call. It is charged.
    HostCall,
    /// A heap request. It is charged.
    Sbrk,
    /// The run-time system has to do what the instruction here says. It is charged.
    System,
    /// The guest has halted by the jump here.
    Halt,
    /// The instruction here panics; a constant that a jump leaves in a register is written.
    Panic,
    /// The run was found to be interrupted before the block here.
    Interrupt,
}

impl Exit {
    const ALL: [Exit; 11] = [
        Exit::Enter,
        Exit::EnterByJump,
        Exit::EnterPaid,
        Exit::Interpret,
        Exit::InterpretPaid,
        Exit::HostCall,
        Exit::Sbrk,
        Exit::System,
        Exit::Halt,
        Exit::Panic,
        Exit::Interrupt,
    ];

    /// So many bits tell them apart.
    pub(crate) const BITS: u32 = 4;

    pub(crate) const fn code(self) -> i64 {
        self as i64
    }

    /// This exit at a program counter as one number: ways out load one constant instead of two, and hand on one value.
    pub(crate) const fn at(self, pc: u32) -> i64 {
        (pc as i64) << Exit::BITS | self.code()
    }

    /// The exit of the number that compiled code returned.
    ///
    /// # Panics
    ///
    /// If the number is none that [`crate::translate`] uses.
    #[inline]
    pub fn from_code(code: u64) -> Exit {
        Exit::ALL[code as usize]
    }
}

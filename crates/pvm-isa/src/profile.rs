//! Opcode profiles: the numberings of the instruction set in its versions.

/// Which numbering of opcodes and host calls a program is written in, and which rules go with it.
///
/// The bytes of a program do not tell, so decoding always asks for it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Profile {
    /// Gray Paper 0.7.2.
    #[default]
    V0_7,
    /// 0.7 with `unlikely` as opcode 3, as the vectors of the draft gas model use it.
    Draft,
    /// The 0.8 line: no `sbrk`, `unlikely` as opcode 2, opcodes 102 to 111 one lower.
    V0_8,
}

impl Profile {
    /// Every profile.
    pub const ALL: [Profile; 3] = [Profile::V0_7, Profile::Draft, Profile::V0_8];

    /// The name on the command line and in assembly.
    pub const fn name(self) -> &'static str {
        match self {
            Profile::V0_7 => "0.7",
            Profile::Draft => "draft",
            Profile::V0_8 => "0.8",
        }
    }

    /// The profile of this name.
    pub fn from_name(name: &str) -> Option<Profile> {
        Profile::ALL.into_iter().find(|profile| profile.name() == name)
    }

    /// Whether a conditional branch to an invalid target panics even when it is not taken.
    ///
    /// Up to 0.7.2 only a taken branch looks at its target (Gray Paper A.5: `branch`); the 0.8 line validates both.
    pub const fn validates_untaken_branches(self) -> bool {
        matches!(self, Profile::V0_8)
    }
}

impl std::fmt::Display for Profile {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

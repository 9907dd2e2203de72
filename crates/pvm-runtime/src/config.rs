//! What can be chosen.

use crate::EngineError;
use pvm_gas::GasModel;
use pvm_isa::Profile;
use pvm_vm::FaultDetection;

/// Whether and how guest code becomes machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Jit {
    /// Everything is interpreted.
    #[cfg_attr(not(feature = "cranelift"), default)]
    Off,
    /// Hot code is compiled by Cranelift.
    #[cfg(feature = "cranelift")]
    #[default]
    Cranelift,
}

/// What an [`crate::Engine`] is set up with.
#[derive(Clone, Debug)]
pub struct Config {
    /// The compiler, or none.
    pub jit: Jit,
    /// A block is compiled when it has been entered this many times; at 0 it is compiled before it runs at all. From 100 on,
    /// compiling takes 20 ms and then a third of the time since it began, at most: what is refused has to get hot once more.
    /// For RISC-V programs that are large or run for less than a second, 5,000 entries and more are better than the default.
    pub jit_threshold: u32,
    /// The effort that the compiler makes.
    #[cfg(feature = "cranelift")]
    pub opt_level: pvm_codegen::OptLevel,
    /// How compiled code detects accesses that the guest may not make. [`FaultDetection::Signals`] is faster; it installs a
    /// handler for `SIGSEGV`, which passes on what is not its own, and the host must enforce rights of 4 KiB pages.
    pub fault_detection: FaultDetection,
    /// The most guest instructions that are compiled together, at least 1; of RISC-V programs twice as many, or half if they are
    /// large, which is when eight times as many are known. Compile time per instruction grows above about a thousand.
    pub region_limit: usize,
    /// The most executable memory for one module, in bytes; when it is full, code that was not used lately makes room.
    pub code_limit: usize,
    /// The most memory that one guest may have accessible, in bytes.
    pub memory_limit: u64,
    /// The longest program, in bytes of its container. Preparing one takes time and memory in proportion.
    pub module_limit: usize,
    /// The most instances that exist at once. Each takes 4 GiB of the host's address space.
    pub instance_limit: usize,
    /// How deep calls into the guest can be nested, from host functions that the guest called. Each level takes some of the
    /// host's stack.
    pub nesting_limit: u32,
    /// Whether executed instructions are counted. Costs a few percent.
    pub count_instructions: bool,
    /// What profilers of the host are told about compiled code. See `docs/profiling.md`.
    #[cfg(feature = "cranelift")]
    pub profiling: pvm_codegen::Profiling,
    /// Called before the compiler takes megabytes of memory, for processes that can give some back: `pvmrun` has the host take back
    /// pages of its own code there.
    pub make_room: fn(),
    /// Whether the compiler checks its own intermediate code. For tests; compiling takes half as long again.
    pub verify: bool,
}

/// The largest [`Config::memory_limit`]: all that a guest can address.
pub(crate) const LARGEST_MEMORY: u64 = 1 << 32;
/// The largest [`Config::nesting_limit`].
pub(crate) const DEEPEST_NESTING: u64 = 64;

impl Config {
    /// Checks that every number is one that an engine can be set up with.
    pub(crate) fn check(&self) -> Result<(), EngineError> {
        let ranges = [
            ("region_limit", self.region_limit as u64, 1..=u64::MAX),
            ("memory_limit", self.memory_limit, 0..=LARGEST_MEMORY),
            ("nesting_limit", u64::from(self.nesting_limit), 0..=DEEPEST_NESTING),
        ];
        match ranges.into_iter().find(|(_, value, range)| !range.contains(value)) {
            Some((name, value, range)) => {
                Err(EngineError::Config { name, value, least: *range.start(), most: *range.end() })
            }
            None => Ok(()),
        }
    }
}

impl Default for Config {
    fn default() -> Config {
        Config {
            jit: Jit::default(),
            jit_threshold: 1000,
            #[cfg(feature = "cranelift")]
            opt_level: pvm_codegen::OptLevel::default(),
            fault_detection: FaultDetection::best(),
            region_limit: 1000,
            code_limit: 256 << 20,
            memory_limit: LARGEST_MEMORY,
            module_limit: 256 << 20,
            instance_limit: 16 << 10,
            nesting_limit: 16,
            count_instructions: false,
            #[cfg(feature = "cranelift")]
            profiling: pvm_codegen::Profiling::Off,
            make_room: || {},
            verify: cfg!(debug_assertions),
        }
    }
}

/// How a program is to be read and paid for. The file does not say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// The opcode numbering; by default what the container asks for, or else 0.7.
    pub profile: Option<Profile>,
    /// The gas model; by default that of the profile.
    pub gas_model: Option<GasModel>,
}

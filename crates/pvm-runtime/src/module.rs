//! Modules: programs, prepared to run.

use crate::{Engine, ModuleError, Options, placement};
use pvm_gas::{GasModel, cost_from};
use pvm_interpreter::Cells;
use pvm_isa::Profile;
use pvm_ops::Reg;
use pvm_program::{Code, Executable, LOWEST_ADDRESS, MemoryImage, Program};
use pvm_vm::{CompileStats, MemoryError, Template};
use std::sync::{Arc, OnceLock};
#[cfg(feature = "cranelift")]
use {
    crate::tier::Tier,
    std::sync::{Mutex, PoisonError},
};

/// A program, prepared to run. Cheap to clone; clones are the same module and share its compiled code, also between
/// threads.
#[derive(Clone, Debug)]
pub struct Module {
    pub(crate) shared: Arc<Shared>,
}

#[derive(Debug)]
pub(crate) struct Shared {
    pub engine: Engine,
    pub guest: Guest,
    pub gas_model: GasModel,
    /// What guests begin with, once there was one; for RISC-V from the beginning.
    template: OnceLock<Arc<Template>>,
    /// What guests that are gone have counted.
    #[cfg(feature = "cranelift")]
    tiers: Mutex<Vec<Tier>>,
    #[cfg(feature = "cranelift")]
    pub cache: Option<Arc<pvm_codegen::CodeCache>>,
}

/// What kind of guest a program is for.
#[derive(Debug)]
pub(crate) enum Guest {
    Pvm(Box<Pvm>),
    Riscv(Box<Riscv>),
}

#[derive(Debug)]
pub(crate) struct Pvm {
    pub program: Program,
    pub code: Arc<Code>,
    pub cells: Cells,
}

#[derive(Debug)]
pub(crate) struct Riscv {
    pub executable: Executable,
}

impl Guest {
    /// The memory that the program starts with.
    pub(crate) fn image(&self) -> &MemoryImage {
        match self {
            Guest::Pvm(pvm) => &pvm.program.image,
            Guest::Riscv(riscv) => &riscv.executable.image,
        }
    }

    /// The cells of a program that is known ahead.
    ///
    /// # Panics
    ///
    /// If it is for RISC-V: each instance has its own.
    #[inline]
    pub(crate) fn cells(&self) -> &Cells {
        match self {
            Guest::Pvm(pvm) => &pvm.cells,
            Guest::Riscv(_) => unreachable!("instances of RISC-V programs have cells of their own"),
        }
    }
}

/// What so many guests of a module have counted is kept when they go.
#[cfg(feature = "cranelift")]
const MOST_TIERS: usize = 16;

/// PVM programs do not know registers above 12: this one always holds zero.
const ZERO: Reg = Reg::R31;

impl Module {
    /// Prepares the program in `bytes`, whatever its container: one of the PVM's, or a static ELF file for 32-bit RISC-V.
    /// [`Module::from_executable`] takes flat binaries, too.
    ///
    /// # Errors
    ///
    /// If they are no program, or longer than [`crate::Config::module_limit`].
    pub fn new(engine: &Engine, bytes: &[u8], options: Options) -> Result<Module, ModuleError> {
        let (len, limit) = (bytes.len(), engine.config().module_limit);
        if len > limit {
            return Err(ModuleError::TooLong { len, limit });
        }
        if Executable::recognises(bytes) {
            let executable = Executable::parse(bytes).map_err(ModuleError::Executable)?;
            return Module::from_executable(engine, executable, options);
        }
        Ok(Module::from_program(engine, Program::parse(bytes)?, options))
    }

    /// Prepares a program. The time this takes is linear in the length of its code.
    pub fn from_program(engine: &Engine, program: Program, options: Options) -> Module {
        let profile = options.profile.or(program.profile).unwrap_or_default();
        let gas_model = options.gas_model.unwrap_or(GasModel::default_for(profile));
        let code = Arc::new(Code::new(&program.blob, profile));
        let costs = |pc| cost_from(gas_model, &code, pc);
        let cells = Cells::new(&*code, code.instruction_starts(), gas_model, costs, ZERO);
        #[cfg(feature = "cranelift")]
        let cache = crate::tier::cache(engine, &program, &code, gas_model).map(Arc::new);
        let shared = Shared {
            engine: engine.clone(),
            guest: Guest::Pvm(Box::new(Pvm { program, code, cells })),
            gas_model,
            template: OnceLock::new(),
            #[cfg(feature = "cranelift")]
            tiers: Mutex::default(),
            #[cfg(feature = "cranelift")]
            cache,
        };
        Module { shared: Arc::new(shared) }
    }

    /// Prepares a RISC-V program. Its code is looked at as it runs.
    ///
    /// # Errors
    ///
    /// If it cannot be metered as the options say.
    pub fn from_executable(
        engine: &Engine,
        mut executable: Executable,
        options: Options,
    ) -> Result<Module, ModuleError> {
        let gas_model = options.gas_model.unwrap_or(GasModel::None);
        if gas_model.charges_blocks() {
            return Err(ModuleError::GasModel { model: gas_model });
        }
        // What cannot be made now cannot be made for the first guest either, which says so.
        let template = template_of(&executable.image).ok();
        for segment in executable.image.segments.iter_mut().filter(|segment| !segment.data.is_empty()) {
            if let Some(shared) =
                template.as_ref().and_then(|template| template.bytes(segment.address, segment.data.len()))
            {
                segment.data = shared;
            }
        }
        #[cfg(feature = "cranelift")]
        let cache = crate::tier::riscv_cache(engine, &executable, gas_model).map(Arc::new);
        let shared = Shared {
            engine: engine.clone(),
            guest: Guest::Riscv(Box::new(Riscv { executable })),
            gas_model,
            template: template.map(Arc::new).map_or_else(OnceLock::new, OnceLock::from),
            #[cfg(feature = "cranelift")]
            tiers: Mutex::default(),
            #[cfg(feature = "cranelift")]
            cache,
        };
        Ok(Module { shared: Arc::new(shared) })
    }

    /// What a guest that is gone knew of machine code and hot blocks.
    #[cfg(feature = "cranelift")]
    pub(crate) fn take_tier(&self) -> Option<Tier> {
        self.shared.tiers.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    /// Keeps that for the next.
    #[cfg(feature = "cranelift")]
    pub(crate) fn keep_tier(&self, mut tier: Tier) {
        tier.release();
        let mut tiers = self.shared.tiers.lock().unwrap_or_else(PoisonError::into_inner);
        if tiers.len() < MOST_TIERS {
            tiers.push(tier);
        }
    }

    /// What guests begin with.
    pub(crate) fn template(&self) -> Result<&Arc<Template>, MemoryError> {
        if let Some(template) = self.shared.template.get() {
            return Ok(template);
        }
        let template = template_of(self.shared.guest.image())?;
        let template = match self.pvm() {
            Some(pvm) if placement::is_better_elsewhere(&pvm.program, &pvm.code) => template.elsewhere(),
            _ => template,
        };
        Ok(self.shared.template.get_or_init(|| Arc::new(template)))
    }

    /// No guest will have a page below that. The lowest 64 KiB are never accessible (Gray Paper A.7; Linux), but in test
    /// vectors and on bare metal they may be.
    pub(crate) fn lowest_address(&self) -> u32 {
        let is_usual = self.shared.guest.image().segments.iter().all(|segment| segment.address >= LOWEST_ADDRESS);
        if is_usual { LOWEST_ADDRESS } else { 0 }
    }

    /// Whether this is a clone of the other one.
    #[cfg(feature = "cranelift")]
    pub(crate) fn is_same(&self, other: &Module) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    #[inline]
    fn pvm(&self) -> Option<&Pvm> {
        match &self.shared.guest {
            Guest::Pvm(pvm) => Some(pvm),
            Guest::Riscv(_) => None,
        }
    }

    /// The program, if it is one for the PVM.
    pub fn program(&self) -> Option<&Program> {
        self.pvm().map(|pvm| &pvm.program)
    }

    /// The program's code, if it is one for the PVM.
    #[inline]
    pub fn code(&self) -> Option<&Code> {
        self.pvm().map(|pvm| &*pvm.code)
    }

    /// The program, if it is one for RISC-V.
    #[inline]
    pub fn executable(&self) -> Option<&Executable> {
        match &self.shared.guest {
            Guest::Pvm(_) => None,
            Guest::Riscv(riscv) => Some(&riscv.executable),
        }
    }

    /// The name that the container has for a host call, if it lists them.
    #[inline]
    pub fn import(&self, number: u64) -> Option<&str> {
        let imports = &self.pvm()?.program.imports;
        imports.get(usize::try_from(number).ok()?).map(String::as_str)
    }

    /// Where the entry point or function of a name begins.
    pub fn symbol(&self, name: &str) -> Option<u32> {
        match &self.shared.guest {
            Guest::Pvm(pvm) => pvm.program.exports.iter().find(|export| export.name == name).map(|export| export.pc),
            Guest::Riscv(riscv) => riscv.executable.symbol(name),
        }
    }

    /// The engine.
    #[inline]
    pub fn engine(&self) -> &Engine {
        &self.shared.engine
    }

    /// The opcode numbering of a PVM program.
    pub fn profile(&self) -> Option<Profile> {
        self.code().map(Code::profile)
    }

    /// The gas model.
    #[inline]
    pub fn gas_model(&self) -> GasModel {
        self.shared.gas_model
    }

    /// What has been compiled so far, for all instances together. What instances of a RISC-V program compile of code that they
    /// have changed is theirs alone ([`Instance::compile_stats`](crate::Instance::compile_stats)).
    pub fn compile_stats(&self) -> CompileStats {
        #[cfg(feature = "cranelift")]
        if let Some(cache) = &self.shared.cache {
            return cache.stats();
        }
        CompileStats::default()
    }

    /// Compiles everything that can be reached from a jump or the start of the code, instead of what gets hot. Of a RISC-V
    /// program that is not known ahead: nothing happens.
    pub fn compile_all(&self) {
        #[cfg(feature = "cranelift")]
        if let (Some(cache), Some(code)) = (&self.shared.cache, self.code()) {
            for pc in code.block_starts() {
                let request = pvm_codegen::Request { pc, reach: cache.reach(), instead_of: None };
                cache.compile(code, request, || code.block_starts().collect(), |_| false);
            }
        }
    }
}

/// What guests begin with that have these pages.
fn template_of(image: &MemoryImage) -> Result<Template, MemoryError> {
    let areas = image.segments.iter().map(|segment| (segment.address, u64::from(segment.size), segment.access));
    let contents = image.segments.iter().map(|segment| (segment.address, &segment.data[..]));
    Template::new(areas, contents)
}

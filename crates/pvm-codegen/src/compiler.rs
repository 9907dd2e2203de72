//! The compiler driver: one region in, one function of machine code out.

use crate::compact::{Address, Changes, compact};
use crate::landings::{self, Extracted, Landings};
use crate::segment::{self, Audit};
use cranelift_codegen::binemit::Reloc;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::{OwnedTargetIsa, TargetFrontendConfig};
use cranelift_codegen::settings::{self, Configurable};
use cranelift_codegen::{CodegenError, CompiledCode, Context};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, ModuleError, ModuleReloc, ModuleRelocTarget, default_libcall_names};
use iced_x86::Instruction;
use pvm_frontend::Faults;
use pvm_ops::PAGE_SIZE;
use pvm_vm::{CodeMemory, CompiledFunction, FaultDetection, Landing};
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use target_lexicon::{Architecture, Triple};

/// How much effort Cranelift makes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptLevel {
    /// It takes the IR as it is. What is to be gained for guest code the translator has seen to; mostly this is the faster
    /// code, and it is compiled in less than half of the time.
    #[default]
    None,
    /// It optimises the IR. Better where guest code itself leaves something to do.
    Speed,
}

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Cranelift has no back end for this machine.
    #[error("no machine code can be made for this host: {0}")]
    Host(String),
    /// The handler of signals could not be installed.
    #[error("the host does not let faults be detected by signals: {0}")]
    Signals(std::io::Error),
    /// A region could not be compiled.
    #[error("a region could not be compiled: {0}")]
    Region(Box<ModuleError>),
    /// The host refuses executable memory.
    #[error("{bytes} bytes of memory for machine code cannot be had: {error}")]
    Memory {
        /// How much was asked for, whole pages.
        bytes: usize,
        /// What the host says.
        error: Box<ModuleError>,
    },
    /// The IR of a region would take too much memory to compile. A smaller region is tried then.
    #[error("a region takes {size} of IR, and may take {most}")]
    TooLarge {
        /// How much it takes: its instructions, and two for each block.
        size: usize,
        /// How much it may take.
        most: usize,
    },
}

impl From<ModuleError> for CompileError {
    fn from(error: ModuleError) -> CompileError {
        CompileError::Region(Box::new(error))
    }
}

impl CompileError {
    /// Whether the reason is not the region, so that it will be the same for others but may pass.
    pub(crate) fn is_shortage(&self) -> bool {
        matches!(self, CompileError::Memory { .. })
    }
}

/// A region's machine code, not in executable memory yet.
#[derive(Debug)]
pub(crate) struct MachineCode {
    bytes: Vec<u8>,
    align: u64,
    landings: Box<[Landing]>,
    /// Where it has addresses of its own.
    addresses: Box<[Address]>,
    /// Whether it accesses guest memory by the segment register.
    uses_segment: bool,
    /// What lies between the way in that all entries share and cold code. Branch tables lie behind that.
    hot: Range<usize>,
}

impl MachineCode {
    /// Its size in bytes.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// The size of what is neither cold nor the way in, in bytes.
    pub(crate) fn hot_bytes(&self) -> usize {
        self.hot.len()
    }

    /// The code, without the addresses of its own that it has.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The executable memory that it will take, whole pages.
    pub(crate) fn memory_bytes(&self) -> usize {
        self.bytes.len().max(1).next_multiple_of(PAGE_SIZE as usize)
    }
}

/// How much of Cranelift's memory it takes to compile IR, in instructions of some 0.35 KiB each: a block takes as much as two.
fn size(func: &Function) -> usize {
    func.dfg.num_insts() + 2 * func.dfg.num_blocks()
}

/// For IR of this [`size`] it makes sense to make room.
const LARGE: usize = 2_000;

/// Compiles for the machine it runs on. Shared by all programs of an engine.
pub struct Compiler {
    isa: OwnedTargetIsa,
    faults: FaultDetection,
    make_room: fn(),
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler").field("target", self.target()).finish()
    }
}

impl Compiler {
    /// A compiler for this machine. `faults` says how refused accesses are detected; `verify` checks the IR before it is
    /// compiled, for tests. `make_room` is called before compiling takes megabytes of memory.
    ///
    /// # Errors
    ///
    /// If Cranelift does not know the machine, or faults cannot be detected like that.
    pub fn new(
        opt_level: OptLevel,
        faults: FaultDetection,
        verify: bool,
        make_room: fn(),
    ) -> Result<Compiler, CompileError> {
        let host = |error: &dyn std::fmt::Display| CompileError::Host(error.to_string());
        let mut flags = settings::builder();
        let values = [
            ("opt_level", if opt_level == OptLevel::Speed { "speed" } else { "none" }),
            ("regalloc_algorithm", "backtracking"),
            ("enable_verifier", if verify { "true" } else { "false" }),
            // Nothing unwinds through compiled code: whatever it calls catches panics.
            ("unwind_info", "false"),
            ("enable_probestack", "false"),
            ("is_pic", "false"),
            // Where blocks start.
            ("machine_code_cfg_info", "true"),
            ("use_colocated_libcalls", "false"),
        ];
        for (name, value) in values {
            flags.set(name, value).map_err(|error| host(&error))?;
        }
        let mut isa = cranelift_native::builder().map_err(|error| host(&error))?;
        // Compaction does not know their encoding (EVEX), and products of 64 bits by `vpmullq` are slow.
        let of_avx512 = isa.iter().map(|setting| setting.name).filter(|name| name.starts_with("has_avx512"));
        for name in of_avx512.collect::<Vec<_>>() {
            isa.set(name, "false").map_err(|error| host(&error))?;
        }
        let isa = isa.finish(settings::Flags::new(flags)).map_err(|error: CodegenError| host(&error))?;
        if faults == FaultDetection::Signals {
            pvm_vm::install_handler().map_err(CompileError::Signals)?;
        }
        Ok(Compiler { isa, faults, make_room })
    }

    /// How refused accesses are detected.
    pub fn faults(&self) -> FaultDetection {
        self.faults
    }

    /// The machine that code is made for.
    pub fn target(&self) -> &Triple {
        self.isa.triple()
    }

    /// Compiles a function whose IR `translate` writes, given how refused accesses are to be detected in it; it returns how many of
    /// them have numbers.
    ///
    /// # Errors
    ///
    /// If the IR takes more than `most`, or Cranelift refuses it.
    pub(crate) fn compile(
        &self,
        most: usize,
        translate: impl Fn(&mut Function, &mut FunctionBuilderContext, TargetFrontendConfig, Faults<'_>) -> u32,
    ) -> Result<MachineCode, CompileError> {
        let mut builder_context = FunctionBuilderContext::new();
        let (mut detection, mut checked) = (self.faults, BTreeSet::new());
        // Each round but one checks more accesses, so that there is a last one. Nearly always the first one is.
        loop {
            let mut context = Context::new();
            context.func.signature = pvm_frontend::signature(self.isa.default_call_conv());
            let faults = Faults { detection, checked: &checked };
            let accesses = translate(&mut context.func, &mut builder_context, self.isa.frontend_config(), faults);
            let size = size(&context.func);
            if size > most {
                return Err(CompileError::TooLarge { size, most });
            }
            if size >= LARGE {
                (self.make_room)();
            }
            let compiled = context
                .compile(&*self.isa, &mut ControlPlane::default())
                .map_err(|error| ModuleError::Compilation(error.inner))?;
            // A region calls nothing but what it is given and has no data: where its code lies does not matter to it.
            assert!(compiled.buffer.relocs().is_empty(), "a region refers to nothing outside of it");
            let code = compiled.code_buffer();
            let (traps, marks) = (compiled.buffer.traps(), compiled.buffer.get_srclocs_sorted());
            let watched = match detection {
                FaultDetection::Signals => (0..accesses).filter(|number| !checked.contains(number)).collect(),
                FaultDetection::Checks => BTreeSet::new(),
            };
            match landings::extract(code, &compiled.bb_starts, traps, marks, watched) {
                Extracted::Landings(found) => {
                    match self.finish(compiled, &found, detection) {
                        Some(code) => return Ok(code),
                        // The code runs as well as it is if it needs no prefixes, only slower.
                        None if detection == FaultDetection::Checks => {
                            let align = u64::from(compiled.buffer.alignment);
                            let (bytes, hot) = (code.to_vec(), 0..code.len());
                            let (landings, addresses) = (Box::default(), Box::default());
                            return Ok(MachineCode { bytes, align, landings, addresses, uses_segment: false, hot });
                        }
                        None => {
                            tracing::debug!(bytes = code.len(), "the code of a region cannot be rewritten");
                            detection = FaultDetection::Checks;
                        }
                    }
                }
                Extracted::Missing(more) if more.is_subset(&checked) => detection = FaultDetection::Checks,
                Extracted::Missing(more) => {
                    tracing::debug!(accesses = more.len(), "accesses of a region have no landing");
                    checked.extend(more);
                }
            }
        }
    }

    /// Compacts the code of a function, and moves its landings with it. `None` if something in it is not expected.
    fn finish(&self, compiled: &CompiledCode, found: &Landings, detection: FaultDetection) -> Option<MachineCode> {
        if !matches!(self.isa.triple().architecture, Architecture::X86_64) {
            return None;
        }
        let (code, traps) = (compiled.code_buffer(), compiled.buffer.traps());
        let Landings { landings, saved, idle, rewritten } = found;
        let cold = landings::cold(compiled.buffer.get_srclocs_sorted(), landings).map_or(code.len(), |at| at as usize);
        let mut audit = (detection == FaultDetection::Signals).then(|| Audit::new(traps));
        let is_expected = |one: &Instruction| audit.as_mut().is_none_or(|audit| audit.allows(one));
        let prefixes = segment::prefixes(traps);
        let changes = Changes { gone: idle, rewritten, prefixes: &prefixes, cold };
        let compacted = compact(code, &compiled.bb_starts, changes, is_expected)?;
        let mut restoring = Vec::new();
        let mut saved = saved.iter().peekable();
        let moved = landings.iter().map(|&Landing { access, landing }| {
            let (access_moved, landing) = (compacted.offset(access)?, compacted.offset(landing)?);
            let Some(saved) = saved.next_if(|saved| saved.access == access) else {
                return Some(Landing { access: access_moved, landing });
            };
            let at = compacted.code.len() + restoring.len();
            restoring.extend(saved.restore(at, landing)?);
            Some(Landing { access: access_moved, landing: u32::try_from(at).ok()? })
        });
        let landings = moved.collect::<Option<Vec<_>>>()?.into();
        let to = |offset: usize| Some(compacted.offset(u32::try_from(offset).ok()?)? as usize);
        let entered = compiled.bb_starts.get(1).map_or(0, |&start| start as usize);
        let hot = to(entered.min(cold))?..to(cold)?;
        let bytes = [compacted.code, restoring].concat();
        let align = u64::from(compiled.buffer.alignment);
        let addresses = compacted.addresses.into();
        Some(MachineCode { bytes, align, landings, addresses, uses_segment: !prefixes.is_empty(), hot })
    }

    /// Puts machine code into executable memory of its own. It finds the words of its jump table in `jump_entries`. The name
    /// is for profilers.
    ///
    /// # Errors
    ///
    /// If the host refuses memory.
    pub(crate) fn publish(
        &self,
        code: &MachineCode,
        jump_entries: &Arc<[AtomicU64]>,
        is_metered: bool,
        name: &str,
    ) -> Result<CompiledFunction, CompileError> {
        let memory = CodeMemory::new();
        let entry = self.define(code, &memory, name).map_err(|error| match *error {
            ModuleError::Allocation { .. } => CompileError::Memory { bytes: code.memory_bytes(), error },
            _ => CompileError::Region(error),
        })?;
        let (jump_entries, landings) = (Arc::clone(jump_entries), code.landings.clone());
        // SAFETY: `pvm_frontend::translate` wrote the IR for exactly this signature. It loads and stores the context's
        // fields, words of the jump table that was given, the interrupt flag unless it is metered, and guest memory, behind a
        // check of the table of rights or with a landing, by what `faults` says; at host calls it calls what the context names.
        // Landings are targets of branches that stood before the accesses (`landings::extract`), or restore registers first
        // (`saved`); what has none is proven by what the code has accessed or looked up before (`pvm-frontend`, `proven`).
        Ok(unsafe {
            let uses_segment = code.uses_segment;
            CompiledFunction::new(&memory, entry, jump_entries, self.faults, is_metered, uses_segment, landings)
        })
    }

    /// Has a JIT module of its own put machine code into `memory` and make it executable; returns where it begins.
    fn define(&self, code: &MachineCode, memory: &CodeMemory, name: &str) -> Result<*const u8, Box<ModuleError>> {
        let mut builder = JITBuilder::with_isa(self.isa.clone(), default_libcall_names());
        builder.memory_provider(memory.provider());
        let mut module = JITModule::new(builder);
        let signature = pvm_frontend::signature(self.isa.default_call_conv());
        let id = module.declare_function(name, Linkage::Local, &signature)?;
        let own = |&Address { at, target }: &Address| ModuleReloc {
            offset: at,
            kind: Reloc::Abs8,
            name: ModuleRelocTarget::FunctionOffset(id, target),
            addend: 0,
        };
        let relocations: Vec<_> = code.addresses.iter().map(own).collect();
        module.define_function_bytes(id, code.align, &code.bytes, &relocations)?;
        module.finalize_definitions()?;
        Ok(module.get_finalized_function(id))
    }
}

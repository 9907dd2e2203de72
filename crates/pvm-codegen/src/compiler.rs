//! The compiler driver: one region in, one function of machine code out.

use cranelift_codegen::CodegenError;
use cranelift_codegen::ir::Function;
use cranelift_codegen::isa::OwnedTargetIsa;
use cranelift_codegen::settings::{self, Configurable};
use cranelift_frontend::FunctionBuilderContext;
use cranelift_jit::{JITBuilder, JITModule};
use cranelift_module::{Linkage, Module, ModuleError, default_libcall_names};
use pvm_vm::{CodeMemory, CompiledFunction};
use target_lexicon::Triple;

/// How much effort goes into machine code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OptLevel {
    /// No optimisation of the IR. Compiles up to 40 % faster.
    None,
    /// All optimisations.
    #[default]
    Speed,
}

/// Why there is no machine code.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// Cranelift has no back end for this machine.
    #[error("no machine code can be made for this host: {0}")]
    Host(String),
    /// A region could not be compiled.
    #[error("a region could not be compiled: {0}")]
    Region(Box<ModuleError>),
}

impl From<ModuleError> for CompileError {
    fn from(error: ModuleError) -> CompileError {
        CompileError::Region(Box::new(error))
    }
}

/// A compiled region.
#[derive(Debug)]
pub struct Compiled {
    /// The machine code.
    pub function: CompiledFunction,
    /// Its size in bytes.
    pub code_bytes: usize,
}

/// Compiles for the machine it runs on. Shared by all programs of an engine.
pub struct Compiler {
    isa: OwnedTargetIsa,
}

impl std::fmt::Debug for Compiler {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Compiler").field("target", self.target()).finish()
    }
}

impl Compiler {
    /// A compiler for this machine. `verify` checks the IR before it is compiled, for tests.
    ///
    /// # Errors
    ///
    /// If Cranelift does not know the machine.
    pub fn new(opt_level: OptLevel, verify: bool) -> Result<Compiler, CompileError> {
        let host = |error: &dyn std::fmt::Display| CompileError::Host(error.to_string());
        let mut flags = settings::builder();
        let values = [
            ("opt_level", if opt_level == OptLevel::Speed { "speed" } else { "none" }),
            ("regalloc_algorithm", "backtracking"),
            ("enable_verifier", if verify { "true" } else { "false" }),
            // Nothing unwinds through compiled code: it calls nothing.
            ("unwind_info", "false"),
            ("enable_probestack", "false"),
            ("is_pic", "false"),
            ("use_colocated_libcalls", "false"),
        ];
        for (name, value) in values {
            flags.set(name, value).map_err(|error| host(&error))?;
        }
        let isa = cranelift_native::builder().map_err(|error| host(&error))?;
        let isa = isa.finish(settings::Flags::new(flags)).map_err(|error: CodegenError| host(&error))?;
        Ok(Compiler { isa })
    }

    /// The machine that code is made for.
    pub fn target(&self) -> &Triple {
        self.isa.triple()
    }

    /// Compiles a function whose IR `translate` writes. The function knows a jump table of `jump_entries` words.
    ///
    /// # Errors
    ///
    /// If Cranelift refuses the IR, or the host memory for code.
    pub(crate) fn compile(
        &self,
        jump_entries: usize,
        translate: impl FnOnce(&mut Function, &mut FunctionBuilderContext, cranelift_codegen::isa::TargetFrontendConfig),
    ) -> Result<Compiled, CompileError> {
        let memory = CodeMemory::new();
        let mut builder = JITBuilder::with_isa(self.isa.clone(), default_libcall_names());
        builder.memory_provider(memory.provider());
        let mut module = JITModule::new(builder);

        let mut context = module.make_context();
        context.func.signature = pvm_frontend::signature(self.isa.default_call_conv());
        let id = module.declare_function("region", Linkage::Local, &context.func.signature)?;
        translate(&mut context.func, &mut FunctionBuilderContext::new(), self.isa.frontend_config());
        module.define_function(id, &mut context)?;
        let code_bytes = context.compiled_code().map_or(0, |code| code.code_buffer().len());
        module.finalize_definitions()?;
        let entry = module.get_finalized_function(id);
        // SAFETY: `pvm_frontend::translate` wrote the IR for exactly this signature. It loads and stores the context's
        // fields, words of the jump table below the number given, the interrupt flag, and guest memory behind a check of
        // the table of rights; it calls nothing.
        let function = unsafe { CompiledFunction::new(&memory, entry, jump_entries) };
        Ok(Compiled { function, code_bytes })
    }
}

//! The engine: what all modules share.

use crate::{Config, EngineError, Jit};
use pvm_vm::FaultDetection;
use std::sync::Arc;

/// The settings, and the compiler if there is one. Cheap to clone; clones are the same engine.
#[derive(Clone, Debug)]
pub struct Engine {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    config: Config,
    #[cfg(feature = "cranelift")]
    compiler: Option<Arc<pvm_codegen::Compiler>>,
}

impl Engine {
    /// Sets up an engine.
    ///
    /// # Errors
    ///
    /// If a compiler is wanted and the host has none.
    pub fn new(config: &Config) -> Result<Engine, EngineError> {
        #[cfg(feature = "cranelift")]
        let compiler = match config.jit {
            crate::Jit::Off => None,
            crate::Jit::Cranelift => {
                let compiler = pvm_codegen::Compiler::new(config.opt_level, config.fault_detection, config.verify)?;
                Some(Arc::new(compiler))
            }
        };
        let shared = Shared {
            config: config.clone(),
            #[cfg(feature = "cranelift")]
            compiler,
        };
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// How faults have to be detected in the memory of guests: the interpreter checks, whatever the host does.
    pub(crate) fn fault_detection(&self) -> FaultDetection {
        match self.shared.config.jit {
            Jit::Off => FaultDetection::Checks,
            #[cfg(feature = "cranelift")]
            Jit::Cranelift => self.shared.config.fault_detection,
        }
    }

    #[cfg(feature = "cranelift")]
    pub(crate) fn compiler(&self) -> Option<&Arc<pvm_codegen::Compiler>> {
        self.shared.compiler.as_ref()
    }
}

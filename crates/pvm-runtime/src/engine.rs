//! The engine: what all modules share.

use crate::timer::Timer;
use crate::{Config, EngineError, InstanceError, Jit};
use pvm_vm::{FaultDetection, Pool};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// The address space of at most so many guests is kept when they go. Each takes some 30 KiB of the host's memory, or up to 350.
const MOST_IDLE: usize = 1024;

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
    /// How many instances there are.
    instances: AtomicUsize,
    /// Address space for them.
    pool: Arc<Pool>,
    timer: Timer,
}

/// Says that there is an instance, as long as it exists itself.
#[derive(Debug)]
pub(crate) struct InstanceSlot {
    engine: Engine,
}

impl Drop for InstanceSlot {
    fn drop(&mut self) {
        self.engine.shared.instances.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Engine {
    /// Sets up an engine.
    ///
    /// # Errors
    ///
    /// If a number is out of its range, or a compiler is wanted and the host has none.
    pub fn new(config: &Config) -> Result<Engine, EngineError> {
        config.check()?;
        #[cfg(feature = "cranelift")]
        let compiler = match config.jit {
            crate::Jit::Off => None,
            crate::Jit::Cranelift => {
                let Config { opt_level, fault_detection, verify, make_room, .. } = *config;
                Some(Arc::new(pvm_codegen::Compiler::new(opt_level, fault_detection, verify, make_room)?))
            }
        };
        let detection = match config.jit {
            // The interpreter checks, whatever the host does.
            Jit::Off => FaultDetection::Checks,
            #[cfg(feature = "cranelift")]
            Jit::Cranelift => config.fault_detection,
        };
        let shared = Shared {
            config: config.clone(),
            #[cfg(feature = "cranelift")]
            compiler,
            instances: AtomicUsize::new(0),
            pool: Pool::new(detection, config.instance_limit.min(MOST_IDLE)),
            timer: Timer::default(),
        };
        Ok(Engine { shared: Arc::new(shared) })
    }

    /// The settings.
    pub fn config(&self) -> &Config {
        &self.shared.config
    }

    /// Room for one more instance.
    pub(crate) fn instance_slot(&self) -> Result<InstanceSlot, InstanceError> {
        let limit = self.config().instance_limit;
        let one_more = |count: usize| (count < limit).then_some(count + 1);
        match self.shared.instances.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more) {
            Ok(_) => Ok(InstanceSlot { engine: self.clone() }),
            Err(_) => Err(InstanceError::Instances { limit }),
        }
    }

    /// What interrupts runs when their time is up.
    pub(crate) fn timer(&self) -> &Timer {
        &self.shared.timer
    }

    /// Where guests get their address space.
    pub(crate) fn pool(&self) -> &Arc<Pool> {
        &self.shared.pool
    }

    #[cfg(feature = "cranelift")]
    pub(crate) fn compiler(&self) -> Option<&Arc<pvm_codegen::Compiler>> {
        self.shared.compiler.as_ref()
    }
}

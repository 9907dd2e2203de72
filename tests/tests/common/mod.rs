//! What tests of single loops and branches have in common.

use pvm_runtime::{Config, Engine, FaultDetection, GasModel, Jit};

pub const MODELS: [GasModel; 4] = [GasModel::Instruction, GasModel::Block, GasModel::Pipeline, GasModel::None];

/// An interpreter, and what compiles everything before it runs, with refused accesses detected in either way.
pub fn engines() -> [Engine; 3] {
    let config = |jit, fault_detection| Config { jit, jit_threshold: 0, fault_detection, ..Config::default() };
    [
        config(Jit::Off, FaultDetection::best()),
        config(Jit::Cranelift, FaultDetection::best()),
        config(Jit::Cranelift, FaultDetection::Checks),
    ]
    .map(|config| Engine::new(&Config { count_instructions: true, ..config }).unwrap())
}

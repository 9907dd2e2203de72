//! Gas models of the PVM: what running a stretch of code costs.
//!
//! A model answers one question, [`cost_from`]: what is charged at once when execution enters the code at a program
//! counter. Interpreter and compiler both ask it and nothing else, so a model is one function over instructions and the
//! table's cost columns, and the two cannot disagree.
//!
//! | module | what it knows |
//! |---|---|
//! | `model` | the models by name, and the ones that only count instructions |
//! | `issue` | what an instruction asks of the pipeline: latency, decode slots, units, registers |
//! | `units` | the execution units |
//! | `pipeline` | the simulated processor of the 0.8 line |
//!
//! ```
//! use pvm_gas::{GasModel, cost_from};
//! use pvm_isa::Profile;
//! use pvm_program::{Blob, Code};
//!
//! // add_64, ecalli, trap
//! let blob = Blob { code: vec![200, 0x87, 9, 10, 1, 0], bitmask: vec![0b10_1001], ..Blob::default() };
//! let code = Code::new(&blob, Profile::V0_7);
//! assert_eq!(cost_from(GasModel::Instruction, &code, 0), 2);
//! assert_eq!(cost_from(GasModel::Block, &code, 0), 3);
//! ```
#![forbid(unsafe_code)]

mod issue;
mod model;
mod pipeline;
mod units;

pub use model::{GasModel, cost_from};
pub use pipeline::{L1_LATENCY, L2_LATENCY, L3_LATENCY, pipeline_cost};

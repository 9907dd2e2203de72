//! The vectors of the 0.8 line's draft gas model: the costs of blocks, and scripts of steps.

use super::fields::Fields;
use super::{Chunk, Pages, Problem, Registers, Status, VectorError};
use pvm_isa::REG_COUNT;
use std::collections::BTreeMap;

/// A program with the costs of its blocks. Opcodes are numbered as in [`pvm_isa::Profile::Draft`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GasVector {
    /// The name.
    pub name: String,
    /// The program blob.
    pub program: Vec<u8>,
    /// Registers at the start.
    pub registers: Registers,
    /// Program counter at the start.
    pub pc: u32,
    /// Gas at the start; absent where there are no steps.
    pub gas: Option<u64>,
    /// What is mapped at the start.
    pub pages: Vec<Pages>,
    /// What memory holds at the start.
    pub memory: Vec<Chunk>,
    /// What is done, in order.
    pub steps: Vec<Step>,
    /// For each program counter: what running from there to the end of the block costs. The end of the code may be among
    /// them, for the trap that stands there.
    pub block_gas_costs: BTreeMap<u32, u32>,
}

/// A step of a [`GasVector`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Run, or go on, until it stops.
    Run,
    /// Map zeroed pages.
    Map(Pages),
    /// Put bytes into memory, whatever the guest may do with them.
    Write(Chunk),
    /// Set a register.
    SetRegister {
        /// Which one, at most 12.
        register: u8,
        /// The value.
        value: u64,
    },
    /// Compare the state.
    Assert(Assertion),
}

/// What the state of the machine must be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assertion {
    /// How the last run stopped.
    pub status: Status,
    /// The page that faulted, where the vector says so.
    pub page_fault_address: Option<u32>,
    /// Gas that is left, where the vector says so.
    pub gas: Option<u64>,
    /// Program counter, where the vector says so.
    pub pc: Option<u32>,
    /// Registers, where the vector says so.
    pub registers: Option<Registers>,
    /// What memory holds, at least.
    pub memory: Vec<Chunk>,
}

impl GasVector {
    /// Reads a vector.
    ///
    /// # Errors
    ///
    /// Where it is not JSON, or a field is missing, unknown, or has a value that it cannot have.
    pub fn parse(bytes: &[u8]) -> Result<GasVector, VectorError> {
        GasVector::read(Fields::parse(bytes)?)
    }

    pub(super) fn read(mut fields: Fields<'_>) -> Result<GasVector, VectorError> {
        let vector = GasVector {
            name: fields.optional("name")?.unwrap_or_default(),
            program: fields.required("program")?,
            registers: fields.optional("initial-regs")?.unwrap_or_default(),
            pc: fields.optional("initial-pc")?.unwrap_or_default(),
            gas: fields.optional("initial-gas")?,
            pages: fields.list("initial-page-map", Pages::read)?,
            memory: fields.list("initial-memory", Chunk::read)?,
            steps: fields.list("steps", Step::read)?,
            block_gas_costs: fields.optional("block-gas-costs")?.unwrap_or_default(),
        };
        if vector.gas.is_none() && vector.steps.contains(&Step::Run) {
            return Err(fields.error("initial-gas", Problem::Missing));
        }
        fields.finish()?;
        Ok(vector)
    }
}

impl Step {
    fn read(mut fields: Fields<'_>) -> Result<Step, VectorError> {
        let kind: String = fields.required("kind")?;
        let step = match kind.as_str() {
            "run" => Step::Run,
            "map" => Step::Map(Pages::read_from(&mut fields)?),
            "write" => Step::Write(Chunk::read_from(&mut fields)?),
            "set-reg" => Step::SetRegister { register: register(&mut fields)?, value: fields.required("value")? },
            "assert" => Step::Assert(Assertion::read(&mut fields)?),
            _ => return Err(fields.error("kind", Problem::StepKind(kind))),
        };
        fields.finish()?;
        Ok(step)
    }
}

fn register(fields: &mut Fields<'_>) -> Result<u8, VectorError> {
    let number: u64 = fields.required("reg")?;
    match u8::try_from(number) {
        Ok(register) if usize::from(register) < REG_COUNT => Ok(register),
        _ => Err(fields.error("reg", Problem::Register(number))),
    }
}

impl Assertion {
    fn read(fields: &mut Fields<'_>) -> Result<Assertion, VectorError> {
        Ok(Assertion {
            status: Status::read(fields, "status")?,
            page_fault_address: fields.optional("page-fault-address")?,
            gas: fields.optional("gas")?,
            pc: fields.optional("pc")?,
            registers: fields.optional("regs")?,
            memory: fields.list("memory", Chunk::read)?,
        })
    }
}

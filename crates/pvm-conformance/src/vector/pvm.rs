//! The public PVM test vectors, version 0.4: one run of one program.

use super::fields::Fields;
use super::{Chunk, Pages, Problem, Registers, Status, VectorError};
use pvm_gas::GasModel;

/// A program, the state that it starts in, and what is expected when it stops.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Vector {
    /// The name.
    pub name: String,
    /// How gas is charged, if the vector says so (`gas-model`, an addition of this project). The published vectors do
    /// not: theirs is by block.
    pub gas_model: Option<GasModel>,
    /// The program: a blob, valid or not.
    pub program: Vec<u8>,
    /// Registers at the start.
    pub registers: Registers,
    /// Program counter at the start.
    pub pc: u32,
    /// Gas at the start.
    pub gas: u64,
    /// What is mapped; all else is inaccessible.
    pub pages: Vec<Pages>,
    /// What memory holds, besides zeros. These bytes are put there whatever the guest may do with them.
    pub memory: Vec<Chunk>,
    /// The state it must stop in.
    pub expected: Expected,
}

/// What a [`Vector`] expects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// How it stopped.
    pub status: Status,
    /// The page that faulted, if the vector says so.
    pub page_fault_address: Option<u32>,
    /// Registers.
    pub registers: Registers,
    /// Program counter.
    pub pc: u32,
    /// Gas that is left.
    pub gas: u64,
    /// What memory holds; vectors list everything that is not zero.
    pub memory: Vec<Chunk>,
}

impl Vector {
    /// Reads a vector.
    ///
    /// # Errors
    ///
    /// Where it is not JSON, or a field is missing, unknown, or has a value that it cannot have.
    pub fn parse(bytes: &[u8]) -> Result<Vector, VectorError> {
        Vector::read(Fields::parse(bytes)?)
    }

    pub(super) fn read(mut fields: Fields<'_>) -> Result<Vector, VectorError> {
        let vector = Vector {
            name: fields.optional("name")?.unwrap_or_default(),
            gas_model: gas_model(&mut fields)?,
            program: fields.required("program")?,
            registers: fields.optional("initial-regs")?.unwrap_or_default(),
            pc: fields.optional("initial-pc")?.unwrap_or_default(),
            gas: fields.required("initial-gas")?,
            pages: fields.list("initial-page-map", Pages::read)?,
            memory: fields.list("initial-memory", Chunk::read)?,
            expected: Expected {
                status: Status::read(&mut fields, "expected-status")?,
                page_fault_address: fields.optional("expected-page-fault-address")?,
                registers: fields.required("expected-regs")?,
                pc: fields.required("expected-pc")?,
                gas: fields.required("expected-gas")?,
                memory: fields.list("expected-memory", Chunk::read)?,
            },
        };
        fields.finish()?;
        Ok(vector)
    }
}

fn gas_model(fields: &mut Fields<'_>) -> Result<Option<GasModel>, VectorError> {
    let Some(name) = fields.optional::<String>("gas-model")? else { return Ok(None) };
    match GasModel::from_name(&name) {
        Some(model) => Ok(Some(model)),
        None => Err(fields.error("gas-model", Problem::GasModel(name))),
    }
}

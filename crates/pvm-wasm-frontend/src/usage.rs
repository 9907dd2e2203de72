//! What the code of a module may do to sizes. What nobody does leaves them constant, and checks get cheaper.

use crate::translate::is_arithmetic;
use crate::{Module, WasmError};
use wasmparser::Operator;

/// What the instructions of a module do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// There is a `memory.grow`.
    pub grows_memory: bool,
    /// For each table, whether there is a `table.grow` of it.
    pub grows_table: Vec<bool>,
    /// For each data segment, whether there is a `data.drop` of it.
    pub drops_data: Vec<bool>,
    /// For each element segment, whether there is an `elem.drop` of it.
    pub drops_elements: Vec<bool>,
    /// How many functions compute with floating-point numbers.
    pub float_functions: usize,
}

impl Usage {
    /// Looks at all instructions of a module.
    ///
    /// # Errors
    ///
    /// None for a module that is valid.
    pub fn of(module: &Module<'_>) -> Result<Usage, WasmError> {
        let mut usage = Usage {
            grows_memory: false,
            grows_table: vec![false; module.tables.len()],
            drops_data: vec![false; module.data.len()],
            drops_elements: vec![false; module.elements.len()],
            float_functions: 0,
        };
        for body in &module.bodies {
            let mut has_floats = false;
            for operator in body.get_operators_reader()? {
                match operator? {
                    Operator::MemoryGrow { .. } => usage.grows_memory = true,
                    Operator::TableGrow { table } => usage.grows_table[table as usize] = true,
                    Operator::DataDrop { data_index } => usage.drops_data[data_index as usize] = true,
                    Operator::ElemDrop { elem_index } => usage.drops_elements[elem_index as usize] = true,
                    operator => has_floats |= is_arithmetic(&operator),
                }
            }
            usage.float_functions += usize::from(has_floats);
        }
        Ok(usage)
    }
}

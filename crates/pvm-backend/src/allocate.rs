//! Register allocation, by `regalloc2`.

use crate::abi;
use crate::error::Problem;
use crate::vcode::VCode;
use regalloc2::checker::Checker;
use regalloc2::{Output, RegallocOptions};

/// Finds a register or a place in the frame for each operand. With `check`, the allocator's checker follows every value
/// through what it has made.
pub fn allocate(code: &VCode, check: bool) -> Result<Output, Problem> {
    let env = abi::machine_env();
    let options = RegallocOptions { validate_ssa: check, ..RegallocOptions::default() };
    let output = regalloc2::run(code, &env, &options).map_err(|error| Problem::Registers(error.to_string()))?;
    if check {
        let mut checker = Checker::new(code, &env);
        checker.prepare(&output);
        checker.run().map_err(|errors| Problem::Registers(format!("{errors:?}")))?;
    }
    Ok(output)
}

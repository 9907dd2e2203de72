//! Cranelift's own passes: verifier, unreachable code, block parameters that are constant, and the rewriting rules of its
//! e-graph with common subexpressions, constants and loop-invariant code. They need flags only, no machine. What they put
//! back into loops is [taken out](crate::hoist) again.

use crate::error::Problem;
use crate::hoist::hoist;
use cranelift_codegen::Context;
use cranelift_codegen::control::ControlPlane;
use cranelift_codegen::ir::Function;
use cranelift_codegen::settings::{self, Flags};

/// Verifies `function`, and runs the passes over it. The context has its control-flow graph, dominators and loops then.
pub fn optimise(function: Function, passes: bool) -> Result<Context, Problem> {
    // The verifier runs once, by hand: the passes would run it after each of them.
    let mut builder = settings::builder();
    settings::Configurable::set(&mut builder, "enable_verifier", "false").expect("the setting exists");
    let flags = Flags::new(builder);
    let invalid = |error: &dyn std::fmt::Display| Problem::Invalid(error.to_string());

    let mut context = Context::for_function(function);
    context.flowgraph();
    context.verify(&flags).map_err(|errors| invalid(&errors))?;
    context.eliminate_unreachable_code(&flags).map_err(|error| invalid(&error))?;
    context.remove_constant_phis(&flags).map_err(|error| invalid(&error))?;
    context.func.dfg.resolve_all_aliases();
    if passes {
        context.egraph_pass(&flags, &mut ControlPlane::default()).map_err(|error| invalid(&error))?;
        // Branches may be gone.
        context.flowgraph();
        context.eliminate_unreachable_code(&flags).map_err(|error| invalid(&error))?;
        context.func.dfg.resolve_all_aliases();
    }
    context.flowgraph();
    context.compute_loop_analysis();
    if passes {
        hoist(&mut context);
    }
    Ok(context)
}

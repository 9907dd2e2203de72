//! Random modules.

use fastrand::Rng;
use wasm_smith::{Config, Module};

/// How many bytes of chance a module is made of, at most.
const CHANCE: usize = 8192;

/// How much a module may do: instructions that go back or call take from it.
const FUEL: u32 = 20_000;

/// The module of a seed.
pub fn module(seed: u64) -> Vec<u8> {
    let rng = &mut Rng::with_seed(seed);
    loop {
        let mut chance = vec![0; rng.usize(256..CHANCE)];
        rng.fill(&mut chance);
        let config = config(rng);
        let is_safe = config.disallow_traps;
        let made = Module::new(config, &mut arbitrary::Unstructured::new(&chance));
        let Ok(mut module) = made else { continue };
        if module.ensure_termination(FUEL).is_ok() {
            let bytes = module.to_bytes();
            if !is_safe || !divides(&bytes) {
                return bytes;
            }
        }
    }
}

/// Whether a module divides.
///
/// A module that is made so that it does not trap has `x == 0 ? 1 : x` before each division, in a form that wasmi 2.0.0 gets
/// wrong at times: 0, or 1, where V8 and we have something else. Divisions are left to the modules that may trap.
fn divides(bytes: &[u8]) -> bool {
    use wasmparser::Operator as O;
    let bodies = wasmparser::Parser::new(0).parse_all(bytes).filter_map(|payload| match payload {
        Ok(wasmparser::Payload::CodeSectionEntry(body)) => body.get_operators_reader().ok(),
        _ => None,
    });
    bodies.flatten().any(|operator| {
        matches!(
            operator,
            Ok(O::I32DivS | O::I32DivU | O::I32RemS | O::I32RemU | O::I64DivS | O::I64DivU | O::I64RemS | O::I64RemU)
        )
    })
}

fn config(rng: &mut Rng) -> Config {
    Config {
        // Once in a while they are moved around; where they are computed with, the comparison ends.
        allow_floats: rng.u8(..8) == 0,
        allow_start_export: rng.u8(..3) == 0,
        bulk_memory_enabled: true,
        disallow_traps: rng.u8(..3) != 0,
        exceptions_enabled: false,
        export_everything: true,
        extended_const_enabled: false,
        gc_enabled: false,
        compact_imports_enabled: false,
        generate_custom_sections: false,
        max_data_segments: 8,
        max_element_segments: 8,
        max_funcs: rng.usize(1..=12),
        max_globals: 10,
        max_imports: 0,
        max_instructions: *rng.choice(&[20, 100, 400]).expect("there are some"),
        max_memories: 1,
        max_memory32_bytes: 16 << 16,
        max_nesting_depth: 12,
        max_table_elements: 200,
        max_tables: 3,
        memory64_enabled: false,
        memory_max_size_required: true,
        min_funcs: 1,
        min_globals: 0,
        min_memories: u32::from(rng.u8(..4) != 0),
        multi_value_enabled: true,
        reference_types_enabled: true,
        relaxed_simd_enabled: false,
        saturating_float_to_int_enabled: true,
        sign_extension_ops_enabled: true,
        simd_enabled: false,
        table_max_size_required: true,
        tail_call_enabled: false,
        threads_enabled: false,
        wide_arithmetic_enabled: false,
        ..Config::default()
    }
}

//! Which parts of the standard are accepted, and the names of those that are not.

use crate::{Problem, WasmError};
use wasmparser::{BinaryReaderError, Validator, WasmFeatures};

/// A version of the standard.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Level {
    /// WebAssembly 1.0.
    V1,
    /// WebAssembly 2.0, without vectors.
    #[default]
    V2,
}

impl Level {
    fn features(self) -> WasmFeatures {
        match self {
            Level::V1 => WasmFeatures::WASM1,
            Level::V2 => WasmFeatures::WASM2.difference(WasmFeatures::SIMD),
        }
    }
}

/// What is not supported: its flag, its name, and what to do about it.
const REFUSED: [(WasmFeatures, &str, &str); 17] = [
    (WasmFeatures::SIMD, "vector instructions (SIMD)", "compile without `-msimd128` or `+simd128`"),
    (WasmFeatures::RELAXED_SIMD, "relaxed vector instructions", "compile without `-mrelaxed-simd`"),
    (WasmFeatures::THREADS, "threads (atomics and shared memory)", "compile without `-pthread` and `-matomics`"),
    (WasmFeatures::SHARED_EVERYTHING_THREADS, "shared-everything threads", "compile for one thread"),
    (WasmFeatures::TAIL_CALL, "tail calls", "compile without `-mtail-call`"),
    (WasmFeatures::MULTI_MEMORY, "several memories", "use one memory"),
    (WasmFeatures::EXCEPTIONS, "exceptions", "compile without `-fwasm-exceptions`"),
    (WasmFeatures::LEGACY_EXCEPTIONS, "exceptions (in their early form)", "compile without `-fwasm-exceptions`"),
    (WasmFeatures::MEMORY64, "64-bit memories and tables", "compile for `wasm32`"),
    (WasmFeatures::EXTENDED_CONST, "extended constant expressions", "compile without `-mextended-const`"),
    (WasmFeatures::FUNCTION_REFERENCES, "typed function references", "use `funcref` and `call_indirect`"),
    (WasmFeatures::GC, "garbage-collected objects (GC)", "compile for linear memory"),
    (WasmFeatures::STACK_SWITCHING, "stack-switching instructions", "compile without them"),
    (WasmFeatures::WIDE_ARITHMETIC, "instructions of wide arithmetic", "compile without `-mwide-arithmetic`"),
    (WasmFeatures::CUSTOM_PAGE_SIZES, "custom page sizes", "use pages of 64 KiB"),
    (WasmFeatures::MEMORY_CONTROL, "memory-control instructions", "compile without them"),
    (WasmFeatures::COMPACT_IMPORTS, "compact imports", "write imports one by one"),
];

/// Validates a module. The error names the part of the standard that would be needed, where that is the matter.
pub(crate) fn validate(bytes: &[u8], level: Level) -> Result<(), WasmError> {
    let accepted = level.features();
    let Err(error) = run(bytes, accepted) else { return Ok(()) };
    if bytes.get(4..8) == Some(&[0x0d, 0, 1, 0]) {
        return Err(Problem::Unsupported {
            feature: "components",
            advice: "extract the core module, for example with `wasm-tools component unbundle`",
        }
        .at(4));
    }
    // With the right part of the standard the module is valid, or the error comes later. Some parts build on others.
    let gc = WasmFeatures::GC | WasmFeatures::FUNCTION_REFERENCES;
    for (flag, feature, advice) in REFUSED {
        let with = match flag {
            WasmFeatures::RELAXED_SIMD => flag | WasmFeatures::SIMD,
            WasmFeatures::GC => gc,
            flag => flag,
        };
        let gets_further = match run(bytes, accepted | with) {
            Ok(()) => true,
            Err(other) => other.offset() > error.offset(),
        };
        if gets_further {
            return Err(Problem::Unsupported { feature, advice }.at(error.offset()));
        }
    }
    Err(error.into())
}

fn run(bytes: &[u8], features: WasmFeatures) -> Result<(), BinaryReaderError> {
    Validator::new_with_features(features).validate_all(bytes).map(|_| ())
}

//! The other side: `wasmi`, which we did not write.

use super::End;
use fastrand::Rng;
use std::panic::{AssertUnwindSafe, catch_unwind};
use wasmi::{Engine, ExternType, F32, F64, Instance, Linker, Module, Store, TrapCode, Val, ValType};

/// A module in `wasmi`.
pub struct Reference {
    module: Module,
    store: Store<()>,
    instance: Option<Instance>,
}

/// Numbers at which arithmetic turns.
const EDGES: [u64; 12] = [
    0,
    1,
    2,
    0x7f,
    0xff,
    0xffff,
    0x1_0000,
    0x7fff_ffff,
    0x8000_0000,
    0xffff_ffff,
    0x8000_0000_0000_0000,
    0xffff_ffff_ffff_ffff,
];

impl Reference {
    pub fn new(bytes: &[u8]) -> Result<Reference, String> {
        let engine = Engine::default();
        let module = Module::new(&engine, bytes).map_err(|error| format!("wasmi refuses it: {error}"))?;
        Ok(Reference { module, store: Store::new(&engine, ()), instance: None })
    }

    pub fn instantiate(&mut self) -> Result<End, String> {
        let linker = Linker::new(self.module.engine());
        let start = || linker.instantiate_and_start(&mut self.store, &self.module);
        let Ok(outcome) = catch_unwind(AssertUnwindSafe(start)) else { return Ok(End::Unknown) };
        match outcome {
            Ok(instance) => {
                self.instance = Some(instance);
                Ok(End::Return(Vec::new()))
            }
            // Segments that do not fit are errors of another kind there.
            Err(error) => Ok(error.as_trap_code().map_or(End::Trap, end)),
        }
    }

    fn instance(&self) -> Instance {
        self.instance.expect("it has come into being")
    }

    /// The names of all exported functions.
    pub fn functions(&self) -> Vec<String> {
        let exports = self.module.exports();
        let functions = exports.filter(|export| matches!(export.ty(), ExternType::Func(_)));
        functions.map(|export| export.name().to_owned()).collect()
    }

    /// Arguments for a function, as bits. References are null.
    pub fn arguments(&self, name: &str, rng: &mut Rng) -> Vec<u64> {
        let Some(ExternType::Func(ty)) = self.module.get_export(name) else { return Vec::new() };
        let mut number = || match rng.u8(..4) {
            0 => rng.u64(..),
            1 => rng.u64(..64),
            _ => EDGES[rng.usize(..EDGES.len())],
        };
        let mut value = |ty: &ValType| match ty {
            ValType::I32 | ValType::F32 => number() & 0xffff_ffff,
            ValType::I64 | ValType::F64 => number(),
            _ => 0,
        };
        ty.params().iter().map(&mut value).collect()
    }

    pub fn call(&mut self, name: &str, arguments: &[u64]) -> Result<End, String> {
        let function = self.instance().get_func(&self.store, name).ok_or("there is no such function")?;
        let ty = function.ty(&self.store);
        let arguments: Vec<Val> = ty.params().iter().zip(arguments).map(|(&ty, &bits)| value(ty, bits)).collect();
        let mut results: Vec<Val> = ty.results().iter().map(|&ty| value(ty, 0)).collect();
        // It translates functions when they are called, and has panicked there on a valid one.
        let call = || function.call(&mut self.store, &arguments, &mut results);
        let Ok(outcome) = catch_unwind(AssertUnwindSafe(call)) else { return Ok(End::Unknown) };
        match outcome {
            Ok(()) => Ok(End::Return(results.iter().map(bits).collect())),
            Err(error) => error.as_trap_code().map(end).ok_or_else(|| format!("wasmi: {error}")),
        }
    }

    pub fn memory(&self) -> Vec<u8> {
        let mut exports = self.instance().exports(&self.store);
        let memory = exports.find_map(|export| export.into_memory());
        memory.map_or_else(Vec::new, |memory| memory.data(&self.store).to_vec())
    }

    /// The values of all globals that are numbers.
    pub fn globals(&self) -> Vec<(String, u64)> {
        let exports = self.instance().exports(&self.store);
        let globals = exports.filter_map(|export| {
            let name = export.name().to_owned();
            let value = export.into_global()?.get(&self.store);
            let is_number = !matches!(value, Val::FuncRef(_) | Val::ExternRef(_));
            is_number.then(|| (name, bits(&value)))
        });
        globals.collect()
    }
}

/// A trap; limits of the reference are none.
fn end(code: TrapCode) -> End {
    match code {
        TrapCode::StackOverflow | TrapCode::OutOfFuel | TrapCode::GrowthOperationLimited => End::Unknown,
        _ => End::Trap,
    }
}

fn value(ty: ValType, bits: u64) -> Val {
    match ty {
        ValType::I32 => Val::I32(bits as i32),
        ValType::I64 => Val::I64(bits as i64),
        ValType::F32 => Val::F32(F32::from_bits(bits as u32)),
        ValType::F64 => Val::F64(F64::from_bits(bits)),
        ty => Val::default_for_ty(ty),
    }
}

fn bits(value: &Val) -> u64 {
    match value {
        Val::I32(value) => u64::from(*value as u32),
        Val::I64(value) => *value as u64,
        Val::F32(value) => u64::from(value.to_bits()),
        Val::F64(value) => value.to_bits(),
        // Only whether it is null can be compared.
        Val::FuncRef(reference) => u64::from(!reference.is_null()),
        Val::ExternRef(reference) => u64::from(!reference.is_null()),
        _ => 0,
    }
}

//! Our side: the module as a PVM program, interpreted and compiled.

use super::End;
use pvm_conformance::Suite;
use pvm_conformance::script::{FLOAT_CALL, Guest, Stop};
use pvm_runtime::{Config, Engine, Jit};
use pvm_wasm::{
    CompileError, EntryPoint, Extent, Extern, GlobalPlace, Level, Linked, Module, Options, Unit, ValType, link,
};
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// One of our sides.
pub struct Ours {
    /// What it is called.
    pub name: &'static str,
    guest: Guest,
    places: Places,
}

/// A module, compiled.
pub struct Sides {
    program: pvm_program::StandardProgram,
    places: Places,
}

/// Where things are.
#[derive(Clone)]
struct Places {
    scratch: u32,
    /// Exported functions: entry, and the types of results.
    functions: BTreeMap<String, (u32, Vec<ValType>)>,
    globals: BTreeMap<String, GlobalPlace>,
    memory: Option<(u32, Extent)>,
}

/// The engines of the sides, with their names.
static ENGINES: LazyLock<[(&str, Engine); 2]> = LazyLock::new(|| {
    let engine =
        |jit| Engine::new(&Config { jit, jit_threshold: 0, ..Config::default() }).expect("the machine has memory");
    [("interpreted", engine(Jit::Off)), ("compiled", engine(Jit::Cranelift))]
});

impl Ours {
    /// Compiles a module.
    pub fn compile(bytes: &[u8]) -> Result<Sides, CompileError> {
        let module = Module::parse(bytes, Level::V2)?;
        let unit =
            Unit { module: &module, names: BTreeMap::new(), overlays: Vec::new(), provides: false, memory_of: None };
        let mut entries = vec![EntryPoint::Prepare, EntryPoint::Instantiate(0)];
        let mut functions = BTreeMap::new();
        for export in &module.exports {
            if let Extern::Function(function) = export.item {
                let results = module.function_type(function).results().to_vec();
                functions.insert(export.name.to_owned(), (Linked::entry_pc(entries.len()), results));
                entries.push(EntryPoint::Invoke { unit: 0, function });
            }
        }
        let options = Options { stack_size: 1 << 24, float_call: Some(FLOAT_CALL), ..Options::default() };
        let linked = link(&[unit], &entries, &options)?;
        let instance = &linked.instances[0];
        let globals = module.exports.iter().filter_map(|export| match export.item {
            Extern::Global(global) => Some((export.name.to_owned(), instance.globals[global as usize])),
            _ => None,
        });
        let places = Places {
            scratch: linked.scratch,
            functions,
            globals: globals.collect(),
            memory: instance.memory.map(|memory| (memory.base, memory.size)),
        };
        Ok(Sides { program: linked.program, places })
    }

    pub fn instantiate(&mut self) -> Result<End, String> {
        let stop = self.guest.enter(Linked::entry_pc(1));
        self.end(stop, &[])
    }

    pub fn call(&mut self, name: &str, arguments: &[u64]) -> Result<End, String> {
        let (entry, results) = &self.places.functions[name];
        self.guest.set_cells(self.places.scratch, arguments)?;
        let stop = self.guest.enter(*entry);
        self.end(stop, results)
    }

    fn end(&self, stop: Stop, results: &[ValType]) -> Result<End, String> {
        match stop {
            Stop::Halt => {
                let cells = self.guest.cells(self.places.scratch, results.len())?;
                let values = cells.into_iter().zip(results).map(|(cell, ty)| match ty {
                    // Only whether a reference is null can be compared.
                    ValType::Ref(_) => u64::from(cell != 0),
                    _ => cell,
                });
                Ok(End::Return(values.collect()))
            }
            Stop::Trap => Ok(End::Trap),
            Stop::Float => Ok(End::Unknown),
            Stop::Other(exit) => Err(format!("{}: {exit}", self.name)),
        }
    }

    pub fn memory(&self) -> Result<Vec<u8>, String> {
        let Some((base, size)) = self.places.memory else { return Ok(Vec::new()) };
        let size = match size {
            Extent::Constant(size) => size,
            Extent::Settled(cell) | Extent::Growing(cell) => self.guest.cells(cell, 1)?[0] as u32,
        };
        self.guest.bytes(base, size as usize)
    }

    pub fn global(&self, name: &str) -> Result<u64, String> {
        self.guest.global(self.places.globals[name])
    }
}

impl Sides {
    /// A guest on each engine.
    pub fn start(self) -> Result<Vec<Ours>, String> {
        ENGINES
            .iter()
            .map(|(name, engine)| {
                let suite = Suite { engine: engine.clone(), options: Default::default(), timeout: None };
                let guest = Guest::new(&suite, self.program.clone(), Linked::entry_pc(0))?;
                Ok(Ours { name, guest, places: self.places.clone() })
            })
            .collect()
    }
}

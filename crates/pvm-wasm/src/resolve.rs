//! What each import of each module is.

use crate::imports::{Action, ImportMap, host_action, intrinsic};
use crate::{LinkError, Unresolved};
use pvm_wasm_frontend::{Callee, Extern, FuncType, ImportKind, Limits, Module, Table};
use std::collections::BTreeMap;

/// A module of a program.
#[derive(Clone, Debug)]
pub struct Unit<'a> {
    /// The module.
    pub module: &'a Module<'a>,
    /// The units, by number, that its imports are from, by the name that it knows them by.
    pub names: BTreeMap<String, usize>,
    /// Units whose exports stand for imports of the same name from whatever module.
    pub overlays: Vec<usize>,
    /// A memory or table that is imported and is nothing else is one of its own. So a host would give it.
    pub provides: bool,
    /// The memory that is meant if it imports one that is nothing else.
    pub memory_of: Option<usize>,
}

/// What the imports of a unit are.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resolved {
    /// Functions.
    pub functions: Vec<Callee>,
    /// Tables, as the unit that has each and the number there.
    pub tables: Vec<(usize, u32)>,
    /// The unit that has the memory.
    pub memory: Option<usize>,
    /// Globals.
    pub globals: Vec<GlobalOwner>,
}

/// What a global is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum GlobalOwner {
    /// That of a unit, with the number there.
    Unit(usize, u32),
    /// A constant.
    Constant(u64),
}

/// What an import is.
#[derive(Clone, Copy, Debug)]
enum Definition {
    Unit(usize, Extern),
    Host(Action),
}

struct Resolver<'a, 'm> {
    units: &'a [Unit<'m>],
    imports: &'a ImportMap,
}

/// Says whether the imports of the last unit fit, when those of the others do.
///
/// # Errors
///
/// If they do not.
pub fn check_imports(units: &[Unit<'_>], imports: &ImportMap) -> Result<(), LinkError> {
    let resolver = Resolver { units, imports };
    resolver.unit(units.len() - 1).map(|_| ())
}

/// Resolves the imports of all units.
pub(crate) fn resolve(units: &[Unit<'_>], imports: &ImportMap) -> Result<Vec<Resolved>, LinkError> {
    let resolver = Resolver { units, imports };
    let mut resolved = Vec::new();
    let mut unresolved = Vec::new();
    for unit in 0..units.len() {
        match resolver.unit(unit) {
            Ok(unit) => resolved.push(unit),
            Err(LinkError::Unresolved(imports)) => unresolved.extend(imports),
            Err(error) => return Err(error),
        }
    }
    match unresolved.is_empty() {
        true => Ok(resolved),
        false => Err(LinkError::Unresolved(unresolved)),
    }
}

impl Resolver<'_, '_> {
    fn unit(&self, unit: usize) -> Result<Resolved, LinkError> {
        let module = self.units[unit].module;
        let mut resolved = Resolved::default();
        let mut unresolved = Vec::new();
        for (index, import) in module.imports.iter().enumerate() {
            let done = match import.kind {
                ImportKind::Function(function) => {
                    self.function(unit, index, function)?.map(|callee| resolved.functions.push(callee))
                }
                ImportKind::Table(table) => self.table(unit, index, table)?.map(|owner| resolved.tables.push(owner)),
                ImportKind::Memory => self.memory(unit, index)?.map(|owner| resolved.memory = Some(owner)),
                ImportKind::Global(global) => {
                    self.global(unit, index, global)?.map(|owner| resolved.globals.push(owner))
                }
            };
            if done.is_none() {
                unresolved.push(Unresolved {
                    module: import.module.to_owned(),
                    name: import.name.to_owned(),
                    kind: describe_import(module, import.kind),
                });
            }
        }
        if !unresolved.is_empty() {
            return Err(LinkError::Unresolved(unresolved));
        }
        let own = |count: usize, imported: u32| (imported..count as u32).map(move |index| (unit, index));
        resolved.tables.extend(own(module.tables.len(), module.imported_tables));
        let globals = own(module.globals.len(), module.imported_globals);
        resolved.globals.extend(globals.map(|(unit, global)| GlobalOwner::Unit(unit, global)));
        if module.memory.is_some() && !module.imports_memory {
            resolved.memory = Some(unit);
        }
        Ok(resolved)
    }

    /// What an import is, followed to the unit that defines it.
    fn definition(&self, mut unit: usize, mut import: usize) -> Option<Definition> {
        // A chain of imports that is longer than there are imports goes round in circles.
        let steps: usize = self.units.iter().map(|unit| unit.module.imports.len()).sum();
        for _ in 0..steps {
            let here = &self.units[unit];
            let wanted = &here.module.imports[import];
            let overlay = here.overlays.iter().find(|&&unit| self.units[unit].module.export(wanted.name).is_some());
            let Some(&owner) = overlay.or_else(|| here.names.get(wanted.module)) else {
                return self.imports.get(wanted.module, wanted.name).map(Definition::Host);
            };
            let item = self.units[owner].module.export(wanted.name)?;
            match imported(self.units[owner].module, item) {
                Some(further) => (unit, import) = (owner, further),
                None => return Some(Definition::Unit(owner, item)),
            }
        }
        None
    }

    fn function(&self, unit: usize, index: usize, function: u32) -> Result<Option<Callee>, LinkError> {
        let ty = self.units[unit].module.function_type(function);
        let import = &self.units[unit].module.imports[index];
        let action = |action: Result<_, String>| match action {
            Ok(action) => Ok(Some(Callee::Host(action))),
            Err(problem) => {
                Err(LinkError::Action { module: import.module.to_owned(), name: import.name.to_owned(), problem })
            }
        };
        match self.definition(unit, index) {
            Some(Definition::Unit(owner, Extern::Function(found))) => {
                let found_type = self.units[owner].module.function_type(found);
                match ty == found_type {
                    true => Ok(Some(Callee::Defined { instance: owner as u32, function: found })),
                    false => Err(self.mismatch(unit, index, describe_function(found_type))),
                }
            }
            Some(Definition::Unit(owner, item)) => Err(self.mismatch(unit, index, self.describe(owner, item))),
            Some(Definition::Host(found)) => action(host_action(found, ty)),
            None => intrinsic(import.module, import.name, ty).map_or(Ok(None), action),
        }
    }

    fn table(&self, unit: usize, index: usize, table: u32) -> Result<Option<(usize, u32)>, LinkError> {
        let wanted = self.units[unit].module.tables[table as usize];
        match self.definition(unit, index) {
            Some(Definition::Unit(owner, Extern::Table(found))) => {
                let there = self.units[owner].module.tables[found as usize];
                match wanted.element == there.element && fits(wanted.limits, there.limits) {
                    true => Ok(Some((owner, found))),
                    false => Err(self.mismatch(unit, index, describe_table(there))),
                }
            }
            Some(Definition::Unit(owner, item)) => Err(self.mismatch(unit, index, self.describe(owner, item))),
            _ => Ok(self.units[unit].provides.then_some((unit, table))),
        }
    }

    fn memory(&self, unit: usize, index: usize) -> Result<Option<usize>, LinkError> {
        let here = &self.units[unit];
        let wanted = here.module.memory.expect("it is imported");
        match self.definition(unit, index) {
            Some(Definition::Unit(owner, Extern::Memory)) => {
                let there = self.units[owner].module.memory.expect("it is exported");
                match fits(wanted, there) {
                    true => Ok(Some(owner)),
                    false => Err(self.mismatch(unit, index, describe_memory(there))),
                }
            }
            Some(Definition::Unit(owner, item)) => Err(self.mismatch(unit, index, self.describe(owner, item))),
            _ => Ok(here.memory_of.or(here.provides.then_some(unit))),
        }
    }

    fn global(&self, unit: usize, index: usize, global: u32) -> Result<Option<GlobalOwner>, LinkError> {
        let wanted = self.units[unit].module.globals[global as usize].ty;
        match self.definition(unit, index) {
            Some(Definition::Unit(owner, Extern::Global(found))) => {
                let there = self.units[owner].module.globals[found as usize].ty;
                match wanted == there {
                    true => Ok(Some(GlobalOwner::Unit(owner, found))),
                    false => Err(self.mismatch(unit, index, describe_global(there))),
                }
            }
            Some(Definition::Unit(owner, item)) => Err(self.mismatch(unit, index, self.describe(owner, item))),
            Some(Definition::Host(Action::Constant(value))) if !wanted.mutable => {
                Ok(Some(GlobalOwner::Constant(value as u64)))
            }
            _ => Ok(None),
        }
    }

    fn mismatch(&self, unit: usize, index: usize, found: String) -> LinkError {
        let module = self.units[unit].module;
        let import = &module.imports[index];
        LinkError::Type {
            module: import.module.to_owned(),
            name: import.name.to_owned(),
            expected: describe_import(module, import.kind),
            found,
        }
    }

    fn describe(&self, unit: usize, item: Extern) -> String {
        let module = self.units[unit].module;
        match item {
            Extern::Function(function) => describe_function(module.function_type(function)),
            Extern::Table(table) => describe_table(module.tables[table as usize]),
            Extern::Memory => describe_memory(module.memory.expect("it is exported")),
            Extern::Global(global) => describe_global(module.globals[global as usize].ty),
        }
    }
}

/// The import that an item of a module is, if it is one.
fn imported(module: &Module<'_>, item: Extern) -> Option<usize> {
    let kind = match item {
        Extern::Function(function) => ImportKind::Function(function),
        Extern::Table(table) => ImportKind::Table(table),
        Extern::Memory => ImportKind::Memory,
        Extern::Global(global) => ImportKind::Global(global),
    };
    module.imports.iter().position(|import| import.kind == kind)
}

/// Whether something of one size may stand where another is asked for.
fn fits(wanted: Limits, found: Limits) -> bool {
    found.minimum >= wanted.minimum
        && wanted.maximum.is_none_or(|wanted| found.maximum.is_some_and(|found| found <= wanted))
}

fn describe_import(module: &Module<'_>, kind: ImportKind) -> String {
    match kind {
        ImportKind::Function(function) => describe_function(module.function_type(function)),
        ImportKind::Table(table) => describe_table(module.tables[table as usize]),
        ImportKind::Memory => describe_memory(module.memory.expect("it is imported")),
        ImportKind::Global(global) => describe_global(module.globals[global as usize].ty),
    }
}

fn describe_function(ty: &FuncType) -> String {
    let list = |types: &[_]| types.iter().map(ToString::to_string).collect::<Vec<String>>().join(", ");
    format!("a function ({}) -> ({})", list(ty.params()), list(ty.results()))
}

fn describe_table(table: Table) -> String {
    format!("a table of {} with {}", table.element, describe_limits(table.limits, "entries"))
}

fn describe_memory(limits: Limits) -> String {
    format!("a memory of {}", describe_limits(limits, "pages"))
}

fn describe_limits(limits: Limits, unit: &str) -> String {
    match limits.maximum {
        Some(maximum) => format!("{} to {maximum} {unit}", limits.minimum),
        None => format!("{} or more {unit}", limits.minimum),
    }
}

fn describe_global(ty: pvm_wasm_frontend::GlobalType) -> String {
    format!("a {} global of type {}", if ty.mutable { "mutable" } else { "constant" }, ty.content_type)
}

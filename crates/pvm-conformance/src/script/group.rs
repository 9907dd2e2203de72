//! Which modules of a script belong together, and the programs that they make.

use super::Failure;
use super::guest::FLOAT_CALL;
use super::read::{Command, Script};
use pvm_program::StandardProgram;
use pvm_wasm::{EntryPoint, Extern, GlobalPlace, Level, Linked, Module, Options, Unit, check_imports, link};
use std::collections::BTreeMap;

/// The module that the official suite imports from.
const SPECTEST: &str = r#"(module
    (func (export "print"))
    (func (export "print_i32") (param i32))
    (func (export "print_i64") (param i64))
    (func (export "print_f32") (param f32))
    (func (export "print_f64") (param f64))
    (func (export "print_i32_f32") (param i32 f32))
    (func (export "print_f64_f64") (param f64 f64))
    (global (export "global_i32") i32 (i32.const 666))
    (global (export "global_i64") i64 (i64.const 666))
    (global (export "global_f32") f32 (f32.const 666.6))
    (global (export "global_f64") f64 (f64.const 666.6))
    (table (export "table") 10 20 funcref)
    (memory (export "memory") 1 2))"#;

/// Linear memory that all modules of a program may grow to, together.
const MEMORY: u32 = 96 << 20;

/// The modules of a script as programs.
pub struct Modules {
    /// The programs.
    pub programs: Vec<Program>,
    /// For each command that brings a module into being: where it is, or why it is not.
    places: BTreeMap<usize, Result<Place, Refusal>>,
    /// For each command, the modules that names stand for there.
    names: Vec<Names>,
}

/// Where a module is.
#[derive(Clone, Copy, Debug)]
pub struct Place {
    /// The program.
    pub program: usize,
    /// Its number among the modules of the program.
    pub unit: usize,
}

/// Why a module is not there.
#[derive(Clone, Debug)]
enum Refusal {
    /// Its imports do not fit.
    Link(String),
    /// It is refused for another reason.
    Other(String),
}

/// The commands with the modules that names stand for.
#[derive(Clone, Debug, Default)]
struct Names {
    latest: Option<usize>,
    by_id: BTreeMap<String, usize>,
    registered: BTreeMap<String, usize>,
}

/// A program of some modules.
pub struct Program {
    /// The program.
    pub program: StandardProgram,
    /// The entry that prepares memory.
    pub prepare: u32,
    /// The entries that bring modules into being.
    pub instantiate: Vec<u32>,
    /// Where arguments and results are.
    pub scratch: u32,
    /// Exported functions: entry and number of results.
    functions: BTreeMap<(usize, String), (u32, usize)>,
    globals: BTreeMap<(usize, String), GlobalPlace>,
}

impl Program {
    /// The entry of an exported function, and how many results it has.
    pub fn export(&self, unit: usize, name: &str) -> Result<(u32, usize), Failure> {
        let found = self.functions.get(&(unit, name.to_owned())).copied();
        found.ok_or_else(|| Failure::Difference(format!("there is no exported function `{name}`")))
    }

    /// An exported global.
    pub fn global(&self, unit: usize, name: &str) -> Result<GlobalPlace, Failure> {
        let found = self.globals.get(&(unit, name.to_owned())).copied();
        found.ok_or_else(|| Failure::Difference(format!("there is no exported global `{name}`")))
    }
}

impl Modules {
    /// Links the modules of a script.
    pub fn link(script: &Script, level: Level) -> Modules {
        let spectest = wat::parse_str(SPECTEST).expect("it is text of ours");
        let spectest = Module::parse(&spectest, level).expect("it is text of ours");
        let mut refusals = BTreeMap::new();
        let mut parsed: BTreeMap<usize, Module<'_>> = BTreeMap::new();
        for (index, (_, command)) in script.commands.iter().enumerate() {
            let Some(binary) = command.module() else { continue };
            let module = binary.as_ref().map_err(Clone::clone);
            match module.and_then(|bytes| Module::parse(bytes, level).map_err(|error| error.to_string())) {
                Ok(module) => drop(parsed.insert(index, module)),
                Err(error) => drop(refusals.insert(index, Refusal::Other(error))),
            }
        }
        let mut linker = Linker { parsed: &parsed, spectest: &spectest, units: Vec::new(), commands: Vec::new() };
        let names = linker.collect(script, &mut refusals);
        let mut modules = Modules { programs: Vec::new(), places: BTreeMap::new(), names };
        modules.places.extend(refusals.into_iter().map(|(index, refusal)| (index, Err(refusal))));
        for group in linker.groups() {
            linker.program(&group, level, &mut modules);
        }
        modules
    }

    /// Where the module of a command is.
    pub fn place(&self, index: usize) -> Result<Place, Failure> {
        match &self.places[&index] {
            Ok(place) => Ok(*place),
            Err(Refusal::Link(error) | Refusal::Other(error)) => Err(Failure::Difference(error.clone())),
        }
    }

    /// Why the module of a command is not there: its imports, or something else. None if it is.
    pub fn link_error(&self, index: usize) -> Option<Result<&str, &str>> {
        match &self.places[&index] {
            Ok(_) => None,
            Err(Refusal::Link(error)) => Some(Ok(error)),
            Err(Refusal::Other(error)) => Some(Err(error)),
        }
    }

    /// The module that a name stands for at a command, or the latest.
    pub fn named(&self, index: usize, name: Option<&str>) -> Result<Place, Failure> {
        let names = &self.names[index];
        let command = match name {
            Some(name) => names.by_id.get(name).copied(),
            None => names.latest,
        };
        self.place(command.ok_or_else(|| Failure::Difference("there is no such module".into()))?)
    }
}

struct Linker<'a> {
    parsed: &'a BTreeMap<usize, Module<'a>>,
    spectest: &'a Module<'a>,
    /// All modules that can be linked; the first is the one for tests.
    units: Vec<Unit<'a>>,
    /// The command of each unit.
    commands: Vec<Option<usize>>,
}

impl<'a> Linker<'a> {
    /// Finds what each module imports from, command by command.
    fn collect(&mut self, script: &Script, refusals: &mut BTreeMap<usize, Refusal>) -> Vec<Names> {
        let mut names = Names::default();
        let mut all = Vec::new();
        // Registered names stand for units here, and for commands in `names`.
        let mut registered = BTreeMap::from([("spectest".to_owned(), 0)]);
        self.add(self.spectest, None, BTreeMap::new());
        for (index, (_, command)) in script.commands.iter().enumerate() {
            if let Some(module) = self.parsed.get(&index) {
                self.add(module, Some(index), registered.clone());
                if let Err(error) = check_imports(&self.units, &Default::default()) {
                    refusals.insert(index, Refusal::Link(error.to_string()));
                    self.units.pop();
                    self.commands.pop();
                }
            }
            match command {
                Command::Module { name, .. } => {
                    names.latest = Some(index);
                    names.by_id.extend(name.clone().map(|name| (name, index)));
                }
                Command::Register { name, module } => {
                    let command = match module {
                        Some(module) => names.by_id.get(module).copied(),
                        None => names.latest,
                    };
                    names.registered.extend(command.map(|command| (name.clone(), command)));
                    let unit = self.commands.iter().position(|&unit| unit.is_some() && unit == command);
                    registered.extend(unit.map(|unit| (name.clone(), unit)));
                }
                _ => {}
            }
            all.push(names.clone());
        }
        all
    }

    fn add(&mut self, module: &'a Module<'a>, command: Option<usize>, names: BTreeMap<String, usize>) {
        let names = names.into_iter().filter(|(name, _)| module.imports.iter().any(|import| import.module == name));
        self.units.push(Unit {
            module,
            names: names.collect(),
            overlays: Vec::new(),
            provides: false,
            memory_of: None,
        });
        self.commands.push(command);
    }

    /// Units that import from each other, the module for tests left out: that is in every group.
    fn groups(&self) -> Vec<Vec<usize>> {
        let mut group: Vec<usize> = (0..self.units.len()).collect();
        for (number, unit) in self.units.iter().enumerate().skip(1) {
            for &other in unit.names.values().filter(|&&other| other != 0) {
                let (from, to) = (group[number].max(group[other]), group[number].min(group[other]));
                group.iter_mut().filter(|group| **group == from).for_each(|group| *group = to);
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (number, &group) in group.iter().enumerate().skip(1) {
            groups.entry(group).or_default().push(number);
        }
        groups.into_values().collect()
    }

    /// Makes a program of a group.
    fn program(&self, group: &[usize], level: Level, modules: &mut Modules) {
        let members: Vec<usize> = [0].into_iter().chain(group.iter().copied()).collect();
        let number = |unit: &usize| members.iter().position(|member| member == unit).expect("a group is closed");
        let units: Vec<Unit<'_>> = members
            .iter()
            .map(|&member| {
                let unit = &self.units[member];
                let names = unit.names.iter().map(|(name, unit)| (name.clone(), number(unit))).collect();
                Unit { names, ..unit.clone() }
            })
            .collect();
        let options = Options {
            level,
            max_memory: MEMORY / group.len() as u32,
            max_table: 1 << 12,
            float_call: Some(FLOAT_CALL),
            ..Options::default()
        };
        let program = build(&units, &options);
        let at = modules.programs.len();
        for (unit, member) in members.iter().enumerate() {
            let Some(command) = self.commands[*member] else { continue };
            let place = match &program {
                Ok(_) => Ok(Place { program: at, unit }),
                Err(error) => Err(Refusal::Other(error.clone())),
            };
            modules.places.insert(command, place);
        }
        modules.programs.extend(program.ok());
    }
}

fn build(units: &[Unit<'_>], options: &Options) -> Result<Program, String> {
    let mut entries = vec![EntryPoint::Prepare];
    entries.extend((0..units.len()).map(EntryPoint::Instantiate));
    let mut functions = BTreeMap::new();
    for (unit, source) in units.iter().enumerate() {
        for export in &source.module.exports {
            if let Extern::Function(function) = export.item {
                let results = source.module.function_type(function).results().len();
                functions.insert((unit, export.name.to_owned()), (Linked::entry_pc(entries.len()), results));
                entries.push(EntryPoint::Invoke { unit, function });
            }
        }
    }
    let linked = link(units, &entries, options).map_err(|error| error.to_string())?;
    let mut globals = BTreeMap::new();
    for (unit, instance) in linked.instances.iter().enumerate() {
        for export in &instance.module.exports {
            if let Extern::Global(global) = export.item {
                globals.insert((unit, export.name.to_owned()), instance.globals[global as usize]);
            }
        }
    }
    Ok(Program {
        program: linked.program,
        prepare: Linked::entry_pc(0),
        instantiate: (1..=units.len()).map(Linked::entry_pc).collect(),
        scratch: linked.scratch,
        functions,
        globals,
    })
}

//! A JAM service of a module.

use crate::entry::{EntryPoint, Form};
use crate::resolve::Unit;
use crate::{CompileError, Linked, Options, link};
use pvm_program::ServiceFile;
use pvm_wasm_frontend::{Extern, Module, Usage};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A module as a program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The service.
    pub service: ServiceFile,
    /// What is worth knowing, but no error.
    pub notes: Vec<String>,
}

/// Names of exports that a program can begin with at 0, in the order in which they are looked for.
const FIRST: [&str; 4] = ["refine", "is_authorized", "main", "_start"];
/// The export that is at 5.
const SECOND: &str = "accumulate";

/// Compiles a module, in binary or in text form, to a service.
///
/// # Errors
///
/// If the module is not valid, uses what is not supported, has imports that are nothing, or nowhere to begin.
pub fn compile(input: &[u8], options: &Options) -> Result<Compiled, CompileError> {
    let binary = to_binary(input)?;
    let module = Module::parse(&binary, options.level)?;
    let adapters: Vec<Cow<'_, [u8]>> = options.adapters.iter().map(|text| to_binary(text)).collect::<Result<_, _>>()?;
    let adapters: Vec<Module<'_>> = adapters
        .iter()
        .enumerate()
        .map(|(index, binary)| {
            Module::parse(binary, options.level).map_err(|error| CompileError::Adapter { number: index + 1, error })
        })
        .collect::<Result<_, _>>()?;
    let entries = entries(&module, options)?;
    let mut units = vec![Unit {
        module: &module,
        names: BTreeMap::new(),
        overlays: (1..=adapters.len()).collect(),
        provides: true,
        memory_of: None,
    }];
    for (index, adapter) in adapters.iter().enumerate() {
        units.push(Unit {
            module: adapter,
            names: BTreeMap::from([("main".to_owned(), 0)]),
            // An adapter may build on those after it.
            overlays: (index + 2..=adapters.len()).collect(),
            provides: false,
            memory_of: Some(0),
        });
    }
    let Linked { program, .. } = link(&units, &entries, options)?;
    Ok(Compiled { service: ServiceFile { metadata: options.metadata.clone(), program }, notes: notes(&module)? })
}

/// Whether an input is text: it does not begin as binary modules do.
pub fn is_wat(input: &[u8]) -> bool {
    !input.starts_with(b"\0asm")
}

fn to_binary(input: &[u8]) -> Result<Cow<'_, [u8]>, CompileError> {
    wat::parse_bytes(input).map_err(|error| CompileError::Text(error.to_string()))
}

/// The entry points that the exports of a module make.
fn entries(module: &Module<'_>, options: &Options) -> Result<[EntryPoint; 2], CompileError> {
    let function = |name: &str| match module.export(name) {
        Some(Extern::Function(function)) => Some(function),
        _ => None,
    };
    let service = |function| Form::of(module, function).map(|form| EntryPoint::Service { function, form });
    let first = match &options.entry {
        Some(name) => match function(name) {
            Some(function) => Some(function),
            None => return Err(nowhere(module, &format!("the module exports no function `{name}`"))),
        },
        None => FIRST.iter().find_map(|name| function(name)),
    };
    let second = function(SECOND).filter(|second| Some(*second) != first || options.entry.is_none());
    if first.is_none() && second.is_none() {
        let problem = "the module exports no function `refine`, `is_authorized`, `accumulate`, `main` or `_start`";
        return Err(nowhere(module, problem));
    }
    let entry = |function: Option<u32>| function.map_or(Ok(EntryPoint::Trap), service);
    Ok([entry(first)?, entry(second)?])
}

fn nowhere(module: &Module<'_>, problem: &str) -> CompileError {
    let exports: Vec<&str> = module
        .exports
        .iter()
        .filter(|export| matches!(export.item, Extern::Function(_)))
        .map(|export| export.name)
        .take(20)
        .collect();
    CompileError::Entry(match exports.is_empty() {
        true => format!("{problem}, and no other either"),
        false => {
            format!("{problem}; choose one with `--entry NAME`. Functions that it exports: {}", exports.join(", "))
        }
    })
}

/// What is worth knowing of a module.
fn notes(module: &Module<'_>) -> Result<Vec<String>, CompileError> {
    let functions = Usage::of(module)?.float_functions;
    let note = match functions {
        0 => return Ok(Vec::new()),
        1 => "1 function computes".to_owned(),
        _ => format!("{functions} functions compute"),
    };
    Ok(vec![format!("{note} with floating-point numbers, which is not supported yet and traps when it is reached")])
}

//! A program of linked modules: functions are translated as they are reached, and handed to the back end.

use crate::entry::{Entries, EntryPoint};
use crate::image::Data;
use crate::layout::{Layout, Plan};
use crate::options::MAX_STACK;
use crate::resolve::{Unit, resolve};
use crate::start::{instantiate, prepare};
use crate::{CompileError, Options};
use cranelift_frontend::FunctionBuilderContext;
use pvm_ops::PAGE_SIZE;
use pvm_program::StandardProgram;
use pvm_wasm_frontend::{FunctionKey, Functions, Instance, translate, translate_import};

/// A program, and where its parts are.
#[derive(Clone, Debug)]
pub struct Linked<'a> {
    /// The program. Its entry points are five bytes apart, in the order in which they were asked for.
    pub program: StandardProgram,
    /// The modules with their places.
    pub instances: Vec<Instance<'a>>,
    /// The address of the first cell for arguments and results of [`EntryPoint::Invoke`].
    pub scratch: u32,
}

impl Linked<'_> {
    /// The program counter of an entry point.
    pub fn entry_pc(index: usize) -> u32 {
        index as u32 * 5
    }
}

/// Links modules and compiles what their entry points reach.
///
/// # Errors
///
/// If imports do not fit, or something is too large.
pub fn link<'a>(units: &[Unit<'a>], entries: &[EntryPoint], options: &Options) -> Result<Linked<'a>, CompileError> {
    if options.stack_size > MAX_STACK {
        let (value, limit) = (u64::from(options.stack_size), u64::from(MAX_STACK));
        return Err(CompileError::TooLarge { what: "bytes of stack", value, limit, advice: "" });
    }
    let resolved = resolve(units, &options.imports)?;
    let takes_arguments =
        entries.iter().any(|entry| matches!(entry, EntryPoint::Service { form, .. } if form.takes_arguments));
    let plan = Plan { units, resolved: &resolved, options, takes_arguments, scratch: scratch(units, entries) };
    let mut functions = Functions::default();
    let mut layout = plan.lay_out(&mut functions)?;
    let numbers: Vec<u32> =
        (0..entries.len()).map(|index| functions.number(FunctionKey::Entry(index as u32))).collect();
    let image = std::mem::take(&mut layout.image);
    let data = image.place(layout.area.0, &mut functions);
    let code = Code::translate(&layout, &data, entries, &mut functions)?;
    let program = code.assemble(numbers, layout.area, data, options)?;
    Ok(Linked { program, instances: layout.instances, scratch: layout.scratch })
}

/// How many cells the entries need for arguments and results.
fn scratch(units: &[Unit<'_>], entries: &[EntryPoint]) -> u32 {
    let needed = entries.iter().map(|entry| match *entry {
        EntryPoint::Invoke { unit, function } => {
            let ty = units[unit].module.function_type(function);
            ty.params().len().max(ty.results().len()) as u32
        }
        _ => 0,
    });
    needed.max().unwrap_or(0)
}

/// Functions in the order of their numbers.
struct Code {
    functions: Vec<pvm_backend::Unit>,
}

impl Code {
    fn translate(
        layout: &Layout<'_>,
        data: &Data,
        entries: &[EntryPoint],
        functions: &mut Functions,
    ) -> Result<Code, CompileError> {
        let has_start = layout
            .instances
            .iter()
            .zip(&layout.steps)
            .map(|(instance, steps)| !steps.is_empty() || instance.module.start.is_some())
            .collect();
        let maker = Entries {
            instances: &layout.instances,
            scratch: layout.scratch,
            has_copies: !data.copies.is_empty(),
            has_start,
        };
        let mut context = FunctionBuilderContext::new();
        let context = &mut context;
        let mut code = Code { functions: Vec::new() };
        // Each function may mention further ones, which are numbered behind it.
        while let Some(key) = functions.get(code.functions.len() as u32) {
            let number = code.functions.len() as u32;
            let function = match key {
                FunctionKey::Wasm { instance, function } => {
                    translate(&layout.instances[instance as usize], function, functions, context)?
                }
                FunctionKey::Import { instance, function } => {
                    translate_import(&layout.instances[instance as usize], function, functions, context)?
                }
                FunctionKey::Helper(helper) => helper.build(number, context),
                FunctionKey::Prepare => prepare(number, &data.copies, functions, context),
                FunctionKey::Instantiate(unit) => {
                    let (instance, steps) = (&layout.instances[unit as usize], &layout.steps[unit as usize]);
                    instantiate(number, instance, steps, functions, context)
                }
                FunctionKey::Entry(index) => maker.build(&entries[index as usize], number, functions, context),
            };
            code.functions.push(pvm_backend::Unit { name: describe(key, &layout.instances), function });
        }
        Ok(code)
    }

    /// Compiles it to a program with this memory.
    fn assemble(
        self,
        entries: Vec<u32>,
        (start, end): (u32, u32),
        data: Data,
        options: &Options,
    ) -> Result<StandardProgram, CompileError> {
        let pages = |bytes: u32| bytes.div_ceil(PAGE_SIZE);
        let heap_pages = pages(end - start).saturating_sub(pages(data.read_write.len() as u32));
        let pointers = data.pointers.into_iter();
        let pointers = pointers.map(|(address, function)| pvm_backend::CodePointer { address, function }).collect();
        let data = pvm_backend::Data { read_only: data.read_only, read_write: data.read_write, heap_pages, pointers };
        let source = pvm_backend::Source { functions: self.functions, entries, data };
        let options = pvm_backend::Options { stack_size: options.stack_size, ..pvm_backend::Options::default() };
        Ok(pvm_backend::compile(&source, &options)?.program)
    }
}

/// What errors of the back end call a function.
fn describe(key: FunctionKey, instances: &[Instance<'_>]) -> String {
    match key {
        FunctionKey::Wasm { instance, function } | FunctionKey::Import { instance, function } => {
            instances[instance as usize].module.describe(function)
        }
        FunctionKey::Helper(helper) => format!("the helper {helper:?}"),
        FunctionKey::Prepare => "the start of the program".to_owned(),
        FunctionKey::Instantiate(unit) => format!("the start of module {unit}"),
        FunctionKey::Entry(index) => format!("entry point {index}"),
    }
}

//! The programs that go in, and how they are compiled.

use crate::code::{self, List, emit, flatten, layout};
use crate::error::{CompileError, Problem};
use crate::frame::Frame;
use crate::{allocate, link, lower, optimise};
use cranelift_codegen::ir::{ExternalName, Function, Signature, types};
use cranelift_codegen::isa::{CallConv, TargetFrontendConfig};
use pvm_program::{LoadError, StandardProgram};
use std::collections::BTreeMap;
use target_lexicon::PointerWidth;

/// The stack pointer that a program starts with (Gray Paper A.39), as the low 32 bits of a sign-extended register.
pub(crate) const STACK_TOP: i32 = 0xfefe_0000_u32 as i32;
const PAGE: u32 = pvm_ops::PAGE_SIZE;

/// What a front end that builds functions is to know of the machine.
pub fn frontend_config() -> TargetFrontendConfig {
    TargetFrontendConfig {
        default_call_conv: CallConv::Fast,
        pointer_width: PointerWidth::U64,
        page_size_align_log2: PAGE.ilog2() as u8,
    }
}

/// A program before it is compiled.
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The functions. Calls name them by their index, in namespace 0.
    pub functions: Vec<Unit>,
    /// The functions that are entered at program counter 0, 5, and so on, in five-byte steps. Each takes address and
    /// length of the arguments as two `i64`, and returns address and length of the result.
    pub entries: Vec<u32>,
    /// What memory holds.
    pub data: Data,
}

/// A function and its name in messages.
#[derive(Clone, Debug)]
pub struct Unit {
    /// The name.
    pub name: String,
    /// The function.
    pub function: Function,
}

/// What memory holds when a program starts.
#[derive(Clone, Debug, Default)]
pub struct Data {
    /// Read-only data, at 0x10000.
    pub read_only: Vec<u8>,
    /// Read-write data, at 0x20000 plus the size of the read-only data rounded up to 64 KiB. Zeros at the end are not
    /// stored in the program.
    pub read_write: Vec<u8>,
    /// Zeroed pages behind the read-write data, which is rounded up to pages of 4096 bytes.
    pub heap_pages: u32,
    /// Code pointers that are written into the data, four bytes each.
    pub pointers: Vec<CodePointer>,
}

/// A code pointer in the data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CodePointer {
    /// The guest address at which it is written.
    pub address: u32,
    /// The function.
    pub function: u32,
}

/// How a program is compiled.
#[derive(Clone, Debug)]
pub struct Options {
    /// Bytes of stack, 1 to 16 MiB. They are rounded up to pages.
    pub stack_size: u32,
    /// Whether Cranelift's optimiser runs.
    pub optimise: bool,
    /// Whether registers are allocated in one pass, which takes less time and makes more code. Very large functions always are.
    pub quick: bool,
    /// Whether the result of register allocation is checked. For tests; it takes as long as the rest.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Options {
        Options { stack_size: 64 << 10, optimise: true, quick: false, check: cfg!(debug_assertions) }
    }
}

/// A program, compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compiled {
    /// The program.
    pub program: StandardProgram,
    /// The program counter at which each function begins; functions that nothing leads to are left out.
    pub starts: BTreeMap<u32, u32>,
}

/// Compiles a program. The same source gives the same bytes.
///
/// # Errors
///
/// See [`CompileError`].
pub fn compile(source: &Source, options: &Options) -> Result<Compiled, CompileError> {
    let limit = MAX_STACK;
    if !(1..=limit).contains(&options.stack_size) {
        let value = u64::from(options.stack_size);
        return Err(Problem::TooLarge { what: "stack size", value, limit: u64::from(limit) }.into());
    }
    check_entries(source)?;
    let addressed: Vec<u32> = source.data.pointers.iter().map(|pointer| pointer.function).collect();
    let mut lists: BTreeMap<u32, List> = BTreeMap::new();
    let reached = reachable(source, &addressed)?;
    for (&number, &is_called) in &reached {
        let unit = &source.functions[number as usize];
        let list = function(unit, !is_called, options).map_err(|problem| problem.within(&unit.name))?;
        lists.insert(number, list);
    }
    let linked = link::link(lists, &source.entries, &addressed)?;
    let program = assemble(source, options, &linked)?;
    Ok(Compiled { program, starts: linked.starts })
}

/// The largest stack: 16 MiB.
const MAX_STACK: u32 = 16 << 20;

fn stack_pages(options: &Options) -> u32 {
    options.stack_size.next_multiple_of(PAGE)
}

/// Compiles one function, which nobody calls if it `halts` where it returns.
fn function(unit: &Unit, halts: bool, options: &Options) -> Result<List, Problem> {
    let context = optimise::optimise(unit.function.clone(), options.optimise)?;
    let code = lower::lower(&context, halts)?;
    let output = allocate::allocate(&code, options.quick, options.check)?;
    let frame = Frame::new(&context.func, &code, &output)?;
    let stack_limit = STACK_TOP - stack_pages(options) as i32 + crate::abi::RESERVE as i32;
    let mut body = emit::emit(&code, &output, &frame, stack_limit);
    code::improve(&mut body);
    Ok(flatten::flatten(&body, &layout::layout(&body)))
}

fn check_entries(source: &Source) -> Result<(), CompileError> {
    for &entry in &source.entries {
        let unit = unit(source, entry)?;
        let signature = &unit.function.signature;
        let two = |params: &[cranelift_codegen::ir::AbiParam]| {
            params.len() == 2 && params.iter().all(|param| param.value_type == types::I64)
        };
        if !two(&signature.params) || !two(&signature.returns) {
            return Err(Problem::EntrySignature.within(&unit.name));
        }
    }
    Ok(())
}

fn unit(source: &Source, number: u32) -> Result<&Unit, Problem> {
    let count = source.functions.len();
    source.functions.get(number as usize).ok_or(Problem::NoSuchFunction { number, count })
}

/// The functions that entry points and code pointers lead to, in order, and whether any but an entry point does. Calls are
/// checked against signatures on the way.
fn reachable(source: &Source, addressed: &[u32]) -> Result<BTreeMap<u32, bool>, CompileError> {
    let mut reached = BTreeMap::new();
    let entries = source.entries.iter().map(|&number| (number, false));
    let mut work: Vec<(u32, bool)> = entries.chain(addressed.iter().map(|&number| (number, true))).collect();
    while let Some((number, is_called)) = work.pop() {
        let caller = unit(source, number)?;
        if let Some(known) = reached.get_mut(&number) {
            *known |= is_called;
            continue;
        }
        reached.insert(number, is_called);
        let function = &caller.function;
        for data in function.dfg.ext_funcs.values() {
            let ExternalName::User(name) = data.name else { continue };
            let Some(name) = function.params.user_named_funcs().get(name) else { continue };
            if name.namespace != lower::FUNCTIONS {
                continue;
            }
            let callee = unit(source, name.index).map_err(|problem| problem.within(&caller.name))?;
            let signature = function.dfg.signatures.get(data.signature);
            if signature.is_some_and(|signature| !same_values(signature, &callee.function.signature)) {
                return Err(Problem::CallSignature { callee: callee.name.clone() }.within(&caller.name));
            }
            work.push((name.index, true));
        }
    }
    Ok(reached)
}

fn same_values(a: &Signature, b: &Signature) -> bool {
    let types = |signature: &Signature| {
        let types = |params: &[cranelift_codegen::ir::AbiParam]| params.iter().map(|param| param.value_type).collect();
        let both: (Vec<_>, Vec<_>) = (types(&signature.params), types(&signature.returns));
        both
    };
    types(a) == types(b)
}

/// Puts code, data and sizes together.
fn assemble(source: &Source, options: &Options, linked: &link::Linked) -> Result<StandardProgram, CompileError> {
    let data = &source.data;
    let mut image = Image { read_only: data.read_only.clone(), read_write: data.read_write.clone() };
    for pointer in &data.pointers {
        let place = image.word(pointer.address).ok_or(Problem::PointerOutside { address: pointer.address })?;
        place.copy_from_slice(&linked.pointers[&pointer.function].to_le_bytes());
    }
    let pages = |len: usize| (len as u64).div_ceil(u64::from(PAGE));
    let all_pages = pages(image.read_write.len()) + u64::from(data.heap_pages);
    let used = image.read_write.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    image.read_write.truncate(used);
    let heap_pages = all_pages - pages(used);
    let limit = u64::from(u16::MAX);
    let heap_pages =
        u16::try_from(heap_pages).map_err(|_| Problem::TooLarge { what: "zeroed pages", value: heap_pages, limit })?;
    let program = StandardProgram {
        ro_data: image.read_only,
        rw_data: image.read_write,
        heap_pages,
        // The field has 24 bits, and the stack is rounded up to pages.
        stack_size: options.stack_size.min((1 << 24) - 1),
        blob: linked.blob.clone(),
    };
    program.encode(&mut Vec::new()).map_err(|error: LoadError| Problem::Program(error))?;
    Ok(program)
}

/// Data by guest addresses.
struct Image {
    read_only: Vec<u8>,
    read_write: Vec<u8>,
}

impl Image {
    fn word(&mut self, address: u32) -> Option<&mut [u8]> {
        let zone = pvm_program::ZONE_SIZE as usize;
        let (read_only, read_write) = (zone, 2 * zone + self.read_only.len().next_multiple_of(zone));
        let address = address as usize;
        let (bytes, start) = match address < read_write {
            true => (&mut self.read_only, read_only),
            false => (&mut self.read_write, read_write),
        };
        let at = address.checked_sub(start)?;
        bytes.get_mut(at..at.checked_add(4)?)
    }
}

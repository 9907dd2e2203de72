//! `pvmrun info`.

mod riscv;
mod text;

use crate::args::{EngineArgs, InfoArgs};
use crate::input::Input;
use crate::units::to_hex;
use crate::{Io, exit, input, setup};
use anyhow::{Context, Result};
use pvm_program::{MemoryImage, Metadata};
use pvm_runtime::Module;
use serde::Serialize;

/// How many names are listed; the JSON has all.
const LISTED: usize = 50;

/// What is in a program, with the names that it has in JSON.
#[derive(Debug, Serialize)]
pub struct Info {
    kind: &'static str,
    file_bytes: usize,
    format: &'static str,
    profile: &'static str,
    gas_model: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<MetadataInfo>,
    memory: Vec<Area>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heap: Option<HeapInfo>,
    code_bytes: usize,
    instructions: usize,
    basic_blocks: usize,
    jump_table_entries: u64,
    jump_table_entry_bytes: u8,
    exports: Vec<ExportInfo>,
    imports: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sections: Vec<SectionInfo>,
    #[serde(skip_serializing_if = "Option::is_none")]
    compiled: Option<CompiledInfo>,
}

/// Metadata: in the usual form, or as it is.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum MetadataInfo {
    Usual { name: String, version: String, license: String, authors: Vec<String> },
    Text { text: String },
    Bytes { hex: String },
}

#[derive(Debug, Serialize)]
struct Area {
    name: &'static str,
    address: u32,
    size: u32,
    access: &'static str,
    initial_bytes: usize,
}

#[derive(Debug, Serialize)]
struct HeapInfo {
    start: u32,
    limit: u32,
}

#[derive(Debug, Serialize)]
struct ExportInfo {
    name: String,
    pc: u32,
}

#[derive(Debug, Serialize)]
struct SectionInfo {
    id: u8,
    bytes: usize,
}

/// What compiling all of the code takes.
#[derive(Debug, Serialize)]
struct CompiledInfo {
    regions: u64,
    blocks: u64,
    instructions: u64,
    guest_bytes: u64,
    code_bytes: u64,
    hot_bytes: u64,
    memory_bytes: u64,
    landings: u64,
    side_table_bytes: u64,
    /// Bytes of machine code for each byte of guest code.
    ratio: f64,
    /// The same for machine code outside of cold ways.
    hot_ratio: f64,
    time_us: u64,
}

/// Shows what is in a program.
pub fn info(args: &InfoArgs, io: &mut Io<'_>) -> Result<u8> {
    let (bytes, input) = input::load(&args.program, &args.read, io)?;
    if let Input::Executable(executable) = input {
        let format = if args.read.base.is_some() { "flat" } else { "elf" };
        riscv::print(&executable, format, bytes.len(), args.json, io)?;
        return Ok(exit::HALT);
    }
    let kind = input.kind();
    let (program, otherwise) =
        input.program(&args.program, &args.read, io).with_context(|| input::name(&args.program))?;
    let engine = setup::engine(&args.engine, false)?;
    let options = setup::options(&program, &args.read, &args.engine, otherwise);
    let module = Module::from_program(&engine, program, options);
    let info = Info::new(kind, bytes.len(), &module, &args.engine);
    match args.json {
        true => io.print(serde_json::to_string(&info)? + "\n")?,
        false => io.print(text::text(&info))?,
    }
    Ok(exit::HALT)
}

impl Info {
    fn new(kind: &'static str, file_bytes: usize, module: &Module, args: &EngineArgs) -> Info {
        let (program, code) = module.program().zip(module.code()).expect("it was made of a PVM program");
        Info {
            kind,
            file_bytes,
            format: program.format.name(),
            profile: code.profile().name(),
            gas_model: module.gas_model().name(),
            metadata: program.metadata.as_deref().map(MetadataInfo::new),
            memory: areas(&program.image),
            heap: program.image.heap.map(|heap| HeapInfo { start: heap.start, limit: heap.limit }),
            code_bytes: code.bytes().len(),
            instructions: code.instruction_starts().count(),
            basic_blocks: code.block_starts().count(),
            jump_table_entries: program.blob.jump_count,
            jump_table_entry_bytes: program.blob.jump_size,
            exports: program.exports.iter().map(|e| ExportInfo { name: e.name.clone(), pc: e.pc }).collect(),
            imports: program.imports.clone(),
            sections: program.polkavm().map_or_else(Vec::new, |(_, sections)| {
                sections.iter().map(|section| SectionInfo { id: section.id, bytes: section.payload.len() }).collect()
            }),
            compiled: (args.jit != crate::args::JitArg::Off).then(|| CompiledInfo::new(module)),
        }
    }
}

impl MetadataInfo {
    fn new(bytes: &[u8]) -> MetadataInfo {
        if let Some(Metadata { name, version, license, authors }) = Metadata::parse(bytes) {
            return MetadataInfo::Usual { name, version, license, authors };
        }
        match str::from_utf8(bytes) {
            Ok(text) => MetadataInfo::Text { text: text.to_owned() },
            Err(_) => MetadataInfo::Bytes { hex: to_hex(bytes) },
        }
    }
}

fn areas(image: &MemoryImage) -> Vec<Area> {
    let segments = image.segments.iter();
    segments
        .map(|segment| Area {
            name: segment.name,
            address: segment.address,
            size: segment.size,
            access: segment.access.name(),
            initial_bytes: segment.data.len(),
        })
        .collect()
}

/// With two digits behind the point.
fn ratio(bytes: u64, guest_bytes: u64) -> f64 {
    (bytes as f64 / guest_bytes.max(1) as f64 * 100.0).round() / 100.0
}

impl CompiledInfo {
    fn new(module: &Module) -> CompiledInfo {
        module.compile_all();
        let stats = module.compile_stats();
        CompiledInfo {
            regions: stats.regions,
            blocks: stats.blocks,
            instructions: stats.instructions,
            guest_bytes: stats.guest_bytes,
            code_bytes: stats.code_bytes,
            hot_bytes: stats.hot_bytes,
            memory_bytes: stats.memory_bytes,
            landings: stats.landings,
            side_table_bytes: stats.side_table_bytes,
            ratio: ratio(stats.code_bytes, stats.guest_bytes),
            hot_ratio: ratio(stats.hot_bytes, stats.guest_bytes),
            time_us: u64::try_from(stats.time.as_micros()).unwrap_or(u64::MAX),
        }
    }
}

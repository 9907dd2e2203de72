//! The information as text. What comes from the program is escaped.

use super::{Area, Info, LISTED, MetadataInfo};
use pvm_host::escape;
use std::fmt::Write;

/// The information as text.
pub fn text(info: &Info) -> String {
    let mut out = Lines::default();
    let within = if info.kind == "program" { String::new() } else { format!(" in a {}", info.kind) };
    out.field("format", format!("{}{within}, {} bytes", info.format, info.file_bytes));
    out.field("opcodes", format!("{}, gas model {}", info.profile, info.gas_model));
    metadata(info, &mut out);
    for section in &info.sections {
        out.field("section", format!("{:>3}: {} bytes", section.id, section.bytes));
    }
    info.memory.iter().for_each(|area| out.area(area));
    if let Some(heap) = &info.heap {
        out.field("heap", format!("grows from {:#010x} to at most {:#010x}", heap.start, heap.limit));
    }
    let (code, instructions, blocks) = (info.code_bytes, info.instructions, info.basic_blocks);
    out.field("code", format!("{code} bytes, {instructions} instructions, {blocks} basic blocks"));
    let (entries, size) = (info.jump_table_entries, info.jump_table_entry_bytes);
    out.field("jump table", format!("{entries} entries of {size} bytes"));
    for export in info.exports.iter().take(LISTED) {
        out.field("entry", format!("{:>8}  {}", export.pc, escape(export.name.as_bytes())));
    }
    for (number, import) in info.imports.iter().take(LISTED).enumerate() {
        out.field("host call", format!("{number:>8}  {}", escape(import.as_bytes())));
    }
    let more = info.exports.len().saturating_sub(LISTED) + info.imports.len().saturating_sub(LISTED);
    if more > 0 {
        out.field("", format!("… and {more} more (--json lists all)"));
    }
    compiled(info, &mut out);
    out.into_text()
}

fn metadata(info: &Info, out: &mut Lines) {
    match &info.metadata {
        Some(MetadataInfo::Usual { name, version, license, authors }) => {
            out.field("name", escape(name.as_bytes()));
            out.field("version", escape(version.as_bytes()));
            out.field("licence", escape(license.as_bytes()));
            for author in authors.iter().take(LISTED) {
                out.field("author", escape(author.as_bytes()));
            }
        }
        Some(MetadataInfo::Text { text }) => out.field("metadata", escape(text.as_bytes())),
        Some(MetadataInfo::Bytes { hex }) => out.field("metadata", format!("0x{hex}")),
        None => {}
    }
}

fn compiled(info: &Info, out: &mut Lines) {
    let Some(compiled) = &info.compiled else { return };
    let (code, ratio) = (compiled.code_bytes, compiled.ratio);
    out.field("compiled", format!("{} regions, {} instructions", compiled.regions, compiled.instructions));
    out.field("", format!("{code} bytes of machine code, {ratio:.1} for each byte of {}", compiled.guest_bytes));
    let (hot, ratio) = (compiled.hot_bytes, compiled.hot_ratio);
    out.field("", format!("{hot} of these outside of cold ways, {ratio:.1} for each byte"));
    let (landings, tables) = (compiled.landings, compiled.side_table_bytes);
    out.field("", format!("{tables} bytes of side tables, {landings} accesses with landings"));
    let time = compiled.time_us as f64 / 1000.0;
    out.field("", format!("{} bytes of executable memory, {time:.1} ms", compiled.memory_bytes));
}

/// Lines of names and values.
#[derive(Default)]
pub struct Lines {
    text: String,
}

impl Lines {
    /// A line.
    pub fn field(&mut self, name: &str, value: String) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{name:<11} {value}");
    }

    /// The line of an area of memory.
    pub fn area(&mut self, area: &Area) {
        let end = u64::from(area.address) + u64::from(area.size);
        let initial = area.initial_bytes;
        let range = format!("{:#010x}..{end:#010x}", area.address);
        self.field("memory", format!("{range}  {:<10}  {:<9} {initial} bytes given", area.access, area.name));
    }

    /// All lines.
    pub fn into_text(self) -> String {
        self.text
    }
}

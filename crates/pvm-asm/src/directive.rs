//! Directives: statements that begin with a dot.

use crate::AsmError;
use crate::error::{AsmProblem, Place};
use crate::field::{BYTE, U16, U32, U64, unsigned};
use crate::source::{Entry, Fixup, Item, Kind, Section, Source};
use crate::statement::Statement;
use pvm_isa::Profile;
use pvm_program::{Format, natural};

/// The most bytes that `.zero` and `.align` make in a source, so that a short source is no large program.
const MAX_FILLER: u64 = 1 << 28;

/// Reads the rest of a directive and does what it says.
pub(crate) fn read(
    source: &mut Source,
    word: &str,
    place: Place,
    statement: &mut Statement<'_>,
) -> Result<(), AsmError> {
    match word {
        ".format" => source.format = named(statement, "jam, spi, raw or polkavm", Format::from_name)?,
        ".profile" => source.profile = named(statement, "0.7, draft or 0.8", Profile::from_name)?,
        ".metadata" => {
            source.particular.push((".metadata", place));
            source.metadata.get_or_insert_default().extend(statement.bytes()?);
        }
        ".info" => {
            source.particular.push((".info", place));
            source.metadata = Some(info(statement)?);
        }
        ".isa" => {
            source.particular.push((".isa", place));
            let (value, at) = source.constant(statement)?;
            source.isa = Some(BYTE.check(value, at)? as u8);
        }
        ".stack" => {
            source.particular.push((".stack", place));
            let (value, at) = source.constant(statement)?;
            source.stack = U32.check(value, at)? as u32;
        }
        ".heap_pages" => {
            source.particular.push((".heap_pages", place));
            let (value, at) = source.constant(statement)?;
            source.heap_pages = U16.check(value, at)? as u16;
        }
        ".text" => source.current = text(source),
        ".rodata" => source.current = Some(section(source, ".rodata", Kind::ReadOnly, place)),
        ".rwdata" => source.current = Some(section(source, ".rwdata", Kind::ReadWrite, place)),
        ".section" => {
            let (value, at) = source.constant(statement)?;
            let id = unsigned("the number of a section", 255).check(value, at)? as u8;
            source.current = Some(section(source, ".section", Kind::Numbered(id), place));
        }
        ".equ" => equ(source, statement)?,
        ".export" => {
            source.particular.push((".export", place));
            let name = name_or_text(statement)?;
            statement.comma()?;
            let target = source.expr(statement)?;
            source.exports.push((name, target));
        }
        ".jump_table" | ".jump_entry" | ".jump_bytes" => table(source, word, statement)?,
        ".jump_wide" => {
            source.require_code(place)?;
            let target = source.expr(statement)?;
            source.code.push(Item::WideJump(target));
        }
        ".inst" | ".bytes" => {
            source.require_code(place)?;
            let bytes = byte_list(source, statement)?;
            source.code.push(Item::Raw { bytes, start: word == ".inst" });
        }
        ".u8" => numbers(source, 1, place, statement)?,
        ".u16" => numbers(source, 2, place, statement)?,
        ".u32" => numbers(source, 4, place, statement)?,
        ".u64" => numbers(source, 8, place, statement)?,
        ".ascii" | ".hex" => {
            let bytes = statement.bytes()?;
            source.data(place)?.bytes.extend(bytes);
        }
        ".zero" | ".align" => fill(source, word == ".align", place, statement)?,
        _ => return Err(place.error(AsmProblem::Directive(word.to_owned()))),
    }
    statement.end()
}

fn named<T>(
    statement: &mut Statement<'_>,
    choices: &'static str,
    find: impl Fn(&str) -> Option<T>,
) -> Result<T, AsmError> {
    let wrong = statement.expected(choices);
    let word = statement.word(choices)?;
    find(word).ok_or(wrong)
}

/// Metadata in the usual form, from name, version, licence and authors.
fn info(statement: &mut Statement<'_>) -> Result<Vec<u8>, AsmError> {
    let mut out = vec![0];
    for _ in 0..3 {
        append(&statement.text()?, &mut out);
        statement.take(',');
    }
    let mut authors = Vec::new();
    while !statement.is_end() {
        authors.push(statement.text()?);
        statement.take(',');
    }
    natural::encode(authors.len() as u64, &mut out);
    authors.iter().for_each(|author| append(author, &mut out));
    Ok(out)
}

/// Appends a text with its length before it.
fn append(text: &[u8], out: &mut Vec<u8>) {
    natural::encode(text.len() as u64, out);
    out.extend(text);
}

/// Goes to the code, which gets its place among the sections when it is first mentioned.
fn text(source: &mut Source) -> Option<usize> {
    if source.sections.iter().all(|section| section.kind != Kind::Code) {
        source.sections.push(Section { kind: Kind::Code, bytes: Vec::new(), fixups: Vec::new() });
    }
    None
}

/// Goes to a section. Each `.section` begins a new one; the others are continued.
fn section(source: &mut Source, directive: &'static str, kind: Kind, place: Place) -> usize {
    source.particular.push((directive, place));
    let old = source.sections.iter().position(|section| section.kind == kind);
    match old {
        Some(index) if directive != ".section" => index,
        _ => {
            source.sections.push(Section { kind, bytes: Vec::new(), fixups: Vec::new() });
            source.sections.len() - 1
        }
    }
}

fn equ(source: &mut Source, statement: &mut Statement<'_>) -> Result<(), AsmError> {
    let place = statement.place();
    let name = statement.name()?;
    statement.comma()?;
    let expr = source.expr(statement)?;
    source.define(name, place, expr)
}

fn name_or_text(statement: &mut Statement<'_>) -> Result<Vec<u8>, AsmError> {
    match statement.name() {
        Ok(name) => Ok(name.as_bytes().to_vec()),
        Err(_) => statement.text(),
    }
}

/// `.jump_table [SIZE [, COUNT]]`, `.jump_entry VALUE, ...`, `.jump_bytes BYTES`
fn table(source: &mut Source, word: &str, statement: &mut Statement<'_>) -> Result<(), AsmError> {
    match word {
        ".jump_table" => {
            let (size, at) = source.constant(statement)?;
            source.table.size = Some(BYTE.check(size, at)? as u8);
            if statement.take(',') {
                let (count, at) = source.constant(statement)?;
                // Only entries without bytes can be counted instead of listed.
                let most = if size == 0 { u64::MAX } else { 0 };
                source.table.empty_entries = unsigned("the count of empty entries", most).check(count, at)? as u64;
            }
        }
        ".jump_entry" => loop {
            let entry = source.expr(statement)?;
            source.table.entries.push(Entry::Value(entry));
            if !statement.take(',') {
                break;
            }
        },
        _ => {
            let place = statement.place();
            let bytes = statement.bytes()?;
            let size = source.table.size.unwrap_or(0);
            if bytes.len() != usize::from(size) || size == 0 {
                let value = bytes.len() as i128;
                let field = "an entry; .jump_table gives their size and comes first";
                let exactly = i128::from(size);
                return Err(place.error(AsmProblem::Range { value, field, low: exactly, high: exactly }));
            }
            source.table.entries.push(Entry::Bytes(bytes));
        }
    }
    Ok(())
}

fn byte_list(source: &mut Source, statement: &mut Statement<'_>) -> Result<Vec<u8>, AsmError> {
    let mut bytes = Vec::new();
    loop {
        let (value, at) = source.constant(statement)?;
        bytes.push(BYTE.check(value, at)? as u8);
        if !statement.take(',') {
            return Ok(bytes);
        }
    }
}

fn numbers(source: &mut Source, width: u32, place: Place, statement: &mut Statement<'_>) -> Result<(), AsmError> {
    source.data(place)?;
    loop {
        let value = source.expr(statement)?;
        let section = source.data(place)?;
        section.fixups.push(Fixup { offset: section.bytes.len(), width, value });
        section.bytes.extend(&[0; 8][..width as usize]);
        if !statement.take(',') {
            return Ok(());
        }
    }
}

/// `.zero COUNT` or `.align MULTIPLE`
fn fill(source: &mut Source, align: bool, place: Place, statement: &mut Statement<'_>) -> Result<(), AsmError> {
    let (value, at) = source.constant(statement)?;
    let value = U64.check(value, at)? as u64;
    let len = source.data(place)?.bytes.len() as u64;
    let count = match (align, value) {
        (true, 0) => 0,
        (true, multiple) => (multiple - len % multiple) % multiple,
        (false, count) => count,
    };
    source.filler = source.filler.saturating_add(count);
    if source.filler > MAX_FILLER {
        return Err(at.error(AsmProblem::TooLong(MAX_FILLER)));
    }
    let section = source.data(place)?;
    section.bytes.resize(section.bytes.len() + count as usize, 0);
    Ok(())
}

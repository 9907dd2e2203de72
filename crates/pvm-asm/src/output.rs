//! Containers: from the parts of a program to the bytes of its file.

use crate::AsmError;
use crate::error::{AsmProblem, Place};
use crate::layout::Layout;
use crate::source::{Kind, Source};
use pvm_isa::Profile;
use pvm_program::{Blob, Format, PolkaVmFile, Program, Section, ServiceFile, StandardProgram, natural};

/// Directives that not every container has, with those that do.
const PARTICULAR: [(&str, &[Format]); 9] = [
    (".metadata", &[Format::Jam, Format::Raw]),
    (".info", &[Format::Jam, Format::Raw]),
    (".stack", &[Format::Jam, Format::Standard, Format::PolkaVm]),
    (".heap_pages", &[Format::Jam, Format::Standard]),
    (".rodata", &[Format::Jam, Format::Standard, Format::PolkaVm]),
    (".rwdata", &[Format::Jam, Format::Standard, Format::PolkaVm]),
    (".isa", &[Format::PolkaVm]),
    (".section", &[Format::PolkaVm]),
    (".export", &[Format::PolkaVm]),
];

/// Where errors are reported that belong to the program as a whole.
const WHOLE: Place = Place { line: 1, column: 1 };

/// The program in the container that the source asks for.
pub(crate) fn write(source: &Source) -> Result<Vec<u8>, AsmError> {
    check_directives(source)?;
    let (blob, layout) = Layout::of(source)?;
    let mut out = Vec::new();
    match source.format {
        Format::Jam => {
            let metadata = source.metadata.clone().unwrap_or_default();
            let program = standard(source, &layout, blob.clone())?;
            ServiceFile { metadata, program }.encode(&mut out).map_err(invalid)?;
        }
        Format::Standard => standard(source, &layout, blob.clone())?.encode(&mut out).map_err(invalid)?,
        Format::Raw => {
            if let Some(metadata) = &source.metadata {
                natural::encode(metadata.len() as u64, &mut out);
                out.extend(metadata);
            }
            blob.encode(&mut out);
        }
        Format::PolkaVm => {
            let sections = polkavm_sections(source, &layout, &blob)?;
            PolkaVmFile::encode(isa(source), &sections, &mut out);
        }
    }
    check(source, &blob, &out)?;
    Ok(out)
}

fn invalid(error: pvm_program::LoadError) -> AsmError {
    WHOLE.error(error.into())
}

fn check_directives(source: &Source) -> Result<(), AsmError> {
    let fits = |used: &str| PARTICULAR.iter().all(|(name, formats)| *name != used || formats.contains(&source.format));
    match source.particular.iter().find(|(used, _)| !fits(used)) {
        Some(&(directive, place)) => {
            Err(place.error(AsmProblem::NotInFormat { directive, format: source.format.name() }))
        }
        None => Ok(()),
    }
}

/// Whoever reads the file must see the same program. For metadata before a raw blob this is not a matter of course.
fn check(source: &Source, blob: &Blob, out: &[u8]) -> Result<(), AsmError> {
    let program = Program::parse_as(source.format, out).map_err(invalid)?;
    if program.blob == *blob { Ok(()) } else { Err(WHOLE.error(AsmProblem::Ambiguous)) }
}

/// The data of a section, empty if the source has no such section.
fn data(source: &Source, layout: &Layout, kind: Kind) -> Result<Vec<u8>, AsmError> {
    match source.sections.iter().position(|section| section.kind == kind) {
        Some(index) => layout.data(source, index),
        None => Ok(Vec::new()),
    }
}

fn standard(source: &Source, layout: &Layout, blob: Blob) -> Result<StandardProgram, AsmError> {
    Ok(StandardProgram {
        ro_data: data(source, layout, Kind::ReadOnly)?,
        rw_data: data(source, layout, Kind::ReadWrite)?,
        heap_pages: source.heap_pages,
        stack_size: source.stack,
        blob,
    })
}

/// The ISA byte: as written, else the one that means the profile.
fn isa(source: &Source) -> u8 {
    source.isa.unwrap_or(match source.profile {
        Profile::V0_7 => 0,
        Profile::Draft => 2,
        Profile::V0_8 => 3,
    })
}

/// Written sections in their order, with the code and what `.rodata`, `.rwdata`, `.stack` and `.export` make.
fn polkavm_sections(source: &Source, layout: &Layout, blob: &Blob) -> Result<Vec<Section>, AsmError> {
    const CODE: u8 = 6;
    let mut code = Vec::new();
    blob.encode(&mut code);
    let code = Section { id: CODE, payload: code };
    let mut sections = Vec::new();
    for (index, section) in source.sections.iter().enumerate() {
        match section.kind {
            Kind::Numbered(id) => sections.push(Section { id, payload: layout.data(source, index)? }),
            Kind::Code => sections.push(code.clone()),
            Kind::ReadOnly | Kind::ReadWrite => {}
        }
    }
    let has_code = source.sections.iter().any(|section| section.kind == Kind::Code);
    let made = made_sections(source, layout)?;
    for section in made.into_iter().chain((!has_code).then_some(code)) {
        // Sections with numbers below 128 must be in order.
        let at = sections.iter().position(|other: &Section| other.id > section.id).unwrap_or(sections.len());
        sections.insert(at, section);
    }
    Ok(sections)
}

fn made_sections(source: &Source, layout: &Layout) -> Result<Vec<Section>, AsmError> {
    let (ro, rw) = (data(source, layout, Kind::ReadOnly)?, data(source, layout, Kind::ReadWrite)?);
    let mut made = Vec::new();
    if !ro.is_empty() || !rw.is_empty() || source.stack != 0 {
        let mut config = Vec::new();
        for size in [ro.len() as u64, rw.len() as u64, u64::from(source.stack)] {
            natural::encode(size, &mut config);
        }
        made.push(Section { id: 1, payload: config });
    }
    made.extend((!ro.is_empty()).then_some(Section { id: 2, payload: ro }));
    made.extend((!rw.is_empty()).then_some(Section { id: 3, payload: rw }));
    let exports = layout.exports(source)?;
    if !exports.is_empty() {
        let mut payload = Vec::new();
        natural::encode(exports.len() as u64, &mut payload);
        for (name, pc) in exports {
            natural::encode(pc, &mut payload);
            natural::encode(name.len() as u64, &mut payload);
            payload.extend(name);
        }
        made.push(Section { id: 5, payload });
    }
    Ok(made)
}

//! The programs in `examples/`: each `.jam` file is what its source says. `BLESS=1` writes the files again.

use pvm_asm::{assemble, disassemble};
use pvm_isa::Profile;
use pvm_program::{Format, Metadata, Program};
use std::path::{Path, PathBuf};

fn sources() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path());
    let sources: Vec<_> = files.filter(|path| path.extension().is_some_and(|extension| extension == "s")).collect();
    assert!(!sources.is_empty());
    sources
}

#[test]
fn assembled_examples_are_up_to_date() {
    for path in sources() {
        let source = std::fs::read_to_string(&path).unwrap();
        let bytes = assemble(&source).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let assembled = path.with_extension("jam");
        if std::env::var_os("BLESS").is_some() {
            std::fs::write(&assembled, &bytes).unwrap();
        }
        let stored = std::fs::read(&assembled).unwrap_or_default();
        assert!(stored == bytes, "{} is not what its source says; BLESS=1 writes it again", assembled.display());
    }
}

#[test]
fn examples_are_services_with_both_entry_points() {
    for path in sources() {
        let program = Program::parse(&assemble(&std::fs::read_to_string(&path).unwrap()).unwrap()).unwrap();
        assert_eq!(program.format, Format::Jam);
        let metadata = Metadata::parse(program.metadata.as_deref().unwrap()).unwrap();
        assert_eq!(Some(metadata.name.as_str()), path.file_stem().and_then(|name| name.to_str()));
        let entries: Vec<&str> = program.exports.iter().map(|export| export.name.as_str()).collect();
        assert_eq!(entries, ["is_authorized", "refine", "accumulate"]);
        // Nothing in them is beyond the text.
        let text = disassemble(&program, Profile::V0_7);
        assert!(!text.contains(".inst") && !text.contains(".bytes"), "{text}");
    }
}

//! Executables as they are written and damaged, and what is read of them.

use super::*;

/// `ecall`, and room for what follows.
const CODE: [u8; 8] = [0x73, 0, 0, 0, 0x13, 0, 0, 0];

fn segment(address: u32, size: u32, access: Access, data: &[u8]) -> Segment {
    Segment::new("", address, size, access, data)
}

fn executable() -> Executable {
    let symbol = |name: &str, address, kind| Symbol { name: name.into(), address, size: 4, kind, is_global: true };
    Executable {
        image: MemoryImage {
            segments: vec![
                Segment { name: "code", ..segment(0x10000, 0x1000, Access::ReadExecute, &CODE) },
                Segment { name: "rw-data", ..segment(0x12000, 0x3000, Access::ReadWrite, &[1, 2, 3]) },
            ],
            heap: None,
        },
        entry: 0x10000,
        end: 0x15000,
        symbols: vec![
            symbol("_start", 0x10000, SymbolKind::Function),
            symbol("label", 0x10004, SymbolKind::Label),
            symbol("data", 0x12000, SymbolKind::Object),
        ],
        program_headers: None,
        flags: 1,
    }
}

/// The file of the above, with some bytes changed.
fn changed(changes: &[(usize, &[u8])]) -> Result<Executable, LoadError> {
    let mut file = executable().encode();
    for (at, bytes) in changes {
        file[*at..at + bytes.len()].copy_from_slice(bytes);
    }
    Executable::parse(&file)
}

fn message(changes: &[(usize, &[u8])]) -> String {
    changed(changes).unwrap_err().to_string()
}

// Fields of the first and second program header.
const FIRST: usize = 52;
const SECOND: usize = 84;

#[test]
fn what_is_written_is_read() {
    assert_eq!(changed(&[]), Ok(executable()));
    assert_eq!(executable().symbol("label"), Some(0x10004));
    assert_eq!(executable().symbol("nothing"), None);
}

#[test]
fn labels_of_the_compiler_are_left_out() {
    let mut with_labels = executable();
    for name in [".Lpcrel_hi0", ".L0 ", "$x", ".text"] {
        let kind = SymbolKind::Label;
        with_labels.symbols.push(Symbol { name: name.into(), address: 0x10004, size: 0, kind, is_global: false });
    }
    let read = Executable::parse(&with_labels.encode()).unwrap();
    let names: Vec<&str> = read.symbols.iter().map(|symbol| &*symbol.name).collect();
    assert_eq!(names, ["_start", ".text", "label", "data"]);
}

#[test]
fn other_files_are_named() {
    for (change, text) in [
        ((4, &[2][..]), "class at byte 4: 2 (64-bit) instead of 1 (32-bit)"),
        ((5, &[2]), "byte order at byte 5: 2 (big-endian) instead of 1 (little-endian)"),
        ((18, &[62]), "machine at byte 18: 62 (x86-64) instead of 243 (RISC-V)"),
        ((16, &[3]), "type at byte 16: 3 (position-independent or dynamic) instead of 2"),
        ((16, &[1]), "an object file that is to be linked"),
        (
            (FIRST, &[3]),
            "program header at byte 52: a dynamic executable, which needs an interpreter, is not supported",
        ),
    ] {
        let found = message(&[change]);
        assert!(found.contains(text), "{found}");
    }
    assert_eq!(Executable::parse(b"MZ").unwrap_err().offset, 0);
}

#[test]
fn absurd_segments_are_refused() {
    for (changes, text) in [
        (&[(44, &[0, 0][..])][..], "program headers at byte 28: missing"),
        (&[(FIRST, &[0]), (SECOND, &[0])], "segments to load at byte 28: missing"),
        (&[(42, &[31])], "size of a program header at byte 42: 31 (bytes) instead of 32"),
        (&[(28, &[0xff; 4])], "program headers at byte 28: 64 bytes are needed, 0 are left"),
        (&[(FIRST + 4, &[0xff; 4])], "contents of a segment at byte 56: 8 bytes are needed, 0 are left"),
        (&[(FIRST + 16, &[1, 16])], "size of a segment in the file at byte 68: 4097 is more than the limit of 4096"),
        (&[(SECOND + 20, &[0, 0, 0xff, 0xff])], "end of a segment at byte 104: 4294975488 is more than the limit of"),
        (&[(SECOND + 8, &[0xff; 4])], "address of a segment at byte 92"),
        (
            &[(FIRST + 20, &[1, 0x20])],
            "at byte 92: the area from 0x12000 to 0x15000 overlaps the one from 0x10000 to 0x12001",
        ),
        (&[(24, &[0, 0x20, 1])], "entry point at byte 24: 0x12000 is not in an executable segment"),
        (&[(24, &[1])], "entry point at byte 24: 0x10001 is not even"),
        (&[(24, &[0, 0, 9])], "entry point at byte 24: 0x90000 is not in an executable segment"),
    ] {
        let found = message(changes);
        assert!(found.contains(text), "{found}");
    }
    // The file again and again.
    let mut many = executable();
    many.image.segments = (0..300).map(|k| segment(0x10000 + k * 0x1000, 0x1000, Access::ReadExecute, &[])).collect();
    let error = Executable::parse(&many.encode()).unwrap_err().to_string();
    assert!(error.contains("number of segments") && error.contains("257 is more than the limit of 256"), "{error}");
    // More than half of the file each.
    let [size, big] = [0x1f00_u32.to_le_bytes(), 0x2000_u32.to_le_bytes()];
    let found = message(&[
        (FIRST + 4, &[0; 4]),
        (FIRST + 16, &size),
        (FIRST + 20, &big),
        (SECOND + 4, &[0; 4]),
        (SECOND + 16, &size),
    ]);
    assert!(found.contains("bytes in all segments"), "{found}");
}

#[test]
fn no_truncation_is_taken_for_the_whole() {
    let file = executable().encode();
    for len in 0..file.len() {
        assert!(Executable::parse(&file[..len]).is_err(), "cut to {len}");
    }
}

#[test]
fn no_change_of_a_byte_does_harm() {
    let file = executable().encode();
    for at in 0..file.len() {
        for value in [0, 1, 0x7f, 0x80, 0xff] {
            let mut file = file.clone();
            file[at] = value;
            if let Ok(executable) = Executable::parse(&file) {
                let bytes: usize = executable.image.segments.iter().map(|segment| segment.data.len()).sum();
                assert!(bytes <= file.len() + 2 * PAGE_SIZE as usize);
            }
        }
    }
}

#[test]
fn a_page_that_two_segments_share_has_the_rights_of_both() {
    let mut program = executable();
    let file = program.encode();
    // Code up to 0x10ffc... of two pages, then data in its last page and the next.
    program.image.segments.clear();
    let mut changed = file;
    changed[FIRST + 20..FIRST + 24].copy_from_slice(&0x1ffc_u32.to_le_bytes());
    changed[SECOND + 8..SECOND + 12].copy_from_slice(&0x11ffe_u32.to_le_bytes());
    let program = Executable::parse(&changed).unwrap();
    let areas: Vec<_> = program.image.segments.iter().map(|s| (s.name, s.address, s.size, s.data.len())).collect();
    assert_eq!(
        areas,
        [("code", 0x10000, 0x1000, 8), ("rwx", 0x11000, 0x1000, 0x1000), ("rw-data", 0x12000, 0x3000, 1)]
    );
    assert_eq!(program.image.segments[1].data[0xffd..], [0, 1, 2]);
    assert_eq!(program.image.segments[2].data[..], [3]);
    assert_eq!(program.end, 0x14ffe);
}

#[test]
fn flat_binaries_stand_at_their_base() {
    let program = Executable::flat(&CODE, 0x8000_0004).unwrap();
    let [segment] = &program.image.segments[..] else { panic!() };
    assert_eq!((segment.address, segment.size, segment.access), (0x8000_0000, 0x1000, Access::ReadWriteExecute));
    assert_eq!((&segment.data[..4], &segment.data[4..]), (&[0; 4][..], &CODE[..]));
    assert_eq!((program.entry, program.end), (0x8000_0004, 0x8000_000c));
    assert!(Executable::flat(&CODE, 0xffff_fff8).is_err());
    assert!(Executable::flat(&CODE, 3).is_err());
    assert!(Executable::flat(&[], 0).is_err());
}

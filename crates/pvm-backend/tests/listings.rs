//! What the back end makes of the functions in `tests/listings`, as listings beside them. `BLESS=1` writes them anew.

mod common;

use std::path::Path;

#[test]
fn listings_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/listings");
    let bless = std::env::var_os("BLESS").is_some();
    let mut files: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "clif"));
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let listing = common::listing(&common::compiled(&std::fs::read_to_string(&file).unwrap()));
        let beside = file.with_extension("pvm");
        if bless {
            std::fs::write(&beside, &listing).unwrap();
        } else {
            let before = std::fs::read_to_string(&beside).unwrap_or_default();
            assert!(listing == before, "{} has changed; BLESS=1 accepts this:\n{listing}", beside.display());
        }
    }
}

//! The files in the paths that are to be tested.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// All files in the paths, folders with everything in them, in the order of their names. Every file is a case, whatever
/// it is called.
pub fn files(paths: &[PathBuf]) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for path in paths {
        if path.as_os_str() == "-" || !is_folder(path)? {
            files.push(path.clone());
        } else {
            walk(path, &mut Vec::new(), &mut files)?;
        }
    }
    Ok(files)
}

fn is_folder(path: &Path) -> Result<bool> {
    Ok(fs::metadata(path).with_context(|| path.display().to_string())?.is_dir())
}

/// `above` are the folders that this one is in: a link to one of them would never end.
fn walk(folder: &Path, above: &mut Vec<PathBuf>, files: &mut Vec<PathBuf>) -> Result<()> {
    let name = || folder.display().to_string();
    let place = folder.canonicalize().with_context(name)?;
    if above.contains(&place) {
        bail!("{}: the link leads back to a folder that it is in", folder.display());
    }
    above.push(place);
    let entries: Result<Vec<PathBuf>, _> =
        fs::read_dir(folder).with_context(name)?.map(|entry| entry.map(|entry| entry.path())).collect();
    let mut entries = entries.with_context(name)?;
    entries.sort();
    for entry in entries {
        match is_folder(&entry)? {
            true => walk(&entry, above, files)?,
            false => files.push(entry),
        }
    }
    above.pop();
    Ok(())
}

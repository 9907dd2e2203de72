//! The kernels: C sources, and the guest programs that were built from them.

use anyhow::{Context, Result, anyhow};
use pvm_program::Program;
use std::path::{Path, PathBuf};

/// In the order of the tables.
const NAMES: [&str; 8] = ["sieve", "sha256", "bytecode", "sort", "fib", "matmul", "coremix", "field"];

/// The name of the one function that is run.
pub const ENTRY: &str = "kernel";

/// A kernel.
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Its C source.
    pub source: PathBuf,
    /// The `.polkavm` container.
    pub file: Vec<u8>,
    /// The WebAssembly module from the same source, if there is one.
    pub wasm: Option<Vec<u8>>,
    /// What is in the container.
    pub program: Program,
    /// Where [`ENTRY`] begins.
    pub entry: u32,
}

impl Kernel {
    fn load(folder: &Path, name: &str) -> Result<Kernel> {
        let path = folder.join(name).with_extension("polkavm");
        let file = std::fs::read(&path).with_context(|| path.display().to_string())?;
        let program = Program::parse(&file).with_context(|| path.display().to_string())?;
        let export = program.exports.iter().find(|export| export.name == ENTRY);
        let entry = export.ok_or_else(|| anyhow!("{}: no export named `{ENTRY}`", path.display()))?.pc;
        let wasm = folder.join(name).with_extension("wasm");
        let wasm =
            wasm.exists().then(|| std::fs::read(&wasm).with_context(|| wasm.display().to_string())).transpose()?;
        Ok(Kernel { name: name.to_owned(), source: folder.join(name).with_extension("c"), file, wasm, program, entry })
    }
}

/// The kernels of `folder` with these names: ours if there is no folder, all if there are no names.
///
/// # Errors
///
/// If a file cannot be read or is no program with the right export.
pub fn load(folder: Option<&Path>, names: &[String]) -> Result<Vec<Kernel>> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let names = match folder {
        _ if !names.is_empty() => names.to_vec(),
        None => NAMES.map(str::to_owned).to_vec(),
        Some(folder) => programs(folder)?,
    };
    names.iter().map(|name| Kernel::load(folder.unwrap_or(&ours), name)).collect()
}

/// The names of all guest programs in a folder.
fn programs(folder: &Path) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.flatten().map(|entry| entry.path());
    let programs = paths.filter(|path| path.extension().is_some_and(|extension| extension == "polkavm"));
    let mut names: Vec<_> = programs.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

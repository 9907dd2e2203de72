//! The kernels: C sources, and the guest programs that were built from them.

use crate::contender::Guest;
use anyhow::{Context, Result, anyhow};
use pvm_program::Program;
use std::path::{Path, PathBuf};

/// In the order of the tables.
const NAMES: [&str; 8] = ["sieve", "sha256", "bytecode", "sort", "fib", "matmul", "coremix", "field"];

/// Those that are there for RISC-V.
const RISCV_NAMES: [&str; 8] = ["sieve", "sha256", "bytecode", "sort", "fib", "matmul", "coremix", "records"];

/// The name of the one function that is run.
pub const ENTRY: &str = "kernel";

/// A kernel.
pub struct Kernel {
    /// Its name.
    pub name: String,
    /// Its C source.
    pub source: PathBuf,
    /// The same for PVM, if there is such a program.
    pub pvm: Option<Pvm>,
    /// The WebAssembly module from the same source, if there is one.
    pub wasm: Option<Vec<u8>>,
    /// The RISC-V program from the same source, if there is one: `prog N` writes the result.
    pub elf: Option<PathBuf>,
}

/// A kernel as a PVM program.
pub struct Pvm {
    /// The `.polkavm` container.
    pub file: Vec<u8>,
    /// What is in the container.
    pub program: Program,
    /// Where [`ENTRY`] begins.
    pub entry: u32,
}

impl Pvm {
    fn load(path: &Path) -> Result<Pvm> {
        let file = std::fs::read(path).with_context(|| path.display().to_string())?;
        let program = Program::parse(&file).with_context(|| path.display().to_string())?;
        let export = program.exports.iter().find(|export| export.name == ENTRY);
        let entry = export.ok_or_else(|| anyhow!("{}: no export named `{ENTRY}`", path.display()))?.pc;
        Ok(Pvm { file, program, entry })
    }
}

impl Kernel {
    fn load(folder: &Path, name: &str) -> Result<Kernel> {
        let path = |extension| folder.join(name).with_extension(extension);
        let existing = |extension| Some(path(extension)).filter(|path| path.exists());
        let elf = existing("elf");
        // One of the two there must be; if there is none, the error names the first.
        let polkavm = existing("polkavm").or_else(|| elf.is_none().then(|| path("polkavm")));
        let pvm = polkavm.map(|path| Pvm::load(&path)).transpose()?;
        let read = |path: PathBuf| std::fs::read(&path).with_context(|| path.display().to_string());
        let wasm = existing("wasm").map(read).transpose()?;
        Ok(Kernel { name: name.to_owned(), source: path("c"), pvm, wasm, elf })
    }

    /// The PVM program.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn pvm(&self) -> Result<&Pvm> {
        self.pvm.as_ref().with_context(|| format!("no {}.polkavm", self.name))
    }
}

/// The kernels of `folder` with these names: ours if there is no folder, all that are there for the guest if there are no names.
///
/// # Errors
///
/// If a file cannot be read or is no program with the right export.
pub fn load(folder: Option<&Path>, names: &[String], guest: Guest) -> Result<Vec<Kernel>> {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let names = match (folder, guest) {
        _ if !names.is_empty() => names.to_vec(),
        (None, Guest::Riscv) => RISCV_NAMES.map(str::to_owned).to_vec(),
        (None, _) => NAMES.map(str::to_owned).to_vec(),
        (Some(folder), Guest::Riscv) => programs(folder, "elf")?,
        (Some(folder), _) => programs(folder, "polkavm")?,
    };
    names.iter().map(|name| Kernel::load(folder.unwrap_or(&ours), name)).collect()
}

/// The names of all guest programs with this extension in a folder.
fn programs(folder: &Path, extension: &str) -> Result<Vec<String>> {
    let entries = std::fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let paths = entries.flatten().map(|entry| entry.path());
    let programs = paths.filter(|path| path.extension().is_some_and(|its| its == extension));
    let mut names: Vec<_> = programs.filter_map(|path| Some(path.file_stem()?.to_str()?.to_owned())).collect();
    names.sort();
    Ok(names)
}

//! A batch on QEMU's user mode and on our engines: all must write the same.

use super::{Batch, RESULT_WORDS};
use anyhow::{Context, Result, bail, ensure};
use pvm_host::{DEFAULT_STACK, Ending, Folders, Process, Start, Stop, Streams, run_process};
use pvm_runtime::{Config, Engine, GasModel, Instance, Jit, Module, Options};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A case whose outcome is not the same everywhere.
#[derive(Debug)]
pub struct Disagreement {
    /// The case of the batch.
    pub case: usize,
    /// The engine of ours.
    pub engine: &'static str,
    /// The first difference, in words.
    pub words: String,
}

/// QEMU, and our engines.
pub struct Oracle {
    engines: Vec<(&'static str, Engine)>,
    folder: PathBuf,
}

impl Oracle {
    /// Finds QEMU and sets up engines. `folder` is for the programs that QEMU is given.
    ///
    /// # Errors
    ///
    /// If one of them is not there.
    pub fn new(folder: &Path) -> Result<Oracle> {
        let version = Command::new(QEMU).arg("--version").output();
        version.with_context(|| format!("{QEMU} cannot be run (Debian: qemu-user)"))?;
        std::fs::create_dir_all(folder).with_context(|| folder.display().to_string())?;
        let engine = |config: Config| Engine::new(&config);
        let compiled =
            |jit_threshold| Config { jit: Jit::Cranelift, jit_threshold, verify: false, ..Config::default() };
        let engines = vec![
            ("interpreter", engine(Config { jit: Jit::Off, ..Config::default() })?),
            ("compiled at once", engine(compiled(0))?),
            ("compiled when hot", engine(compiled(3))?),
        ];
        Ok(Oracle { engines, folder: folder.to_owned() })
    }

    /// Runs a batch everywhere. Returns all cases whose outcome differs.
    ///
    /// # Errors
    ///
    /// If it cannot be run, or QEMU does not run it to its end: that is a mistake of the generator.
    pub fn check(&self, batch: &Batch, name: &str) -> Result<Vec<Disagreement>> {
        let expected = self.on_qemu(batch, name)?;
        let mut disagreements = Vec::new();
        for (engine, of) in &self.engines {
            match on_ours(of, batch) {
                Ok(found) => disagreements.extend(compare(engine, &expected, &found)),
                Err(error) => {
                    disagreements.push(Disagreement { case: 0, engine, words: format!("{error:#}") });
                }
            }
        }
        Ok(disagreements)
    }

    fn on_qemu(&self, batch: &Batch, name: &str) -> Result<Vec<u8>> {
        let path = self.folder.join(format!("{name}.elf"));
        std::fs::write(&path, batch.executable.encode()).with_context(|| path.display().to_string())?;
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755))?;
        let output = Command::new(QEMU).arg(&path).stdin(Stdio::null()).output().context(QEMU)?;
        ensure!(output.status.success(), "{QEMU} {}: {}", path.display(), output.status);
        let expected = batch.cases * RESULT_WORDS * 4;
        ensure!(output.stdout.len() == expected, "{QEMU} {}: {} bytes", path.display(), output.stdout.len());
        std::fs::remove_file(&path).with_context(|| path.display().to_string())?;
        Ok(output.stdout)
    }
}

const QEMU: &str = "qemu-riscv32";

fn on_ours(engine: &Engine, batch: &Batch) -> Result<Vec<u8>> {
    let options = Options { profile: None, gas_model: Some(GasModel::None) };
    let module = Module::from_executable(engine, batch.executable.clone(), options)?;
    let mut instance = Instance::new(&module, &[])?;
    let (mut input, mut output, mut error) = (std::io::empty(), Vec::new(), std::io::sink());
    let streams = Streams { input: &mut input, output: &mut output, error: &mut error };
    let start = Start {
        streams,
        folders: Folders::default(),
        arguments: Vec::new(),
        environment: Vec::new(),
        stack_size: DEFAULT_STACK,
    };
    let (mut process, _) = Process::start(&batch.executable, instance.memory_mut(), start)?;
    let stop = run_process(&mut instance, &mut process);
    drop(process);
    match stop {
        Stop::End(Ending::Exit(0)) => Ok(output),
        stop => bail!("stopped by {stop:?} at pc {:#x}", instance.pc()),
    }
}

fn compare(engine: &'static str, expected: &[u8], found: &[u8]) -> Vec<Disagreement> {
    let cases = expected.chunks(RESULT_WORDS * 4).zip(found.chunks(RESULT_WORDS * 4));
    let differing = cases.enumerate().filter(|(_, (expected, found))| expected != found);
    differing
        .map(|(case, (expected, found))| Disagreement { case, engine, words: difference(expected, found) })
        .collect()
}

fn difference(expected: &[u8], found: &[u8]) -> String {
    let words =
        |bytes: &[u8]| -> Vec<u32> { bytes.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word)).collect() };
    let pairs = words(expected).into_iter().zip(words(found)).enumerate();
    let all = pairs.filter(|(_, (expected, found))| expected != found).map(|(register, (expected, found))| {
        let name = if register == 0 { "memory".to_owned() } else { format!("x{register}") };
        format!("{name}: QEMU {expected:#010x}, here {found:#010x}")
    });
    all.collect::<Vec<_>>().join("; ")
}

//! The host itself: the same C source, compiled by its compiler.
//!
//! A kernel runs in a process of its own, which measures its own processor time, so nothing has to be loaded into this one.

use crate::contender::{Contender, Guest, Runner, Sample};
use crate::kernel::Kernel;
use anyhow::{Context, Result, anyhow, ensure};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::rc::Rc;
use std::time::Duration;

/// What is tried, in turn, if no compiler is named.
const COMPILERS: [&str; 3] = ["clang-19", "clang", "cc"];

/// A C compiler and a folder for what it makes.
pub struct Toolchain {
    compiler: String,
    version: String,
    folder: PathBuf,
}

impl Toolchain {
    /// The compiler of this name, or else the first that there is.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn find(named: Option<&str>) -> Result<Toolchain> {
        let found = COMPILERS.iter().copied().filter(|_| named.is_none()).chain(named).find_map(|compiler| {
            let output = Command::new(compiler).arg("--version").output().ok().filter(|output| output.status.success());
            let version = String::from_utf8_lossy(&output?.stdout).lines().next().unwrap_or_default().to_owned();
            Some((compiler.to_owned(), version))
        });
        let (compiler, version) =
            found.ok_or_else(|| anyhow!("no C compiler: {}", named.map_or(COMPILERS.join(", "), str::to_owned)))?;
        let folder = std::env::temp_dir().join(format!("pvm-compare-{}", std::process::id()));
        std::fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
        Ok(Toolchain { compiler, version, folder })
    }

    /// What the compiler calls itself.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Compiles a kernel with the program that runs it.
    fn compile(&self, kernel: &Kernel) -> Result<PathBuf> {
        let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
        let output = self.folder.join(&kernel.name);
        let mut command = Command::new(&self.compiler);
        command.arg("-O2").arg("-I").arg(&kernels).arg("-o").arg(&output);
        let status = command.arg(&kernel.source).arg(kernels.join("native_main.c")).status();
        let status = status.with_context(|| self.compiler.clone())?;
        ensure!(status.success(), "{} on {}: {status}", self.compiler, kernel.source.display());
        Ok(output)
    }
}

impl Drop for Toolchain {
    fn drop(&mut self) {
        // What cannot be removed stays in the folder for temporary files.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Native code: what everything is compared with.
pub fn contender(toolchain: Toolchain) -> Contender {
    let toolchain = Rc::new(toolchain);
    let prepare = move |kernel: &Kernel| -> Result<Runner> {
        let mut process = Process::start(&toolchain.compile(kernel)?)?;
        Ok(Box::new(move |n| process.run(n)))
    };
    Contender { name: "native", guest: Guest::Source, share: 1, prepare: Box::new(prepare) }
}

/// A running kernel, waiting for numbers.
struct Process {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Process {
    fn start(program: &Path) -> Result<Process> {
        let mut child = Command::new(program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| program.display().to_string())?;
        let output = child.stdout.take().context("no standard output")?;
        Ok(Process { input: child.stdin.take(), output: BufReader::new(output), child })
    }

    fn run(&mut self, n: u64) -> Result<Sample> {
        let input = self.input.as_mut().context("no standard input")?;
        writeln!(input, "{n}")?;
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let (result, time) = line.trim().split_once(' ').with_context(|| format!("native kernel: {line:?}"))?;
        Ok(Sample { time: Duration::from_nanos(time.parse()?), result: result.parse()? })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // At the end of its input it ends.
        drop(self.input.take());
        let _ = self.child.wait();
    }
}

//! `pvmrun test`.

mod collect;
#[cfg(feature = "wasm")]
mod script;
mod skip;

use crate::Io;
use crate::args::TestArgs;
use crate::input::{self, Input};
use crate::{exit, setup, stats};
use anyhow::Result;
use pvm_conformance::{Case, Suite};
use pvm_host::escape;
use pvm_runtime::{CompileStats, Options, Stats};
use serde::Serialize;
use skip::SkipList;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

/// What came of all cases, with the names that it has in JSON.
#[derive(Debug, Default, Serialize)]
struct Summary {
    passed: usize,
    failed: usize,
    skipped: usize,
    failures: Vec<Failure>,
    skips: Vec<Skip>,
    /// Assertions of WebAssembly scripts that hold, by kind.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    assertions: BTreeMap<&'static str, usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stats: Option<stats::Report>,
}

#[derive(Debug, Serialize)]
struct Failure {
    path: String,
    difference: String,
}

#[derive(Debug, Serialize)]
struct Skip {
    path: String,
    reason: String,
}

/// Runs every case in the paths.
pub fn test(args: &TestArgs, io: &mut Io<'_>) -> Result<u8> {
    let started = Instant::now();
    let mut skips = args.skip_list.as_deref().map(|path| SkipList::read(path, io)).transpose()?;
    let paths = collect::files(&args.paths)?;
    let suite = Suite {
        engine: setup::engine(&args.engine, args.report.stats)?,
        options: Options { profile: args.read.isa, gas_model: args.engine.gas_model },
        timeout: args.engine.timeout,
    };
    let prepared = Instant::now();
    let mut summary = Summary::default();
    let mut total = (Stats::default(), CompileStats::default());
    let mut progress = Progress { last: prepared, is_shown: io.err_is_terminal && !args.report.json };
    for (done, path) in paths.iter().enumerate() {
        progress.show(done, paths.len(), io);
        if let Some(reason) = skips.as_mut().and_then(|skips| skips.reason(path)) {
            summary.skip(path, reason, args, &progress, io)?;
            continue;
        }
        #[cfg(feature = "wasm")]
        if let Some(bytes) = script_text(path, args, io) {
            match script::run(&bytes, args, &suite) {
                Ok(assertions) => {
                    let mut reason = |path: &Path| skips.as_mut().and_then(|skips| skips.reason(path));
                    summary.count_script(path, assertions, &mut reason, args, &progress, io)?;
                }
                Err(error) => summary.count(path, Some(format!("{error:#}")), args, &progress, io)?,
            }
            continue;
        }
        match case(path, args, &suite, io) {
            Ok(case) => {
                stats::add(&mut total, case.stats, case.compiled);
                summary.count(path, case.difference, args, &progress, io)?;
            }
            Err(error) => summary.count(path, Some(format!("{error:#}")), args, &progress, io)?,
        }
    }
    progress.clear(io);
    if args.report.stats {
        let times = stats::Times { load: Duration::ZERO, prepare: prepared - started, run: prepared.elapsed() };
        summary.stats = Some(stats::Report::new(total.0, total.1, times));
    }
    let code = summary.finish(args, skips.is_some(), io)?;
    skips.map_or(Ok(()), |skips| skips.check())?;
    Ok(code)
}

/// Reads and runs a case. The error says why there is none.
fn case(path: &Path, args: &TestArgs, suite: &Suite, io: &mut Io<'_>) -> Result<Case> {
    let bytes = input::read(path, io).map_err(|error| without_path(error, path))?;
    Ok(match input::recognise(&bytes, &args.read)? {
        Input::Executable(executable) => suite.executable(&executable),
        Input::Vector(vector) => suite.vector(&vector),
        Input::GasVector(vector) => suite.gas_vector(&vector),
        Input::Trace(trace) => {
            // The container may leave a choice that `--isa` does not have for others.
            let profile = pvm_program::Program::parse(&trace.program)
                .ok()
                .filter(|program| program.polkavm().is_some())
                .map(|program| setup::profile(&program, &args.read, None));
            let options = Options { profile: profile.or(suite.options.profile), ..suite.options };
            Suite { options, ..suite.clone() }.trace(&trace)
        }
        Input::Wasm(_) => anyhow::bail!("a WebAssembly module is no test: scripts (.wast) are"),
        Input::Program(program) => {
            anyhow::bail!(
                "a {} program is no test: vectors, traces and RISC-V tests are (`pvmrun run` runs it)",
                program.format
            )
        }
    })
}

/// The bytes of a file that is a WebAssembly script.
#[cfg(feature = "wasm")]
fn script_text(path: &Path, args: &TestArgs, io: &mut Io<'_>) -> Option<Vec<u8>> {
    // What cannot be read is told of when it is taken for a case.
    let is_file = path.as_os_str() != "-";
    let bytes = is_file.then(|| input::read(path, io).ok()).flatten()?;
    match args.read.format {
        Some(format) => format == crate::args::FormatArg::Wat,
        None => input::is_script(&bytes),
    }
    .then_some(bytes)
}

/// The line begins with the path already.
fn without_path(error: anyhow::Error, path: &Path) -> anyhow::Error {
    let text = format!("{error:#}");
    let prefix = format!("{}: ", path.display());
    anyhow::anyhow!(text.strip_prefix(&prefix).unwrap_or(&text).to_owned())
}

impl Summary {
    fn count(
        &mut self,
        path: &Path,
        difference: Option<String>,
        args: &TestArgs,
        progress: &Progress,
        io: &mut Io<'_>,
    ) -> Result<()> {
        let Some(difference) = difference else {
            self.passed += 1;
            return Ok(());
        };
        self.failed += 1;
        let failure = Failure { path: path.display().to_string(), difference };
        if !args.report.json {
            progress.clear(io);
            let path = escape(failure.path.as_bytes());
            // One line for each failure: a tool may count them.
            io.print(format!("FAILED {path}: {}\n", one_line(&failure.difference)))?;
            io.flush()?;
        }
        self.failures.push(failure);
        Ok(())
    }

    fn skip(
        &mut self,
        path: &Path,
        reason: String,
        args: &TestArgs,
        progress: &Progress,
        io: &mut Io<'_>,
    ) -> Result<()> {
        self.skipped += 1;
        let skip = Skip { path: path.display().to_string(), reason };
        if !args.report.json {
            progress.clear(io);
            io.print(format!("skipped {}: {}\n", escape(skip.path.as_bytes()), escape(skip.reason.as_bytes())))?;
        }
        self.skips.push(skip);
        Ok(())
    }

    fn finish(self, args: &TestArgs, has_skips: bool, io: &mut Io<'_>) -> Result<u8> {
        let nothing_ran = self.passed + self.failed + self.skipped == 0;
        if args.report.json {
            io.print(serde_json::to_string(&self)? + "\n")?;
        } else {
            if let Some(stats) = &self.stats {
                stats.print(io);
            }
            let skipped =
                if has_skips || self.skipped > 0 { format!(", {} skipped", self.skipped) } else { String::new() };
            io.print(format!("{} passed, {} failed{skipped}\n", self.passed, self.failed))?;
        }
        if nothing_ran {
            io.complain("error", "there are no files in these folders");
        }
        Ok(if self.failed > 0 || nothing_ran { exit::FAILED } else { exit::HALT })
    }
}

/// The text on one line, harmless for a terminal.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    escape(lines.join("; ").as_bytes())
}

/// How far a long run has come, for whoever watches.
struct Progress {
    last: Instant,
    is_shown: bool,
}

impl Progress {
    fn show(&mut self, done: usize, all: usize, io: &mut Io<'_>) {
        if self.is_shown && self.last.elapsed() > Duration::from_millis(100) {
            self.last = Instant::now();
            let _ = write!(io.err, "\r{done} of {all}");
            let _ = io.err.flush();
        }
    }

    /// Erases the line before something else is printed.
    fn clear(&self, io: &mut Io<'_>) {
        if self.is_shown {
            let _ = write!(io.err, "\r\x1b[K");
            let _ = io.err.flush();
        }
    }
}

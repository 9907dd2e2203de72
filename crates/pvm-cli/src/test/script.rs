//! WebAssembly scripts: one case for each assertion.

use super::{Progress, Summary};
use crate::args::TestArgs;
use crate::{Io, wasm};
use anyhow::{Context, Result, anyhow};
use pvm_conformance::Suite;
use pvm_conformance::script::{Assertion, Outcome, run_script};
use std::path::{Path, PathBuf};

/// Runs a script.
pub fn run(bytes: &[u8], args: &TestArgs, suite: &Suite) -> Result<Vec<Assertion>> {
    let text = str::from_utf8(bytes).context("a script is UTF-8 text")?;
    let level = wasm::level(args.read.wasm.wasm);
    let mut assertions = run_script(suite, level, text).map_err(|error| anyhow!("not a valid script: {error}"))?;
    if assertions.is_empty() {
        // What it says is that its modules come into being.
        assertions.push(Assertion { line: 1, kind: "module", outcome: Outcome::Passed });
    }
    Ok(assertions)
}

impl Summary {
    /// Counts the assertions of a script. Those that cannot be tried for the same reason are told of in one line.
    pub(super) fn count_script(
        &mut self,
        path: &Path,
        assertions: Vec<Assertion>,
        reason: &mut dyn FnMut(&Path) -> Option<String>,
        args: &TestArgs,
        progress: &Progress,
        io: &mut Io<'_>,
    ) -> Result<()> {
        let mut untried: Vec<(String, usize)> = Vec::new();
        for Assertion { line, kind, outcome } in assertions {
            let name = PathBuf::from(format!("{}:{line}", path.display()));
            let listed = reason(&name);
            match (listed, outcome) {
                (Some(reason), _) => self.skip(&name, reason, args, progress, io)?,
                (None, Outcome::Passed) => {
                    self.passed += 1;
                    *self.assertions.entry(kind).or_default() += 1;
                }
                (None, Outcome::Failed(text)) => {
                    self.count(&name, Some(format!("{kind}: {text}")), args, progress, io)?;
                }
                (None, Outcome::Skipped(text)) => match untried.iter_mut().find(|(reason, _)| *reason == text) {
                    Some((_, count)) => *count += 1,
                    None => untried.push((text, 1)),
                },
            }
        }
        for (reason, count) in untried {
            let text = match count {
                1 => format!("1 assertion: {reason}"),
                _ => format!("{count} assertions: {reason}"),
            };
            self.skip(path, text, args, progress, io)?;
            self.skipped += count - 1;
        }
        Ok(())
    }
}

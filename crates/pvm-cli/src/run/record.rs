//! `pvmrun run --trace FILE`.

use super::Session;
use super::program::execute;
use crate::Io;
use anyhow::{Context, Result, bail};
use pvm_conformance::Recorder;
use pvm_runtime::{Exit, Instance};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;

impl Session<'_> {
    /// Runs an instance and writes its trace. `program` is the file that it came from.
    pub(super) fn record(
        &self,
        path: &Path,
        instance: &mut Instance,
        program: &[u8],
        arguments: &[u8],
        io: &mut Io<'_>,
    ) -> Result<Exit> {
        if is_same_file(path, self.args.program()) {
            bail!("--trace: {} is the program itself", path.display());
        }
        let name = || format!("--trace: {}", path.display());
        let out = BufWriter::new(File::create(path).with_context(name)?);
        let module = instance.module().clone();
        let comment = format!(
            "pvmrun {} --isa={} --gas-model={}",
            env!("CARGO_PKG_VERSION"),
            module.profile().map_or("", |profile| profile.name()),
            module.gas_model()
        );
        let segment = module.program().and_then(|program| program.arguments(arguments));
        let mut recorder = Recorder::start(out, &comment, program, segment.as_ref(), instance).with_context(name)?;
        let exit = execute(instance, self.args, Some(&mut recorder), io)?;
        recorder.finish(instance, exit).with_context(name)?;
        Ok(exit)
    }
}

fn is_same_file(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

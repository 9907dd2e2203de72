//! What profilers of the host are told about compiled code, so that they can name it.
//!
//! Either of two files is written as code is made, one for the process: a *perf map*, a line of text for each region, or a
//! *jitdump*, which has the machine code, too. Neither is needed to run anything: if one cannot be written, that is said
//! once, and the run goes on.
//!
//! Where `perf record` runs the process, `cranelift-jit` adds to the perf map, too, whatever is asked for here: the same
//! lines once more, if it is told the same names.
//!
//! A perf map knows no time: nothing can be taken back. When a region is evicted its line stays, and if another one is put
//! at that address later, a reader takes the one or the other. A jitdump has no such doubts.

#[cfg(target_os = "linux")]
use crate::jitdump::JitDump;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// What profilers are told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Profiling {
    /// Nothing.
    #[default]
    Off,
    /// The file `/tmp/perf-PID.map`, where `perf report` looks for names by itself.
    PerfMap,
    /// The file `jit-PID.dump` in the current folder, for `perf inject --jit`. Linux only.
    JitDump,
}

/// Names the code of one program, and tells profilers.
#[derive(Debug)]
pub struct Profiler {
    profiling: Profiling,
    /// Ascending; each program counter once.
    symbols: Vec<(u32, String)>,
}

/// The most characters of a guest's own names in a name.
const MAX_NAME: usize = 120;

impl Profiler {
    /// A profiler for a program with these named places, in any order. One place may have several names.
    pub fn new(profiling: Profiling, symbols: impl IntoIterator<Item = (u32, String)>) -> Profiler {
        let mut all: Vec<(u32, String)> = symbols.into_iter().collect();
        // Stable, so that names of one place keep their order.
        all.sort_by_key(|&(pc, _)| pc);
        let mut symbols: Vec<(u32, String)> = Vec::new();
        for (pc, name) in all {
            match symbols.last_mut() {
                Some((last, names)) if *last == pc => {
                    names.push('/');
                    names.push_str(&name);
                }
                _ => symbols.push((pc, name)),
            }
        }
        for (_, name) in &mut symbols {
            // It is the guest's, and goes into a file of lines.
            *name = name.chars().flat_map(char::escape_default).take(MAX_NAME).collect();
        }
        Profiler { profiling, symbols }
    }

    /// What code is called whose first block is at `pc`: by the nearest named place at or before it.
    pub(crate) fn name(&self, pc: u32) -> String {
        let after = self.symbols.partition_point(|&(at, _)| at <= pc);
        match self.symbols[..after].last() {
            Some((at, name)) if *at == pc => format!("pvm:{name}"),
            Some((at, name)) => format!("pvm:{name}+{:#x}", pc - at),
            None => format!("pvm:{pc:#x}"),
        }
    }

    /// Tells that machine code of this name is at `address` now.
    pub(crate) fn record(&self, name: &str, address: usize, code: &[u8]) {
        let (output, path) = match self.profiling {
            Profiling::Off => return,
            Profiling::PerfMap => (&PERF_MAP, PathBuf::from(format!("/tmp/perf-{}.map", std::process::id()))),
            Profiling::JitDump => (&JIT_DUMP, PathBuf::from(format!("jit-{}.dump", std::process::id()))),
        };
        let mut output = output.lock().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = output.add(self.profiling, &path, name, address as u64, code) {
            tracing::warn!(path = %path.display(), %error, "profilers are told nothing of this and further code");
            *output = Output::Failed;
        }
    }
}

/// A file that describes code.
#[derive(Debug)]
enum Output {
    Unopened,
    PerfMap(File),
    #[cfg(target_os = "linux")]
    JitDump(JitDump),
    Failed,
}

// One for the process, whatever engines there are: profilers know a process by its number.
static PERF_MAP: Mutex<Output> = Mutex::new(Output::Unopened);
static JIT_DUMP: Mutex<Output> = Mutex::new(Output::Unopened);

impl Output {
    fn add(&mut self, profiling: Profiling, path: &Path, name: &str, address: u64, code: &[u8]) -> io::Result<()> {
        if let Output::Unopened = self {
            *self = Output::open(profiling, path)?;
        }
        match self {
            Output::PerfMap(file) => file.write_all(format!("{address:x} {:x} {name}\n", code.len()).as_bytes()),
            #[cfg(target_os = "linux")]
            Output::JitDump(dump) => dump.add(name, address, code),
            Output::Unopened | Output::Failed => Ok(()),
        }
    }

    fn open(profiling: Profiling, path: &Path) -> io::Result<Output> {
        match profiling {
            Profiling::Off => Ok(Output::Failed),
            Profiling::PerfMap => create(path).map(Output::PerfMap),
            #[cfg(target_os = "linux")]
            Profiling::JitDump => create(path).and_then(JitDump::begin).map(Output::JitDump),
            #[cfg(not(target_os = "linux"))]
            Profiling::JitDump => Err(io::Error::new(io::ErrorKind::Unsupported, "jitdump is for Linux")),
        }
    }
}

/// Creates a file to be appended to, as others may do so, too. One that is there was left by a process that had our number; it is replaced and not opened, so that a
/// link put there by somebody else leads nowhere.
fn create(path: &Path) -> io::Result<File> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::options().read(true).append(true).create_new(true).open(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_named_by_what_comes_before_it() {
        let symbols = [(20, "b"), (5, "a"), (20, "c\n1 2 forged")].map(|(pc, name)| (pc, name.to_owned()));
        let profiler = Profiler::new(Profiling::PerfMap, symbols);
        let names = [4, 5, 19, 20, 0x1014].map(|pc| profiler.name(pc));
        let shared = "pvm:b/c\\n1 2 forged";
        assert_eq!(names, ["pvm:0x4", "pvm:a", "pvm:a+0xe", shared, &format!("{shared}+0x1000")]);
    }

    #[test]
    fn what_is_too_long_is_cut() {
        let profiler = Profiler::new(Profiling::JitDump, [(0, "n".repeat(1000))]);
        assert_eq!(profiler.name(1).len(), "pvm:".len() + MAX_NAME + "+0x1".len());
    }
}

//! `pvmrun --profile`: what `perf` is told about compiled code.
#![cfg(all(feature = "cranelift", target_os = "linux"))]

mod common;

use common::{Folder, asm, countdown, echo, pvmrun};
use std::io::Read;
use std::ops::Range;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A service whose `accumulate` never ends.
fn endless() -> Vec<u8> {
    let service = ".info \"endless\", \"1.0\", \"MIT\", \"somebody\"\n.stack 4096\n.text\n";
    asm(&format!(
        "{service} .jump_wide start\n .jump_wide loop\nstart: trap\nloop: load_imm r8, 1\n fallthrough\n\
         next: add_imm_64 r7, r7, 1\n jump next\n"
    ))
}

/// A process that is ended with the test.
struct Running(Child);

impl Running {
    fn start(options: &[&str]) -> Running {
        let mut command = Command::new(env!("CARGO_BIN_EXE_pvmrun"));
        command.args(options).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Running(command.spawn().unwrap())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
        let _ = std::fs::remove_file(format!("/tmp/perf-{}.map", self.0.id()));
    }
}

/// What `read` returns as soon as it returns something.
fn wait_for<T>(mut read: impl FnMut() -> Option<T>) -> T {
    let started = Instant::now();
    loop {
        if let Some(found) = read() {
            return found;
        }
        assert!(started.elapsed() < Duration::from_secs(60), "it does not come");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// The anonymous memory that a process may execute and not write.
fn executable(process: u32) -> Vec<Range<u64>> {
    let maps = std::fs::read_to_string(format!("/proc/{process}/maps")).unwrap();
    let is_code = |line: &&str| line.split_whitespace().nth(1) == Some("r-xp") && line.split_whitespace().count() == 5;
    let range = |line: &str| {
        let (from, to) = line.split_once(' ')?.0.split_once('-')?;
        Some(u64::from_str_radix(from, 16).ok()?..u64::from_str_radix(to, 16).ok()?)
    };
    maps.lines().filter(is_code).filter_map(range).collect()
}

#[test]
fn a_perf_map_names_the_exports() {
    let folder = Folder::new("profile_map");
    let program = folder.write("endless.jam", endless());
    let options = ["--profile=perf-map", "--jit-threshold=0", "--entry=accumulate", "--timeout=100s", &program];
    let child = Running::start(&options);
    let process = child.0.id();
    let path = format!("/tmp/perf-{process}.map");
    let map = wait_for(|| std::fs::read_to_string(&path).ok().filter(|map| map.ends_with('\n')));
    let code = executable(process);
    for line in map.lines() {
        let [address, len, name] = line.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let [address, len] = [address, len].map(|number| u64::from_str_radix(number, 16).unwrap());
        assert!(len > 0 && code.iter().any(|range| range.start <= address && address + len <= range.end), "{map}");
        assert!(name.starts_with("pvm:"), "{map}");
    }
    assert!(map.lines().any(|line| line.ends_with(" pvm:accumulate")), "{map}");
}

#[test]
fn a_jitdump_has_the_code() {
    let folder = Folder::new("profile_dump");
    let program = folder.write("echo.jam", echo());
    let run = Command::new(env!("CARGO_BIN_EXE_pvmrun"))
        .args(["--profile=jitdump", "--jit-threshold=0", "--region-limit=4", &program, "01"])
        .current_dir(folder.path(""))
        .output()
        .unwrap();
    assert_eq!(String::from_utf8_lossy(&run.stdout), "01\n");
    let dumps = || std::fs::read_dir(folder.path("")).unwrap().map(|file| file.unwrap().path());
    let path = dumps().find(|path| path.extension().is_some_and(|end| end == "dump")).unwrap();
    let mut bytes = &std::fs::read(path).unwrap()[..];
    let header = take(&mut bytes, 40);
    assert_eq!([word(header, 0), word(header, 4), word(header, 8)], [0x4a69_5444, 1, 40]);
    let mut names = Vec::new();
    while !bytes.is_empty() {
        let [kind, len] = [word(bytes, 0), word(bytes, 4)];
        assert_eq!(kind, 0, "JIT_CODE_LOAD");
        let record = take(&mut bytes, len);
        let code_len = long(record, 40);
        let name = record[56..].split(|&byte| byte == 0).next().unwrap();
        assert_eq!(record.len(), 56 + name.len() + 1 + code_len);
        assert!(code_len > 0 && long(record, 48) == names.len());
        names.push(String::from_utf8(name.to_vec()).unwrap());
    }
    assert!(names.len() > 1 && names.iter().any(|name| name.starts_with("pvm:is_authorized/refine")), "{names:?}");
}

fn take<'a>(bytes: &mut &'a [u8], len: usize) -> &'a [u8] {
    let (taken, rest) = bytes.split_at(len);
    *bytes = rest;
    taken
}

fn word(bytes: &[u8], at: usize) -> usize {
    u32::from_ne_bytes(bytes[at..at + 4].try_into().unwrap()) as usize
}

fn long(bytes: &[u8], at: usize) -> usize {
    u64::from_ne_bytes(bytes[at..at + 8].try_into().unwrap()) as usize
}

/// In a folder that is gone no file can be made.
#[test]
fn a_profile_that_cannot_be_written_is_warned_of_once() {
    let folder = Folder::new("profile_nowhere");
    let program = folder.write("echo.jam", echo());
    let mut child = Command::new("sh")
        .args(["-c", "rmdir \"$PWD\" && exec \"$@\"", "sh", env!("CARGO_BIN_EXE_pvmrun")])
        .args(["--profile=jitdump", "--jit-threshold=0", "--region-limit=4", &program, "01"])
        .current_dir({
            let path = folder.path("gone");
            std::fs::create_dir(&path).unwrap();
            path
        })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut out, mut err) = (String::new(), String::new());
    child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), out.as_str()), (Some(0), "01\n"), "{err}");
    assert_eq!(err.matches("profilers are told nothing").count(), 1, "{err}");
}

#[test]
fn without_compiled_code_there_is_nothing_to_tell() {
    let folder = Folder::new("profile_interpreted");
    let program = folder.write("p", countdown());
    let done = pvmrun(&["--jit=off", "--profile=perf-map", &program]);
    assert!(done.err.contains("--profile has no effect"), "{}", done.err);
}

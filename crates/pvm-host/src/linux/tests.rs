//! System calls, made without a guest: what they answer, and what they leave in memory.

use super::*;
use pvm_program::{MemoryImage, Segment};
use pvm_runtime::FaultDetection;
use std::path::{Path, PathBuf};

/// Where programs of the tests are, and a page that they may write for what calls want.
const CODE: u32 = 0x1_0000;
const DATA: u32 = 0x2_0000;

fn executable() -> Executable {
    let segment = |address, access| Segment { name: "", address, size: 0x1000, access, data: Default::default() };
    let segments = vec![segment(CODE, Access::ReadExecute), segment(DATA, Access::ReadWrite)];
    let image = MemoryImage { segments, heap: None };
    Executable { image, entry: CODE, end: DATA + 0x800, symbols: Vec::new(), program_headers: None, flags: 0 }
}

/// A folder of its own for a test.
struct Scratch(PathBuf);

impl Scratch {
    fn new(name: &str) -> Scratch {
        let path = std::env::temp_dir().join(format!("pvm-host-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(path.join("inside")).unwrap();
        std::fs::write(path.join("secret"), "do not read").unwrap();
        Scratch(path)
    }

    fn inside(&self, name: &str) -> PathBuf {
        self.0.join("inside").join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs `test` on a process; returns what that has written to standard output.
fn with_process(folder: Option<&Path>, input: &str, test: impl FnOnce(&mut Process<'_>, &mut Memory, u32)) -> String {
    let executable = executable();
    let mut memory = Memory::new(64 << 20, FaultDetection::Checks, CODE).unwrap();
    for segment in &executable.image.segments {
        memory.map(segment.address, segment.size.into(), segment.access).unwrap();
    }
    let (mut input, mut output, mut error) = (input.as_bytes(), Vec::new(), Vec::new());
    let streams = Streams { input: &mut input, output: &mut output, error: &mut error };
    let mut folders = Folders::default();
    if let Some(folder) = folder {
        folders.open(&folder.join("inside"), "data").unwrap();
    }
    let arguments = vec![b"prog".to_vec(), b"one".to_vec()];
    let environment = vec![b"A=B".to_vec()];
    let start = Start { streams, folders, arguments, environment, stack_size: DEFAULT_STACK };
    let (mut process, pointer) = Process::start(&executable, &mut memory, start).unwrap();
    test(&mut process, &mut memory, pointer);
    process.flush();
    drop(process);
    String::from_utf8(output).unwrap()
}

fn call(process: &mut Process<'_>, memory: &mut Memory, number: u32, args: &[u32]) -> u32 {
    let mut six = [0; 6];
    six[..args.len()].copy_from_slice(args);
    match process.call(memory, number, six) {
        Reply::Return(value) | Reply::Flush(value) => value,
        other => panic!("{other:?}"),
    }
}

fn word(memory: &Memory, address: u32) -> u32 {
    let mut bytes = [0; 4];
    memory.read(address, &mut bytes).unwrap();
    u32::from_le_bytes(bytes)
}

fn text(memory: &Memory, address: u32) -> String {
    let mut text = Vec::new();
    for at in address.. {
        let mut byte = [0];
        memory.read(at, &mut byte).unwrap();
        if byte == [0] {
            break;
        }
        text.extend(byte);
    }
    String::from_utf8(text).unwrap()
}

/// Puts a path into memory and returns its address.
fn path(memory: &mut Memory, path: &str) -> u32 {
    memory.write(DATA + 0x100, path.as_bytes()).unwrap();
    memory.write(DATA + 0x100 + path.len() as u32, &[0]).unwrap();
    DATA + 0x100
}

const AT_FDCWD: u32 = -100_i32 as u32;
const O_RDONLY: u32 = 0;
const O_RDWR_CREAT: u32 = 0o102;

fn open(process: &mut Process<'_>, memory: &mut Memory, name: &str, flags: u32) -> u32 {
    let path = path(memory, name);
    call(process, memory, 56, &[AT_FDCWD, path, flags, 0o644])
}

#[test]
fn the_stack_is_laid_out_as_by_linux() {
    with_process(None, "", |_, memory, pointer| {
        assert!(pointer.is_multiple_of(16));
        assert_eq!(word(memory, pointer), 2);
        let argument = |k: u32| text(memory, word(memory, pointer + 4 + 4 * k));
        assert_eq!((argument(0), argument(1), word(memory, pointer + 12)), ("prog".into(), "one".into(), 0));
        assert_eq!((argument(3), word(memory, pointer + 20)), ("A=B".into(), 0));
        let mut auxiliary = std::collections::BTreeMap::new();
        let mut at = pointer + 24;
        while word(memory, at) != 0 {
            auxiliary.insert(word(memory, at), word(memory, at + 4));
            at += 8;
        }
        assert_eq!((auxiliary[&6], auxiliary[&9], auxiliary[&23]), (4096, CODE, 0));
        let mut random = [0; 16];
        memory.read(auxiliary[&25], &mut random).unwrap();
        assert_ne!(random, [0; 16]);
    });
}

#[test]
fn arguments_have_a_limit() {
    let executable = executable();
    let mut memory = Memory::new(64 << 20, FaultDetection::Checks, CODE).unwrap();
    let mut try_with = |argument: Vec<u8>, stack_size| {
        let (mut input, mut output, mut error) = (&b""[..], Vec::new(), Vec::new());
        let streams = Streams { input: &mut input, output: &mut output, error: &mut error };
        let (folders, arguments) = (Folders::default(), vec![argument]);
        let start = Start { streams, folders, arguments, environment: Vec::new(), stack_size };
        Process::start(&executable, &mut memory, start).map(|(_, pointer)| pointer)
    };
    assert!(matches!(try_with(vec![b'x'; MAX_LINUX_ARGUMENTS], MIN_STACK), Err(StartError::Arguments)));
    assert!(matches!(try_with(b"a\0b".to_vec(), MIN_STACK), Err(StartError::Arguments)));
    assert!(matches!(try_with(Vec::new(), 4096), Err(StartError::SmallStack { .. })));
    assert!(matches!(try_with(Vec::new(), 1 << 40), Err(StartError::NoRoom { .. })));
    assert!(matches!(try_with(Vec::new(), 128 << 20), Err(StartError::Memory(_))));
    assert!(try_with(vec![b'x'; MAX_LINUX_ARGUMENTS - 5], MIN_STACK).is_ok());
}

#[test]
fn streams_are_read_and_written() {
    let output = with_process(None, "in", |process, memory, _| {
        assert_eq!(call(process, memory, 63, &[0, DATA, 100]), 2);
        assert_eq!(call(process, memory, 63, &[0, DATA, 100]), 0);
        assert_eq!(call(process, memory, 64, &[1, DATA, 2]), 2);
        // Two parts: "n" and "in".
        for (at, value) in [(0x40, DATA + 1), (0x44, 1), (0x48, DATA), (0x4c, 2)] {
            memory.write(DATA + at, &u32::to_le_bytes(value)).unwrap();
        }
        assert_eq!(call(process, memory, 66, &[1, DATA + 0x40, 2]), 3);
        assert_eq!(call(process, memory, 66, &[1, DATA + 0x40, 1025]), Errno::EINVAL.result());
        assert_eq!(call(process, memory, 64, &[0, DATA, 1]), Errno::EBADF.result());
        assert_eq!(call(process, memory, 64, &[7, DATA, 1]), Errno::EBADF.result());
        assert_eq!(call(process, memory, 29, &[1, 0x5413, DATA]), Errno::ENOTTY.result());
    });
    assert_eq!(output, "innin");
}

#[test]
fn random_bytes_are_read_from_a_file() {
    with_process(None, "", |process, memory, _| {
        for name in ["/dev/urandom", "/dev/random"] {
            let file = open(process, memory, name, O_RDONLY);
            assert_eq!(file, 3, "{name}");
            assert_eq!(call(process, memory, 63, &[file, DATA, 64]), 64);
            let mut bytes = [0; 64];
            memory.read(DATA, &mut bytes).unwrap();
            assert!(bytes.iter().filter(|&&byte| byte == bytes[0]).count() < 32, "{bytes:?}");
            assert_eq!(call(process, memory, 64, &[file, DATA, 1]), Errno::EBADF.result());
            assert_eq!(call(process, memory, 67, &[file, DATA, 1, 0, 0]), Errno::ESPIPE.result());
            assert_eq!(call(process, memory, 57, &[file]), 0);
            assert_eq!(open(process, memory, name, 1), Errno::EACCES.result());
        }
    });
}

#[test]
fn every_pointer_is_checked() {
    let scratch = Scratch::new("pointers");
    std::fs::write(scratch.inside("file"), "abc").unwrap();
    with_process(Some(&scratch.0), "some input", |process, memory, _| {
        let file = open(process, memory, "data/file", O_RDONLY);
        assert_eq!(file, 3);
        let bad = [0, 4, 0xfff, DATA - 4, DATA + 0x1000, 0x7fff_ffff, u32::MAX - 1, u32::MAX];
        for at in bad {
            // The calls, with the bad pointer in each place for one.
            for (number, args) in [
                (17, [at, 4096, 0, 0, 0, 0]),
                (56, [AT_FDCWD, at, 0, 0, 0, 0]),
                (62, [file, 0, 0, at, 0, 0]),
                (63, [0, at, 8, 0, 0, 0]),
                (63, [file, at, 8, 0, 0, 0]),
                (64, [1, at, 8, 0, 0, 0]),
                (65, [0, at, 1, 0, 0, 0]),
                (66, [1, at, 1, 0, 0, 0]),
                (78, [AT_FDCWD, at, DATA, 8, 0, 0]),
                (80, [1, at, 0, 0, 0, 0]),
                (113, [0, at, 0, 0, 0, 0]),
                (134, [1, 0, at, 0, 0, 0]),
                (135, [0, 0, at, 0, 0, 0]),
                (160, [at, 0, 0, 0, 0, 0]),
                (169, [at, 0, 0, 0, 0, 0]),
                (278, [at, 16, 0, 0, 0, 0]),
                (291, [AT_FDCWD, at, 0, 0, DATA, 0]),
                (291, [1, DATA, 0x1000, 0, at, 0]),
                (403, [0, at, 0, 0, 0, 0]),
                (414, [at, 1, 0, 0, 0, 0]),
            ] {
                if at == 0 && [62, 134, 135].contains(&number) {
                    continue;
                }
                let found = call(process, memory, number, &args);
                assert_eq!(found, Errno::EFAULT.result(), "call {number} with {at:#x}");
            }
        }
        // Nothing is read from a stream for a buffer that ends behind its page.
        assert_eq!(call(process, memory, 63, &[0, DATA + 0xffc, 8]), Errno::EFAULT.result());
        assert_eq!(call(process, memory, 63, &[0, DATA, 0x800]), 10);
    });
}

#[test]
fn files_are_found_below_folders_only() {
    let scratch = Scratch::new("folders");
    std::fs::write(scratch.inside("file"), "abc").unwrap();
    std::fs::create_dir(scratch.inside("deep")).unwrap();
    #[cfg(unix)]
    for (target, link) in [("../secret", "out"), ("/etc/passwd", "abs"), ("file", "in"), ("..", "up")] {
        std::os::unix::fs::symlink(target, scratch.inside(link)).unwrap();
    }
    with_process(Some(&scratch.0), "", |process, memory, _| {
        for name in ["data/file", "/data/file", "./data/../data/./file", "data/deep/../file", "data/in"] {
            let file = open(process, memory, name, O_RDONLY);
            assert_eq!(file, 3, "{name}");
            assert_eq!(call(process, memory, 63, &[file, DATA, 9]), 3);
            assert_eq!(call(process, memory, 57, &[file]), 0);
        }
        let outside = scratch.0.join("secret").display().to_string();
        for name in [
            "data/../secret",
            "../secret",
            "/etc/passwd",
            &outside,
            "secret",
            "data/out",
            "data/abs",
            "data/up/secret",
            "data/deep/../../secret",
            "data/file/../../secret",
        ] {
            for flags in [O_RDONLY, O_RDWR_CREAT] {
                let found = open(process, memory, name, flags) as i32;
                assert!((-100..0).contains(&found), "{name}: {found}");
            }
        }
        assert_eq!(open(process, memory, "data/nothing", O_RDONLY), Errno::ENOENT.result());
        assert_eq!(open(process, memory, "data/file/", O_RDONLY), Errno::ENOTDIR.result());
        // By way of a folder that is open.
        let folder = open(process, memory, "data/deep", O_RDONLY);
        for name in ["../../secret", "../out", "/etc/passwd"] {
            let path = path(memory, name);
            assert!((call(process, memory, 56, &[folder, path, 0]) as i32) < 0, "{name}");
        }
        let path = path(memory, "../file");
        assert_eq!(call(process, memory, 56, &[folder, path, 0]), folder + 1);
    });
    assert_eq!(std::fs::read(scratch.0.join("secret")).unwrap(), b"do not read");
}

#[test]
fn files_are_written_sought_listed_and_removed() {
    let scratch = Scratch::new("files");
    with_process(Some(&scratch.0), "", |process, memory, _| {
        let file = open(process, memory, "data/new", O_RDWR_CREAT);
        memory.write(DATA, b"hello").unwrap();
        assert_eq!(call(process, memory, 64, &[file, DATA, 5]), 5);
        // _llseek to 1, then newlib's lseek to -1 from the end.
        assert_eq!(call(process, memory, 62, &[file, 0, 1, DATA + 8, 0]), 0);
        assert_eq!((word(memory, DATA + 8), word(memory, DATA + 12)), (1, 0));
        assert_eq!(call(process, memory, 63, &[file, DATA + 16, 2]), 2);
        assert_eq!(word(memory, DATA + 16), u32::from_le_bytes(*b"el\0\0"));
        assert_eq!(call(process, memory, 62, &[file, -1_i32 as u32, 2, 0]), 4);
        assert_eq!(call(process, memory, 67, &[file, DATA + 16, 3, 2, 0]), 3);
        assert_eq!(word(memory, DATA + 16), u32::from_le_bytes(*b"llo\0"));
        assert_eq!(call(process, memory, 63, &[file, DATA + 16, 9]), 1);
        assert_eq!(call(process, memory, 80, &[file, DATA + 0x200]), 0);
        assert_eq!((word(memory, DATA + 0x210) >> 12, word(memory, DATA + 0x230)), (8, 5));
        assert_eq!(call(process, memory, 46, &[file, 2, 0]), 0);
        let again = call(process, memory, 23, &[file]);
        assert_eq!(call(process, memory, 57, &[file]), 0);
        assert_eq!(call(process, memory, 57, &[file]), Errno::EBADF.result());
        assert_eq!(call(process, memory, 57, &[again]), 0);
        let folder = open(process, memory, "data", 0o200_000);
        let len = call(process, memory, 61, &[folder, DATA + 0x400, 0x400]);
        let mut entries = vec![0; len as usize];
        memory.read(DATA + 0x400, &mut entries).unwrap();
        assert!(entries.windows(4).any(|window| window == b"new\0"));
        assert_eq!(call(process, memory, 61, &[folder, DATA + 0x400, 0x400]), 0);
        let path = path(memory, "data/new");
        assert_eq!(call(process, memory, 35, &[AT_FDCWD, path, 0]), 0);
    });
    assert!(!scratch.inside("new").exists());
}

#[test]
fn memory_is_mapped_and_given_back() {
    with_process(None, "", |process, memory, pointer| {
        let brk = call(process, memory, 214, &[0]);
        assert_eq!(brk, DATA + 0x1000);
        assert_eq!(call(process, memory, 214, &[brk + 10]), brk + 10);
        memory.write(brk, &[7]).unwrap();
        assert_eq!(call(process, memory, 214, &[brk]), brk);
        assert!(memory.write(brk, &[7]).is_err());
        assert_eq!(call(process, memory, 214, &[brk + 1]), brk + 1);
        assert_eq!(word(memory, brk), 0);
        // More than the limit of memory, and into the stack.
        assert_eq!(call(process, memory, 214, &[brk + (65 << 20)]), brk + 1);
        assert_eq!(call(process, memory, 214, &[0xf000_0000]), brk + 1);

        let anonymous = 0x22;
        let area = call(process, memory, 222, &[0, 0x2800, 3, anonymous, u32::MAX, 0]);
        assert!(area.is_multiple_of(4096) && area < pointer);
        memory.write(area + 0x2fff, &[1]).unwrap();
        let second = call(process, memory, 222, &[0, 0x1000, 3, anonymous, u32::MAX, 0]);
        assert_eq!(second + 0x1000, area);
        assert_eq!(call(process, memory, 226, &[area, 0x1000, 1]), 0);
        assert!(memory.write(area, &[1]).is_err() && memory.write(area + 0x1000, &[1]).is_ok());
        assert_eq!(call(process, memory, 215, &[area + 0x1000, 0x1000]), 0);
        assert_eq!(call(process, memory, 226, &[area, 0x3000, 1]), Errno::ENOMEM.result());
        // The hole is the highest place of its size that is free.
        assert_eq!(call(process, memory, 222, &[0, 0x1000, 3, anonymous, u32::MAX, 0]), area + 0x1000);
        assert_eq!(call(process, memory, 222, &[0, 65 << 20, 3, anonymous, u32::MAX, 0]), Errno::ENOMEM.result());
        assert_eq!(call(process, memory, 222, &[0, 0, 3, anonymous, u32::MAX, 0]), Errno::EINVAL.result());
        assert_eq!(call(process, memory, 222, &[0, u32::MAX, 3, anonymous, u32::MAX, 0]), Errno::ENOMEM.result());
        let near_end = call(process, memory, 222, &[0xffff_f000, 0x2000, 3, anonymous, u32::MAX, 0]);
        assert!(near_end < pointer, "a hint that cannot be followed");
        assert_eq!(call(process, memory, 215, &[near_end, 0x2000]), 0);
        let fixed = anonymous | 0x10;
        assert_eq!(call(process, memory, 222, &[0x4000_0000, 0x1000, 3, fixed, u32::MAX, 0]), 0x4000_0000);
        assert_eq!(call(process, memory, 222, &[0x4000_0001, 0x1000, 3, fixed, u32::MAX, 0]), Errno::EINVAL.result());
        let unless_taken = anonymous | 0x10_0000;
        assert_eq!(
            call(process, memory, 222, &[0x4000_0000, 0x1000, 3, unless_taken, u32::MAX, 0]),
            Errno::EEXIST.result()
        );
    });
}

#[test]
fn files_are_mapped_as_copies() {
    let scratch = Scratch::new("mapped");
    std::fs::write(scratch.inside("file"), [[b'a'; 4096], [b'b'; 4096]].concat()).unwrap();
    with_process(Some(&scratch.0), "", |process, memory, _| {
        let file = open(process, memory, "data/file", O_RDONLY);
        let area = call(process, memory, 222, &[0, 0x3000, 1, 2, file, 1]);
        assert_eq!((word(memory, area), word(memory, area + 0x1000)), (u32::from_le_bytes([b'b'; 4]), 0));
        assert_eq!(call(process, memory, 222, &[0, 0x1000, 3, 1, file, 0]), Errno::EACCES.result());
        assert_eq!(call(process, memory, 222, &[0, 0x1000, 1, 2, 77, 0]), Errno::EBADF.result());
    });
}

#[test]
fn actions_of_signals_are_kept_but_for_those_that_cannot_be_changed() {
    with_process(None, "", |process, memory, _| {
        memory.write(DATA, &[7; 16]).unwrap();
        for (signal, answer) in
            [(0, Errno::EINVAL.result()), (9, Errno::EINVAL.result()), (19, Errno::EINVAL.result()), (10, 0)]
        {
            assert_eq!(call(process, memory, 134, &[signal, DATA, 0, 8]), answer, "signal {signal}");
        }
        // Asking is allowed.
        assert_eq!(call(process, memory, 134, &[9, 0, DATA + 16, 8]), 0);
        assert_eq!(word(memory, DATA + 16), 0);
        assert_eq!(call(process, memory, 134, &[10, 0, DATA + 16, 8]), 0);
        assert_eq!(word(memory, DATA + 16), 0x0707_0707);
    });
}

#[test]
fn processes_end() {
    with_process(None, "", |process, memory, _| {
        assert_eq!(process.call(memory, 93, [0x103, 0, 0, 0, 0, 0]), Reply::End(Ending::Exit(3)));
    });
    with_process(None, "", |process, memory, _| {
        let pid = call(process, memory, 172, &[]);
        assert_eq!(call(process, memory, 130, &[pid + 1, 6]), Errno::ESRCH.result());
        let ending = process.call(memory, 130, [pid, 6, 0, 0, 0, 0]);
        assert_eq!(ending, Reply::End(Ending::Signal(6)));
        assert_eq!(Ending::Signal(6).code(), 134);
    });
}

#[test]
fn time_passes() {
    with_process(None, "", |process, memory, _| {
        memory.write(DATA, &[0; 8]).unwrap();
        memory.write(DATA + 8, &u64::to_le_bytes(150_000_000)).unwrap();
        let started = Instant::now();
        while process.call(memory, 407, [1, 0, DATA, 0, 0, 0]) == Reply::Again {}
        assert!(started.elapsed().as_millis() >= 150);
        assert_eq!(call(process, memory, 403, &[1, DATA]), 0);
        assert!(word(memory, DATA + 8) >= 150_000_000 || word(memory, DATA) > 0);
        assert_eq!(call(process, memory, 403, &[99, DATA]), Errno::EINVAL.result());
    });
}

#[test]
fn what_is_unknown_is_no_call() {
    with_process(None, "", |process, memory, _| {
        for number in (0..5000).filter(|&number| calls::find(number).is_none()) {
            assert_eq!(call(process, memory, number, &[]), Errno::ENOSYS.result());
        }
        assert_eq!(process.unknown.len(), MAX_LOGGED);
        assert_eq!(call(process, memory, 259, &[]), 0);
        assert_eq!(process.call(memory, 259, [0; 6]), Reply::Flush(0));
    });
}

#[test]
fn no_call_does_harm_whatever_its_arguments() {
    let scratch = Scratch::new("random");
    std::fs::write(scratch.inside("file"), "abc").unwrap();
    let mut state = 1_u32;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state
    };
    with_process(Some(&scratch.0), "input", |process, memory, _| {
        memory.write(DATA + 0x100, b"data/file\0").unwrap();
        for _ in 0..20_000 {
            let number = random() % 450;
            // Ending and sleeping are other tests' business.
            if [93, 94, 101, 129, 130, 131, 407].contains(&number) {
                continue;
            }
            let args = std::array::from_fn(|_| match random() % 6 {
                0 => random() % 8,
                1 => DATA + random() % 0x1000,
                2 => DATA + 0x100,
                3 => random() % 0x1_0000,
                4 => u32::MAX - random() % 0x2000,
                _ => random(),
            });
            process.call(memory, number, args);
        }
    });
}

#[test]
fn what_is_written_is_appended_where_that_is_asked_for_later() {
    let scratch = Scratch::new("append");
    std::fs::write(scratch.inside("file"), "0123456789").unwrap();
    with_process(Some(&scratch.0), "", |process, memory, _| {
        const O_RDWR: u32 = 2;
        const O_APPEND: u32 = 0o2000;
        let file = open(process, memory, "data/file", O_RDWR);
        let again = call(process, memory, 23, &[file]);
        assert_eq!(call(process, memory, 25, &[again, 3]), O_RDWR);
        assert_eq!(call(process, memory, 25, &[again, 4, O_APPEND]), 0);
        assert_eq!(call(process, memory, 25, &[file, 3]), O_RDWR | O_APPEND, "duplicates share it");
        memory.write(DATA, b"tail").unwrap();
        assert_eq!(call(process, memory, 64, &[file, DATA, 4]), 4);
        let reader = open(process, memory, "data/file", O_RDONLY);
        assert_eq!(call(process, memory, 25, &[reader, 3]), O_RDONLY);
        assert_eq!(call(process, memory, 64, &[reader, DATA, 4]), Errno::EBADF.result());
        let writer = open(process, memory, "data/file", 1);
        assert_eq!(call(process, memory, 63, &[writer, DATA, 4]), Errno::EBADF.result());
        let both = open(process, memory, "data/file", 0o3001);
        assert_eq!(call(process, memory, 64, &[both, DATA, 4]), 4, "emptied, and appended to");
    });
    assert_eq!(std::fs::read(scratch.inside("file")).unwrap(), b"tail");
}

#[test]
fn files_are_made_for_who_only_reads_them() {
    let scratch = Scratch::new("make");
    with_process(Some(&scratch.0), "", |process, memory, _| {
        let file = open(process, memory, "data/lock", 0o100);
        assert_eq!(call(process, memory, 63, &[file, DATA, 4]), 0);
        assert_eq!(open(process, memory, "data/lock", 0o300), Errno::EEXIST.result());
        assert!(open(process, memory, "data/other", 0o300) < 256);
        // Locks: nobody else has any.
        memory.write(DATA, &[1, 0, 0, 0]).unwrap();
        assert_eq!(call(process, memory, 25, &[file, 6, DATA]), 0);
        assert_eq!(call(process, memory, 25, &[file, 5, DATA]), 0);
        assert_eq!(word(memory, DATA), 2);
        assert_eq!(call(process, memory, 32, &[file, 2]), 0);
    });
}

#[test]
fn there_is_one_user() {
    with_process(None, "", |process, memory, _| {
        for number in [144, 146] {
            assert_eq!(call(process, memory, number, &[1000]), 0);
            assert_eq!(call(process, memory, number, &[0]), Errno::EPERM.result());
        }
        assert_eq!((call(process, memory, 141, &[0, 0]), call(process, memory, 158, &[0, 0])), (20, 0));
    });
}

#[cfg(unix)]
#[test]
fn modes_and_times_are_set_and_told() {
    use std::os::unix::fs::PermissionsExt;
    let scratch = Scratch::new("modes");
    let mode = |name: &str| std::fs::metadata(scratch.inside(name)).unwrap().permissions().mode() & 0o777;
    with_process(Some(&scratch.0), "", |process, memory, _| {
        assert_eq!(call(process, memory, 166, &[0o077]), 0o022);
        assert_eq!(call(process, memory, 166, &[0o027]), 0o077);
        let name = path(memory, "data/private");
        let file = call(process, memory, 56, &[AT_FDCWD, name, O_RDWR_CREAT, 0o4766]);
        assert_eq!(mode("private"), 0o740);
        assert_eq!(call(process, memory, 48, &[AT_FDCWD, name, 1]), 0);
        assert_eq!(call(process, memory, 52, &[file, 0o600]), 0);
        assert_eq!(mode("private"), 0o600);
        assert_eq!(call(process, memory, 48, &[AT_FDCWD, name, 1]), Errno::EACCES.result(), "it cannot be run");
        assert_eq!(call(process, memory, 53, &[AT_FDCWD, name, 0o755]), 0);
        assert_eq!(call(process, memory, 80, &[file, DATA]), 0);
        assert_eq!((word(memory, DATA + 16), word(memory, DATA + 24)), (0o100_755, 1000));
        assert_eq!(call(process, memory, 55, &[file, 1000, u32::MAX]), 0);
        assert_eq!(call(process, memory, 54, &[AT_FDCWD, name, 0, 0, 0]), Errno::EPERM.result());
        // Seconds and nanoseconds of access and change; the last two leave one of them as it is.
        const OMIT: u64 = 0x3fff_fffe;
        for (args, times, expected) in [
            ([file, 0], [5, 0, 77, 500_000_000], [5, 0, 77, 500_000_000]),
            ([AT_FDCWD, name], [0, OMIT, 78, 1], [5, 0, 78, 1]),
            ([AT_FDCWD, name], [6, 2, 0, OMIT], [6, 2, 78, 1]),
        ] {
            memory.write(DATA, &times.map(u64::to_le_bytes).concat()).unwrap();
            assert_eq!(call(process, memory, 412, &[args[0], args[1], DATA]), 0);
            assert_eq!(call(process, memory, 80, &[file, DATA + 0x200]), 0);
            assert_eq!([0x248, 0x24c, 0x258, 0x25c].map(|at| word(memory, DATA + at)), expected);
        }
        assert_eq!(call(process, memory, 412, &[file, 0, 0]), 0);
        assert_eq!(call(process, memory, 80, &[file, DATA + 0x200]), 0);
        assert!(word(memory, DATA + 0x258) > 78, "now");
        let folder = path(memory, "data/folder");
        assert_eq!(call(process, memory, 34, &[AT_FDCWD, folder, 0o777]), 0);
        assert_eq!(mode("folder"), 0o750);
        let folder = open(process, memory, "data/folder", 0o200_000);
        assert_eq!(call(process, memory, 50, &[folder]), 0);
        assert_eq!(open(process, memory, "../private", O_RDONLY), folder + 1);
        assert_eq!(call(process, memory, 50, &[file]), Errno::ENOTDIR.result());
    });
}

#[cfg(unix)]
#[test]
fn links_are_made_below_folders() {
    let scratch = Scratch::new("links");
    std::fs::write(scratch.inside("file"), "abcdef").unwrap();
    with_process(Some(&scratch.0), "", |process, memory, _| {
        memory.write(DATA, b"file\0").unwrap();
        let soft = path(memory, "data/soft");
        assert_eq!(call(process, memory, 36, &[DATA, AT_FDCWD, soft]), 0);
        assert_eq!(call(process, memory, 45, &[soft, 3, 0]), 0);
        memory.write(DATA, b"data/file\0").unwrap();
        let hard = path(memory, "data/hard");
        assert_eq!(call(process, memory, 37, &[AT_FDCWD, DATA, AT_FDCWD, hard, 0]), 0);
        let out = path(memory, "data/../secret");
        assert!((call(process, memory, 37, &[AT_FDCWD, out, AT_FDCWD, hard, 0]) as i32) < 0);
    });
    assert_eq!(std::fs::read(scratch.inside("hard")).unwrap(), b"abc");
    assert_eq!(std::fs::read_link(scratch.inside("soft")).unwrap(), Path::new("file"));
}

#[test]
fn a_folder_is_emptied_while_it_is_listed() {
    const COUNT: usize = 300;
    let scratch = Scratch::new("list");
    for number in 0..COUNT {
        std::fs::write(scratch.inside(&format!("file-{number}")), "").unwrap();
    }
    with_process(Some(&scratch.0), "", |process, memory, _| {
        let folder = open(process, memory, "data", 0o200_000);
        let mut removed = 0;
        loop {
            let len = call(process, memory, 61, &[folder, DATA + 0x400, 0x200]);
            if len == 0 {
                break;
            }
            let mut at = DATA + 0x400;
            while at < DATA + 0x400 + len {
                if text(memory, at + 19).starts_with("file-") {
                    removed += 1;
                    assert_eq!(call(process, memory, 35, &[folder, at + 19, 0]), 0);
                }
                at += word(memory, at + 16) & 0xffff;
            }
        }
        assert_eq!(removed, COUNT);
        // From the beginning: itself and the one above are left.
        assert_eq!(call(process, memory, 62, &[folder, 0, 0, DATA, 0]), 0);
        assert_eq!(call(process, memory, 61, &[folder, DATA + 0x400, 0x400]), 48);
    });
    assert_eq!(std::fs::read_dir(scratch.inside("")).unwrap().count(), 0);
}

#[test]
fn pipes_are_written_read_and_waited_for() {
    with_process(None, "", |process, memory, _| {
        assert_eq!(call(process, memory, 59, &[DATA + 0xffc, 0]), Errno::EFAULT.result());
        assert_eq!(call(process, memory, 59, &[DATA, 0o4000]), 0);
        let [read, write] = [word(memory, DATA), word(memory, DATA + 4)];
        assert_eq!((read, write), (3, 4));
        assert_eq!(call(process, memory, 25, &[write, 3]), 0o4001);
        assert_eq!(call(process, memory, 63, &[read, DATA, 8]), Errno::EAGAIN.result());
        let poll = |process: &mut Process<'_>, memory: &mut Memory| {
            let polled = [(read, 1_u32), (write, 5), (9, 1)];
            let records = polled.map(|(fd, events)| [fd.to_le_bytes(), events.to_le_bytes()].concat());
            memory.write(DATA + 0x40, &records.concat()).unwrap();
            let ready = call(process, memory, 414, &[DATA + 0x40, 3, 0, 0]);
            (ready, [0, 1, 2].map(|at| word(memory, DATA + 0x44 + 8 * at) >> 16))
        };
        let select = |process: &mut Process<'_>, memory: &mut Memory| {
            memory.write(DATA + 0x80, &[0b1000, 0, 0, 0, 0b1_0000, 0, 0, 0]).unwrap();
            let ready = call(process, memory, 413, &[5, DATA + 0x80, DATA + 0x84, 0, 0, 0]);
            (ready, word(memory, DATA + 0x80), word(memory, DATA + 0x84))
        };
        assert_eq!(poll(process, memory), (2, [0, 4, 0x20]));
        assert_eq!(select(process, memory), (1, 0, 0b1_0000));
        memory.write(DATA, b"through").unwrap();
        assert_eq!(call(process, memory, 64, &[write, DATA, 7]), 7);
        assert_eq!(poll(process, memory), (3, [1, 4, 0x20]));
        assert_eq!(select(process, memory), (2, 0b1000, 0b1_0000));
        assert_eq!(call(process, memory, 57, &[write]), 0);
        assert_eq!(call(process, memory, 63, &[read, DATA + 0x20, 64]), 7);
        assert_eq!(text(memory, DATA + 0x20), "through");
        assert_eq!(call(process, memory, 63, &[read, DATA, 8]), 0);
        assert_eq!(select(process, memory) as (u32, u32, u32), (Errno::EBADF.result(), 0b1000, 0b1_0000));
    });
}

#[test]
fn devices_are_where_programs_look_for_them() {
    let output = with_process(None, "in", |process, memory, _| {
        let null = open(process, memory, "/dev/null", 0o1102);
        assert_eq!((call(process, memory, 63, &[null, DATA, 8]), call(process, memory, 64, &[null, DATA, 8])), (0, 8));
        let zeros = open(process, memory, "/dev/zero", O_RDONLY);
        memory.write(DATA, &[7; 8]).unwrap();
        assert_eq!((call(process, memory, 63, &[zeros, DATA, 3]), word(memory, DATA)), (3, 0x700_0000));
        let input = open(process, memory, "/dev/stdin", O_RDONLY);
        assert_eq!(call(process, memory, 63, &[input, DATA, 8]), 2);
        let output = open(process, memory, "/dev/stdout", 1);
        assert_eq!(call(process, memory, 64, &[output, DATA, 2]), 2);
        let name = path(memory, "/dev/null");
        assert_eq!(call(process, memory, 79, &[AT_FDCWD, name, DATA, 0]), 0);
        assert_eq!(word(memory, DATA + 16), 0o020_666);
        assert_eq!(call(process, memory, 48, &[AT_FDCWD, name, 4]), 0);
        assert_eq!(open(process, memory, "/dev/sda", O_RDONLY), Errno::EACCES.result());
    });
    assert_eq!(output, "in");
}

#[cfg(unix)]
#[test]
fn what_is_mapped_and_shared_is_the_file() {
    const SHARED: u32 = 1;
    const PRIVATE: u32 = 2;
    let scratch = Scratch::new("shared");
    std::fs::write(scratch.inside("file"), [b'.'; 5000]).unwrap();
    let on_disk = || String::from_utf8(std::fs::read(scratch.inside("file")).unwrap()).unwrap();
    with_process(Some(&scratch.0), "", |process, memory, _| {
        let file = open(process, memory, "data/file", 2);
        let map = |process: &mut Process<'_>, memory: &mut Memory, len, prot, flags, page| {
            call(process, memory, 222, &[0, len, prot, flags, file, page])
        };
        let first = map(process, memory, 0x1000, 3, SHARED, 0);
        let second = map(process, memory, 0x1000, 1, SHARED, 1);
        assert!(first.is_multiple_of(4096) && second.is_multiple_of(4096));
        assert_eq!(map(process, memory, 0x2000, 3, SHARED, 0), Errno::ENODEV.result(), "the same once more");
        assert_eq!(map(process, memory, 17 << 20, 3, SHARED, 0x1000), Errno::ENOMEM.result());
        // What is stored is read by a call, and what a call writes is loaded.
        memory.write(first + 10, b"stored").unwrap();
        assert_eq!(call(process, memory, 67, &[file, DATA, 8, 9, 0]), 8);
        let mut bytes = [0; 8];
        memory.read(DATA, &mut bytes).unwrap();
        assert_eq!(&bytes, b".stored.");
        memory.write(DATA, b"called").unwrap();
        memory.write(first + 100, b"kept").unwrap();
        assert_eq!(call(process, memory, 68, &[file, DATA, 6, 4094, 0]), 6);
        memory.read(first + 4092, &mut bytes[..4]).unwrap();
        memory.read(second, &mut bytes[4..]).unwrap();
        assert_eq!(&bytes, b"..called");
        // Changes of private copies stay private, and those behind the end of the file go nowhere.
        let private = map(process, memory, 0x1000, 3, PRIVATE, 0);
        memory.read(private + 100, &mut bytes[..4]).unwrap();
        assert_eq!(&bytes[..4], b"kept");
        memory.write(private, b"private").unwrap();
        assert_eq!(call(process, memory, 227, &[first, 0x1000, 4]), 0);
        assert!(on_disk().starts_with("..........stored..") && on_disk()[100..].starts_with("kept"));
        // Of two pages one is given back.
        assert_eq!(call(process, memory, 215, &[second, 0x1000]), 0);
        assert_eq!(call(process, memory, 215, &[first, 0x1000]), 0);
        let both = map(process, memory, 0x2000, 3, SHARED, 0);
        memory.write(both, b"one").unwrap();
        memory.write(both + 0x1000, b"two").unwrap();
        memory.write(both + 5000, b"behind").unwrap();
        assert_eq!(call(process, memory, 233, &[both, 0x2000, 4]), 0);
        assert_eq!(call(process, memory, 215, &[both, 0x1000]), 0);
        assert!(on_disk().starts_with("one"));
        memory.write(both + 0x1003, b"three").unwrap();
        let reader = open(process, memory, "data/file", O_RDONLY);
        let refused = call(process, memory, 222, &[0, 0x1000, 3, SHARED, reader, 0]);
        assert_eq!(refused, Errno::EACCES.result());
        // By its path it is made shorter and longer again.
        let name = path(memory, "data/file");
        assert_eq!(call(process, memory, 45, &[name, 4103, 0]), 0);
        assert_eq!(call(process, memory, 45, &[name, 5000, 0]), 0);
        assert_eq!(text(memory, both + 0x1000), "twothre");
        memory.write(both + 0x1007, b"e").unwrap();
        // The rest is written at the end.
        assert!(matches!(process.call(memory, 93, [0; 6]), Reply::End(Ending::Exit(0))));
    });
    assert_eq!((on_disk().len(), &on_disk()[4096..4104]), (5000, "twothree"));
}

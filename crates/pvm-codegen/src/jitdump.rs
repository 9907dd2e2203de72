//! The jitdump format of Linux `perf`, as far as it is needed: a header, and a record for each piece of machine code.
//!
//! The format is described in `tools/perf/Documentation/jitdump-specification.txt` of Linux. Numbers are in the host's
//! byte order. A record has the machine code in it, so that it can be disassembled after the process is gone, and the time
//! at which the code came to be there, so that an address may mean one function now and another later.
//!
//! There are no records that name source lines: nothing is known of where machine code comes from in the guest but the
//! region as a whole.

use pvm_vm::Announcement;
use rustix::thread::gettid;
use rustix::time::{ClockId, clock_gettime};
use std::fs::File;
use std::io::{self, Write};

/// "JiTD" as a number, by which a reader tells the byte order.
const MAGIC: u32 = 0x4a69_5444;
const VERSION: u32 = 1;
const HEADER_BYTES: u32 = 40;
/// The kind of record that says that machine code was loaded.
const CODE_LOAD: u32 = 0;
/// A record of that kind without name and code.
const CODE_LOAD_BYTES: u32 = 56;

/// A jitdump that is being written.
#[derive(Debug)]
pub(crate) struct JitDump {
    file: File,
    /// The number of the next record.
    next: u64,
    _announcement: Announcement,
}

impl JitDump {
    /// Begins a jitdump in an empty file, open for reading and writing, that is called `jit-PID.dump`.
    pub(crate) fn begin(mut file: File) -> io::Result<JitDump> {
        file.write_all(&header(std::process::id(), now()))?;
        let announcement = Announcement::of(&file)?;
        Ok(JitDump { file, next: 0, _announcement: announcement })
    }

    /// Notes that `code` is at `address` from now on.
    pub(crate) fn add(&mut self, name: &str, address: u64, code: &[u8]) -> io::Result<()> {
        let threads = [std::process::id(), gettid().as_raw_nonzero().get().cast_unsigned()];
        let record = code_load(now(), threads, name, address, self.next, code);
        self.next += 1;
        self.file.write_all(&record?)
    }
}

/// The clock that `perf record -k mono` uses, in nanoseconds.
fn now() -> u64 {
    let time = clock_gettime(ClockId::Monotonic);
    // Neither is ever negative.
    time.tv_sec.cast_unsigned() * 1_000_000_000 + time.tv_nsec.cast_unsigned()
}

/// What ELF calls this machine; 0 is none.
fn machine() -> u32 {
    match std::env::consts::ARCH {
        "x86_64" => 62,
        "aarch64" => 183,
        "riscv64" => 243,
        "s390x" => 22,
        _ => 0,
    }
}

fn header(process: u32, time: u64) -> Vec<u8> {
    let mut out = Vec::new();
    [MAGIC, VERSION, HEADER_BYTES, machine(), 0, process].iter().for_each(|word| out.extend(word.to_ne_bytes()));
    let flags = 0_u64;
    [time, flags].iter().for_each(|word| out.extend(word.to_ne_bytes()));
    out
}

/// `threads` are the numbers of the process and of the thread; `index` tells records apart.
fn code_load(time: u64, threads: [u32; 2], name: &str, address: u64, index: u64, code: &[u8]) -> io::Result<Vec<u8>> {
    let len = CODE_LOAD_BYTES as usize + name.len() + 1 + code.len();
    let len = u32::try_from(len).map_err(|_| io::Error::other("a record of 4 GiB or more"))?;
    let mut out = Vec::with_capacity(len as usize);
    [CODE_LOAD, len].iter().for_each(|word| out.extend(word.to_ne_bytes()));
    out.extend(time.to_ne_bytes());
    threads.iter().for_each(|word| out.extend(word.to_ne_bytes()));
    // Where it is to run, and where it is.
    [address, address, code.len() as u64, index].iter().for_each(|word| out.extend(word.to_ne_bytes()));
    out.extend(name.as_bytes());
    out.push(0);
    out.extend(code);
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lengths_are_those_that_are_stated() {
        let header = header(7, 8);
        assert_eq!(header.len(), HEADER_BYTES as usize);
        let record = code_load(1, [2, 3], "name", 0x1000, 5, &[0xc3; 9]).unwrap();
        assert_eq!(record.len(), CODE_LOAD_BYTES as usize + 5 + 9);
        assert_eq!(record[4..8], (record.len() as u32).to_ne_bytes());
        assert_eq!(&record[56..62], b"name\0\xc3");
    }
}

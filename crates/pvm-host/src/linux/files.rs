//! File descriptors: what stands behind them, and the calls that work on them.

use super::guest::{CHUNK, Guest};
use super::pipe::{ReadEnd, WriteEnd, pipe};
use super::{Errno, Process, shared};
use cap_std::fs::{Dir, File, ReadDir};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::iter::Peekable;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The most descriptors that a guest may have open.
const MAX_OPEN: usize = 256;

/// What is behind a file descriptor.
#[derive(Debug)]
pub(super) enum Open {
    Input,
    Output,
    Error,
    File(File),
    Folder(Folder),
    Read(ReadEnd),
    Write(WriteEnd),
    /// Random bytes without end: what `getrandom` gives.
    Random,
    /// Nothing to be read, and everything may be written.
    Null,
    /// Zeros without end.
    Zeros,
}

impl Open {
    /// What every guest finds at some paths: shells write to the one, C++ libraries read random numbers from the other.
    pub fn device(path: &str) -> Option<Open> {
        Some(match path {
            "/dev/null" => Open::Null,
            "/dev/zero" => Open::Zeros,
            "/dev/random" | "/dev/urandom" => Open::Random,
            "/dev/stdin" => Open::Input,
            "/dev/stdout" => Open::Output,
            "/dev/stderr" => Open::Error,
            _ => return None,
        })
    }

    /// Whether reading it, or writing to it, gives a result at once.
    pub fn is_ready(&self, to_read: bool) -> bool {
        match (self, to_read) {
            (Open::Read(end), true) => end.has_bytes() || end.is_ended(),
            (Open::Write(end), false) => end.has_room() || end.is_ended(),
            (Open::Read(_), false) | (Open::Write(_), true) => false,
            _ => true,
        }
    }
}

/// Of the flags of `open` those that are kept: whether it is read (0), written (1), or both (2), whether what is written is
/// appended, and whether nobody is to wait (which nobody does).
pub(super) mod status {
    pub const ACCESS: u32 = 3;
    pub const READ: u32 = 0;
    pub const WRITE: u32 = 1;
    pub const APPEND: u32 = 0o2000;
    pub const NONBLOCK: u32 = 0o4000;
}

/// A descriptor.
#[derive(Debug)]
struct Descriptor {
    open: Open,
    /// The flags of [`status`], which duplicates share.
    status: Arc<AtomicU32>,
}

impl Descriptor {
    fn new(open: Open, status: u32) -> Descriptor {
        Descriptor { open, status: Arc::new(AtomicU32::new(status)) }
    }

    fn has(&self, flag: u32) -> bool {
        self.status.load(Ordering::Relaxed) & flag != 0
    }

    fn allows(&self, access: u32) -> bool {
        let its = self.status.load(Ordering::Relaxed) & status::ACCESS;
        its == access || its > status::WRITE
    }
}

/// A folder that is open.
#[derive(Debug)]
pub(super) struct Folder {
    pub dir: Dir,
    /// Its absolute path, as the guest sees it.
    pub path: String,
    /// How many entries have been listed.
    pub listed: usize,
    /// The next ones, if some were asked for. The host's list stays as it is when entries are removed meanwhile.
    pub entries: Option<Peekable<ReadDir>>,
}

impl Folder {
    pub fn new(dir: Dir, path: String) -> Folder {
        Folder { dir, path, listed: 0, entries: None }
    }

    /// Has the list go on behind so many entries.
    fn seek(&mut self, listed: usize) {
        if self.listed != listed {
            (self.listed, self.entries) = (listed, None);
        }
    }
}

/// The streams that the guest finds open.
pub struct Streams<'a> {
    /// Standard input.
    pub input: &'a mut dyn Read,
    /// Standard output.
    pub output: &'a mut dyn Write,
    /// Standard error.
    pub error: &'a mut dyn Write,
}

impl std::fmt::Debug for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Streams")
    }
}

/// All descriptors of a guest.
#[derive(Debug)]
pub(super) struct Files<'a> {
    streams: Streams<'a>,
    open: Vec<Option<Descriptor>>,
}

impl<'a> Files<'a> {
    pub fn new(streams: Streams<'a>) -> Files<'a> {
        let open = [(Open::Input, status::READ), (Open::Output, status::WRITE), (Open::Error, status::WRITE)];
        Files { streams, open: open.map(|(open, status)| Some(Descriptor::new(open, status))).into() }
    }

    fn descriptor(&self, fd: u32) -> Result<&Descriptor, Errno> {
        self.open.get(fd as usize).and_then(Option::as_ref).ok_or(Errno::EBADF)
    }

    pub fn get(&self, fd: u32) -> Result<&Open, Errno> {
        self.descriptor(fd).map(|descriptor| &descriptor.open)
    }

    pub fn get_mut(&mut self, fd: u32) -> Result<&mut Open, Errno> {
        let descriptor = self.open.get_mut(fd as usize).and_then(Option::as_mut);
        descriptor.map(|descriptor| &mut descriptor.open).ok_or(Errno::EBADF)
    }

    /// A file, as opposed to a stream or folder.
    pub fn file(&self, fd: u32) -> Result<&File, Errno> {
        match self.get(fd)? {
            Open::File(file) => Ok(file),
            Open::Folder(_) => Err(Errno::EISDIR),
            _ => Err(Errno::ESPIPE),
        }
    }

    /// Whether that was opened to be written.
    pub fn may_write(&self, fd: u32) -> bool {
        self.descriptor(fd).is_ok_and(|descriptor| descriptor.allows(status::WRITE))
    }

    /// Opens something at the lowest descriptor that is free.
    pub fn add(&mut self, open: Open, status: u32) -> Result<u32, Errno> {
        self.add_from(0, Descriptor::new(open, status))
    }

    fn add_from(&mut self, lowest: u32, descriptor: Descriptor) -> Result<u32, Errno> {
        let fd = (lowest as usize..MAX_OPEN).find(|&fd| self.open.get(fd).is_none_or(Option::is_none));
        let fd = fd.ok_or(Errno::EMFILE)?;
        self.put(fd, descriptor);
        Ok(fd as u32)
    }

    fn put(&mut self, fd: usize, descriptor: Descriptor) {
        if self.open.len() <= fd {
            self.open.resize_with(fd + 1, || None);
        }
        self.open[fd] = Some(descriptor);
    }

    fn close(&mut self, fd: u32) -> Result<(), Errno> {
        self.open.get_mut(fd as usize).and_then(Option::take).map(drop).ok_or(Errno::EBADF)
    }

    /// The same thing again, for another descriptor; position in the file included.
    fn duplicate(&self, fd: u32) -> Result<Descriptor, Errno> {
        let Descriptor { open, status } = self.descriptor(fd)?;
        let open = match open {
            Open::Input => Open::Input,
            Open::Output => Open::Output,
            Open::Error => Open::Error,
            Open::Random => Open::Random,
            Open::Null => Open::Null,
            Open::Zeros => Open::Zeros,
            Open::Read(end) => Open::Read(end.clone()),
            Open::Write(end) => Open::Write(end.clone()),
            Open::File(file) => Open::File(file.try_clone()?),
            Open::Folder(folder) => {
                let (dir, path) = (folder.dir.try_clone()?, folder.path.clone());
                Open::Folder(Folder { listed: folder.listed, ..Folder::new(dir, path) })
            }
        };
        Ok(Descriptor { open, status: Arc::clone(status) })
    }

    pub fn read_at(&mut self, fd: u32, into: &mut [u8], offset: u64) -> Result<usize, Errno> {
        // The position is put back, as `pread` does not move it.
        let mut file = self.file(fd)?;
        let before = file.stream_position()?;
        file.seek(SeekFrom::Start(offset))?;
        let count = read_some(&mut file, into);
        file.seek(SeekFrom::Start(before))?;
        count
    }

    fn write_at(&mut self, fd: u32, bytes: &[u8], offset: u64) -> Result<usize, Errno> {
        let mut file = self.file(fd)?;
        let before = file.stream_position()?;
        file.seek(SeekFrom::Start(offset))?;
        let count = file.write(bytes).map_err(Errno::from);
        file.seek(SeekFrom::Start(before))?;
        count
    }

    fn read(&mut self, fd: u32, into: &mut [u8]) -> Result<usize, Errno> {
        let descriptor = self.open.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::EBADF)?;
        if !descriptor.allows(status::READ) {
            return Err(Errno::EBADF);
        }
        match &mut descriptor.open {
            Open::Input => read_some(&mut self.streams.input, into),
            Open::File(file) => read_some(file, into),
            Open::Read(end) => end.read(into),
            Open::Random => getrandom::fill(into).map(|()| into.len()).map_err(|_| Errno::EIO),
            Open::Null => Ok(0),
            Open::Zeros => {
                into.fill(0);
                Ok(into.len())
            }
            Open::Folder(_) => Err(Errno::EISDIR),
            Open::Output | Open::Error | Open::Write(_) => Err(Errno::EBADF),
        }
    }

    fn write(&mut self, fd: u32, bytes: &[u8]) -> Result<usize, Errno> {
        let descriptor = self.open.get_mut(fd as usize).and_then(Option::as_mut).ok_or(Errno::EBADF)?;
        if !descriptor.allows(status::WRITE) {
            return Err(Errno::EBADF);
        }
        let appends = descriptor.has(status::APPEND);
        let to: &mut dyn Write = match &mut descriptor.open {
            Open::Output => &mut self.streams.output,
            Open::Error => &mut self.streams.error,
            Open::File(file) => {
                if appends {
                    file.seek(SeekFrom::End(0))?;
                }
                file
            }
            Open::Write(end) => return end.write(bytes),
            Open::Null | Open::Zeros => return Ok(bytes.len()),
            Open::Folder(_) | Open::Input | Open::Read(_) | Open::Random => return Err(Errno::EBADF),
        };
        // At once, as the guest's own library has buffered what may wait; what goes to different streams keeps its order.
        to.write_all(bytes).and_then(|()| to.flush())?;
        Ok(bytes.len())
    }

    pub fn flush(&mut self) {
        // Who cannot be told has gone.
        let _ = self.streams.output.flush();
        let _ = self.streams.error.flush();
    }
}

fn read_some(from: &mut impl Read, into: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match from.read(into) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return Ok(result?),
        }
    }
}

/// Moves bytes between the guest and a file in chunks: until `step` moves less than it is asked for, or fails. What was
/// moved before a failure counts.
fn in_chunks(len: u32, mut step: impl FnMut(u32, usize) -> Result<usize, Errno>) -> Result<u32, Errno> {
    let mut done = 0;
    loop {
        let wanted = ((len - done) as usize).min(CHUNK);
        match step(done, wanted) {
            Ok(count) => {
                done += count as u32;
                if count < wanted || done == len {
                    return Ok(done);
                }
            }
            Err(_) if done > 0 => return Ok(done),
            Err(error) => return Err(error),
        }
    }
}

fn read_into(
    guest: &mut Guest<'_>,
    address: u32,
    len: u32,
    mut read: impl FnMut(&mut [u8], u64) -> Result<usize, Errno>,
) -> Result<u32, Errno> {
    guest.check_writable(address, len)?;
    in_chunks(len, |done, wanted| {
        let mut bytes = vec![0; wanted];
        let count = read(&mut bytes, done.into())?;
        guest.write(address + done, &bytes[..count])?;
        Ok(count)
    })
}

fn write_from(
    guest: &Guest<'_>,
    address: u32,
    len: u32,
    mut write: impl FnMut(&[u8], u64) -> Result<usize, Errno>,
) -> Result<u32, Errno> {
    guest.check_readable(address, len)?;
    in_chunks(len, |done, wanted| write(&guest.chunk(address + done, wanted)?, done.into()))
}

/// The longest transfer: results above it would look like errors.
const MAX_TRANSFER: u32 = 0x7fff_f000;

/// `read(fd, buffer, count)`.
pub(super) fn read(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, address, len, ..] = guest.args;
    process.files.get(fd)?;
    shared::before(process, guest, fd)?;
    read_into(guest, address, len.min(MAX_TRANSFER), |bytes, _| process.files.read(fd, bytes))
}

/// `write(fd, buffer, count)`.
pub(super) fn write(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, address, len, ..] = guest.args;
    process.files.get(fd)?;
    around(process, guest, fd, |process, guest| {
        write_from(guest, address, len.min(MAX_TRANSFER), |bytes, _| process.files.write(fd, bytes))
    })
}

/// Writes to a file that may be mapped.
fn around(
    process: &mut Process<'_>,
    guest: &mut Guest<'_>,
    fd: u32,
    write: impl FnOnce(&mut Process<'_>, &mut Guest<'_>) -> Result<u32, Errno>,
) -> Result<u32, Errno> {
    shared::before(process, guest, fd)?;
    let result = write(process, guest);
    shared::after(process, guest, fd)?;
    result
}

/// `pread64(fd, buffer, count, offset)`.
pub(super) fn pread(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, address, len, ..] = guest.args;
    let offset = position(guest.long(3))?;
    process.files.file(fd)?;
    shared::before(process, guest, fd)?;
    read_into(guest, address, len.min(MAX_TRANSFER), |bytes, done| process.files.read_at(fd, bytes, offset + done))
}

/// `pwrite64(fd, buffer, count, offset)`.
pub(super) fn pwrite(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, address, len, ..] = guest.args;
    let offset = position(guest.long(3))?;
    process.files.file(fd)?;
    around(process, guest, fd, |process, guest| {
        write_from(guest, address, len.min(MAX_TRANSFER), |bytes, done| {
            process.files.write_at(fd, bytes, offset + done)
        })
    })
}

/// A position in a file, with room for a transfer behind it.
fn position(offset: u64) -> Result<u64, Errno> {
    if offset < 1 << 62 { Ok(offset) } else { Err(Errno::EINVAL) }
}

/// The most parts of a vector (`UIO_MAXIOV`).
const MAX_PARTS: u32 = 1024;

/// Does `each` for each part of a vector, until one is not done in full.
fn vector(
    guest: &mut Guest<'_>,
    mut each: impl FnMut(&mut Guest<'_>, u32, u32) -> Result<u32, Errno>,
) -> Result<u32, Errno> {
    let [_, parts, count, ..] = guest.args;
    if count > MAX_PARTS {
        return Err(Errno::EINVAL);
    }
    let mut done: u32 = 0;
    for part in 0..count {
        let [address, len] = [guest.word(parts.wrapping_add(part * 8))?, guest.word(parts.wrapping_add(part * 8 + 4))?];
        let len = len.min(MAX_TRANSFER - done);
        match each(guest, address, len) {
            Ok(moved) => {
                done += moved;
                if moved < len {
                    break;
                }
            }
            Err(_) if done > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(done)
}

/// `readv(fd, parts, count)`.
pub(super) fn readv(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let fd = guest.args[0];
    process.files.get(fd)?;
    shared::before(process, guest, fd)?;
    vector(guest, |guest, address, len| read_into(guest, address, len, |bytes, _| process.files.read(fd, bytes)))
}

/// `writev(fd, parts, count)`.
pub(super) fn writev(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let fd = guest.args[0];
    process.files.get(fd)?;
    around(process, guest, fd, |process, guest| {
        vector(guest, |guest, address, len| write_from(guest, address, len, |bytes, _| process.files.write(fd, bytes)))
    })
}

/// `_llseek(fd, high, low, result, whence)`, and newlib's `lseek(fd, offset, whence)`, which has the same number, no address
/// for the result, and puts nothing into what would be that argument.
pub(super) fn llseek(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, high, low, result, whence, _] = guest.args;
    let is_newlib = result == 0;
    let (offset, whence) = match is_newlib {
        true => (i64::from(high as i32), low),
        false => ((u64::from(high) << 32 | u64::from(low)) as i64, whence),
    };
    let to = match whence {
        0 => SeekFrom::Start(u64::try_from(offset).map_err(|_| Errno::EINVAL)?),
        1 => SeekFrom::Current(offset),
        2 => SeekFrom::End(offset),
        _ => return Err(Errno::EINVAL),
    };
    let position = match process.files.get_mut(fd)? {
        Open::Folder(folder) => {
            folder.seek(usize::try_from(offset).unwrap_or_default());
            folder.listed as u64
        }
        _ => process.files.file(fd).and_then(|mut file| Ok(file.seek(to)?))?,
    };
    if is_newlib {
        return u32::try_from(position).map_err(|_| Errno::EINVAL);
    }
    guest.write(result, &position.to_le_bytes())?;
    Ok(0)
}

/// `close(fd)`.
pub(super) fn close(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    process.files.close(guest.args[0]).map(|()| 0)
}

/// `dup(fd)`.
pub(super) fn dup(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let again = process.files.duplicate(guest.args[0])?;
    process.files.add_from(0, again)
}

/// `dup3(old, new, flags)`.
pub(super) fn dup3(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [old, new, ..] = guest.args;
    let again = process.files.duplicate(old)?;
    if old == new {
        return Err(Errno::EINVAL);
    }
    if new as usize >= MAX_OPEN {
        return Err(Errno::EBADF);
    }
    process.files.put(new as usize, again);
    Ok(new)
}

/// `pipe2(ends, flags)`.
pub(super) fn pipe2(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [ends, flags, ..] = guest.args;
    guest.check_writable(ends, 8)?;
    let (read, write) = pipe();
    let flags = flags & status::NONBLOCK;
    let read = process.files.add(Open::Read(read), flags | status::READ)?;
    let write = process.files.add(Open::Write(write), flags | status::WRITE).inspect_err(|_| {
        let _ = process.files.close(read);
    })?;
    guest.write(ends, &[read.to_le_bytes(), write.to_le_bytes()].concat())?;
    Ok(0)
}

/// `fcntl64(fd, command, argument)`: duplicating, flags, and locks, which nobody else asks for.
pub(super) fn fcntl(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const F_DUPFD: u32 = 0;
    const F_GETFD: u32 = 1;
    const F_SETFD: u32 = 2;
    const F_GETFL: u32 = 3;
    const F_SETFL: u32 = 4;
    const F_DUPFD_CLOEXEC: u32 = 1030;
    // For a process, also with positions of 64 bits, and for an open file.
    const F_GETLK: [u32; 3] = [5, 12, 36];
    const F_SETLK: [u32; 6] = [6, 7, 13, 14, 37, 38];
    const F_UNLCK: u16 = 2;
    let [fd, command, argument, ..] = guest.args;
    let descriptor = process.files.descriptor(fd)?;
    let status = descriptor.status.load(Ordering::Relaxed);
    match command {
        F_DUPFD | F_DUPFD_CLOEXEC => {
            let again = process.files.duplicate(fd)?;
            process.files.add_from(argument, again)
        }
        F_GETFD | F_SETFD => Ok(0),
        F_GETFL => Ok(status),
        F_SETFL => {
            let changes = status::APPEND | status::NONBLOCK;
            descriptor.status.store(status & !changes | argument & changes, Ordering::Relaxed);
            Ok(0)
        }
        // What a lock is for is its first field.
        command if F_GETLK.contains(&command) => guest.write(argument, &F_UNLCK.to_le_bytes()).map(|()| 0),
        command if F_SETLK.contains(&command) => guest.check_readable(argument, 24).map(|()| 0),
        _ => Err(Errno::EINVAL),
    }
}

/// `flock(fd, operation)` and `fadvise64(fd, offset, length, advice)`: nobody else has a lock, and the host knows by itself.
pub(super) fn granted(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    process.files.get(guest.args[0]).map(|_| 0)
}

/// `ioctl(fd, request, argument)`: nothing here is a terminal.
pub(super) fn ioctl(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    process.files.get(guest.args[0])?;
    Err(Errno::ENOTTY)
}

/// `fsync(fd)` and `fdatasync(fd)`. What a folder lists the host writes when it likes.
pub(super) fn fsync(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    if let Open::Folder(_) = process.files.get(guest.args[0])? {
        return Ok(0);
    }
    shared::before(process, guest, guest.args[0])?;
    process.files.file(guest.args[0]).map_err(|_| Errno::EINVAL)?.sync_all()?;
    Ok(0)
}

/// `ftruncate64(fd, length)`. Pairs of registers for long arguments need not be aligned on RISC-V.
pub(super) fn ftruncate(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let len = position(guest.long(1))?;
    let fd = guest.args[0];
    around(process, guest, fd, |process, _| {
        process.files.file(fd).map_err(|_| Errno::EINVAL)?.set_len(len)?;
        Ok(0)
    })
}

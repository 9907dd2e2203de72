//! What is known of files, in the layouts in which guests want it.

use super::files::Open;
use super::guest::{Guest, Layout};
use super::identity::UID;
use super::paths::absolute;
use super::{Errno, Process};
use cap_std::fs::Metadata;
use cap_std::time::SystemTime;
use std::io;
use std::time::UNIX_EPOCH;

const S_IFIFO: u32 = 0o010_000;
const S_IFCHR: u32 = 0o020_000;
const S_IFDIR: u32 = 0o040_000;
const S_IFREG: u32 = 0o100_000;
const S_IFLNK: u32 = 0o120_000;

const AT_SYMLINK_NOFOLLOW: u32 = 0x100;
const AT_EMPTY_PATH: u32 = 0x1000;
/// "The current folder" in place of a descriptor (-100).
const AT_FDCWD: u32 = 0xffff_ff9c;

/// Bytes in a block, for programs that ask how large their buffers should be.
const BLOCK: u32 = 4096;

/// The device of files, and that of what has none.
const FILES: u32 = 1;
const NO_FILES: u32 = 2;

/// What is known of a file.
struct About {
    mode: u32,
    links: u32,
    size: u64,
    /// What it takes on the host, in units of 512 bytes.
    blocks: u64,
    /// Seconds and nanoseconds of the last change, and of the last access. Other times are that of the change.
    changed: (u64, u32),
    accessed: (u64, u32),
    /// These two tell files apart.
    device: u32,
    inode: u64,
}

impl About {
    fn of(metadata: &Metadata) -> About {
        let kind = match metadata.file_type() {
            kind if kind.is_dir() => S_IFDIR,
            kind if kind.is_symlink() => S_IFLNK,
            _ => S_IFREG,
        };
        let time = |time: io::Result<SystemTime>| {
            let since = time.ok().and_then(|time| time.into_std().duration_since(UNIX_EPOCH).ok()).unwrap_or_default();
            (since.as_secs(), since.subsec_nanos())
        };
        About {
            mode: kind | mode(metadata),
            links: links(metadata),
            size: metadata.len(),
            blocks: blocks(metadata),
            changed: time(metadata.modified()),
            accessed: time(metadata.accessed()),
            device: FILES,
            inode: inode(metadata),
        }
    }

    /// What gives bytes, or takes them, without a file. Streams are pipes, as far as the guest knows. Each has an identity, but for
    /// the pipes that the guest has made, which have one together: programs find out so whether what they write goes to
    /// `/dev/null`, and spare themselves the work.
    fn without_file(open: &Open) -> About {
        let (mode, inode) = match open {
            Open::Input => (S_IFIFO | 0o600, 1),
            Open::Output => (S_IFIFO | 0o600, 2),
            Open::Error => (S_IFIFO | 0o600, 3),
            Open::Null => (S_IFCHR | 0o666, 4),
            Open::Zeros => (S_IFCHR | 0o666, 5),
            Open::Random => (S_IFCHR | 0o666, 6),
            // Pipes.
            _ => (S_IFIFO | 0o600, 7),
        };
        About { mode, links: 1, size: 0, blocks: 0, changed: (0, 0), accessed: (0, 0), device: NO_FILES, inode }
    }

    /// `struct stat64`, 104 bytes.
    fn stat64(&self) -> Vec<u8> {
        let head =
            Layout::default().u64(self.device.into()).u64(self.inode).u32(self.mode).u32(self.links).u32(UID).u32(UID);
        let sizes = head.u64(0).u64(0).u64(self.size).u32(BLOCK).u32(0).u64(self.blocks);
        let time = |layout: Layout, (seconds, nanoseconds)| layout.u32(seconds as u32).u32(nanoseconds);
        [self.accessed, self.changed, self.changed].into_iter().fold(sizes, time).zeros(8).0
    }

    /// `struct statx`, 256 bytes.
    fn statx(&self) -> Vec<u8> {
        const BASIC: u32 = 0x7ff;
        let head = Layout::default().u32(BASIC).u32(BLOCK).u64(0).u32(self.links).u32(UID).u32(UID);
        let head = head.u16(self.mode as u16).u16(0);
        let sizes = head.u64(self.inode).u64(self.size).u64(self.blocks).u64(0);
        let time = |layout: Layout, (seconds, nanoseconds)| layout.u64(seconds).u32(nanoseconds).u32(0);
        // Access, birth, change, modification; then devices of special files and of this one.
        let times = [self.accessed, self.changed, self.changed, self.changed].into_iter().fold(sizes, time);
        times.u32(0).u32(0).u32(0).u32(self.device).zeros(112).0
    }
}

#[cfg(unix)]
fn inode(metadata: &Metadata) -> u64 {
    use cap_std::fs::MetadataExt;
    metadata.ino()
}

#[cfg(unix)]
fn links(metadata: &Metadata) -> u32 {
    use cap_std::fs::MetadataExt;
    metadata.nlink() as u32
}

#[cfg(unix)]
fn mode(metadata: &Metadata) -> u32 {
    use cap_std::fs::MetadataExt;
    metadata.mode() & 0o7777
}

#[cfg(unix)]
fn blocks(metadata: &Metadata) -> u64 {
    use cap_std::fs::MetadataExt;
    metadata.blocks()
}

#[cfg(not(unix))]
fn blocks(metadata: &Metadata) -> u64 {
    metadata.len().div_ceil(512)
}

#[cfg(not(unix))]
fn inode(_: &Metadata) -> u64 {
    2
}

#[cfg(not(unix))]
fn links(_: &Metadata) -> u32 {
    1
}

#[cfg(not(unix))]
fn mode(metadata: &Metadata) -> u32 {
    match metadata.is_dir() {
        true => 0o755,
        false if metadata.permissions().readonly() => 0o444,
        false => 0o644,
    }
}

fn by_descriptor(process: &Process<'_>, fd: u32) -> Result<About, Errno> {
    Ok(match process.files.get(fd)? {
        Open::File(file) => About::of(&file.metadata()?),
        Open::Folder(folder) => About::of(&folder.dir.dir_metadata()?),
        other => About::without_file(other),
    })
}

fn by_path(process: &Process<'_>, guest: &Guest<'_>, fd: u32, path: u32, flags: u32) -> Result<About, Errno> {
    if flags & AT_EMPTY_PATH != 0 && (path == 0 || guest.bytes(path)? == [0]) {
        return by_descriptor(process, fd);
    }
    let path = absolute(process, guest, fd, path)?;
    if let Some(device) = Open::device(&path) {
        return Ok(About::without_file(&device));
    }
    let (dir, rest) = process.folders.find(&path)?;
    let metadata = match flags & AT_SYMLINK_NOFOLLOW != 0 {
        true => dir.symlink_metadata(rest)?,
        false => dir.metadata(rest)?,
    };
    Ok(About::of(&metadata))
}

/// `fstat64(fd, buffer)`.
pub(super) fn fstat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let about = by_descriptor(process, guest.args[0])?;
    guest.write(guest.args[1], &about.stat64())?;
    Ok(0)
}

/// `fstatat64(fd, path, buffer, flags)`.
pub(super) fn fstatat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, path, buffer, flags, ..] = guest.args;
    let about = by_path(process, guest, fd, path, flags)?;
    guest.write(buffer, &about.stat64())?;
    Ok(0)
}

/// `statx(fd, path, flags, mask, buffer)`.
pub(super) fn statx(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, path, flags, _, buffer, _] = guest.args;
    let about = by_path(process, guest, fd, path, flags)?;
    guest.write(buffer, &about.statx())?;
    Ok(0)
}

/// `stat(path, buffer)` with newlib's number.
pub(super) fn stat_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [path, buffer, ..] = guest.args;
    guest.args = [AT_FDCWD, path, buffer, 0, 0, 0];
    fstatat(process, guest)
}

/// `lstat(path, buffer)` with newlib's number.
pub(super) fn lstat_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [path, buffer, ..] = guest.args;
    guest.args = [AT_FDCWD, path, buffer, AT_SYMLINK_NOFOLLOW, 0, 0];
    fstatat(process, guest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_no_file_is_told_apart() {
        let all = [Open::Input, Open::Output, Open::Error, Open::Null, Open::Zeros, Open::Random];
        let mut identities: Vec<_> =
            all.iter().map(About::without_file).map(|about| (about.device, about.inode)).collect();
        assert!(identities.iter().all(|&(device, _)| device != FILES));
        identities.sort_unstable();
        identities.dedup();
        assert_eq!(identities.len(), all.len());
        // As `cmp` looks whether it need write anything: the structure begins with the device and the inode.
        let [out, null] = [Open::Output, Open::Null].map(|open| About::without_file(&open));
        assert_ne!(out.stat64()[..16], null.stat64()[..16]);
    }

    #[test]
    fn layouts_have_their_sizes() {
        let about = About {
            mode: S_IFREG | 0o644,
            links: 1,
            size: 0x1_2345,
            blocks: 0,
            changed: (7, 8),
            accessed: (5, 6),
            device: FILES,
            inode: 9,
        };
        let stat = about.stat64();
        assert_eq!(stat.len(), 104);
        assert_eq!((&stat[16..20], &stat[48..56]), (&about.mode.to_le_bytes()[..], &about.size.to_le_bytes()[..]));
        let statx = about.statx();
        assert_eq!(statx.len(), 256);
        assert_eq!((&statx[28..30], &statx[40..48]), (&about.mode.to_le_bytes()[..2], &about.size.to_le_bytes()[..]));
        // The modification time is the last of four.
        assert_eq!((&statx[112..120], &statx[120..124]), (&7_u64.to_le_bytes()[..], &8_u32.to_le_bytes()[..]));
    }
}

//! What is changed of files beside their contents: modes, owners, times.

use super::files::Open;
use super::guest::Guest;
use super::identity::UID;
use super::paths::absolute;
use super::{Errno, Process};
use cap_std::fs::{Dir, Permissions};
use std::fs::FileTimes;
use std::io;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Of a mode the guest decides about these bits: who may do what.
pub(super) const MODE: u32 = 0o777;

/// Permissions of this mode. Where hosts know no modes there is only whether the file may be written.
#[cfg(unix)]
fn permissions(mode: u32, _: Permissions) -> Permissions {
    use cap_std::fs::PermissionsExt;
    Permissions::from_mode(mode & MODE)
}

#[cfg(not(unix))]
fn permissions(mode: u32, mut before: Permissions) -> Permissions {
    before.set_readonly(mode & 0o200 == 0);
    before
}

fn change_mode(dir: &Dir, path: &str, mode: u32) -> io::Result<()> {
    let before = dir.metadata(path)?.permissions();
    dir.set_permissions(path, permissions(mode, before))
}

/// `fchmod(fd, mode)`.
pub(super) fn fchmod(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, mode, ..] = guest.args;
    match process.files.get(fd)? {
        Open::File(file) => file.set_permissions(permissions(mode, file.metadata()?.permissions()))?,
        Open::Folder(folder) => change_mode(&folder.dir, ".", mode)?,
        _ => {}
    }
    Ok(0)
}

/// `fchmodat(fd, path, mode)`.
pub(super) fn fchmodat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let path = absolute(process, guest, guest.args[0], guest.args[1])?;
    let (dir, rest) = process.folders.find(&path)?;
    change_mode(dir, rest, guest.args[2])?;
    Ok(0)
}

/// There is one user; whoever gives a file to another one must be allowed to.
fn change_owner(owners: [u32; 2]) -> Result<u32, Errno> {
    if owners.iter().all(|&id| id == UID || id == u32::MAX) { Ok(0) } else { Err(Errno::EPERM) }
}

/// `fchown(fd, user, group)`.
pub(super) fn fchown(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, user, group, ..] = guest.args;
    process.files.get(fd)?;
    change_owner([user, group])
}

/// `fchownat(fd, path, user, group, flags)`.
pub(super) fn fchownat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, path, user, group, ..] = guest.args;
    let path = absolute(process, guest, fd, path)?;
    let (dir, rest) = process.folders.find(&path)?;
    dir.symlink_metadata(rest)?;
    change_owner([user, group])
}

/// The times of access and change at an address, as seconds and nanoseconds of so many bytes each; now, if there is no address.
fn times(guest: &Guest<'_>, address: u32, is_long: bool) -> Result<FileTimes, Errno> {
    const NOW: u64 = 0x3fff_ffff;
    const OMIT: u64 = 0x3fff_fffe;
    let now = SystemTime::now();
    if address == 0 {
        return Ok(FileTimes::new().set_accessed(now).set_modified(now));
    }
    let field = |at: u32| match is_long {
        true => guest.double(address.wrapping_add(8 * at)),
        false => guest.word(address.wrapping_add(4 * at)).map(|word| word as i32 as u64),
    };
    let time = |at: u32| -> Result<Option<SystemTime>, Errno> {
        let (seconds, nanoseconds) = (field(at)? as i64, field(at + 1)? & 0xffff_ffff);
        Ok(match nanoseconds {
            NOW => Some(now),
            OMIT => None,
            0..1_000_000_000 => {
                let whole = Duration::from_secs(seconds.unsigned_abs());
                let start = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
                let time = start.and_then(|start| start.checked_add(Duration::from_nanos(nanoseconds)));
                Some(time.ok_or(Errno::EINVAL)?)
            }
            _ => return Err(Errno::EINVAL),
        })
    };
    let mut times = FileTimes::new();
    if let Some(accessed) = time(0)? {
        times = times.set_accessed(accessed);
    }
    if let Some(modified) = time(2)? {
        times = times.set_modified(modified);
    }
    Ok(times)
}

fn change_times(process: &mut Process<'_>, guest: &mut Guest<'_>, is_long: bool) -> Result<u32, Errno> {
    let [fd, path, address, ..] = guest.args;
    let times = times(guest, address, is_long)?;
    if path == 0 {
        match process.files.get(fd)? {
            Open::File(file) => file.try_clone()?.into_std().set_times(times)?,
            Open::Folder(folder) => folder.dir.try_clone()?.into_std_file().set_times(times)?,
            _ => {}
        }
        return Ok(0);
    }
    let path = absolute(process, guest, fd, path)?;
    let (dir, rest) = process.folders.find(&path)?;
    match dir.metadata(rest)?.is_dir() {
        true => dir.open_dir(rest)?.into_std_file().set_times(times)?,
        false => dir.open(rest)?.into_std().set_times(times)?,
    }
    Ok(0)
}

/// `utimensat_time64(fd, path, times, flags)`. Times of links themselves are those of what they lead to.
pub(super) fn utimensat64(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    change_times(process, guest, true)
}

/// `utimensat(fd, path, times, flags)`, with times of 32 bits.
pub(super) fn utimensat32(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    change_times(process, guest, false)
}

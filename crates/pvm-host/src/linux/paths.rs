//! Calls that name files by their paths.

use super::attributes::MODE;
use super::files::{Folder, Open, status};
use super::folders::join;
use super::guest::{Guest, Layout};
use super::{Errno, Process};
use cap_std::fs::{Dir, DirBuilder, DirEntry, Metadata, OpenOptions};
use std::ffi::OsString;
use std::io;

/// "The current folder" in place of a descriptor (-100).
const AT_FDCWD: u32 = 0xffff_ff9c;

/// The absolute path that the guest means by one that is relative to the folder `fd`.
pub(super) fn absolute(process: &Process<'_>, guest: &Guest<'_>, fd: u32, address: u32) -> Result<String, Errno> {
    let path = String::from_utf8(guest.path(address)?).map_err(|_| Errno::ENOENT)?;
    if path.is_empty() {
        return Err(Errno::ENOENT);
    }
    let base = match fd {
        _ if path.starts_with('/') => "/",
        AT_FDCWD => &process.current,
        fd => match process.files.get(fd)? {
            Open::Folder(folder) => &folder.path,
            _ => return Err(Errno::ENOTDIR),
        },
    };
    Ok(join(base, &path))
}

/// What an `open` asks for.
struct Wanted {
    read: bool,
    write: bool,
    append: bool,
    create: bool,
    exclusive: bool,
    truncate: bool,
    folder: bool,
    /// The flags that are kept.
    status: u32,
    /// What a new file allows.
    mode: u32,
}

/// `openat(fd, path, flags, mode)`.
pub(super) fn openat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, path, flags, mode, ..] = guest.args;
    let has = |bit: u32| flags & bit != 0;
    let wanted = Wanted {
        read: flags & 3 != 1,
        write: flags & 3 != 0,
        append: has(status::APPEND),
        create: has(0o100),
        exclusive: has(0o200),
        truncate: has(0o1000),
        // A slash at the end says so, too.
        folder: has(0o200_000) || guest.path(path)?.ends_with(b"/"),
        status: flags & (status::ACCESS | status::APPEND | status::NONBLOCK),
        mode,
    };
    let path = absolute(process, guest, fd, path)?;
    open(process, path, &wanted)
}

/// `open(path, flags, mode)` with newlib's number and flags.
pub(super) fn open_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [path, flags, mode, ..] = guest.args;
    let has = |bit: u32| flags & bit != 0;
    let wanted = Wanted {
        read: flags & 3 != 1,
        write: flags & 3 != 0,
        append: has(8),
        create: has(0x200),
        exclusive: has(0x800),
        truncate: has(0x400),
        folder: false,
        status: flags & status::ACCESS | if has(8) { status::APPEND } else { 0 },
        mode,
    };
    let path = absolute(process, guest, AT_FDCWD, path)?;
    open(process, path, &wanted)
}

fn open(process: &mut Process<'_>, path: String, wanted: &Wanted) -> Result<u32, Errno> {
    if let Some(device) = Open::device(&path) {
        return match device {
            _ if wanted.folder => Err(Errno::ENOTDIR),
            Open::Random if wanted.write => Err(Errno::EACCES),
            device => process.files.add(device, wanted.status),
        };
    }
    let (dir, rest) = process.folders.find(&path)?;
    let is_folder = dir.metadata(rest).is_ok_and(|about| about.is_dir());
    if is_folder {
        if wanted.write || wanted.create {
            return Err(Errno::EISDIR);
        }
        let dir = dir.open_dir(rest)?;
        return process.files.add(Open::Folder(Folder::new(dir, path)), wanted.status);
    }
    if wanted.folder {
        return Err(if dir.exists(rest) { Errno::ENOTDIR } else { Errno::ENOENT });
    }
    let mut options = OpenOptions::new();
    options.read(wanted.read).write(wanted.write).append(wanted.append && wanted.write);
    let truncates = wanted.truncate && wanted.write;
    // The host makes files only for those who write, and does not take appending and truncating at once.
    let is_prepared = wanted.create && !wanted.write || wanted.append && truncates;
    let mut preparing = OpenOptions::new();
    let making = if is_prepared { preparing.write(true) } else { &mut options };
    making.truncate(truncates).create(wanted.create && !wanted.exclusive).create_new(wanted.create && wanted.exclusive);
    set_mode(making, wanted.mode & !process.umask);
    if is_prepared {
        dir.open_with(rest, &preparing)?;
    }
    let file = dir.open_with(rest, &options)?;
    process.files.add(Open::File(file), wanted.status)
}

/// What a file allows that is made.
#[cfg(unix)]
fn set_mode(options: &mut OpenOptions, mode: u32) {
    use cap_std::fs::OpenOptionsExt;
    options.mode(mode & MODE);
}

#[cfg(not(unix))]
fn set_mode(_: &mut OpenOptions, _: u32) {}

/// How folders are made that allow this.
#[cfg(unix)]
fn folder_of(mode: u32) -> DirBuilder {
    use cap_std::fs::DirBuilderExt;
    let mut builder = DirBuilder::new();
    builder.mode(mode & MODE);
    builder
}

#[cfg(not(unix))]
fn folder_of(_: u32) -> DirBuilder {
    DirBuilder::new()
}

/// `umask(mask)`: what new files and folders do not allow from then on.
pub(super) fn umask(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    Ok(std::mem::replace(&mut process.umask, guest.args[0] & MODE))
}

/// Looks up the path in two arguments, for a call that changes a folder.
fn in_folder<'p, 'm>(process: &'p Process<'_>, path: &'m str) -> Result<(&'p Dir, &'m str), Errno> {
    let (dir, rest) = process.folders.find(path)?;
    if rest == "." { Err(Errno::EPERM) } else { Ok((dir, rest)) }
}

/// `mkdirat(fd, path, mode)`.
pub(super) fn mkdirat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let path = absolute(process, guest, guest.args[0], guest.args[1])?;
    let (dir, rest) = in_folder(process, &path).map_err(|_| Errno::EEXIST)?;
    dir.create_dir_with(rest, &folder_of(guest.args[2] & !process.umask))?;
    Ok(0)
}

/// `unlinkat(fd, path, flags)`.
pub(super) fn unlinkat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const AT_REMOVEDIR: u32 = 0x200;
    let path = absolute(process, guest, guest.args[0], guest.args[1])?;
    let (dir, rest) = in_folder(process, &path)?;
    match guest.args[2] & AT_REMOVEDIR != 0 {
        true => dir.remove_dir(rest)?,
        false => dir.remove_file(rest)?,
    }
    Ok(0)
}

/// `unlink(path)` with newlib's number.
pub(super) fn unlink_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    guest.args = [AT_FDCWD, guest.args[0], 0, 0, 0, 0];
    unlinkat(process, guest)
}

/// The paths in the arguments of a call that takes two of them, each with a folder that it is relative to.
fn two_paths(process: &Process<'_>, guest: &Guest<'_>) -> Result<[String; 2], Errno> {
    let [old_fd, old, new_fd, new, ..] = guest.args;
    Ok([absolute(process, guest, old_fd, old)?, absolute(process, guest, new_fd, new)?])
}

/// `renameat2(old fd, old, new fd, new, flags)`; what `flags` could ask for is not done.
pub(super) fn renameat2(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    if guest.args[4] != 0 {
        return Err(Errno::EINVAL);
    }
    let [old, new] = two_paths(process, guest)?;
    let (old_dir, old) = in_folder(process, &old)?;
    let (new_dir, new) = in_folder(process, &new)?;
    old_dir.rename(old, new_dir, new)?;
    Ok(0)
}

/// `renameat(old fd, old, new fd, new)`.
pub(super) fn renameat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    guest.args[4] = 0;
    renameat2(process, guest)
}

/// `symlinkat(target, fd, path)`.
pub(super) fn symlinkat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let target = String::from_utf8(guest.path(guest.args[0])?).map_err(|_| Errno::EINVAL)?;
    let path = absolute(process, guest, guest.args[1], guest.args[2])?;
    let (dir, rest) = in_folder(process, &path).map_err(|_| Errno::EEXIST)?;
    link(dir, &target, rest)?;
    Ok(0)
}

#[cfg(unix)]
fn link(dir: &Dir, target: &str, path: &str) -> io::Result<()> {
    dir.symlink(target, path)
}

/// Where links must know whether they lead to a folder there are none.
#[cfg(not(unix))]
fn link(_: &Dir, _: &str, _: &str) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

/// `linkat(old fd, old, new fd, new, flags)`.
pub(super) fn linkat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [old, new] = two_paths(process, guest)?;
    let (old_dir, old) = in_folder(process, &old)?;
    let (new_dir, new) = in_folder(process, &new)?;
    old_dir.hard_link(old, new_dir, new)?;
    Ok(0)
}

/// `truncate64(path, length)`.
pub(super) fn truncate(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let len = guest.long(1);
    let path = absolute(process, guest, AT_FDCWD, guest.args[0])?;
    let (dir, rest) = process.folders.find(&path)?;
    let file = dir.open_with(rest, OpenOptions::new().write(true))?;
    process.shared.save(guest.memory, Some(&file))?;
    file.set_len(len)?;
    process.shared.load(guest.memory, &file)?;
    Ok(0)
}

/// `readlinkat(fd, path, buffer, size)`.
pub(super) fn readlinkat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, path, buffer, size, ..] = guest.args;
    let path = absolute(process, guest, fd, path)?;
    let (dir, rest) = process.folders.find(&path)?;
    let target = dir.read_link(rest)?;
    let target = target.as_os_str().as_encoded_bytes();
    let len = target.len().min(size as usize);
    guest.write(buffer, &target[..len])?;
    Ok(len as u32)
}

/// `getcwd(buffer, size)`.
pub(super) fn getcwd(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [buffer, size, ..] = guest.args;
    let mut path = process.current.clone().into_bytes();
    path.push(0);
    if path.len() > size as usize {
        return Err(Errno::ERANGE);
    }
    guest.write(buffer, &path)?;
    Ok(path.len() as u32)
}

/// `chdir(path)`.
pub(super) fn chdir(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let path = absolute(process, guest, AT_FDCWD, guest.args[0])?;
    let (dir, rest) = process.folders.find(&path)?;
    if !dir.metadata(rest)?.is_dir() {
        return Err(Errno::ENOTDIR);
    }
    process.current = path;
    Ok(0)
}

/// `fchdir(fd)`.
pub(super) fn fchdir(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let Open::Folder(folder) = process.files.get(guest.args[0])? else { return Err(Errno::ENOTDIR) };
    process.current = folder.path.clone();
    Ok(0)
}

/// `faccessat(fd, path, mode)` and `faccessat2`: whether the file is there, and whether it may be run. What else may be done with it
/// shows when it is done.
pub(super) fn faccessat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const X_OK: u32 = 1;
    let [fd, path, wanted, ..] = guest.args;
    let path = absolute(process, guest, fd, path)?;
    let is_runnable = match Open::device(&path) {
        Some(_) => false,
        None => {
            let (dir, rest) = process.folders.find(&path)?;
            let metadata = dir.metadata(rest)?;
            metadata.is_dir() || is_program(&metadata)
        }
    };
    if wanted & X_OK != 0 && !is_runnable { Err(Errno::EACCES) } else { Ok(0) }
}

#[cfg(unix)]
fn is_program(metadata: &Metadata) -> bool {
    use cap_std::fs::PermissionsExt;
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
fn is_program(_: &Metadata) -> bool {
    true
}

/// `access(path, mode)` with newlib's number.
pub(super) fn access_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    guest.args = [AT_FDCWD, guest.args[0], guest.args[1], 0, 0, 0];
    faccessat(process, guest)
}

/// `getdents64(fd, buffer, size)`: the folder itself and the one above it, then entries in the order in which the host has
/// them.
pub(super) fn getdents64(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const DT_DIR: u8 = 4;
    const DT_REG: u8 = 8;
    const DT_LNK: u8 = 10;
    const OWN: [&str; 2] = [".", ".."];
    let kind = |entry: &DirEntry| {
        Ok::<_, Errno>(match entry.file_type()? {
            kind if kind.is_dir() => DT_DIR,
            kind if kind.is_symlink() => DT_LNK,
            _ => DT_REG,
        })
    };
    let [fd, buffer, size, ..] = guest.args;
    let Open::Folder(folder) = process.files.get_mut(fd)? else { return Err(Errno::ENOTDIR) };
    let entries = match &mut folder.entries {
        Some(entries) => entries,
        None => {
            let mut entries = folder.dir.entries()?.peekable();
            (OWN.len()..folder.listed).for_each(|_| drop(entries.next()));
            folder.entries.insert(entries)
        }
    };
    let mut done = 0;
    loop {
        let (name, kind) = match OWN.get(folder.listed) {
            Some(&own) => (OsString::from(own), DT_DIR),
            None => match entries.peek() {
                Some(Ok(entry)) => (entry.file_name(), kind(entry)?),
                Some(Err(_)) => return Err(entries.next().and_then(Result::err).map_or(Errno::EIO, Errno::from)),
                None => break,
            },
        };
        let name = name.as_encoded_bytes();
        let len = (19 + name.len() + 1).next_multiple_of(8);
        if done + len > size as usize {
            if done == 0 {
                return Err(Errno::EINVAL);
            }
            break;
        }
        let next = folder.listed as u64 + 1;
        let mut record = Layout::default().u64(next).u64(next).u16(len as u16).0;
        record.push(kind);
        record.extend(name);
        record.resize(len, 0);
        guest.write(buffer.wrapping_add(done as u32), &record)?;
        if folder.listed >= OWN.len() {
            entries.next();
        }
        folder.listed += 1;
        done += len;
    }
    Ok(done as u32)
}

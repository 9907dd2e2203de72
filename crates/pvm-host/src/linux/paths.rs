//! Calls that name files by their paths.

use super::files::{Folder, Open, RANDOM};
use super::folders::join;
use super::guest::{Guest, Layout};
use super::{Errno, Process};
use cap_std::fs::{Dir, OpenOptions};
use std::ffi::OsString;

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
}

/// `openat(fd, path, flags, mode)`.
pub(super) fn openat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [fd, path, flags, ..] = guest.args;
    let has = |bit: u32| flags & bit != 0;
    let wanted = Wanted {
        read: flags & 3 != 1,
        write: flags & 3 != 0,
        append: has(0o2000),
        create: has(0o100),
        exclusive: has(0o200),
        truncate: has(0o1000),
        folder: has(0o200_000),
    };
    let path = absolute(process, guest, fd, path)?;
    open(process, path, &wanted)
}

/// `open(path, flags, mode)` with newlib's number and flags.
pub(super) fn open_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [path, flags, ..] = guest.args;
    let has = |bit: u32| flags & bit != 0;
    let wanted = Wanted {
        read: flags & 3 != 1,
        write: flags & 3 != 0,
        append: has(8),
        create: has(0x200),
        exclusive: has(0x800),
        truncate: has(0x400),
        folder: false,
    };
    let path = absolute(process, guest, AT_FDCWD, path)?;
    open(process, path, &wanted)
}

fn open(process: &mut Process<'_>, path: String, wanted: &Wanted) -> Result<u32, Errno> {
    if RANDOM.contains(&path.as_str()) {
        let is_read = !wanted.write && !wanted.folder;
        return if is_read { process.files.add(Open::Random, 0) } else { Err(Errno::EACCES) };
    }
    let (dir, rest) = process.folders.find(&path)?;
    let is_folder = dir.metadata(rest).is_ok_and(|about| about.is_dir());
    if is_folder {
        if wanted.write || wanted.create {
            return Err(Errno::EISDIR);
        }
        let dir = dir.open_dir(rest)?;
        return process.files.add(Open::Folder(Folder { dir, path, listed: 0 }), 0);
    }
    if wanted.folder {
        return Err(if dir.exists(rest) { Errno::ENOTDIR } else { Errno::ENOENT });
    }
    let mut options = OpenOptions::new();
    options.read(wanted.read).write(wanted.write).append(wanted.append && wanted.write);
    options.truncate(wanted.truncate && wanted.write && !(wanted.create && wanted.exclusive));
    options.create(wanted.create && wanted.write && !wanted.exclusive);
    options.create_new(wanted.create && wanted.write && wanted.exclusive);
    if wanted.append && wanted.truncate {
        // The host does not take both at once; what is asked for is an empty file that grows.
        dir.open_with(rest, OpenOptions::new().write(true).truncate(true).create(wanted.create))?;
        options.truncate(false);
    }
    let file = dir.open_with(rest, &options)?;
    process.files.add(Open::File(file), 0)
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
    dir.create_dir(rest)?;
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

/// `renameat2(old fd, old, new fd, new, flags)`; what `flags` could ask for is not done.
pub(super) fn renameat2(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [old_fd, old, new_fd, new, flags, _] = guest.args;
    if flags != 0 {
        return Err(Errno::EINVAL);
    }
    let (old, new) = (absolute(process, guest, old_fd, old)?, absolute(process, guest, new_fd, new)?);
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

/// `faccessat(fd, path, mode)` and `faccessat2`: whether the file is there. What may be done with it shows when it is done.
pub(super) fn faccessat(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let path = absolute(process, guest, guest.args[0], guest.args[1])?;
    let (dir, rest) = process.folders.find(&path)?;
    dir.metadata(rest)?;
    Ok(0)
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
    let [fd, buffer, size, ..] = guest.args;
    let Open::Folder(folder) = process.files.get_mut(fd)? else { return Err(Errno::ENOTDIR) };
    let mut done = 0;
    let own = [".", ".."].map(|name| Ok((OsString::from(name), DT_DIR)));
    let entries = folder.dir.entries()?.map(|entry| {
        let entry = entry?;
        let kind = match entry.file_type()? {
            kind if kind.is_dir() => DT_DIR,
            kind if kind.is_symlink() => DT_LNK,
            _ => DT_REG,
        };
        Ok::<_, Errno>((entry.file_name(), kind))
    });
    for entry in own.into_iter().chain(entries).skip(folder.listed) {
        let (name, kind) = entry?;
        let name = name.as_encoded_bytes();
        let len = (19 + name.len() + 1).next_multiple_of(8);
        if done + len > size as usize {
            if done == 0 {
                return Err(Errno::EINVAL);
            }
            break;
        }
        folder.listed += 1;
        let mut record = Layout::default().u64(folder.listed as u64).u64(folder.listed as u64).u16(len as u16).0;
        record.push(kind);
        record.extend(name);
        record.resize(len, 0);
        guest.write(buffer.wrapping_add(done as u32), &record)?;
        done += len;
    }
    Ok(done as u32)
}

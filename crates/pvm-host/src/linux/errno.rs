//! Error numbers of Linux, as RISC-V has them (asm-generic).

use std::io::{self, ErrorKind};

/// Why a system call failed. The guest gets its negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Errno(pub u16);

#[allow(missing_docs)] // the names that every manual has
impl Errno {
    pub const EPERM: Errno = Errno(1);
    pub const ENOENT: Errno = Errno(2);
    pub const ESRCH: Errno = Errno(3);
    pub const EIO: Errno = Errno(5);
    pub const EBADF: Errno = Errno(9);
    pub const EAGAIN: Errno = Errno(11);
    pub const ENOMEM: Errno = Errno(12);
    pub const EACCES: Errno = Errno(13);
    pub const EFAULT: Errno = Errno(14);
    pub const EEXIST: Errno = Errno(17);
    pub const EXDEV: Errno = Errno(18);
    pub const ENODEV: Errno = Errno(19);
    pub const ENOTDIR: Errno = Errno(20);
    pub const EISDIR: Errno = Errno(21);
    pub const EINVAL: Errno = Errno(22);
    pub const EMFILE: Errno = Errno(24);
    pub const ENOTTY: Errno = Errno(25);
    pub const EFBIG: Errno = Errno(27);
    pub const ENOSPC: Errno = Errno(28);
    pub const ESPIPE: Errno = Errno(29);
    pub const EROFS: Errno = Errno(30);
    pub const EPIPE: Errno = Errno(32);
    pub const ERANGE: Errno = Errno(34);
    pub const ENAMETOOLONG: Errno = Errno(36);
    pub const ENOSYS: Errno = Errno(38);
    pub const ENOTEMPTY: Errno = Errno(39);
    pub const ETIMEDOUT: Errno = Errno(110);

    /// What the guest finds in `a0`.
    pub const fn result(self) -> u32 {
        (self.0 as u32).wrapping_neg()
    }
}

impl From<io::Error> for Errno {
    fn from(error: io::Error) -> Errno {
        // The numbers of Linux hosts are those of the guest, but for a few that no call here gives.
        if let (true, Some(number)) = (cfg!(target_os = "linux"), error.raw_os_error()) {
            return u16::try_from(number).map_or(Errno::EIO, Errno);
        }
        match error.kind() {
            ErrorKind::NotFound => Errno::ENOENT,
            // What leads out of a folder is refused with this kind.
            ErrorKind::PermissionDenied => Errno::EACCES,
            ErrorKind::AlreadyExists => Errno::EEXIST,
            ErrorKind::NotADirectory => Errno::ENOTDIR,
            ErrorKind::IsADirectory => Errno::EISDIR,
            ErrorKind::DirectoryNotEmpty => Errno::ENOTEMPTY,
            ErrorKind::ReadOnlyFilesystem => Errno::EROFS,
            ErrorKind::StorageFull => Errno::ENOSPC,
            ErrorKind::FileTooLarge => Errno::EFBIG,
            ErrorKind::CrossesDevices => Errno::EXDEV,
            ErrorKind::BrokenPipe => Errno::EPIPE,
            ErrorKind::WouldBlock => Errno::EAGAIN,
            ErrorKind::InvalidInput => Errno::EINVAL,
            _ => Errno::EIO,
        }
    }
}

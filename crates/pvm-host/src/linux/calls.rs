//! The system calls by number: those of Linux for RISC-V (asm-generic, and with times of 64 bits), and those that newlib's
//! and picolibc's `libgloss` adds.

use super::guest::Guest;
use super::{Errno, Process};
use super::{attributes, files, identity, paths, shared, space, stat, time};

/// A system call.
pub(super) struct Call {
    pub number: u32,
    pub name: &'static str,
    pub run: Run,
}

/// Does a call, and gives its result.
pub(super) type Run = fn(&mut Process<'_>, &mut Guest<'_>) -> Result<u32, Errno>;

/// The call of this number.
pub(super) fn find(number: u32) -> Option<&'static Call> {
    CALLS.binary_search_by_key(&number, |call| call.number).ok().map(|at| &CALLS[at])
}

const fn call(number: u32, name: &'static str, run: Run) -> Call {
    Call { number, name, run }
}

/// In the order of their numbers.
#[rustfmt::skip]
const CALLS: &[Call] = &[
    call(17,   "getcwd",                 paths::getcwd),
    call(23,   "dup",                    files::dup),
    call(24,   "dup3",                   files::dup3),
    call(25,   "fcntl64",                files::fcntl),
    call(29,   "ioctl",                  files::ioctl),
    call(32,   "flock",                  files::granted),
    call(34,   "mkdirat",                paths::mkdirat),
    call(35,   "unlinkat",               paths::unlinkat),
    call(36,   "symlinkat",              paths::symlinkat),
    call(37,   "linkat",                 paths::linkat),
    call(38,   "renameat",               paths::renameat),
    call(45,   "truncate64",             paths::truncate),
    call(46,   "ftruncate64",            files::ftruncate),
    call(48,   "faccessat",              paths::faccessat),
    call(49,   "chdir",                  paths::chdir),
    call(50,   "fchdir",                 paths::fchdir),
    call(52,   "fchmod",                 attributes::fchmod),
    call(53,   "fchmodat",               attributes::fchmodat),
    call(54,   "fchownat",               attributes::fchownat),
    call(55,   "fchown",                 attributes::fchown),
    call(56,   "openat",                 paths::openat),
    call(57,   "close",                  files::close),
    call(59,   "pipe2",                  files::pipe2),
    call(61,   "getdents64",             paths::getdents64),
    call(62,   "_llseek",                files::llseek),
    call(63,   "read",                   files::read),
    call(64,   "write",                  files::write),
    call(65,   "readv",                  files::readv),
    call(66,   "writev",                 files::writev),
    call(67,   "pread64",                files::pread),
    call(68,   "pwrite64",               files::pwrite),
    call(72,   "pselect6",               identity::pselect6),
    call(73,   "ppoll",                  identity::ppoll),
    call(78,   "readlinkat",             paths::readlinkat),
    call(79,   "fstatat64",              stat::fstatat),
    call(80,   "fstat64",                stat::fstat),
    call(82,   "fsync",                  files::fsync),
    call(83,   "fdatasync",              files::fsync),
    call(88,   "utimensat",              attributes::utimensat32),
    call(93,   "exit",                   identity::exit),
    call(94,   "exit_group",             identity::exit),
    call(96,   "set_tid_address",        identity::pid),
    call(98,   "futex",                  identity::futex),
    call(99,   "set_robust_list",        identity::nothing),
    call(101,  "nanosleep",              time::nanosleep32),
    call(113,  "clock_gettime",          time::clock_gettime32),
    call(114,  "clock_getres",           time::clock_getres32),
    call(123,  "sched_getaffinity",      identity::sched_getaffinity),
    call(124,  "sched_yield",            identity::nothing),
    call(129,  "kill",                   identity::kill),
    call(130,  "tkill",                  identity::kill),
    call(131,  "tgkill",                 identity::tgkill),
    call(132,  "sigaltstack",            identity::nothing),
    call(134,  "rt_sigaction",           identity::rt_sigaction),
    call(135,  "rt_sigprocmask",         identity::rt_sigprocmask),
    call(140,  "setpriority",            identity::nothing),
    call(141,  "getpriority",            identity::getpriority),
    call(144,  "setgid",                 identity::set_user),
    call(146,  "setuid",                 identity::set_user),
    call(153,  "times",                  time::times),
    call(155,  "getpgid",                identity::pid),
    call(156,  "getsid",                 identity::pid),
    call(158,  "getgroups",              identity::nothing),
    call(160,  "uname",                  identity::uname),
    call(163,  "getrlimit",              identity::getrlimit),
    call(165,  "getrusage",              identity::getrusage),
    call(166,  "umask",                  paths::umask),
    call(167,  "prctl",                  identity::nothing),
    call(169,  "gettimeofday",           time::gettimeofday),
    call(172,  "getpid",                 identity::pid),
    call(173,  "getppid",                identity::parent),
    call(174,  "getuid",                 identity::user),
    call(175,  "geteuid",                identity::user),
    call(176,  "getgid",                 identity::user),
    call(177,  "getegid",                identity::user),
    call(178,  "gettid",                 identity::pid),
    call(179,  "sysinfo",                identity::sysinfo),
    call(214,  "brk",                    space::brk),
    call(215,  "munmap",                 space::munmap),
    call(216,  "mremap",                 space::mremap),
    call(222,  "mmap2",                  space::mmap),
    call(223,  "fadvise64",              files::granted),
    call(226,  "mprotect",               space::mprotect),
    call(227,  "msync",                  shared::msync),
    call(233,  "madvise",                space::madvise),
    call(259,  "riscv_flush_icache",     identity::flush_icache),
    call(261,  "prlimit64",              identity::prlimit64),
    call(276,  "renameat2",              paths::renameat2),
    call(278,  "getrandom",              identity::getrandom),
    call(283,  "membarrier",             identity::nothing),
    call(291,  "statx",                  stat::statx),
    call(403,  "clock_gettime64",        time::clock_gettime64),
    call(406,  "clock_getres_time64",    time::clock_getres64),
    call(407,  "clock_nanosleep_time64", time::clock_nanosleep64),
    call(412,  "utimensat_time64",       attributes::utimensat64),
    call(413,  "pselect6_time64",        identity::pselect6),
    call(414,  "ppoll_time64",           identity::ppoll),
    call(422,  "futex_time64",           identity::futex),
    call(439,  "faccessat2",             paths::faccessat),
    call(1024, "open",                   paths::open_newlib),
    call(1026, "unlink",                 paths::unlink_newlib),
    call(1033, "access",                 paths::access_newlib),
    call(1038, "stat",                   stat::stat_newlib),
    call(1039, "lstat",                  stat::lstat_newlib),
    call(1062, "time",                   time::time_newlib),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_are_in_order() {
        assert!(CALLS.windows(2).all(|pair| pair[0].number < pair[1].number));
        assert_eq!(find(64).map(|call| call.name), Some("write"));
        assert!(find(65_536).is_none());
    }
}

//! Calls that tell a process about itself and its machine, and what else a single thread may ask for.

use super::guest::{CHUNK, Guest, Layout};
use super::{Ending, Errno, Process};

/// The number of the process and of its only thread.
const PID: u32 = 1000;
/// The user and group that it runs as.
pub(super) const UID: u32 = 1000;

/// Does nothing, and says that it was done.
pub(super) fn nothing(_: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    Ok(0)
}

/// `exit(code)` and `exit_group(code)`.
pub(super) fn exit(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    process.ending = Some(Ending::Exit(guest.args[0] as u8));
    Ok(0)
}

/// `getpid()`, `gettid()`, `set_tid_address(address)`, and the numbers of its group and session.
pub(super) fn pid(_: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    Ok(PID)
}

/// `getppid()`.
pub(super) fn parent(_: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    Ok(1)
}

/// `getuid()` and its like.
pub(super) fn user(_: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    Ok(UID)
}

/// `setuid(user)` and `setgid(group)`: nobody becomes somebody else.
pub(super) fn set_user(_: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    if guest.args[0] == UID { Ok(0) } else { Err(Errno::EPERM) }
}

/// `getpriority(which, who)`: the usual one, zero, counted from twenty down.
pub(super) fn getpriority(_: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    Ok(20)
}

/// `uname(buffer)`: six fields of 65 bytes.
pub(super) fn uname(_: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let mut fields = Vec::new();
    for (at, text) in ["Linux", "pvmrun", "6.1.0", "#1 pvmrun", "riscv32", "(none)"].into_iter().enumerate() {
        fields.extend(text.bytes());
        fields.resize((at + 1) * 65, 0);
    }
    guest.write(guest.args[0], &fields).map(|()| 0)
}

/// `getrandom(buffer, length, flags)`.
pub(super) fn getrandom(_: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [address, len, ..] = guest.args;
    let len = len.min(CHUNK as u32);
    let mut bytes = vec![0; len as usize];
    guest.check_writable(address, len)?;
    getrandom::fill(&mut bytes).map_err(|_| Errno::EIO)?;
    guest.write(address, &bytes)?;
    Ok(len)
}

/// `futex(address, operation, value, timeout, ...)` as for a single thread: nobody else could wake it, so what waits would
/// wait for ever.
pub(super) fn futex(_: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [address, operation, value, timeout, ..] = guest.args;
    // Without FUTEX_PRIVATE_FLAG and FUTEX_CLOCK_REALTIME.
    match operation & 0x7f {
        // FUTEX_WAIT, FUTEX_WAIT_BITSET.
        0 | 9 if guest.word(address)? != value => Err(Errno::EAGAIN),
        0 | 9 if timeout != 0 => Err(Errno::ETIMEDOUT),
        0 | 9 => {
            tracing::warn!("the guest waits for a thread that it does not have");
            Err(Errno::EAGAIN)
        }
        // FUTEX_WAKE, FUTEX_WAKE_BITSET, FUTEX_REQUEUE, FUTEX_CMP_REQUEUE: nobody was woken.
        1 | 3 | 4 | 10 => Ok(0),
        _ => Err(Errno::ENOSYS),
    }
}

/// The highest signal.
const MAX_SIGNAL: u32 = 64;
/// `SIGKILL` and `SIGSTOP`: what they do cannot be changed.
const UNCHANGEABLE: [u32; 2] = [9, 19];
/// Bytes in `struct sigaction`: handler, flags, and a mask of 64 bits.
const SIGACTION: usize = 16;

/// `rt_sigaction(signal, new, old, size)`: actions are kept, so that they can be asked for. Signals are not delivered.
pub(super) fn rt_sigaction(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [signal, new, old, ..] = guest.args;
    if signal == 0 || signal > MAX_SIGNAL || new != 0 && UNCHANGEABLE.contains(&signal) {
        return Err(Errno::EINVAL);
    }
    let wanted = if new == 0 { None } else { Some(guest.bytes::<SIGACTION>(new)?) };
    let action = &mut process.actions[signal as usize - 1];
    if old != 0 {
        guest.write(old, action)?;
    }
    if let Some(wanted) = wanted {
        *action = wanted;
    }
    Ok(0)
}

/// All actions at the start: the default ones.
pub(super) fn default_actions() -> [[u8; SIGACTION]; MAX_SIGNAL as usize] {
    [[0; SIGACTION]; MAX_SIGNAL as usize]
}

/// `rt_sigprocmask(how, new, old, size)`.
pub(super) fn rt_sigprocmask(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [how, new, old, ..] = guest.args;
    let before = process.blocked;
    let after = match (new, how) {
        (0, _) => before,
        (new, 0) => before | guest.double(new)?,
        (new, 1) => before & !guest.double(new)?,
        (new, 2) => guest.double(new)?,
        _ => return Err(Errno::EINVAL),
    };
    if old != 0 {
        guest.write(old, &before.to_le_bytes())?;
    }
    process.blocked = after;
    Ok(0)
}

/// `kill(pid, signal)`, and `tkill`, with the signal in the second argument.
pub(super) fn kill(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    signal(process, guest.args[0], guest.args[1])
}

/// `tgkill(pid, thread, signal)`.
pub(super) fn tgkill(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    signal(process, guest.args[1], guest.args[2])
}

/// A signal of the process to itself: unless it is ignored it ends the run, as its default action does.
fn signal(process: &mut Process<'_>, to: u32, signal: u32) -> Result<u32, Errno> {
    if ![PID, 0].contains(&to) {
        return Err(Errno::ESRCH);
    }
    // SIGCHLD, SIGCONT, SIGURG and SIGWINCH are ignored by default.
    let is_ignored = [17, 18, 23, 28].contains(&signal);
    match signal {
        0 => Ok(0),
        1..=MAX_SIGNAL => {
            const SIG_IGN: [u8; 4] = [1, 0, 0, 0];
            let handler = &process.actions[signal as usize - 1][..4];
            if handler == SIG_IGN || handler == [0; 4] && is_ignored {
                return Ok(0);
            }
            if handler != [0; 4] {
                tracing::warn!(signal, "handlers of signals are not called: the signal ends the run");
            }
            process.ending = Some(Ending::Signal(signal as u8));
            Ok(0)
        }
        _ => Err(Errno::EINVAL),
    }
}

const RLIMIT_STACK: u32 = 3;
const RLIMIT_NOFILE: u32 = 7;

/// `prlimit64(pid, resource, new, old)`: limits can be asked for; nothing changes them.
pub(super) fn prlimit64(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [_, resource, _, old, ..] = guest.args;
    if old != 0 {
        let limit = limit(process, resource);
        guest.write(old, &Layout::default().u64(limit).u64(limit).0)?;
    }
    Ok(0)
}

fn limit(process: &Process<'_>, resource: u32) -> u64 {
    match resource {
        RLIMIT_STACK => process.stack_size,
        RLIMIT_NOFILE => 256,
        _ => u64::MAX,
    }
}

/// `getrlimit(resource, limit)` with limits of 32 bits.
pub(super) fn getrlimit(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let limit = u32::try_from(limit(process, guest.args[0])).unwrap_or(u32::MAX);
    guest.write(guest.args[1], &Layout::default().u32(limit).u32(limit).0).map(|()| 0)
}

/// `getrusage(who, usage)`: the time that has passed counts as the program's own.
pub(super) fn getrusage(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let time = process.started.elapsed();
    // Two times of 32 bits each, then fourteen counts.
    let usage = Layout::default().u32(time.as_secs() as u32).u32(time.subsec_micros()).zeros(16 * 4);
    guest.write(guest.args[1], &usage.0).map(|()| 0)
}

/// `sysinfo(info)`.
pub(super) fn sysinfo(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const MEMORY: u32 = 1 << 30;
    let uptime = process.started.elapsed().as_secs() as u32;
    let used = u32::try_from(guest.memory.accessible_bytes()).unwrap_or(u32::MAX).min(MEMORY);
    let info = Layout::default().u32(uptime).zeros(12).u32(MEMORY).u32(MEMORY - used).zeros(16);
    // One process; then high memory, of which there is none, and the unit of all these: a byte.
    guest.write(guest.args[0], &info.u16(1).u16(0).zeros(8).u32(1).zeros(8).0).map(|()| 0)
}

/// `sched_getaffinity(pid, size, mask)`: one processor.
pub(super) fn sched_getaffinity(_: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [_, size, mask, ..] = guest.args;
    if size < 4 {
        return Err(Errno::EINVAL);
    }
    guest.write(mask, &1_u32.to_le_bytes())?;
    Ok(4)
}

/// `ppoll(descriptors, count, ...)`: whatever is open is ready, but for pipes. Nobody waits.
pub(super) fn ppoll(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const POLLIN: u16 = 1;
    const POLLOUT: u16 = 4;
    const POLLNVAL: u16 = 0x20;
    let [descriptors, count, ..] = guest.args;
    if count > 256 {
        return Err(Errno::EINVAL);
    }
    let mut ready = 0;
    for at in (0..count).map(|index| descriptors.wrapping_add(index * 8)) {
        let (fd, wanted) = (guest.word(at)?, guest.word(at.wrapping_add(4))? as u16);
        let found = match (fd as i32, process.files.get(fd)) {
            (..0, _) => 0,
            (_, Err(_)) => POLLNVAL,
            (_, Ok(open)) => {
                let is_ready = |bit: u16| wanted & bit != 0 && open.is_ready(bit == POLLIN);
                [POLLIN, POLLOUT].into_iter().filter(|&bit| is_ready(bit)).sum()
            }
        };
        guest.write(at.wrapping_add(6), &found.to_le_bytes())?;
        ready += u32::from(found != 0);
    }
    Ok(ready)
}

/// `pselect6(count, to read, to write, exceptions, ...)`: the same, for sets of bits.
pub(super) fn pselect6(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [count, to_read, to_write, exceptions, ..] = guest.args;
    if count > 1024 {
        return Err(Errno::EINVAL);
    }
    let mut ready = 0;
    for (set, reads) in [(to_read, Some(true)), (to_write, Some(false)), (exceptions, None)] {
        if set == 0 {
            continue;
        }
        for first in (0..count).step_by(32) {
            let at = set.wrapping_add(first / 8);
            let wanted = guest.word(at)? & u32::MAX >> (32 - (count - first).min(32));
            let mut found = 0_u32;
            for bit in (0..32).filter(|bit| wanted & 1 << bit != 0) {
                let open = process.files.get(first + bit)?;
                if reads.is_some_and(|reads| open.is_ready(reads)) {
                    found |= 1 << bit;
                }
            }
            guest.write(at, &found.to_le_bytes())?;
            ready += found.count_ones();
        }
    }
    Ok(ready)
}

/// `riscv_flush_icache(start, end, flags)`.
pub(super) fn flush_icache(process: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    process.flush_code = true;
    Ok(0)
}

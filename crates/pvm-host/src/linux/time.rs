//! Clocks and waiting.

use super::guest::{Guest, Layout};
use super::{Errno, Process};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The longest that a guest sleeps in one call, so that a run can be interrupted; it is told that less time has passed.
const LONGEST_SLEEP: Duration = Duration::from_millis(100);

/// The time that a clock shows.
fn now(process: &Process<'_>, clock: u32) -> Result<Duration, Errno> {
    match clock {
        // CLOCK_REALTIME, _REALTIME_COARSE.
        0 | 5 => Ok(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()),
        // CLOCK_MONOTONIC, _PROCESS_CPUTIME_ID, _THREAD_CPUTIME_ID, _MONOTONIC_RAW, _MONOTONIC_COARSE, _BOOTTIME: all since
        // the start of the process.
        1..=4 | 6 | 7 => Ok(process.started.elapsed()),
        _ => Err(Errno::EINVAL),
    }
}

fn spec32(time: Duration) -> Vec<u8> {
    Layout::default().u32(time.as_secs() as u32).u32(time.subsec_nanos()).0
}

fn spec64(time: Duration) -> Vec<u8> {
    Layout::default().u64(time.as_secs()).u64(time.subsec_nanos().into()).0
}

/// `clock_gettime(clock, time)` with seconds of 32 bits.
pub(super) fn clock_gettime32(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let time = now(process, guest.args[0])?;
    guest.write(guest.args[1], &spec32(time)).map(|()| 0)
}

/// `clock_gettime64(clock, time)`.
pub(super) fn clock_gettime64(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let time = now(process, guest.args[0])?;
    guest.write(guest.args[1], &spec64(time)).map(|()| 0)
}

/// `clock_getres_time64(clock, time)`.
pub(super) fn clock_getres64(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    now(process, guest.args[0])?;
    match guest.args[1] {
        0 => Ok(0),
        address => guest.write(address, &spec64(Duration::from_nanos(1))).map(|()| 0),
    }
}

/// `clock_getres(clock, time)` with seconds of 32 bits.
pub(super) fn clock_getres32(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    now(process, guest.args[0])?;
    match guest.args[1] {
        0 => Ok(0),
        address => guest.write(address, &spec32(Duration::from_nanos(1))).map(|()| 0),
    }
}

/// `gettimeofday(time, zone)`. newlib's seconds have 64 bits, Linux's 32: the guests that use this call are newlib's, and on
/// others the microseconds' upper half that is written would be the padding behind them.
pub(super) fn gettimeofday(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let time = now(process, 0)?;
    let value = Layout::default().u64(time.as_secs()).u32(time.subsec_micros()).0;
    guest.write(guest.args[0], &value).map(|()| 0)
}

/// `time(result)` with newlib's number.
pub(super) fn time_newlib(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let seconds = now(process, 0)?.as_secs() as u32;
    if guest.args[0] != 0 {
        guest.write(guest.args[0], &seconds.to_le_bytes())?;
    }
    Ok(seconds)
}

/// `times(buffer)`: clock ticks of a hundredth of a second.
pub(super) fn times(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let ticks = (process.started.elapsed().as_millis() / 10) as u32;
    if guest.args[0] != 0 {
        guest.write(guest.args[0], &Layout::default().u32(ticks).zeros(12).0)?;
    }
    Ok(ticks)
}

/// Sleeps, but not for long at a time.
fn sleep(time: Duration) {
    std::thread::sleep(time.min(LONGEST_SLEEP));
}

fn duration(seconds: u64, nanoseconds: u64) -> Result<Duration, Errno> {
    match (i64::try_from(seconds), u32::try_from(nanoseconds)) {
        (Ok(_), Ok(nanoseconds)) if nanoseconds < 1_000_000_000 => Ok(Duration::new(seconds, nanoseconds)),
        _ => Err(Errno::EINVAL),
    }
}

/// `nanosleep(time, rest)` with seconds of 32 bits.
pub(super) fn nanosleep32(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [address, ..] = guest.args;
    let time = duration(guest.word(address)?.into(), guest.word(address.wrapping_add(4))?.into())?;
    finish_sleep(process, time)
}

/// `clock_nanosleep_time64(clock, flags, time, rest)`.
pub(super) fn clock_nanosleep64(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const TIMER_ABSTIME: u32 = 1;
    let [clock, flags, address, ..] = guest.args;
    let mut time = duration(guest.double(address)?, guest.double(address.wrapping_add(8))?)?;
    let now = now(process, clock)?;
    if flags & TIMER_ABSTIME != 0 {
        time = time.saturating_sub(now);
    }
    finish_sleep(process, time)
}

/// Sleeps to the end, in steps: the call is made again (see [`super::Reply::Again`]) until the time has passed.
fn finish_sleep(process: &mut Process<'_>, time: Duration) -> Result<u32, Errno> {
    let until = *process.sleeping_until.get_or_insert_with(|| {
        // What cannot be added is beyond all time.
        Instant::now().checked_add(time).unwrap_or_else(|| Instant::now() + Duration::from_secs(u32::MAX.into()))
    });
    let left = until.saturating_duration_since(Instant::now());
    if left.is_zero() {
        process.sleeping_until = None;
        return Ok(0);
    }
    process.files.flush();
    sleep(left);
    process.again = true;
    Ok(0)
}

//! The address space of a process: what is mapped where, and the calls that change it.

use super::guest::{CHUNK, Guest};
use super::{Errno, Process, shared};
use pvm_program::MemoryImage;
use pvm_runtime::{Access, Memory};
use std::collections::BTreeMap;

const PAGE: u64 = 4096;

/// The stack lies below this address unless the program is there. (Linux on RV32 has user memory below it.)
const STACK_TOP: u64 = 0xc000_0000;
/// Nothing is mapped below this address (`mmap_min_addr`) unless the program asks for it.
const LOWEST: u64 = 0x1_0000;
/// Pages that stay free below the stack and between it and other areas.
const GUARD: u64 = 16 * PAGE;

/// Which addresses are taken. What a page may be used for, guest memory knows itself.
#[derive(Debug, Default)]
pub(super) struct Space {
    /// Areas by their start, with their end; they do not overlap.
    areas: BTreeMap<u64, u64>,
    brk_start: u64,
    brk: u64,
}

impl Space {
    /// The space of a program that has been loaded.
    pub fn new(image: &MemoryImage, end: u32) -> Space {
        let segments = image.segments.iter();
        let areas = segments.map(|s| (s.address.into(), u64::from(s.address) + u64::from(s.size))).collect();
        let brk = page_round(end.into());
        Space { areas, brk_start: brk, brk }
    }

    /// The highest free area of this size whose end is not above `top`.
    fn highest_free(&self, size: u64, top: u64) -> Option<u64> {
        let mut end = top;
        for (&start, &area_end) in self.areas.iter().rev() {
            if area_end <= end.saturating_sub(size) {
                break;
            }
            end = end.min(start);
        }
        end.checked_sub(size).filter(|&start| start >= LOWEST)
    }

    /// Takes an area for the stack, with free pages around it.
    pub fn take_stack(&mut self, size: u64) -> Option<(u32, u32)> {
        let size = page_round(size);
        let start = self.highest_free(size + 2 * GUARD, STACK_TOP)? + GUARD;
        self.areas.insert(start, start + size);
        Some((start as u32, (start + size) as u32))
    }

    /// Whether all of an area is taken.
    fn is_taken(&self, start: u64, end: u64) -> bool {
        let mut at = start;
        while at < end {
            match self.areas.range(..=at).next_back() {
                Some((_, &area_end)) if area_end > at => at = area_end,
                _ => return false,
            }
        }
        true
    }

    fn is_free(&self, start: u64, end: u64) -> bool {
        self.areas.range(..end).next_back().is_none_or(|(_, &area_end)| area_end <= start)
    }

    /// Takes out an area, and splits what it is part of.
    fn release(&mut self, start: u64, end: u64) {
        let touched: Vec<(u64, u64)> = self
            .areas
            .range(..end)
            .rev()
            .take_while(|(_, area_end)| **area_end > start)
            .map(|(&a, &b)| (a, b))
            .collect();
        for (area_start, area_end) in touched {
            self.areas.remove(&area_start);
            if area_start < start {
                self.areas.insert(area_start, start);
            }
            if area_end > end {
                self.areas.insert(end, area_end);
            }
        }
    }

    /// Takes an area, and joins it with what it touches, so that there are never more areas than gaps.
    fn take(&mut self, mut start: u64, mut end: u64) {
        if let Some((&before, &before_end)) = self.areas.range(..start).next_back()
            && before_end == start
        {
            start = before;
        }
        if let Some(after_end) = self.areas.remove(&end) {
            end = after_end;
        }
        self.areas.insert(start, end);
    }
}

fn page_round(size: u64) -> u64 {
    size.next_multiple_of(PAGE)
}

/// A range of whole pages from arguments. The last page stays free, so that ends are addresses.
fn pages(address: u32, len: u32) -> Result<(u64, u64), Errno> {
    let start = u64::from(address);
    let end = start + page_round(len.into());
    match start.is_multiple_of(PAGE) && len > 0 && end <= u64::from(u32::MAX) {
        true => Ok((start, end)),
        false => Err(Errno::EINVAL),
    }
}

const PROT_WRITE: u32 = 2;
const PROT_EXEC: u32 = 4;

/// Sets rights of whole pages. Whatever may be used in any way may be read, as hosts have it.
fn protect(memory: &mut Memory, start: u64, end: u64, prot: u32) -> Result<(), Errno> {
    let access = match (prot, prot & PROT_WRITE != 0, prot & PROT_EXEC != 0) {
        (0, ..) => Access::None,
        (_, false, false) => Access::Read,
        (_, true, false) => Access::ReadWrite,
        (_, false, true) => Access::ReadExecute,
        (_, true, true) => Access::ReadWriteExecute,
    };
    memory.protect(start as u32, end - start, access).map_err(|_| Errno::ENOMEM)
}

fn map_zeros(memory: &mut Memory, start: u64, end: u64) -> Result<(), Errno> {
    memory.map(start as u32, end - start, Access::ReadWrite).map_err(|_| Errno::ENOMEM)
}

fn unmap(memory: &mut Memory, start: u64, end: u64) -> Result<(), Errno> {
    memory.map(start as u32, end - start, Access::None).map_err(|_| Errno::ENOMEM)
}

/// `brk(end)`: the end of the heap after the call, whatever came of it.
pub(super) fn brk(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let space = &mut process.space;
    let (wanted, before) = (u64::from(guest.args[0]), page_round(space.brk));
    if wanted < space.brk_start || wanted > u64::from(u32::MAX) - PAGE {
        return Ok(space.brk as u32);
    }
    let after = page_round(wanted);
    let done = if after > before {
        space.is_free(before, after)
            && map_zeros(guest.memory, before, after).map(|()| space.take(before, after)).is_ok()
    } else if after < before {
        unmap(guest.memory, after, before).map(|()| space.release(after, before)).is_ok()
    } else {
        true
    };
    if done {
        space.brk = wanted;
    }
    Ok(space.brk as u32)
}

const MAP_SHARED: u32 = 1;
const MAP_FIXED: u32 = 0x10;
const MAP_ANONYMOUS: u32 = 0x20;
const MAP_FIXED_NOREPLACE: u32 = 0x10_0000;

/// `mmap2(address, length, prot, flags, fd, page offset)`: zeros, or a part of a file.
pub(super) fn mmap(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let [address, len, prot, flags, fd, offset] = guest.args;
    let is_file = flags & MAP_ANONYMOUS == 0;
    let is_shared = is_file && flags & MAP_SHARED != 0;
    if is_file {
        process.files.file(fd)?;
        shared::before(process, guest, fd)?;
    }
    if is_shared && prot & PROT_WRITE != 0 && !process.files.may_write(fd) {
        return Err(Errno::EACCES);
    }
    let size = page_round(len.into());
    let (start, end) = if flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0 {
        pages(address, len)?
    } else {
        // What cannot be had is no reason to fail.
        let hint = pages(address & !(PAGE as u32 - 1), len).ok();
        match hint {
            _ if len == 0 => return Err(Errno::EINVAL),
            Some((start, end)) if start >= LOWEST && process.space.is_free(start, end) => (start, end),
            _ => {
                let start = process.space.highest_free(size, STACK_TOP - GUARD).ok_or(Errno::ENOMEM)?;
                (start, start + size)
            }
        }
    };
    if flags & MAP_FIXED_NOREPLACE != 0 && !process.space.is_free(start, end) {
        return Err(Errno::EEXIST);
    }
    process.shared.remove(guest.memory, start, end)?;
    process.space.release(start, end);
    map_zeros(guest.memory, start, end)?;
    process.space.take(start, end);
    let offset = u64::from(offset) * PAGE;
    let shares = is_shared.then(|| {
        let (file, may_write) = (process.files.file(fd)?.try_clone()?, process.files.may_write(fd));
        process.shared.add(guest.memory, file, [start as u32, size as u32], offset, may_write)
    });
    match shares {
        Some(Ok(())) => {}
        Some(Err(error)) if prot & PROT_WRITE != 0 => {
            unmap(guest.memory, start, end)?;
            process.space.release(start, end);
            return Err(error);
        }
        // What cannot be shared, and is only read, is a copy.
        _ if is_file => copy_file(process, guest, fd, offset, start as u32, len)?,
        _ => {}
    }
    protect(guest.memory, start, end, prot)?;
    Ok(start as u32)
}

fn copy_file(
    process: &mut Process<'_>,
    guest: &mut Guest<'_>,
    fd: u32,
    offset: u64,
    start: u32,
    len: u32,
) -> Result<(), Errno> {
    let mut done = 0;
    while done < len {
        let mut chunk = vec![0; ((len - done) as usize).min(CHUNK)];
        let count = process.files.read_at(fd, &mut chunk, offset + u64::from(done))?;
        if count == 0 {
            break;
        }
        guest.write(start + done, &chunk[..count])?;
        done += count as u32;
    }
    Ok(())
}

/// `munmap(address, length)`.
pub(super) fn munmap(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    let (start, end) = pages(guest.args[0], guest.args[1])?;
    process.shared.remove(guest.memory, start, end)?;
    unmap(guest.memory, start, end)?;
    process.space.release(start, end);
    Ok(0)
}

/// `mprotect(address, length, prot)`.
pub(super) fn mprotect(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    if guest.args[1] == 0 {
        return Ok(0);
    }
    let (start, end) = pages(guest.args[0], guest.args[1])?;
    if !process.space.is_taken(start, end) {
        return Err(Errno::ENOMEM);
    }
    protect(guest.memory, start, end, guest.args[2])?;
    Ok(0)
}

/// `mremap`: only says that there is no room, upon which allocators copy.
pub(super) fn mremap(_: &mut Process<'_>, _: &mut Guest<'_>) -> Result<u32, Errno> {
    Err(Errno::ENOMEM)
}

/// `madvise(address, length, advice)`: memory that is not needed any more reads as zeros; all other advice may be ignored.
pub(super) fn madvise(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    const DONT_NEED: u32 = 4;
    let [address, len, advice, ..] = guest.args;
    if advice != DONT_NEED || len == 0 {
        return Ok(0);
    }
    let (start, end) = pages(address, len)?;
    if !process.space.is_taken(start, end) {
        return Err(Errno::ENOMEM);
    }
    if process.shared.touches(start, end) {
        // What the file has is not forgotten.
        return Ok(0);
    }
    let mut at = start;
    while at < end {
        let access = guest.memory.access(at as u32);
        guest.memory.map(at as u32, PAGE, access).map_err(|_| Errno::ENOMEM)?;
        at += PAGE;
    }
    Ok(0)
}

//! Files that are mapped as shared memory.
//!
//! The guest has a copy of the file in its memory. Before the file is read or written by a call, and when a mapping goes or the
//! process ends, what the guest has changed there is written to the file; after the file was written by a call, the copy is made
//! again. A process has one thread, so it sees what Linux would show it. Other processes of the host see changes later.

use super::guest::Guest;
use super::{Errno, Process};
use cap_std::fs::File;
use pvm_runtime::Memory;

/// So many bytes may be mapped like that at once: each is in the host's memory, too, to see what has changed.
const MOST_BYTES: usize = 16 << 20;
/// In so many places.
const MOST: usize = 64;
/// Changes are looked for in pieces of so many bytes.
const PIECE: usize = 4096;

/// What tells files of the host apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity(u64, u64);

#[cfg(unix)]
fn identity(file: &File) -> Option<Identity> {
    use cap_std::fs::MetadataExt;
    file.metadata().ok().map(|metadata| Identity(metadata.dev(), metadata.ino()))
}

/// Where that is not known there is no shared memory.
#[cfg(not(unix))]
fn identity(_: &File) -> Option<Identity> {
    None
}

#[cfg(unix)]
fn read_at(file: &File, into: &mut [u8], offset: u64) -> std::io::Result<usize> {
    cap_std::fs::FileExt::read_at(file, into, offset)
}

#[cfg(unix)]
fn write_at(file: &File, from: &[u8], offset: u64) -> std::io::Result<()> {
    cap_std::fs::FileExt::write_all_at(file, from, offset)
}

#[cfg(not(unix))]
fn read_at(_: &File, _: &mut [u8], _: u64) -> std::io::Result<usize> {
    Ok(0)
}

#[cfg(not(unix))]
fn write_at(_: &File, _: &[u8], _: u64) -> std::io::Result<()> {
    Ok(())
}

/// A mapping.
#[derive(Debug)]
struct Mapping {
    start: u32,
    file: File,
    identity: Identity,
    /// Where it begins in the file.
    offset: u64,
    may_write: bool,
    /// What file and guest had in common last.
    common: Vec<u8>,
}

impl Mapping {
    fn end(&self) -> u64 {
        u64::from(self.start) + self.common.len() as u64
    }

    /// Writes to the file what the guest has changed, as far as the file goes.
    fn save(&mut self, memory: &Memory) -> Result<(), Errno> {
        if !self.may_write {
            return Ok(());
        }
        let len = self.file.metadata()?.len().saturating_sub(self.offset);
        let len = usize::try_from(len).map_or(self.common.len(), |len| len.min(self.common.len()));
        let mut now = [0; PIECE];
        for at in (0..len).step_by(PIECE) {
            let piece = &mut now[..PIECE.min(len - at)];
            // What the guest may not read now is saved once it may.
            if memory.read(self.start + at as u32, piece).is_err() || *piece == self.common[at..at + piece.len()] {
                continue;
            }
            write_at(&self.file, piece, self.offset + at as u64)?;
            self.common[at..at + piece.len()].copy_from_slice(piece);
        }
        Ok(())
    }

    /// Shows the guest what is in the file.
    fn load(&mut self, memory: &mut Memory) -> Result<(), Errno> {
        let mut now = [0; PIECE];
        for at in (0..self.common.len()).step_by(PIECE) {
            let common = &mut self.common[at..];
            let piece = PIECE.min(common.len());
            let (common, now) = (&mut common[..piece], &mut now[..piece]);
            now.fill(0);
            let mut done = 0;
            while done < piece {
                match read_at(&self.file, &mut now[done..], self.offset + (at + done) as u64)? {
                    0 => break,
                    count => done += count,
                }
            }
            // What the guest may not access it is shown the next time.
            if common != now && memory.initialise(self.start + at as u32, now).is_ok() {
                common.copy_from_slice(now);
            }
        }
        Ok(())
    }

    /// The part of it from one address to another, if there is one.
    fn part(&self, from: u64, to: u64) -> Option<Mapping> {
        let (from, to) = (from.max(self.start.into()), to.min(self.end()));
        if from >= to {
            return None;
        }
        let skipped = from - u64::from(self.start);
        Some(Mapping {
            start: from as u32,
            file: self.file.try_clone().ok()?,
            identity: self.identity,
            offset: self.offset + skipped,
            may_write: self.may_write,
            common: self.common[skipped as usize..(to - u64::from(self.start)) as usize].to_vec(),
        })
    }
}

/// All that are shared in a process.
#[derive(Debug, Default)]
pub(super) struct Shared {
    mappings: Vec<Mapping>,
}

impl Shared {
    /// Notes that a file is mapped from an offset on; the guest has zeros there.
    pub fn add(
        &mut self,
        memory: &mut Memory,
        file: File,
        range: [u32; 2],
        offset: u64,
        may_write: bool,
    ) -> Result<(), Errno> {
        let [start, len] = range;
        let identity = identity(&file).ok_or(Errno::ENODEV)?;
        let bytes: usize = self.mappings.iter().map(|mapping| mapping.common.len()).sum();
        if self.mappings.len() >= MOST || bytes + len as usize > MOST_BYTES {
            return Err(Errno::ENOMEM);
        }
        // The same twice would have to change together.
        let (first, end) = (offset, offset + u64::from(len));
        let is_mapped = |mapping: &Mapping| {
            mapping.identity == identity && mapping.offset < end && first < mapping.offset + mapping.common.len() as u64
        };
        if self.mappings.iter().any(|mapping| is_mapped(mapping) && (may_write || mapping.may_write)) {
            return Err(Errno::ENODEV);
        }
        let mut mapping = Mapping { start, file, identity, offset, may_write, common: vec![0; len as usize] };
        mapping.load(memory)?;
        self.mappings.push(mapping);
        Ok(())
    }

    /// Whether any of it is from one address to another.
    pub fn touches(&self, start: u64, end: u64) -> bool {
        self.mappings.iter().any(|mapping| u64::from(mapping.start) < end && start < mapping.end())
    }

    /// Writes changes to files; all, or those of one file.
    pub fn save(&mut self, memory: &Memory, of: Option<&File>) -> Result<(), Errno> {
        self.each(of, |mapping| mapping.save(memory))
    }

    /// Shows the guest what a file has now.
    pub fn load(&mut self, memory: &mut Memory, of: &File) -> Result<(), Errno> {
        self.each(Some(of), |mapping| mapping.load(memory))
    }

    fn each(&mut self, of: Option<&File>, mut act: impl FnMut(&mut Mapping) -> Result<(), Errno>) -> Result<(), Errno> {
        if self.mappings.is_empty() {
            return Ok(());
        }
        let wanted = of.map(identity);
        let mappings = self.mappings.iter_mut();
        mappings.filter(|mapping| wanted.is_none_or(|wanted| wanted == Some(mapping.identity))).try_for_each(&mut act)
    }

    /// Forgets what is mapped from one address to another, once it is saved.
    pub fn remove(&mut self, memory: &Memory, start: u64, end: u64) -> Result<(), Errno> {
        let (touched, mut left): (Vec<_>, Vec<_>) =
            self.mappings.drain(..).partition(|mapping| u64::from(mapping.start) < end && start < mapping.end());
        let mut result = Ok(());
        for mut mapping in touched {
            result = result.and(mapping.save(memory));
            left.extend([mapping.part(0, start), mapping.part(end, u64::MAX)].into_iter().flatten());
        }
        self.mappings = left;
        result
    }
}

/// What comes before a file is read or written by its descriptor.
pub(super) fn before(process: &mut Process<'_>, guest: &Guest<'_>, fd: u32) -> Result<(), Errno> {
    process.files.file(fd).map_or(Ok(()), |file| process.shared.save(guest.memory, Some(file)))
}

/// What comes after it was written.
pub(super) fn after(process: &mut Process<'_>, guest: &mut Guest<'_>, fd: u32) -> Result<(), Errno> {
    process.files.file(fd).map_or(Ok(()), |file| process.shared.load(guest.memory, file))
}

/// `msync(address, length, flags)`.
pub(super) fn msync(process: &mut Process<'_>, guest: &mut Guest<'_>) -> Result<u32, Errno> {
    process.shared.save(guest.memory, None).map(|()| 0)
}

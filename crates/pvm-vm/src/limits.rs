//! How many mappings of the host there may be.
//!
//! Where rights are enforced, each piece of a guest's memory with rights of its own is one of them. Linux lets a process have
//! 65,530 (`vm.max_map_count`), if nobody has changed that. Beyond it refuses all memory, so that whatever the process allocates
//! next may end it. So guests are counted by what they begin with and what becomes of it, and may have most of the mappings, but
//! not all. When the host refuses something all the same, its error says why.

use crate::MemoryError;
use std::io;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};

/// So many mappings come and go by one call.
const SPARE: usize = 8;

/// The mappings of all guests.
static ALL: AtomicUsize = AtomicUsize::new(0);

/// The host's limit, if it has one.
fn limit() -> Option<usize> {
    static LIMIT: LazyLock<Option<usize>> =
        LazyLock::new(|| std::fs::read_to_string("/proc/sys/vm/max_map_count").ok()?.trim().parse().ok());
    *LIMIT
}

/// The mappings that a guest is counted with.
#[derive(Debug, Default)]
pub(crate) struct Mappings {
    count: usize,
}

impl Mappings {
    /// Has some go and others come.
    ///
    /// # Errors
    ///
    /// As [`Mappings::set`].
    pub(crate) fn change(&mut self, gone: usize, new: usize) -> Result<(), MemoryError> {
        if gone == new { Ok(()) } else { self.set((self.count + new).saturating_sub(gone)) }
    }

    /// Has it be so many.
    ///
    /// # Errors
    ///
    /// If guests would have more than three quarters of what a process can have: nothing changes then.
    pub(crate) fn set(&mut self, count: usize) -> Result<(), MemoryError> {
        let most = limit().map_or(usize::MAX, |limit| limit / 4 * 3);
        let former = self.count;
        let change = |all: usize| Some(all - former + count).filter(|&all| count <= former || all <= most);
        match ALL.fetch_update(Ordering::Relaxed, Ordering::Relaxed, change) {
            Ok(_) => {
                self.count = count;
                Ok(())
            }
            Err(all) => Err(MemoryError::Mappings { wanted: all - former + count, most }),
        }
    }
}

impl Drop for Mappings {
    fn drop(&mut self) {
        ALL.fetch_sub(self.count, Ordering::Relaxed);
    }
}

/// Adds to an error of the host that the process has too many mappings, if that is so.
pub(crate) fn explain(error: impl Into<io::Error>) -> io::Error {
    use std::fs::File;
    use std::io::{BufRead, BufReader};
    let error = error.into();
    let Some(limit) = limit().filter(|_| error.kind() == io::ErrorKind::OutOfMemory) else { return error };
    let mappings = File::open("/proc/self/maps").map(|maps| BufReader::new(maps).lines().count());
    match mappings {
        Ok(count) if count + SPARE >= limit => {
            let text = format!("the process has {count} mappings, and the host's limit vm.max_map_count is {limit}");
            io::Error::new(io::ErrorKind::OutOfMemory, text)
        }
        _ => error,
    }
}

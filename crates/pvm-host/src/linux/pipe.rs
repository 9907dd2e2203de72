//! Pipes. A process has one thread, so whoever would have to wait for the other end is told to try again (`EAGAIN`).

use super::Errno;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

/// So many bytes may be in a pipe, as on Linux.
const CAPACITY: usize = 64 << 10;

type Bytes = Arc<Mutex<VecDeque<u8>>>;

/// Where a pipe is read. Duplicates are the same end.
#[derive(Clone, Debug)]
pub(super) struct ReadEnd {
    bytes: Bytes,
    _open: Arc<()>,
    writers: Weak<()>,
}

/// Where it is written.
#[derive(Clone, Debug)]
pub(super) struct WriteEnd {
    bytes: Bytes,
    _open: Arc<()>,
    readers: Weak<()>,
}

/// A new pipe.
pub(super) fn pipe() -> (ReadEnd, WriteEnd) {
    let (bytes, readers, writers) = (Bytes::default(), Arc::new(()), Arc::new(()));
    let write = WriteEnd { bytes: Arc::clone(&bytes), readers: Arc::downgrade(&readers), _open: Arc::clone(&writers) };
    (ReadEnd { bytes, _open: readers, writers: Arc::downgrade(&writers) }, write)
}

fn locked(bytes: &Bytes) -> MutexGuard<'_, VecDeque<u8>> {
    bytes.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ReadEnd {
    /// Whether nobody will write any more.
    pub fn is_ended(&self) -> bool {
        self.writers.strong_count() == 0
    }

    pub fn has_bytes(&self) -> bool {
        !locked(&self.bytes).is_empty()
    }

    pub fn read(&self, into: &mut [u8]) -> Result<usize, Errno> {
        let mut bytes = locked(&self.bytes);
        if bytes.is_empty() && !into.is_empty() && !self.is_ended() {
            return Err(Errno::EAGAIN);
        }
        let count = bytes.len().min(into.len());
        into.iter_mut().zip(bytes.drain(..count)).for_each(|(to, byte)| *to = byte);
        Ok(count)
    }
}

impl WriteEnd {
    /// Whether nobody will read any more.
    pub fn is_ended(&self) -> bool {
        self.readers.strong_count() == 0
    }

    pub fn has_room(&self) -> bool {
        locked(&self.bytes).len() < CAPACITY
    }

    pub fn write(&self, from: &[u8]) -> Result<usize, Errno> {
        if self.is_ended() {
            return Err(Errno::EPIPE);
        }
        let mut bytes = locked(&self.bytes);
        let count = from.len().min(CAPACITY - bytes.len());
        if count == 0 && !from.is_empty() {
            return Err(Errno::EAGAIN);
        }
        bytes.extend(&from[..count]);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_until_an_end_is_closed() {
        let (read, write) = pipe();
        let mut into = [0; 4];
        assert_eq!(read.read(&mut into), Err(Errno::EAGAIN));
        assert_eq!(write.write(b"abcdef"), Ok(6));
        assert_eq!((read.read(&mut into), into), (Ok(4), *b"abcd"));
        assert_eq!(write.write(&[7; 2 * CAPACITY]), Ok(CAPACITY - 2));
        assert_eq!((write.write(b"x"), write.has_room(), read.has_bytes()), (Err(Errno::EAGAIN), false, true));
        let again = write.clone();
        drop(write);
        assert!(!read.is_ended());
        drop(again);
        assert_eq!(read.read(&mut vec![0; 2 * CAPACITY]), Ok(CAPACITY));
        assert_eq!(read.read(&mut into), Ok(0), "nobody writes any more");
        let (read, write) = pipe();
        drop(read);
        assert_eq!(write.write(b"x"), Err(Errno::EPIPE));
    }
}

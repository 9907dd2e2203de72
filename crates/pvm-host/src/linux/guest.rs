//! The guest, as a system call sees it: arguments and memory. Every pointer that it gives is checked here.

use super::Errno;
use pvm_runtime::Memory;

/// A system call under way.
pub(super) struct Guest<'a> {
    pub memory: &'a mut Memory,
    pub args: [u32; 6],
}

/// The longest path, with the zero at its end (`PATH_MAX`).
const MAX_PATH: usize = 4096;

/// How many bytes are moved at a time between the guest and a file: what a call allocates at most.
pub(super) const CHUNK: usize = 64 << 10;

impl Guest<'_> {
    /// Copies guest memory, of a length that the host knows.
    pub fn bytes<const N: usize>(&self, address: u32) -> Result<[u8; N], Errno> {
        let mut bytes = [0; N];
        self.memory.read(address, &mut bytes).map_err(|_| Errno::EFAULT)?;
        Ok(bytes)
    }

    /// Copies up to [`CHUNK`] bytes.
    pub fn chunk(&self, address: u32, len: usize) -> Result<Vec<u8>, Errno> {
        let mut bytes = vec![0; len.min(CHUNK)];
        self.memory.read(address, &mut bytes).map_err(|_| Errno::EFAULT)?;
        Ok(bytes)
    }

    pub fn word(&self, address: u32) -> Result<u32, Errno> {
        self.bytes(address).map(u32::from_le_bytes)
    }

    pub fn double(&self, address: u32) -> Result<u64, Errno> {
        self.bytes(address).map(u64::from_le_bytes)
    }

    pub fn write(&mut self, address: u32, bytes: &[u8]) -> Result<(), Errno> {
        self.memory.write(address, bytes).map_err(|_| Errno::EFAULT)
    }

    /// That the guest may write there; nothing is written.
    pub fn check_writable(&self, address: u32, len: u32) -> Result<(), Errno> {
        self.memory.check_writable(address, len.into()).map_err(|_| Errno::EFAULT)
    }

    pub fn check_readable(&self, address: u32, len: u32) -> Result<(), Errno> {
        self.memory.check_readable(address, len.into()).map_err(|_| Errno::EFAULT)
    }

    /// A path, without the zero at its end.
    pub fn path(&self, address: u32) -> Result<Vec<u8>, Errno> {
        let mut path = Vec::new();
        for offset in 0..MAX_PATH as u32 {
            let [byte] = self.bytes(address.checked_add(offset).ok_or(Errno::EFAULT)?)?;
            if byte == 0 {
                return Ok(path);
            }
            path.push(byte);
        }
        Err(Errno::ENAMETOOLONG)
    }

    /// The two halves of a number of 64 bits in consecutive arguments.
    pub fn long(&self, first: usize) -> u64 {
        u64::from(self.args[first]) | u64::from(self.args[first + 1]) << 32
    }
}

/// A structure of the kernel, written field by field.
#[derive(Default)]
pub(super) struct Layout(pub Vec<u8>);

impl Layout {
    pub fn u16(mut self, value: u16) -> Layout {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u32(mut self, value: u32) -> Layout {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn u64(mut self, value: u64) -> Layout {
        self.0.extend(value.to_le_bytes());
        self
    }

    pub fn zeros(mut self, count: usize) -> Layout {
        self.0.resize(self.0.len() + count, 0);
        self
    }
}

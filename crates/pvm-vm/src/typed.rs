//! Typed access to guest memory for hosts: integers, little-endian, with the guest's rights.
//!
//! Nothing wraps here: what does not lie below 2^32 is not accessible.

use crate::{Memory, MemoryError};
use pvm_ops::{Access, MemoryFault, PAGE_SIZE};

impl Memory {
    /// Reads N bytes.
    ///
    /// # Errors
    ///
    /// If the guest may not read one of them; the fault names the first.
    pub fn read_array<const N: usize>(&self, address: u32) -> Result<[u8; N], MemoryFault> {
        let mut bytes = [0; N];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads a byte.
    ///
    /// # Errors
    ///
    /// If the guest may not read it.
    pub fn read_u8(&self, address: u32) -> Result<u8, MemoryFault> {
        self.read_array(address).map(u8::from_le_bytes)
    }

    /// Reads an integer of two bytes.
    ///
    /// # Errors
    ///
    /// If the guest may not read all of it.
    pub fn read_u16(&self, address: u32) -> Result<u16, MemoryFault> {
        self.read_array(address).map(u16::from_le_bytes)
    }

    /// Reads an integer of four bytes.
    ///
    /// # Errors
    ///
    /// If the guest may not read all of it.
    pub fn read_u32(&self, address: u32) -> Result<u32, MemoryFault> {
        self.read_array(address).map(u32::from_le_bytes)
    }

    /// Reads an integer of eight bytes.
    ///
    /// # Errors
    ///
    /// If the guest may not read all of it.
    pub fn read_u64(&self, address: u32) -> Result<u64, MemoryFault> {
        self.read_array(address).map(u64::from_le_bytes)
    }

    /// Reads `len` bytes. They are allocated once it is known that the guest may read them all.
    ///
    /// # Errors
    ///
    /// If the guest may not read one of them; the fault names the first.
    pub fn read_vec(&self, address: u32, len: u64) -> Result<Vec<u8>, MemoryFault> {
        self.check_readable(address, len)?;
        // What is readable fits into the address space.
        let mut bytes = vec![0; len as usize];
        self.read(address, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes a byte.
    ///
    /// # Errors
    ///
    /// If the guest may not write it.
    pub fn write_u8(&mut self, address: u32, value: u8) -> Result<(), MemoryFault> {
        self.write(address, &[value])
    }

    /// Writes an integer of two bytes.
    ///
    /// # Errors
    ///
    /// If the guest may not write all of it; nothing is written then.
    pub fn write_u16(&mut self, address: u32, value: u16) -> Result<(), MemoryFault> {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes an integer of four bytes.
    ///
    /// # Errors
    ///
    /// As [`Memory::write_u16`].
    pub fn write_u32(&mut self, address: u32, value: u32) -> Result<(), MemoryFault> {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes an integer of eight bytes.
    ///
    /// # Errors
    ///
    /// As [`Memory::write_u16`].
    pub fn write_u64(&mut self, address: u32, value: u64) -> Result<(), MemoryFault> {
        self.write(address, &value.to_le_bytes())
    }

    /// Makes whole pages accessible that are not yet, and fills them with zeros.
    ///
    /// # Errors
    ///
    /// If one of them is accessible, and as [`Memory::protect`].
    pub fn map_new(&mut self, address: u32, size: u64, access: Access) -> Result<(), MemoryError> {
        let end = u64::from(address).saturating_add(size).min(1 << 32);
        let mut pages = (u64::from(address)..end).step_by(PAGE_SIZE as usize).map(|at| at as u32);
        if let Some(address) = pages.find(|&at| self.access(at) != Access::None) {
            return Err(MemoryError::InUse { address });
        }
        self.map(address, size, access)
    }

    /// What is accessible: address, number of pages, and right of each area of pages side by side, in the order of
    /// addresses.
    pub fn areas(&self) -> Vec<(u32, u32, Access)> {
        let mut areas: Vec<(u32, u32, Access)> = Vec::new();
        let mut end = None;
        for page in self.accessible_pages() {
            let (address, access) = (page * PAGE_SIZE, self.access(page * PAGE_SIZE));
            match areas.last_mut() {
                Some((_, pages, former)) if end == Some(page) && *former == access => *pages += 1,
                _ => areas.push((address, 1, access)),
            }
            end = page.checked_add(1);
        }
        areas
    }
}

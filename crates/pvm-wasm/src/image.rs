//! What is in memory at first, and which of it the program file holds where.
//!
//! The read-write data of a standard program begins with its area, so whatever lies far behind would drag zeros along.
//! Contents beyond the first gap are kept with the read-only data instead, and copied when the program starts.

use pvm_wasm_frontend::{CELL, FunctionKey, Functions, Initial};
use std::collections::BTreeMap;

/// Where read-only data is (Gray Paper A.7).
pub(crate) const READ_ONLY: u32 = 0x1_0000;

/// The size of what zones are made of (Gray Paper A.7).
const ZONE: u32 = 0x1_0000;

/// The unit in which contents are looked at.
const PAGE: u32 = 4096;

/// The most pages of zeros between contents that are shipped.
const MAX_GAP: u32 = 1;

/// Whether bytes have so many zeros that they had better lie where zeros are not shipped.
pub(crate) fn has_gap(bytes: &[u8]) -> bool {
    let page = (MAX_GAP + 1) as usize * PAGE as usize;
    bytes.chunks_exact(page).any(|page| page.iter().all(|&byte| byte == 0))
}

/// What is in memory at first.
#[derive(Clone, Debug, Default)]
pub(crate) struct Image {
    read_only: Vec<u8>,
    /// Pages with contents, by number.
    pages: BTreeMap<u32, Box<[u8]>>,
    /// Cells whose low half is to be the code pointer of a function, by address.
    pointers: BTreeMap<u32, FunctionKey>,
}

/// A part that is copied when the program starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Copy {
    pub to: u32,
    pub from: u32,
    pub length: u32,
}

/// An image as a program file holds it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Data {
    pub read_only: Vec<u8>,
    pub read_write: Vec<u8>,
    pub copies: Vec<Copy>,
    /// Addresses, in one of the two, that are to hold the code pointers of functions.
    pub pointers: Vec<(u32, u32)>,
}

impl Image {
    /// Adds read-only bytes. The result is their address.
    pub fn add_bytes(&mut self, bytes: &[u8]) -> u32 {
        let address = READ_ONLY + self.read_only.len() as u32;
        self.read_only.extend(bytes);
        self.read_only.resize(self.read_only.len().next_multiple_of(CELL as usize), 0);
        address
    }

    /// Adds read-only cells. The result is the address of the first.
    pub fn add_cells(&mut self, cells: &[Initial]) -> u32 {
        let bytes: Vec<u8> = cells.iter().flat_map(|&cell| bits(cell).to_le_bytes()).collect();
        let address = self.add_bytes(&bytes);
        for (index, &cell) in cells.iter().enumerate() {
            if let Initial::Function { key, .. } = cell {
                self.pointers.insert(address + index as u32 * CELL, key);
            }
        }
        address
    }

    /// Sets bytes.
    pub fn write(&mut self, mut address: u32, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let within = address % PAGE;
            let (now, later) = bytes.split_at(bytes.len().min((PAGE - within) as usize));
            let page = self.pages.entry(address / PAGE).or_insert_with(|| vec![0; PAGE as usize].into());
            page[within as usize..][..now.len()].copy_from_slice(now);
            address += now.len() as u32;
            bytes = later;
        }
    }

    /// Sets a cell.
    pub fn write_cell(&mut self, address: u32, cell: Initial) {
        self.write(address, &bits(cell).to_le_bytes());
        match cell {
            Initial::Function { key, .. } => self.pointers.insert(address, key),
            Initial::Bits(_) => self.pointers.remove(&address),
        };
    }

    /// Decides what is held where. The read-write area begins at `base`, behind the read-only data that there is so far.
    pub fn place(mut self, base: u32, functions: &mut Functions) -> Data {
        let runs = self.runs();
        let mut data = Data::default();
        let mut moved: Vec<Copy> = Vec::new();
        for (address, bytes) in runs {
            let end = base + data.read_write.len() as u32;
            if moved.is_empty() && address - end <= (MAX_GAP + 1) * PAGE {
                data.read_write.resize((address - base) as usize, 0);
                data.read_write.extend(bytes);
            } else {
                let length = bytes.len() as u32;
                let from = self.add_bytes(&bytes);
                moved.push(Copy { to: address, from, length });
            }
        }
        let number_at = |address: u32| {
            // Copies are in the order of their targets.
            let before = moved.partition_point(|copy| copy.to <= address);
            let copy = moved[..before].last().filter(|copy| address - copy.to < copy.length);
            copy.map_or(address, |copy| copy.from + (address - copy.to))
        };
        data.pointers =
            self.pointers.iter().map(|(&address, &key)| (number_at(address), functions.number(key))).collect();
        data.pointers.sort_unstable();
        data.copies = moved;
        data.read_only = self.read_only;
        data
    }

    /// Runs of contents without great gaps, and without zeros at the ends. Their bounds are those of cells, so that a code
    /// pointer that is still to come belongs to the type number beside it, which is not zero.
    fn runs(&mut self) -> Vec<(u32, Vec<u8>)> {
        let mut runs: Vec<(u32, Vec<u8>)> = Vec::new();
        let cell = CELL as usize;
        for (number, page) in std::mem::take(&mut self.pages) {
            let is_used = |cell: &[u8]| cell.iter().any(|&byte| byte != 0);
            let Some(first) = page.chunks(cell).position(is_used) else { continue };
            let last = page.chunks(cell).rposition(is_used).unwrap_or(first);
            let address = number * PAGE + (first * cell) as u32;
            let bytes = &page[first * cell..(last + 1) * cell];
            match runs.last_mut() {
                Some((start, run)) if address - (*start + run.len() as u32) <= PAGE * MAX_GAP => {
                    run.resize((address - *start) as usize, 0);
                    run.extend(bytes);
                }
                _ => runs.push((address, bytes.to_vec())),
            }
        }
        // The end of the last cell of all need not be shipped.
        runs
    }
}

/// The area of read-write data behind so many bytes of read-only data.
pub(crate) fn read_write_base(read_only: usize) -> u32 {
    2 * ZONE + (read_only as u32).next_multiple_of(ZONE)
}

/// A cell's bits, without the code pointer.
fn bits(cell: Initial) -> u64 {
    match cell {
        Initial::Bits(bits) => bits,
        Initial::Function { ty, .. } => u64::from(ty) << 32,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BASE: u32 = 0x2_0000;

    #[test]
    fn far_contents_are_moved() {
        let mut image = Image::default();
        image.write(BASE + 8, &[1, 2, 3]);
        image.write(BASE + 0x10_0005, &[4]);
        image.write(BASE + 0x20_0000, &[0; 10_000]);
        let key = FunctionKey::Wasm { instance: 0, function: 3 };
        image.write_cell(BASE + 0x10_0010, Initial::Function { key, ty: 7 });
        let data = image.place(BASE, &mut Functions::default());
        assert_eq!(data.read_write, [0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 0, 0, 0, 0, 0]);
        assert_eq!(data.copies, [Copy { to: BASE + 0x10_0000, from: READ_ONLY, length: 24 }]);
        assert_eq!(data.read_only, [&[0, 0, 0, 0, 0, 4][..], &[0; 14], &[7, 0, 0, 0]].concat());
        assert_eq!(data.pointers, [(READ_ONLY + 16, 0)]);
    }

    #[test]
    fn a_cell_that_is_set_again_is_no_function() {
        let mut image = Image::default();
        let key = FunctionKey::Wasm { instance: 0, function: 3 };
        image.write_cell(BASE, Initial::Function { key, ty: 1 });
        image.write_cell(BASE, Initial::Bits(5));
        let data = image.place(BASE, &mut Functions::default());
        assert_eq!((data.read_write.as_slice(), data.pointers.as_slice()), (&[5, 0, 0, 0, 0, 0, 0, 0][..], &[][..]));
    }
}

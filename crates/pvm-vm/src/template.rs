//! What many guests begin with: areas of memory, their rights and contents.
//!
//! Making it takes time in proportion to the contents, beginning with it does not: on Linux guests map the pages and have
//! copies of their own of those that they write ([`Image`]). Elsewhere, and where the host has no room for images, pages are
//! copied.

use crate::image::Image;
use crate::reservation::SPACE;
use crate::{MemoryError, Pool};
use bytes::Bytes;
use pvm_ops::{Access, PAGE_SIZE};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

const PAGE: u64 = PAGE_SIZE as u64;

/// What guests begin with. [`crate::Memory::begin`] brings a guest to it.
#[derive(Debug)]
pub struct Template {
    id: u64,
    areas: Vec<Area>,
    contents: Contents,
    is_elsewhere: bool,
    /// The pools that have address space in which this is.
    pools: Mutex<Vec<Weak<Pool>>>,
}

/// Pages side by side with the same right.
#[derive(Debug)]
pub(crate) struct Area {
    pub range: Range<u64>,
    pub access: Access,
    /// Where something else than zeros is, if anything: whole pages.
    pub filled: Range<u64>,
    /// Where that begins in the image.
    pub offset: u64,
}

impl Area {
    /// Whether the guest may change it and nobody is told. What it writes to code is noted.
    pub(crate) fn is_writable(&self) -> bool {
        self.access == Access::ReadWrite
    }
}

/// The contents of the areas.
#[derive(Debug)]
pub(crate) enum Contents {
    /// To be mapped: the filled parts of the areas, one after the other.
    Image(Image),
    /// To be copied: addresses, and bytes that lie within an area.
    Bytes(Vec<(u32, Box<[u8]>)>),
}

impl Template {
    /// Areas, each an address, a size and a right, that hold zeros but for these contents.
    ///
    /// # Errors
    ///
    /// If areas are not whole pages below 2^32, or overlap, or contents are not within one.
    pub fn new<'a>(
        areas: impl IntoIterator<Item = (u32, u64, Access)>,
        contents: impl IntoIterator<Item = (u32, &'a [u8])>,
    ) -> Result<Template, MemoryError> {
        let mut areas = areas.into_iter().map(area).collect::<Result<Vec<_>, _>>()?;
        areas.retain(|area| !area.range.is_empty() && area.access != Access::None);
        areas.sort_by_key(|area| area.range.start);
        if let Some(pair) = areas.windows(2).find(|pair| pair[1].range.start < pair[0].range.end) {
            return Err(MemoryError::InUse { address: pair[1].range.start as u32 });
        }
        let contents: Vec<_> = contents.into_iter().filter_map(trim).collect();
        for (address, bytes) in &contents {
            fill(&mut areas, *address, bytes.len())?;
        }
        let mut size = 0;
        for area in &mut areas {
            area.offset = size;
            size += area.filled.end - area.filled.start;
        }
        let contents = match Image::new(size, contents.iter().map(|&(at, bytes)| (place(&areas, at), bytes))) {
            Ok(image) if size > 0 => Contents::Image(image),
            _ => Contents::Bytes(contents.into_iter().map(|(at, bytes)| (at, bytes.into())).collect()),
        };
        Ok(Template { id: new_id(), areas, contents, is_elsewhere: false, pools: Mutex::default() })
    }

    /// The same for guests whose addresses are not to be those of the host ([`crate::are_confused`]).
    pub fn elsewhere(mut self) -> Template {
        self.is_elsewhere = true;
        self
    }

    /// Whether guest addresses are not to be those of the host.
    pub(crate) fn is_elsewhere(&self) -> bool {
        self.is_elsewhere
    }

    /// A number that no other template has, and never had.
    pub(crate) fn id(&self) -> u64 {
        self.id
    }

    /// The areas, in the order of their addresses.
    pub(crate) fn areas(&self) -> &[Area] {
        &self.areas
    }

    /// What they hold.
    pub(crate) fn contents(&self) -> &Contents {
        &self.contents
    }

    /// So many bytes of what is at an address when guests begin, without a copy: they are mapped, and take memory once somebody
    /// looks at them. `None` if they are not in the image.
    pub fn bytes(&self, address: u32, len: usize) -> Option<Bytes> {
        let Contents::Image(image) = &self.contents else { return None };
        let (start, end) = (u64::from(address), u64::from(address) + len as u64);
        let area = self.areas.iter().find(|area| area.filled.start <= start && end <= area.filled.end)?;
        let skipped = start % PAGE;
        let at = area.offset + start - area.filled.start;
        let bytes = image.bytes(at - skipped..at + len as u64).ok()?;
        Some(bytes.slice(skipped as usize..))
    }

    /// Bytes that a guest can access in any way when it begins.
    pub fn size(&self) -> u64 {
        self.areas.iter().map(|area| area.range.end - area.range.start).sum()
    }

    /// How many mappings of the host a guest takes that begins with it, with those of the pages between the areas.
    pub(crate) fn mappings(&self, is_enforced: bool) -> usize {
        let mut end = 0;
        let mut of_area = |Area { range, filled, .. }: &Area| {
            let has_gap = std::mem::replace(&mut end, range.end) < range.start;
            let is_image = matches!(self.contents, Contents::Image(_)) && !filled.is_empty();
            let zeros = [range.start < filled.start, filled.end < range.end];
            match (is_enforced, is_image) {
                (true, true) => 1 + zeros.into_iter().map(usize::from).sum::<usize>() + usize::from(has_gap),
                (true, false) => 1 + usize::from(has_gap),
                // All but images is one mapping.
                (false, is_image) => 2 * usize::from(is_image),
            }
        };
        self.areas.iter().map(&mut of_area).sum()
    }

    /// Notes that a pool has address space in which this is.
    pub(crate) fn note_pool(&self, pool: &Arc<Pool>) {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.retain(|known| known.strong_count() > 0);
        if !pools.iter().any(|known| std::ptr::eq(known.as_ptr(), Arc::as_ptr(pool))) {
            pools.push(Arc::downgrade(pool));
        }
    }
}

impl Drop for Template {
    /// Nobody will begin with it any more, so it need not lie ready.
    fn drop(&mut self) {
        for pool in self.pools.get_mut().unwrap_or_else(PoisonError::into_inner) {
            if let Some(pool) = pool.upgrade() {
                pool.forget(self.id);
            }
        }
    }
}

fn new_id() -> u64 {
    static LAST: AtomicU64 = AtomicU64::new(0);
    LAST.fetch_add(1, Ordering::Relaxed) + 1
}

fn area((address, size, access): (u32, u64, Access)) -> Result<Area, MemoryError> {
    let end = u64::from(address).checked_add(size).filter(|&end| end <= SPACE);
    match end.filter(|_| (u64::from(address) | size).is_multiple_of(PAGE)) {
        Some(end) => {
            let start = u64::from(address);
            Ok(Area { range: start..end, access, filled: start..start, offset: 0 })
        }
        None => Err(MemoryError::Range { address, size }),
    }
}

/// The bytes without zeros at the end; `None` if there are no others.
fn trim((address, bytes): (u32, &[u8])) -> Option<(u32, &[u8])> {
    let last = bytes.iter().rposition(|&byte| byte != 0)?;
    Some((address, &bytes[..=last]))
}

/// Notes that an area holds something there.
fn fill(areas: &mut [Area], address: u32, len: usize) -> Result<(), MemoryError> {
    let (start, end) = (u64::from(address), u64::from(address) + len as u64);
    let area = areas.iter_mut().find(|area| area.range.start <= start && end <= area.range.end);
    let Area { filled, .. } = area.ok_or(MemoryError::Inaccessible { address })?;
    let pages = start / PAGE * PAGE..end.next_multiple_of(PAGE);
    *filled = if filled.is_empty() { pages } else { filled.start.min(pages.start)..filled.end.max(pages.end) };
    Ok(())
}

/// Where the byte of a filled address is in the image.
fn place(areas: &[Area], address: u32) -> u64 {
    let address = u64::from(address);
    let area = areas.iter().find(|area| area.filled.contains(&address));
    area.map_or(0, |area| area.offset + address - area.filled.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_pages_with_contents_are_in_the_image() {
        let areas = [(0x30000, 0x4000, Access::ReadWrite), (0x10000, 0x2000, Access::Read), (0x50000, 0, Access::Read)];
        let contents: [(u32, &[u8]); 4] =
            [(0x31ffe, &[1, 2, 3, 4, 0, 0]), (0x10000, &[0; 0x2000]), (0x32ff0, &[5]), (0x33000, &[])];
        let template = Template::new(areas, contents).unwrap();
        let parts: Vec<_> = template.areas().iter().map(|area| (area.filled.clone(), area.offset)).collect();
        assert_eq!(parts, [(0x10000..0x10000, 0), (0x31000..0x33000, 0)]);
        assert_eq!(template.size(), 0x6000);
        if cfg!(target_os = "linux") {
            assert_eq!(template.bytes(0x31ffd, 8).unwrap()[..], [0, 1, 2, 3, 4, 0, 0, 0]);
            assert_eq!(template.bytes(0x32fef, 0x11).unwrap()[..3], [0, 5, 0]);
        }
        assert_eq!(
            (template.bytes(0x32fff, 2), template.bytes(0x10000, 1), template.bytes(0x7000, 1)),
            (None, None, None)
        );
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        let refused = |areas: &[(u32, u64, Access)], at| {
            Template::new(areas.iter().copied(), [(at, &[1u8, 2][..])]).unwrap_err().to_string()
        };
        let area = (0x10000, 0x1000, Access::Read);
        assert!(refused(&[(0x10000, 0x800, Access::Read)], 0x10000).contains("not whole pages"));
        assert!(refused(&[(0xffff_f000, 0x2000, Access::Read)], 0x10000).contains("not whole pages"));
        assert!(refused(&[area, (0xf000, 0x2000, Access::Read)], 0x10000).contains("in use"));
        assert!(refused(&[area], 0x10fff).contains("not accessible"));
        assert!(refused(&[(0x10000, 0x1000, Access::None)], 0x10000).contains("not accessible"));
    }

    #[test]
    fn where_there_are_no_images_contents_are_copied() {
        use crate::{FaultDetection, Memory};
        let areas = [(0x10000, 0x1000, Access::Read), (0x20000, 0x3000, Access::ReadWrite)];
        let contents: [(u32, &[u8]); 2] = [(0x10004, &[1]), (0x20ffe, &[2, 3, 4, 5])];
        let mut template = Template::new(areas, contents).unwrap();
        template.contents = Contents::Bytes(contents.map(|(at, bytes)| (at, bytes.into())).to_vec());
        let template = Arc::new(template);
        for detection in [FaultDetection::best(), FaultDetection::Checks] {
            let pool = Pool::new(detection, 4);
            for round in 0..4 {
                let mut memories = [(); 2].map(|()| Memory::pooled(&pool, SPACE, 0x10000, &template).unwrap());
                for memory in &mut memories {
                    assert_eq!(memory.read_array(0x10003).unwrap(), [0, 1, 0], "round {round}");
                    assert_eq!(memory.read_array(0x20ffd).unwrap(), [0, 2, 3, 4, 5, 0], "round {round}");
                    assert_eq!(memory.areas().len(), 2);
                    memory.write(0x20000, &[9; 0x3000]).unwrap();
                    memory.initialise(0x10003, &[8; 3]).unwrap();
                    if round == 2 {
                        memory.protect(0x20000, 0x1000, Access::Read).unwrap();
                    }
                }
            }
        }
    }
}

//! What memory begins with, and how it comes back to that.
//!
//! Memory that has begun with a template knows where it differs from it in what a guest does not do by itself (`changed`).
//! So coming back takes that, and that writable pages are given back to the host.

use super::{EXECUTABLE, Memory, MemoryError, pages};
use crate::code_pages::CodePages;
use crate::pool::{self, BLANK, Slot};
use crate::ranges::Ranges;
use crate::reservation::SPACE;
use crate::template::{Area, Contents};
use crate::{FaultDetection, Pool, Template};
use pvm_ops::{Access, PAGE_SIZE};
use std::mem::{ManuallyDrop, take};
use std::ops::Range;
use std::sync::Arc;

/// So many mappings more it takes to show code that it is to stop: three, and the guest does not share its last with another.
const ANNOUNCEMENT: usize = 4;

pub(super) fn refused(error: std::io::Error) -> MemoryError {
    MemoryError::Reserve { bytes: crate::reservation::Reservation::SIZE, error }
}

impl Memory {
    /// Memory in which no page is accessible, and at most `limit` bytes can ever be at once, none of them below `lowest`.
    /// Where that is 64 KiB or more, compiled code may be faster.
    ///
    /// # Errors
    ///
    /// If the host refuses the reservation.
    pub fn new(limit: u64, detection: FaultDetection, lowest: u32) -> Result<Memory, MemoryError> {
        let idle = if detection == FaultDetection::Signals { pool::take_low(lowest) } else { None };
        let slot = idle.map_or_else(|| Slot::new(detection, lowest), Ok).map_err(refused)?;
        let mut memory = Memory::of(slot, limit, lowest);
        memory.announce_interrupts()?;
        memory.reset()?;
        Ok(memory)
    }

    /// Memory that begins with a template, in address space from a pool, which it goes back to. Limits are as in
    /// [`Memory::new`]. Interrupts are announced to code only once that is asked for ([`Memory::announce_interrupts`]).
    ///
    /// # Errors
    ///
    /// If the host refuses the reservation, or as [`Memory::begin`].
    pub fn pooled(pool: &Arc<Pool>, limit: u64, lowest: u32, template: &Arc<Template>) -> Result<Memory, MemoryError> {
        // What may begin at zero is not placed where addresses are those of the host.
        let first = if template.is_elsewhere() { 0 } else { lowest };
        let slot = pool.take(template.id(), first).map_err(refused)?;
        let is_ready = slot.template == template.id();
        let mut memory = Memory::of(slot, limit, lowest);
        memory.pool = Some(Arc::clone(pool));
        if is_ready {
            memory.template = Some(Arc::clone(template));
            memory.allows(template)?;
        } else {
            memory.begin(template)?;
        }
        Ok(memory)
    }

    /// Memory in idle address space, to be emptied when it is dropped.
    pub(crate) fn blank(slot: Slot, pool: &Arc<Pool>) -> Memory {
        let mut memory = Memory::of(slot, SPACE, 0);
        memory.pool = Some(Arc::clone(pool));
        memory
    }

    fn of(slot: Slot, limit: u64, lowest: u32) -> Memory {
        let Slot { reservation, rights, accessible_pages, used, images, template: _, mappings, tables } = slot;
        let announces_interrupts = !reservation.is_enforced();
        Memory {
            base: reservation.base(),
            bytes: ManuallyDrop::new(Arc::new(reservation)),
            rights: ManuallyDrop::new(rights),
            accessible_pages,
            page_limit: limit / u64::from(PAGE_SIZE),
            lowest,
            heap_end: 0,
            heap_limit: 0,
            sbrk_returns_new_end: false,
            was_requested: false,
            announces_interrupts,
            used,
            images,
            template: None,
            changed: Ranges::default(),
            mappings,
            tables,
            pool: None,
            code: CodePages::default(),
            run: 0,
        }
    }

    /// Has memory be what a template says, and the heap nothing. Nothing is left of what it was.
    ///
    /// # Errors
    ///
    /// If more pages than allowed would be accessible, or one that is too low: nothing changes then. If guests would have too
    /// many mappings, or the host fails, what memory holds is unknown until this, or [`Memory::reset`], does not fail.
    pub fn begin(&mut self, template: &Arc<Template>) -> Result<(), MemoryError> {
        self.allows(template)?;
        let is_same = self.template.as_ref().is_some_and(|former| Arc::ptr_eq(former, template));
        if is_same {
            return self.restore();
        }
        self.reset()?;
        self.count_mappings(template)?;
        for area in template.areas() {
            self.lay_out(area, template)?;
        }
        self.write_contents(template, |_| true)?;
        self.changed.clear();
        self.template = Some(Arc::clone(template));
        Ok(())
    }

    /// Counts the host's mappings of a guest that begins with the template.
    pub(super) fn count_mappings(&mut self, template: &Template) -> Result<(), MemoryError> {
        let is_enforced = self.bytes.is_enforced();
        let for_interrupts = if is_enforced && self.announces_interrupts { ANNOUNCEMENT } else { 0 };
        self.mappings.set(template.mappings(is_enforced) + for_interrupts)
    }

    /// Whether the template is within the limits.
    fn allows(&self, template: &Template) -> Result<(), MemoryError> {
        let (wanted, limit) = (template.size(), self.page_limit * u64::from(PAGE_SIZE));
        if wanted > limit {
            return Err(MemoryError::Limit { wanted, limit });
        }
        match template.areas().first() {
            Some(Area { range, .. }) if range.start < self.lowest.into() => {
                let size = range.end - range.start;
                Err(MemoryError::TooLow { address: range.start as u32, size, lowest: self.lowest })
            }
            _ => Ok(()),
        }
    }

    /// Comes back to the template that it has begun with, if there is one.
    fn restore(&mut self) -> Result<(), MemoryError> {
        // There is none until everything is as it should be.
        let Some(template) = self.template.take() else { return Ok(()) };
        self.set_heap(0, 0, false);
        let changed = take(&mut self.changed);
        if !changed.is_empty() {
            for range in changed.iter() {
                self.clear(range)?;
            }
            for area in template.areas().iter().filter(|area| changed.overlap(&area.range)) {
                self.lay_out(area, &template)?;
            }
        }
        for area in template.areas().iter().filter(|area| area.is_writable()) {
            self.bytes.discard(area.range.clone()).map_err(MemoryError::Discard)?;
        }
        self.write_contents(&template, |area| area.is_writable() || changed.overlap(&area.range))?;
        if !changed.is_empty() {
            self.used.clear();
            template.areas().iter().for_each(|area| self.used.note(area.range.clone()));
            self.changed.clear();
            self.count_mappings(&template)?;
        }
        self.template = Some(template);
        Ok(())
    }

    /// Gives pages that hold zeros, or that are mapped as this does, the rights of an area, and maps what it holds.
    fn lay_out(&mut self, area: &Area, template: &Template) -> Result<(), MemoryError> {
        let Area { range, access, filled, offset } = area;
        self.tables.note(range.clone());
        let Contents::Image(image) = template.contents() else {
            return self.lay(range, *access);
        };
        for zeros in [range.start..filled.start, filled.end..range.end] {
            if !zeros.is_empty() {
                self.lay(&zeros, *access)?;
            }
        }
        if filled.is_empty() {
            return Ok(());
        }
        self.map_image(filled.start as u32, image, *offset, filled.end - filled.start, *access)
    }

    /// Writes what is to be copied into these areas.
    fn write_contents(&mut self, template: &Template, wanted: impl Fn(&Area) -> bool) -> Result<(), MemoryError> {
        let Contents::Bytes(contents) = template.contents() else { return Ok(()) };
        for (address, bytes) in contents {
            let is_in = |area: &&Area| area.range.contains(&u64::from(*address));
            if template.areas().iter().find(is_in).is_some_and(&wanted) {
                self.initialise(*address, bytes)?;
            }
        }
        Ok(())
    }

    /// Takes every right from the guest, forgets what memory held, and gives it back to the host.
    ///
    /// # Errors
    ///
    /// If the host fails to take pages back.
    pub fn reset(&mut self) -> Result<(), MemoryError> {
        self.set_heap(0, 0, false);
        self.template = None;
        // What fails to be taken back is tried again by the next reset.
        for range in self.used.clone().iter() {
            self.clear(range)?;
        }
        self.used.clear();
        self.images.clear();
        self.changed.clear();
        Ok(())
    }

    /// Takes every right to whole pages, and has them hold zeros.
    fn clear(&mut self, range: Range<u64>) -> Result<(), MemoryError> {
        self.tables.note(range.clone());
        self.note_code(range.clone(), |bits| bits & EXECUTABLE != 0);
        self.accessible_pages -= self.accessible_in(range.clone());
        self.rights[pages(range.clone())].fill(0);
        if self.images.overlap(&range) {
            return self.bytes.renew(range, Access::None).map_err(MemoryError::Discard);
        }
        self.bytes.protect(range.clone(), Access::None).map_err(|error| MemoryError::Protect {
            address: range.start as u32,
            size: range.end - range.start,
            error,
        })?;
        self.bytes.discard(range).map_err(MemoryError::Discard)
    }

    /// The address space, cleaned; `None` if the host failed to do that, or somebody interrupts a run just now.
    fn take_slot(&mut self) -> Option<Slot> {
        let is_clean = if self.template.is_some() { self.restore() } else { self.reset() }.is_ok();
        // SAFETY: this is only called by `drop`, after which nobody looks at the fields.
        let (bytes, rights) = unsafe { (ManuallyDrop::take(&mut self.bytes), ManuallyDrop::take(&mut self.rights)) };
        // Interrupters of this guest must not interrupt the next: theirs is the reservation that goes here.
        let reservation = Arc::into_inner(bytes).filter(|_| is_clean)?;
        reservation.forget_interrupts().then_some(Slot {
            reservation,
            rights,
            accessible_pages: self.accessible_pages,
            used: take(&mut self.used),
            images: take(&mut self.images),
            template: self.template.as_ref().map_or(BLANK, |template| template.id()),
            mappings: take(&mut self.mappings),
            tables: take(&mut self.tables),
        })
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        let Some(pool) = self.pool.take() else {
            // SAFETY: nobody looks at the fields any more.
            unsafe {
                ManuallyDrop::drop(&mut self.bytes);
                ManuallyDrop::drop(&mut self.rights);
            }
            return;
        };
        if let Some(slot) = self.take_slot() {
            if let Some(template) = &self.template {
                template.note_pool(&pool);
            }
            pool.put(slot);
        }
    }
}

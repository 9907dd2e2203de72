//! Address space of guests that are gone, cleaned and kept for the next.
//!
//! Reserving address space, and having the host enforce rights in it, takes longer than running a short program. So what a
//! guest leaves is brought back to what it began with, which is little work, and another guest that begins with the same
//! [`Template`](crate::Template) finds everything in place. Nothing of the former guest is left by then: it is cleaned when a
//! guest goes, not when the next one comes.
//!
//! The address space at zero (`space`) is one for the process and not for a pool: whichever guest comes next gets it.

use crate::FaultDetection;
use crate::limits::Mappings;
use crate::ranges::Ranges;
use crate::reservation::Reservation;
use crate::rights::Rights;
use crate::tables::Tables;
use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The number of no template: address space in which nothing is accessible.
pub(crate) const BLANK: u64 = 0;

/// Where fewer are idle, each is left for the next guest that begins with its template, and another guest gets a new one.
const FEW: usize = 8;

/// Address space with more page tables of the host, of 4 KiB each, is not kept.
const MOST_TABLES: u32 = 64;

/// So many reservations are made at once, at most.
const MOST_AT_ONCE: usize = 16;

/// Address space for a guest, with what is known of it.
#[derive(Debug)]
pub(crate) struct Slot {
    pub reservation: Reservation,
    pub rights: Rights,
    /// How many pages have a right.
    pub accessible_pages: u64,
    /// Where pages may be accessible, or hold something.
    pub used: Ranges,
    /// Where pages of images are mapped.
    pub images: Ranges,
    /// The template that it holds, or [`BLANK`].
    pub template: u64,
    pub mappings: Mappings,
    pub tables: Tables,
}

impl Slot {
    /// New address space in which nothing is accessible: at zero if there is room and addresses below `lowest` are never used.
    pub(crate) fn new(detection: FaultDetection, lowest: u32) -> io::Result<Slot> {
        if detection == FaultDetection::Checks {
            return Slot::of(Reservation::open()?);
        }
        match Reservation::low_if_free(lowest) {
            Some(reservation) => Slot::of(reservation),
            None => Slot::of(Reservation::enforced(1)?.swap_remove(0)),
        }
    }

    fn of(reservation: Reservation) -> io::Result<Slot> {
        let rights = Rights::new()?;
        let (used, images, mappings, tables) = Default::default();
        Ok(Slot { reservation, rights, accessible_pages: 0, used, images, template: BLANK, mappings, tables })
    }
}

/// Address space at zero without a guest.
static LOW: Mutex<Option<Slot>> = Mutex::new(None);

fn low() -> MutexGuard<'static, Option<Slot>> {
    LOW.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Takes the address space at zero, if it is there and begins at `lowest`.
pub(crate) fn take_low(lowest: u32) -> Option<Slot> {
    low().take_if(|slot| slot.reservation.first() == Some(lowest as usize))
}

/// Address space that is kept. Each engine has one.
#[derive(Debug)]
pub struct Pool {
    detection: FaultDetection,
    most: usize,
    idle: Mutex<Idle>,
}

#[derive(Debug, Default)]
struct Idle {
    /// By the template that it holds.
    slots: HashMap<u64, Vec<Slot>>,
    count: usize,
    /// Reservations that nobody has had yet.
    spare: Vec<Reservation>,
    /// How many have been made.
    made: usize,
}

impl Idle {
    fn take(&mut self, template: u64) -> Option<Slot> {
        let slot = self.slots.get_mut(&template)?.pop()?;
        self.count -= 1;
        Some(slot)
    }

    /// Takes some that holds another template.
    fn take_other(&mut self, template: u64) -> Option<Slot> {
        let slot = self.slots.iter_mut().filter(|(id, _)| **id != template).find_map(|(_, slots)| slots.pop())?;
        self.count -= 1;
        Some(slot)
    }

    fn put(&mut self, slot: Slot) {
        self.slots.entry(slot.template).or_default().push(slot);
        self.count += 1;
    }
}

impl Pool {
    /// A pool for guests whose faults are detected like that. It keeps the address space of at most so many; each takes
    /// 4 GiB of addresses, and some 30 KiB of memory, or up to 350 where guests have used addresses far apart.
    pub fn new(detection: FaultDetection, most: usize) -> Arc<Pool> {
        Arc::new(Pool { detection, most, idle: Mutex::default() })
    }

    fn idle(&self) -> MutexGuard<'_, Idle> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Address space for a guest: at zero if there is room and it never uses addresses below `lowest`; or else what holds the
    /// template, or nothing, or another one. So there is no more than guests have had at once, and a few.
    pub(crate) fn take(&self, template: u64, lowest: u32) -> io::Result<Slot> {
        if self.detection == FaultDetection::Signals {
            if let Some(slot) = take_low(lowest) {
                return Ok(slot);
            }
            if Reservation::may_be_low(lowest) {
                return Slot::new(self.detection, lowest);
            }
        }
        let mut idle = self.idle();
        let slot = idle.take(template).or_else(|| idle.take(BLANK));
        let slot = if idle.count < FEW { slot } else { slot.or_else(|| idle.take_other(template)) };
        drop(idle);
        slot.map_or_else(|| self.make(), Ok)
    }

    /// New address space that is not at zero. Where rights are enforced, the host is asked for as many reservations at once as
    /// have been made, but not for too many.
    fn make(&self) -> io::Result<Slot> {
        if self.detection == FaultDetection::Checks {
            return Slot::of(Reservation::open()?);
        }
        let mut idle = self.idle();
        if idle.spare.is_empty() {
            let count = idle.made.clamp(1, MOST_AT_ONCE);
            idle.spare = Reservation::enforced(count).or_else(|_| Reservation::enforced(1))?;
            idle.made += idle.spare.len();
        }
        let spare = idle.spare.pop();
        drop(idle);
        Slot::of(spare.ok_or(io::ErrorKind::OutOfMemory)?)
    }

    /// Keeps address space that has been cleaned, unless there is too much, or it takes too much memory.
    pub(crate) fn put(&self, slot: Slot) {
        if slot.tables.count() > MOST_TABLES {
            return;
        }
        if slot.reservation.first().is_some() {
            *low() = Some(slot);
            return;
        }
        let mut idle = self.idle();
        let too_many = if idle.count < self.most { None } else { idle.take_other(slot.template) };
        if idle.count < self.most {
            idle.put(slot);
        }
        drop(idle);
        // It takes a while to give it back to the host.
        drop(too_many);
    }

    /// Nobody will begin with the template any more.
    pub(crate) fn forget(self: &Arc<Pool>, template: u64) {
        let slots = {
            let mut idle = self.idle();
            let slots = idle.slots.remove(&template).unwrap_or_default();
            idle.count -= slots.len();
            slots
        };
        let low = low().take_if(|slot| slot.template == template);
        for slot in slots.into_iter().chain(low) {
            // Whatever memory is dropped goes back to its pool, and this one holds no template by then.
            drop(crate::Memory::blank(slot, self));
        }
    }
}

impl Drop for Pool {
    /// The address space at zero goes with it: whoever has another pool makes it anew.
    fn drop(&mut self) {
        drop(low().take());
    }
}

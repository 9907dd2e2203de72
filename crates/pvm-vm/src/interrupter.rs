//! What stops runs from outside.

use crate::reservation::{Reason, Reservation};
use std::sync::Weak;

/// Stops runs on a guest's memory, from any thread. Does nothing once the memory is gone.
#[derive(Clone, Debug)]
pub struct Interrupter {
    pub(crate) reservation: Weak<Reservation>,
}

impl Interrupter {
    /// Has the run that is going on, or the next one, stop.
    pub fn interrupt(&self) {
        if let Some(reservation) = self.reservation.upgrade() {
            reservation.interrupt(Reason::Request);
        }
    }

    /// The same because time is up. [`Interrupter::withdraw`] takes that back.
    pub fn time_is_up(&self) {
        if let Some(reservation) = self.reservation.upgrade() {
            reservation.interrupt(Reason::Deadline);
        }
    }

    /// Takes [`Interrupter::time_is_up`] back, if no run has stopped because of it. What [`Interrupter::interrupt`] asks for
    /// stays.
    pub fn withdraw(&self) {
        if let Some(reservation) = self.reservation.upgrade() {
            reservation.withdraw(Reason::Deadline);
        }
    }
}

//! How often a metered run looks whether it is to stop.
//!
//! It gets its gas in slices, and looks between two of them. How long a slice takes depends on the guest: a division takes ten
//! times as long as an addition, and a load may take a thousand times as long. So what a slice holds goes by how long the last
//! one took. What a guest does, and what it pays, is the same whatever the slices are.

use std::time::{Duration, Instant};

/// A slice is to take about that long, unless the largest takes less.
const TIME: Duration = Duration::from_micros(250);
/// The most gas in a slice: what takes some 40 µs if it is cheap to run. Slices may become slower at any time.
const MOST: u64 = 1 << 17;
/// The same where everything is interpreted.
const MOST_INTERPRETED: u64 = 1 << 14;
/// The least: a slice takes 0.1 µs by itself.
const LEAST: u64 = 1 << 10;

/// The gas in a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    slice: u64,
}

impl Default for Pace {
    fn default() -> Pace {
        Pace { slice: MOST }
    }
}

impl Pace {
    /// The gas in the next slice of a run that is compiled, or only interpreted.
    #[inline]
    pub fn slice(self, is_compiled: bool) -> u64 {
        if is_compiled { self.slice } else { self.slice.min(MOST_INTERPRETED) }
    }

    /// Notes when a slice began that has been used up, if that is known; the next begins now.
    pub fn note(&mut self, began: &mut Option<Instant>) {
        let now = Instant::now();
        let Some(began) = began.replace(now) else { return };
        let taken = now.duration_since(began);
        if taken > 2 * TIME {
            let share = TIME.as_nanos() as f64 / taken.as_nanos() as f64;
            self.slice = ((self.slice as f64 * share) as u64).max(LEAST);
        } else if taken < TIME / 2 {
            self.slice = (2 * self.slice).min(MOST);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_go_by_the_time_that_they_take() {
        let mut pace = Pace::default();
        let mut after = |time: Duration| {
            pace.note(&mut Some(Instant::now() - time));
            pace.slice(true)
        };
        assert_eq!(after(Duration::ZERO), MOST);
        assert!((MOST / 5..=MOST / 4).contains(&after(4 * TIME)));
        let slow = after(TIME);
        assert!((MOST / 5..=MOST / 4).contains(&slow), "{slow}");
        assert_eq!(after(Duration::from_secs(100)), LEAST);
        assert_eq!(after(Duration::ZERO), 2 * LEAST);
        let mut began = None;
        pace.note(&mut began);
        assert!(began.is_some() && pace.slice(true) == 2 * LEAST);
    }
}

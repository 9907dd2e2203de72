//! How often a metered run looks whether it is to stop.
//!
//! It gets its gas in slices, and looks between two of them. How long a slice takes depends on the guest: a division takes ten
//! times as long as an addition, and a load may take a thousand times as long. So what a slice holds goes by how long the last
//! one took. What a guest does, and what it pays, is the same whatever the slices are.

use pvm_gas::GasModel;
use std::time::{Duration, Instant};

/// A slice is to take about that long, unless the largest takes less.
const TIME: Duration = Duration::from_micros(250);
/// The most instructions in a slice: they take some 40 µs if they are cheap to run. Slices may become slower at any time.
const MOST: u64 = 1 << 17;
/// What one costs in the pipeline model, about: less than one among additions, 25 if it loads what is needed at once.
const PIPELINE_COST: u64 = 8;
/// Interpreted instructions take so many times as long.
const INTERPRETED: u64 = 8;
/// The least: a slice takes 0.1 µs by itself.
const LEAST: u64 = 1 << 10;

/// The gas in a slice.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    slice: u64,
    most: u64,
}

impl Pace {
    pub fn new(model: GasModel) -> Pace {
        let most = if model == GasModel::Pipeline { MOST * PIPELINE_COST } else { MOST };
        Pace { slice: most, most }
    }

    /// The gas in the next slice of a run that is compiled, or only interpreted.
    #[inline]
    pub fn slice(self, is_compiled: bool) -> u64 {
        if is_compiled { self.slice } else { self.slice.min(self.most / INTERPRETED) }
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
            self.slice = (2 * self.slice).min(self.most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_go_by_the_time_that_they_take() {
        let mut pace = Pace::new(GasModel::Instruction);
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

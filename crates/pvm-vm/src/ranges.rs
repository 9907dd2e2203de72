//! A few ranges of guest addresses, kept apart as long as there are not too many.

use std::ops::Range;

/// How many ranges are told apart.
const MOST: usize = 16;

/// Ranges of addresses: at least those that were noted, and what lies between them once there are too many.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ranges {
    ranges: Vec<Range<u64>>,
}

impl Ranges {
    /// Adds a range.
    pub(crate) fn note(&mut self, range: Range<u64>) {
        if range.is_empty() {
            return;
        }
        let hull = |a: &Range<u64>, b: &Range<u64>| a.start.min(b.start)..a.end.max(b.end);
        if let Some(near) = self.ranges.iter_mut().find(|one| one.start <= range.end && range.start <= one.end) {
            *near = hull(near, &range);
        } else if self.ranges.len() < MOST {
            self.ranges.push(range);
        } else {
            self.ranges = vec![self.ranges.iter().fold(range, |all, one| hull(&all, one))];
        }
    }

    /// Whether one of them has an address of the range.
    pub(crate) fn overlap(&self, range: &Range<u64>) -> bool {
        self.ranges.iter().any(|one| one.start < range.end && range.start < one.end)
    }

    /// Whether there are none.
    pub(crate) fn is_empty(&self) -> bool {
        self.ranges.is_empty()
    }

    /// All of them, in no order; some may have grown into one another.
    pub(crate) fn iter(&self) -> impl Iterator<Item = Range<u64>> {
        self.ranges.iter().cloned()
    }

    /// Forgets them.
    pub(crate) fn clear(&mut self) {
        self.ranges.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_noted_is_covered() {
        let mut ranges = Ranges::default();
        ranges.note(5..5);
        assert!(ranges.is_empty());
        ranges.note(10..20);
        ranges.note(20..30);
        assert!(ranges.iter().eq(std::iter::once(10..30)));
        assert!(ranges.overlap(&(29..40)) && !ranges.overlap(&(30..40)) && !ranges.overlap(&(0..10)));
        for at in 1..40 {
            ranges.note(100 * at..100 * at + 1);
            assert!((1..=at).all(|at| ranges.overlap(&(100 * at..100 * at + 1))));
            assert!(ranges.iter().count() <= MOST);
        }
        assert!(ranges.overlap(&(10..11)));
        ranges.clear();
        assert!(ranges.is_empty());
    }
}

//! How much time compiling may take.

use std::time::{Duration, Instant};

/// It may take so long in any case...
const HEAD_START: Duration = Duration::from_millis(20);
/// ... and then so large a part of the time since it began.
const SHARE: u32 = 3;

/// Time for compiling, in proportion to that in which the guest runs: a program that is over soon, or of which all parts are
/// as hot as the others, should not take much longer than if nothing were compiled. What is refused has to get hot once more,
/// so that the hottest comes first.
#[derive(Debug, Default)]
pub(super) struct Budget {
    began: Option<Instant>,
    spent: Duration,
}

impl Budget {
    /// Whether anything may be compiled now.
    pub(super) fn allows(&mut self) -> bool {
        let began = *self.began.get_or_insert_with(Instant::now);
        self.spent <= HEAD_START + began.elapsed() / SHARE
    }

    /// Counts the time that something takes.
    pub(super) fn spend<T>(&mut self, compile: impl FnOnce() -> T) -> T {
        let began = Instant::now();
        let result = compile();
        self.spent += began.elapsed();
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_took_too_long_has_to_wait() {
        let mut budget = Budget::default();
        assert!(budget.allows());
        budget.spent = HEAD_START;
        assert!(budget.allows());
        budget.spent = HEAD_START * 1000;
        assert!(!budget.allows());
        budget.began = budget.began.map(|began| began - budget.spent * SHARE);
        assert!(budget.allows());
    }
}

//! Shrinking: the smallest case that still fails, found greedily.

use super::case::{Answer, Case};

/// `c.nop`, twice.
const NOTHING: [u8; 4] = [1, 0, 1, 0];

/// The smallest case found that still `fails`.
pub fn shrink(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut shrinker = Shrinker { best: case.clone(), fails };
    loop {
        let before = shrinker.best.clone();
        shrinker.script();
        shrinker.code();
        shrinker.state();
        if shrinker.best == before {
            return shrinker.best;
        }
    }
}

struct Shrinker<F> {
    best: Case,
    fails: F,
}

impl<F: Fn(&Case) -> bool> Shrinker<F> {
    /// Keeps a change if the case is another one then, and still fails.
    fn change(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let mut case = self.best.clone();
        change(&mut case);
        let is_kept = case != self.best && (self.fails)(&case);
        if is_kept {
            self.best = case;
        }
        is_kept
    }

    fn script(&mut self) {
        for len in 0..self.best.script.len() {
            if self.change(|case| case.script.truncate(len)) {
                break;
            }
        }
        for at in (0..self.best.script.len()).rev() {
            self.change(|case| drop(case.script.remove(at)));
            let Some(step) = self.best.script.get(at) else { continue };
            for action in (0..step.actions.len()).rev() {
                self.change(|case| {
                    case.script[at].actions.remove(action);
                });
            }
            self.change(|case| case.script[at].trap = Answer::End);
            self.change(|case| case.script[at].gas = 0);
        }
    }

    /// Takes out areas, and makes instructions ones that do nothing: wherever they are, two bytes at least.
    fn code(&mut self) {
        for at in (0..self.best.areas.len()).rev() {
            if self.change(|case| drop(case.areas.remove(at))) {
                continue;
            }
            for len in [64, 16, 4, 2] {
                for from in (0..self.best.areas[at].bytes.len()).step_by(len) {
                    let to = (from + len).min(self.best.areas[at].bytes.len());
                    let nothing = |offset: usize| NOTHING[(offset - from) % 4];
                    if (from..to).any(|offset| self.best.areas[at].bytes[offset] != nothing(offset)) {
                        self.change(|case| {
                            (from..to).for_each(|offset| case.areas[at].bytes[offset] = nothing(offset));
                        });
                    }
                }
            }
        }
    }

    fn state(&mut self) {
        for index in 1..32 {
            for value in [0, 1] {
                if self.best.registers[index] <= value || self.change(|case| case.registers[index] = value) {
                    break;
                }
            }
        }
        self.change(|case| case.machine_mode = false);
        self.change(|case| case.count_instructions = false);
        for gas in [1, 10, 100, 1000] {
            if self.best.gas > gas && self.change(|case| case.gas = gas) {
                break;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Tiers, wild};
    use super::*;
    use pvm_runtime::Exit;

    #[test]
    fn what_matters_is_left() {
        let tiers = Tiers::new();
        let calls = |case: &Case| tiers.interpret(case).last().is_some_and(|stop| stop.exit == Exit::Ecall);
        let cases = (0..100).map(|seed| {
            let mut case = wild(seed);
            tiers.tame(&mut case);
            case
        });
        let found: Vec<Case> = cases.filter(calls).take(3).collect();
        assert_eq!(found.len(), 3);
        for case in found {
            let small = shrink(&case, calls);
            assert!(calls(&small) && small.areas.len() == 1, "{}", small.to_text());
            let parcels = small.areas[0].bytes.as_chunks::<2>().0.iter();
            let left = parcels.filter(|&&parcel| parcel != NOTHING[..2] && parcel != [0, 0]).count();
            // The call has two.
            assert!(left <= 4, "{}", small.to_text());
        }
    }
}

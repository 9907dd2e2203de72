//! Shrinking: the smallest case that still fails.
//!
//! Greedy: each way to make the case simpler is tried in turn and kept if the case still fails, until none is left that
//! does. Instructions are taken out with the jumps over them made shorter; where that does not work, they become one that
//! does nothing and is as long.

use crate::relocate::remove;
use crate::{Action, Case, Step};
use pvm_isa::{Opcode, REG_COUNT};
use pvm_program::Code;

/// The smallest case found that still `fails`.
pub fn shrink(case: &Case, fails: impl Fn(&Case) -> bool) -> Case {
    let mut shrinker = Shrinker { best: case.clone(), fails, left: 20_000 };
    loop {
        let before = shrinker.best.clone();
        shrinker.script();
        shrinker.instructions();
        shrinker.state();
        if shrinker.best == before || shrinker.left == 0 {
            return shrinker.best;
        }
    }
}

struct Shrinker<F> {
    best: Case,
    fails: F,
    /// How many more cases are tried.
    left: u32,
}

impl<F: Fn(&Case) -> bool> Shrinker<F> {
    /// Keeps a case if it is another one and still fails.
    fn offer(&mut self, case: Case) -> bool {
        if self.left == 0 || case == self.best {
            return false;
        }
        self.left -= 1;
        let kept = (self.fails)(&case);
        if kept {
            self.best = case;
        }
        kept
    }

    fn change(&mut self, change: impl FnOnce(&mut Case)) -> bool {
        let mut case = self.best.clone();
        change(&mut case);
        self.offer(case)
    }

    fn script(&mut self) {
        for len in 0..self.best.script.len() {
            if self.change(|case| case.script.truncate(len)) {
                break;
            }
        }
        for at in (0..self.best.script.len()).rev() {
            self.change(|case| {
                case.script.remove(at);
            });
            let Some(step) = self.best.script.get(at) else { continue };
            for action in (0..step.actions.len()).rev() {
                self.change(|case| {
                    case.script[at].actions.remove(action);
                });
            }
            self.change(|case| case.script[at] = Step { actions: case.script[at].actions.clone(), ..Step::default() });
            self.change(|case| case.script[at].restart = None);
            self.change(|case| case.script[at].gas = 0);
            self.change(|case| case.script[at].fault = None);
        }
    }

    fn instructions(&mut self) {
        let Some(blob) = self.best.blob() else { return };
        // All that is behind some place.
        let mut cut = blob.code.len() / 2;
        while cut > 0 {
            while let Some(len) = self.best.blob().map(|blob| blob.code.len()).filter(|&len| len > cut) {
                if !self.change(|case| truncate(case, len - cut)) {
                    break;
                }
            }
            cut /= 2;
        }
        let starts = |case: &Case| {
            let Some(blob) = case.blob() else { return Vec::new() };
            Code::new(&blob, case.profile).instruction_starts().collect()
        };
        let mut index = starts(&self.best).len();
        while index > 0 {
            index -= 1;
            let Some(&pc) = starts(&self.best).get(index) else { continue };
            if !self.change(|case| without(case, pc)) {
                self.change(|case| idle(case, pc));
            }
        }
        self.change(|case| {
            if let Some(mut blob) = case.blob() {
                (blob.jump_count, blob.jump_bytes) = (0, Vec::new());
                case.set_blob(&blob);
            }
        });
    }

    fn state(&mut self) {
        for index in 0..REG_COUNT {
            for value in [0, 1] {
                if self.best.registers[index] <= value || self.change(|case| case.registers[index] = value) {
                    break;
                }
            }
            self.change(|case| case.registers[index] &= 0xffff_ffff);
        }
        for at in (0..self.best.pages.len()).rev() {
            self.change(|case| {
                case.pages.remove(at);
            });
        }
        self.change(|case| case.heap = None);
        self.change(|case| case.pc = 0);
        for gas in [10, 100, 1000, 100_000] {
            if self.best.gas > gas && self.change(|case| case.gas = gas) {
                break;
            }
        }
        while self.best.gas > 0 && self.best.gas <= 1000 && self.change(|case| case.gas -= 1) {}
    }
}

fn truncate(case: &mut Case, len: usize) {
    let Some(mut blob) = case.blob() else { return };
    blob.code.truncate(len);
    blob.bitmask.truncate(len.div_ceil(8));
    if let (Some(last), 1..) = (blob.bitmask.last_mut(), len % 8) {
        *last &= (1 << (len % 8)) - 1;
    }
    case.set_blob(&blob);
}

fn without(case: &mut Case, pc: u32) {
    let Some((blob, moved)) = case.blob().and_then(|blob| remove(&blob, case.profile, pc)) else { return };
    case.pc = moved(case.pc);
    for step in &mut case.script {
        step.restart = step.restart.map(&moved);
        for action in &mut step.actions {
            if let Action::Pc(pc) = action {
                *pc = moved(*pc);
            }
        }
    }
    case.set_blob(&blob);
}

/// Makes the instruction at `pc` one that moves a register to itself.
fn idle(case: &mut Case, pc: u32) {
    let Some(mut blob) = case.blob() else { return };
    let move_reg = Opcode::MoveReg.byte(case.profile);
    if Code::new(&blob, case.profile).skip(pc) > 0
        && let (Some(move_reg), Some(bytes)) = (move_reg, blob.code.get_mut(pc as usize..pc as usize + 2))
    {
        bytes.copy_from_slice(&[move_reg, 0]);
        case.set_blob(&blob);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Engines, random};
    use pvm_gas::GasModel;
    use pvm_runtime::Exit;

    #[test]
    fn what_matters_is_left() {
        let engines = Engines::new();
        let halts = |case: &Case| {
            let runs = engines.runs(case, &[]);
            runs.first().is_some_and(|(_, stops)| stops.last().is_some_and(|stop| stop.exit == Exit::Halt))
        };
        let (mut count, mut tiny) = (0, 0);
        for case in (0..300).map(random::case).filter(|case| case.gas < 10_000 && case.gas_model != GasModel::None) {
            if halts(&case) {
                let small = shrink(&case, halts);
                assert!(halts(&small) && small.program.len() <= case.program.len(), "{}", small.to_text());
                count += 1;
                // One jump is enough to halt.
                tiny += u32::from(small.program.len() <= 8);
            }
        }
        assert!(tiny * 2 > count, "{tiny} of {count}");
        assert!(count > 5);
    }
}

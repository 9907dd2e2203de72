//! What a group of rounds loads and stores must be apart: no round may load what an earlier one has stored.

use super::super::rounds::Linear;
use super::plan::VECTOR;
use super::round::{Lane, Load, Round, Store};
use std::collections::BTreeSet;

/// What a group loads off one register lies within so many bytes.
const MOST_APART: i64 = 1 << 16;

/// Where something begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    Off(Linear),
    At(u32),
}

/// Bytes that a group of rounds loads or stores.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stretch {
    pub start: Start,
    pub len: i64,
}

/// Two stretches that must be apart, as one of them is stored.
#[derive(Clone, Copy, Debug)]
pub(super) struct Apart {
    pub sides: [Stretch; 2],
    /// Whether they move on alike: then they stay as far from each other as they are.
    pub is_steady: bool,
}

impl Apart {
    /// How far the first is from the second, plus the first of these, is less than the second if they overlap. Addresses are modulo 2^32.
    pub fn nearness(&self) -> [i64; 2] {
        let [before, behind] = self.sides.map(|side| side.len);
        [before - 1, before - 1 + behind]
    }

    /// Whether they overlap, if that is known.
    fn overlaps(&self) -> Option<bool> {
        let distance = match self.sides.map(|side| side.start) {
            [Start::Off(one), Start::Off(other)] if one.of == other.of => one.plus - other.plus,
            [Start::At(one), Start::At(other)] => i64::from(one) - i64::from(other),
            _ => return None,
        };
        let [plus, near] = self.nearness();
        Some(i64::from((distance + plus) as u32) < near)
    }
}

impl Round<'_> {
    /// What must be apart in a group of so many rounds; `None` if it is not.
    pub fn apart(&mut self, rounds: u32) -> Option<Vec<Apart>> {
        let (stores, steps) = (self.stores.clone(), self.steps);
        for load in &mut self.loads {
            let is_in_place =
                |store: &Store| load.place == store.place && load.kind.size == store.size && load.index < store.index;
            load.in_place_of = stores.iter().position(is_in_place);
        }
        let stretch = |place: Linear, bytes: u32| Stretch { start: Start::Off(place), len: i64::from(rounds * bytes) };
        let stored: Vec<_> = stores.iter().map(|store| stretch(store.place, store.size.bytes())).collect();
        let spilled: BTreeSet<u32> = self.spills.iter().map(|spill| spill.address).collect();
        let spilled: Vec<_> =
            spilled.into_iter().map(|address| Stretch { start: Start::At(address), len: 8 }).collect();
        let bound = self.bound.map(|bound| Stretch { start: Start::Off(bound.place), len: 8 });
        let mut pairs: Vec<[Stretch; 2]> = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            // What later rounds store over is loaded before that, and nothing is to be done anew if it is one vector that is stored.
            let is_alone = stores.len() == 1 && rounds * store.size.bytes() <= VECTOR;
            let is_ahead = |load: &Load| {
                let distance = load.place.plus - store.place.plus;
                is_alone
                    && load.place.of == store.place.of
                    && (i64::from(store.size.bytes())..MOST_APART).contains(&distance)
            };
            let mut others: Vec<Stretch> = Vec::new();
            for (at, load) in self.loads.iter().enumerate() {
                if load.in_place_of != Some(number) && !is_ahead(load) {
                    add(&mut others, load.place, i64::from(rounds * load.kind.size.bytes()));
                } else if self.lanes.iter().any(|lane| matches!(lane, Lane::Before(of, _) if *of == at)) {
                    // What the rounds before have loaded is not there any more.
                    return None;
                }
            }
            let others = others.iter().chain(&stored[number + 1..]).chain(&spilled).chain(&bound);
            pairs.extend(others.map(|&other| [other, stored[number]]));
        }
        if !spilled.is_empty() {
            let mut others: Vec<_> = bound.into_iter().collect();
            self.loads.iter().for_each(|load| add(&mut others, load.place, i64::from(rounds * load.kind.size.bytes())));
            for (number, &spill) in spilled.iter().enumerate() {
                pairs.extend(others.iter().chain(&spilled[number + 1..]).map(|&other| [other, spill]));
            }
        }
        let mut all = Vec::new();
        for sides in pairs {
            if sides.iter().any(|side| side.len > MOST_APART) {
                return None;
            }
            let step = |side: Stretch| match side.start {
                Start::Off(place) => steps.of(place),
                Start::At(_) => Some(0),
            };
            let apart = Apart { sides, is_steady: step(sides[0]) == step(sides[1]) };
            match apart.overlaps() {
                Some(true) => return None,
                Some(false) => {}
                None => all.push(apart),
            }
        }
        Some(all)
    }
}

/// Adds what is loaded off a register to the other stretches.
fn add(all: &mut Vec<Stretch>, place: Linear, len: i64) {
    let before = all.iter_mut().find_map(|one| match &mut one.start {
        Start::Off(from) if from.of == place.of => Some((from, &mut one.len)),
        _ => None,
    });
    match before {
        Some((from, its)) => {
            let first = from.plus.min(place.plus);
            *its = (place.plus + len).max(from.plus + *its) - first;
            from.plus = first;
        }
        None => all.push(Stretch { start: Start::Off(place), len }),
    }
}

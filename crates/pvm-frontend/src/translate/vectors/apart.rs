//! What a group of rounds loads and stores must be apart: no round may load what an earlier one has stored.

use super::super::rounds::Linear;
use super::accesses::Slot;
use super::plan::VECTOR;
use super::round::{Lane, Load, Member, Round, Store, Strand};
use pvm_ops::PAGE_SIZE;

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

/// Bytes that stay where they are, in which a round has slots.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kept {
    pub stretch: Stretch,
    /// Whether some of them are stored.
    pub is_stored: bool,
}

impl Kept {
    /// Those of the slots of a round, one off each register. `None` if slots are too far from each other.
    pub fn of(slots: &[Slot]) -> Option<Vec<Kept>> {
        let mut all: Vec<Kept> = Vec::new();
        for slot in slots {
            let stretch = Stretch { start: slot.start, len: slot.bytes().into() };
            match all.iter_mut().find(|kept| kept.stretch.is_beside(stretch)) {
                Some(kept) => {
                    kept.stretch = kept.stretch.around(stretch);
                    kept.is_stored |= slot.is_stored;
                }
                None => all.push(Kept { stretch, is_stored: slot.is_stored }),
            }
        }
        all.iter().all(|kept| kept.stretch.len <= PAGE_SIZE.into()).then_some(all)
    }
}

impl Stretch {
    /// Of what so many rounds find or store, if each moves on by so much.
    fn of(strand: Strand, step: i64, rounds: u32) -> Stretch {
        let back = if step < 0 { i64::from(rounds - 1) * step } else { 0 };
        Stretch { start: Start::Off(strand.place.plus(back)), len: i64::from(strand.bytes(rounds)) }
    }

    /// Whether it is known how far they are from each other, and one stretch for both is not looked at twice.
    fn is_beside(self, other: Stretch) -> bool {
        match (self.start, other.start) {
            (Start::Off(one), Start::Off(other)) => one.of == other.of,
            (one, other) => one == other,
        }
    }

    /// Both, and what is between them.
    fn around(self, other: Stretch) -> Stretch {
        match (self.start, other.start) {
            (Start::Off(one), Start::Off(two)) => {
                let first = one.plus.min(two.plus);
                let len = (one.plus + self.len).max(two.plus + other.len) - first;
                Stretch { start: Start::Off(Linear { plus: first, ..one }), len }
            }
            _ => Stretch { len: self.len.max(other.len), ..self },
        }
    }
}

/// Adds what is loaded off a register to the other stretches.
fn add(all: &mut Vec<Stretch>, stretch: Stretch) {
    match all.iter_mut().find(|one| one.is_beside(stretch)) {
        Some(one) => *one = one.around(stretch),
        None => all.push(stretch),
    }
}

impl Round<'_> {
    /// What must be apart in a group of so many rounds, if slots are there; `None` if it is not.
    pub fn apart(&mut self, rounds: u32, kept: &[Kept]) -> Option<Vec<Apart>> {
        let (stores, steps) = (self.stores.clone(), self.steps);
        for load in &mut self.loads {
            let is_there = |(place, member): (Linear, Member)| place == load.place && load.index < member.index;
            let strand = self.strands[load.strand];
            let is_in_place = |store: &Store| {
                (strand.size, strand.stride) == (store.size, store.strand().stride) && store.places().any(is_there)
            };
            load.in_place_of = stores.iter().position(is_in_place);
        }
        let step = |place: Linear| steps.of(place).unwrap_or(0);
        let stretch = |strand: Strand| Stretch::of(strand, step(strand.place), rounds);
        let loaded = |load: &Load| stretch(Strand { place: load.place, count: 1, ..self.strands[load.strand] });
        let stored: Vec<_> = stores.iter().map(|store| stretch(store.strand())).collect();
        let mut pairs: Vec<[Stretch; 2]> = Vec::new();
        for (number, store) in stores.iter().enumerate() {
            // What later rounds store over is loaded before that, and nothing is to be done anew if it is one vector that is stored.
            let is_alone = stores.len() == 1 && store.strand().bytes(rounds) <= VECTOR;
            let is_ahead = |load: &Load| {
                let distance = (load.place.plus - store.place.plus) * step(store.place).signum();
                is_alone
                    && self.strands[load.strand].stride == 1
                    && load.place.of == store.place.of
                    && (i64::from(store.size.bytes())..MOST_APART).contains(&distance)
            };
            let mut others: Vec<Stretch> = Vec::new();
            for (at, load) in self.loads.iter().enumerate() {
                if load.in_place_of != Some(number) && !is_ahead(load) {
                    add(&mut others, loaded(load));
                } else if self.lanes.iter().any(|lane| matches!(lane, Lane::Before(of, _) if *of == at)) {
                    // What the rounds before have loaded is not there any more.
                    return None;
                }
            }
            let slots = kept.iter().map(|kept| &kept.stretch);
            let others = others.iter().chain(&stored[number + 1..]).chain(slots);
            pairs.extend(others.map(|&other| [other, stored[number]]));
        }
        let mut others: Vec<Stretch> = Vec::new();
        self.loads.iter().for_each(|load| add(&mut others, loaded(load)));
        for (number, one) in kept.iter().enumerate() {
            let others = others.iter().filter(|_| one.is_stored).copied();
            let kept = kept[number + 1..].iter().filter(|other| one.is_stored || other.is_stored);
            pairs.extend(others.chain(kept.map(|kept| kept.stretch)).map(|other| [other, one.stretch]));
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

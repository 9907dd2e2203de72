//! How the registers of a round step, and what it accesses.

use super::super::rounds::{Linear, Steps};
use super::apart::Start;
use pvm_ops::{Address, BinaryOp, Inst, LoadKind, Operand, Reg, Size, UnaryOp, Width};

/// Elements are no further from each other, in elements.
const MOST_STRIDE: i64 = 4;

/// A place that stays where it is, where compilers keep what they have no register for: on the stack, or at a fixed address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slot {
    pub start: Start,
    /// How it is loaded. One that is stored has eight bytes.
    pub kind: LoadKind,
    pub is_stored: bool,
}

/// What a load or a store of a round accesses.
#[derive(Clone, Copy, Debug)]
pub(super) enum Access {
    /// Each round the next element, the first one there; it lies so many elements further on.
    Load(Linear, LoadKind, u32),
    Store(Linear, Size, u32),
    /// The slot of this number.
    Slot(usize),
}

/// What is accessed, by whom.
pub(super) struct Accesses {
    /// By how much registers change in a round. They may be kept elsewhere in the meantime.
    pub steps: Steps,
    /// By the index of the instruction.
    pub each: Vec<(usize, Access)>,
    pub slots: Vec<Slot>,
}

/// Registers and slots as the round begins, plus a constant, while it is followed.
struct Followed {
    registers: [Option<Linear>; 32],
    kept: Vec<(Start, Option<Linear>)>,
}

impl Accesses {
    /// Finds what these instructions access; `None` if that is something else.
    pub fn find(body: &[(u32, Inst)]) -> Option<Accesses> {
        let mut followed = Followed { registers: Reg::ALL.map(|reg| Some(Linear::register(reg))), kept: Vec::new() };
        let mut starts = Vec::new();
        for (index, (_, inst)) in body.iter().enumerate() {
            if let Inst::Load { address, .. } | Inst::Store { address, .. } = inst {
                starts.push((index, followed.start(address)?));
            }
            followed.instruction(inst);
        }
        let steps = Steps::new(|reg| followed.registers[reg.index()].filter(|now| now.of == reg).map(|now| now.plus));
        let (mut each, mut slots) = (Vec::new(), Vec::new());
        for (index, start) in starts {
            each.push((index, access(&mut slots, body[index].1, start, &steps)?));
        }
        let slots_are_apart = slots.iter().enumerate().all(|(number, slot)| {
            slots[number + 1..].iter().all(|other| !(slot.is_stored || other.is_stored) || !slot.overlaps(other))
        });
        slots_are_apart.then_some(Accesses { steps, each, slots })
    }
}

impl Followed {
    /// Where an access goes, if it is known from where the round begins.
    fn start(&self, &Address { base, offset }: &Address) -> Option<Start> {
        match base {
            Some(base) => Some(Start::Off(self.registers[base.index()]?.plus(offset.into()))),
            None => Some(Start::At(offset as u32)),
        }
    }

    fn instruction(&mut self, inst: &Inst) {
        let value = match *inst {
            Inst::Unary { op: UnaryOp::Move, width: Width::W64, src, .. } => self.registers[src.index()],
            Inst::Binary {
                op: BinaryOp::Add,
                width: Width::W64,
                lhs: Operand::Reg(of),
                rhs: Operand::Imm(imm),
                ..
            } => self.registers[of.index()].map(|of| of.plus(imm.into())),
            Inst::Store { size, value, ref address } => {
                let value = match value {
                    Operand::Reg(reg) if size == Size::B8 => self.registers[reg.index()],
                    _ => None,
                };
                if let Some(start) = self.start(address) {
                    self.kept.retain(|(at, _)| *at != start);
                    self.kept.push((start, value));
                }
                None
            }
            Inst::Load { kind, ref address, .. } if kind.size == Size::B8 => {
                let start = self.start(address);
                let kept = self.kept.iter().find(|(at, _)| Some(*at) == start);
                kept.and_then(|(_, value)| *value)
            }
            _ => None,
        };
        let written = inst.registers().writes;
        for reg in Reg::ALL.into_iter().filter(|reg| written & reg.bit() != 0) {
            self.registers[reg.index()] = value;
        }
    }
}

impl Slot {
    pub fn bytes(&self) -> u32 {
        self.kind.size.bytes()
    }

    /// Whether they are known to have a byte in common. Addresses are modulo 2^32.
    fn overlaps(&self, other: &Slot) -> bool {
        let distance = match (self.start, other.start) {
            (Start::Off(one), Start::Off(other)) if one.of == other.of => one.plus.wrapping_sub(other.plus) as u32,
            (Start::At(one), Start::At(other)) => one.wrapping_sub(other),
            _ => return false,
        };
        distance < other.bytes() || distance.wrapping_neg() < self.bytes()
    }
}

/// What an instruction accesses from there.
fn access(slots: &mut Vec<Slot>, inst: Inst, start: Start, steps: &Steps) -> Option<Access> {
    let (kind, is_stored) = match inst {
        Inst::Load { kind, .. } => (kind, false),
        Inst::Store { size, .. } => (LoadKind { size, signed: false }, true),
        _ => return None,
    };
    let step = match start {
        Start::Off(place) => steps.of(place)?,
        Start::At(_) => 0,
    };
    if step == 0 {
        // Whole registers are no other values with signs.
        let kind = LoadKind { signed: kind.signed && kind.size != Size::B8, ..kind };
        let number = slots.iter().position(|slot| (slot.start, slot.kind) == (start, kind)).unwrap_or_else(|| {
            slots.push(Slot { start, kind, is_stored: false });
            slots.len() - 1
        });
        slots[number].is_stored |= is_stored;
        return (kind.size == Size::B8 || !is_stored).then_some(Access::Slot(number));
    }
    let Start::Off(place) = start else { return None };
    let bytes = i64::from(kind.size.bytes());
    let stride = step.abs() / bytes;
    let is_near = if step > 0 { 1..=MOST_STRIDE } else { 1..=1 };
    if step % bytes != 0 || !is_near.contains(&stride) {
        return None;
    }
    Some(match is_stored {
        true => Access::Store(place, kind.size, stride as u32),
        false => Access::Load(place, kind, stride as u32),
    })
}

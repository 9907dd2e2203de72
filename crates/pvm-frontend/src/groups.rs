//! Which memory accesses of a block share one check of page rights.
//!
//! Accesses off the same register, as long as it is not written in between, whose bytes span at most a page, lie in two
//! pages at most: the first and the last byte tell for all. The check is made at the first of them, for all of them. It
//! may refuse what would not have failed before a later instruction, which is fine: the interpreter then decides.

use pvm_ops::{Address, Inst, PAGE_SIZE, Reg, Size};
use pvm_vm::{READABLE, WRITABLE};

/// Accesses that are checked together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Group {
    pub base: Option<Reg>,
    /// The offset of the first byte.
    pub low: i64,
    /// The offset behind the last byte.
    pub high: i64,
    /// The right that all of them need.
    pub right: u8,
}

impl Group {
    /// From the first byte to behind the last one.
    pub(crate) fn len(&self) -> u32 {
        (self.high - self.low) as u32
    }
}

/// The groups of a block, and for each of its instructions the group of its access.
pub(crate) struct Groups {
    pub groups: Vec<Group>,
    pub of: Vec<Option<usize>>,
}

impl Groups {
    pub(crate) fn new(insts: &[Inst]) -> Groups {
        let mut groups: Vec<Group> = Vec::new();
        // The group that an access off each register can still join; absolute accesses come last.
        let mut open: [Option<usize>; 33] = [None; 33];
        let slot = |base: Option<Reg>| base.map_or(32, Reg::index);
        let of = insts
            .iter()
            .map(|inst| {
                let member = access(inst).map(|one| {
                    let slot = slot(one.base);
                    let joined = open[slot].and_then(|id| join(groups[id], one).map(|both| (id, both)));
                    let id = match joined {
                        Some((id, both)) => {
                            groups[id] = both;
                            id
                        }
                        None => {
                            groups.push(one);
                            groups.len() - 1
                        }
                    };
                    open[slot] = Some(id);
                    id
                });
                for reg in Reg::ALL {
                    if inst.registers().writes & reg.bit() != 0 {
                        open[reg.index()] = None;
                    }
                }
                member
            })
            .collect();
        Groups { groups, of }
    }
}

/// The access of an instruction, as a group of its own.
pub(crate) fn access(inst: &Inst) -> Option<Group> {
    let (Address { base, offset }, size, right) = match *inst {
        Inst::Load { kind, address, .. } => (address, kind.size, READABLE),
        Inst::Probe { size, address } => (address, size, READABLE),
        Inst::Store { size, address, .. } => (address, size, WRITABLE),
        Inst::LoadReserved { address, .. } => (address, Size::B4, READABLE),
        Inst::Atomic { address, .. } | Inst::StoreConditional { address, .. } => (address, Size::B4, WRITABLE),
        _ => return None,
    };
    // An absolute address is not relative to anything: its offset is the unsigned address.
    let low = if base.is_some() { i64::from(offset) } else { i64::from(offset as u32) };
    Some(Group { base, low, high: low + i64::from(size.bytes()), right })
}

/// Both, if together they span no more than a page. Who may write may read.
fn join(a: Group, b: Group) -> Option<Group> {
    let (low, high) = (a.low.min(b.low), a.high.max(b.high));
    let right = if (a.right | b.right) & WRITABLE != 0 { WRITABLE } else { READABLE };
    (high - low <= i64::from(PAGE_SIZE)).then_some(Group { base: a.base, low, high, right })
}

//! Address space that goes from guest to guest: what the former one did is never seen.

use pvm_ops::{Access, Memory as _, PAGE_SIZE};
use pvm_vm::{FaultDetection, Memory, MemoryError, Pool, Template};
use std::sync::Arc;

const LIMIT: u64 = 1 << 32;
const LOWEST: u32 = 0x10000;
const PAGE: u64 = PAGE_SIZE as u64;

const AREAS: [(u32, u64, Access); 6] = [
    (0x10000, 0x2000, Access::Read),
    (0x20000, 0x4000, Access::ReadWrite),
    (0x28000, 0x2000, Access::ReadExecute),
    (0x30000, 0x2000, Access::ReadWriteExecute),
    (0xfefd_0000, 0x1_0000, Access::ReadWrite),
    (0xffff_f000, 0x1000, Access::ReadWrite),
];

fn template(sign: u8) -> Arc<Template> {
    let contents: [(u32, &[u8]); 5] = [
        (0x10008, &[sign; 0x1800]),
        (0x20ffe, &[sign; 4]),
        (0x28000, &[sign; 2]),
        (0x30000, &[sign; 8]),
        (0xffff_ffff, &[sign]),
    ];
    Arc::new(Template::new(AREAS, contents).unwrap())
}

/// Whether memory is what a template with this sign says, and nothing else.
fn check(memory: &Memory, sign: u8) {
    assert_eq!(memory.areas(), AREAS.map(|(address, size, access)| (address, (size / PAGE) as u32, access)));
    assert_eq!(memory.accessible_bytes(), AREAS.iter().map(|(_, size, _)| size).sum::<u64>());
    assert_eq!(memory.heap(), (0, 0, false));
    for (address, size, _) in AREAS {
        let bytes = memory.read_vec(address, size).unwrap();
        for (at, &byte) in (u64::from(address)..).zip(&bytes) {
            let is_set = matches!(at, 0x10008..0x11808 | 0x20ffe..0x21002 | 0x28000..0x28002 | 0x30000..0x30008)
                || at == 0xffff_ffff;
            assert_eq!(byte, if is_set { sign } else { 0 }, "at {at:#x}");
        }
    }
}

/// Does something that a guest or its host can do.
fn disturb(memory: &mut Memory, random: &mut fastrand::Rng) {
    let access = *random
        .choice(
            [Access::None, Access::Read, Access::ReadWrite, Access::ReadExecute, Access::ReadWriteExecute].as_slice(),
        )
        .unwrap();
    let (base, size, _) = *random.choice(&AREAS).unwrap();
    let address = (u64::from(base) + random.u64(0..size + 3 * PAGE)) & 0xffff_ffff;
    let (page, pages) = ((address / PAGE * PAGE) as u32, random.u64(0..4) * PAGE);
    let bytes = [random.u8(1..); 64];
    // Whether it may be done does not matter here.
    match random.u8(0..8) {
        0 => _ = memory.map(page, pages, access),
        1 => _ = memory.protect(page, pages, access),
        2 => _ = memory.initialise(address as u32, &bytes),
        3 => _ = memory.write(address as u32, &bytes),
        4 => _ = memory.store(address as u32, [0x99; 8]),
        5 => memory.fence(),
        6 => {
            memory.set_heap(page, page.saturating_add(0x8000), false);
            memory.sbrk(random.u64(0..0x5000));
        }
        _ => {
            for (address, size, access) in AREAS {
                if access == Access::ReadWrite {
                    _ = memory.write(address, &vec![0x77; size as usize]);
                }
            }
        }
    }
}

#[test]
fn nothing_of_a_former_guest_is_left() {
    let mut random = fastrand::Rng::with_seed(6);
    for detection in [FaultDetection::best(), FaultDetection::Checks] {
        let pool = Pool::new(detection, 4);
        let templates = [template(1), template(2)];
        let mut guests: Vec<(Memory, u8)> = Vec::new();
        for _ in 0..2000 {
            let index = random.usize(0..2);
            let (template, sign) = (&templates[index], index as u8 + 1);
            if guests.len() > 5 {
                drop(guests.swap_remove(random.usize(0..guests.len())));
            }
            let is_new = guests.is_empty() || random.bool();
            if is_new {
                guests.push((Memory::pooled(&pool, LIMIT, LOWEST, template).unwrap(), sign));
            } else {
                let at = random.usize(0..guests.len());
                guests[at].0.begin(template).unwrap();
                guests[at].1 = sign;
                guests.swap_remove(at);
                guests.push((Memory::pooled(&pool, LIMIT, LOWEST, template).unwrap(), sign));
            }
            let (memory, sign) = guests.last_mut().unwrap();
            check(memory, *sign);
            for _ in 0..random.u8(0..12) {
                disturb(memory, &mut random);
            }
        }
        for (mut memory, sign) in guests {
            memory.begin(&templates[usize::from(sign) - 1]).unwrap();
            check(&memory, sign);
        }
    }
}

#[test]
fn a_handle_of_a_former_guest_interrupts_nobody() {
    let pool = Pool::new(FaultDetection::best(), 4);
    let template = template(1);
    let memory = Memory::pooled(&pool, LIMIT, LOWEST, &template).unwrap();
    let handle = memory.interrupter();
    handle.interrupt();
    drop(memory);
    let mut next = Memory::pooled(&pool, LIMIT, LOWEST, &template).unwrap();
    assert!(!next.take_interrupt(), "the flag went with the guest");
    handle.interrupt();
    assert!(!next.take_interrupt(), "the handle is of no use any more");
    next.interrupter().interrupt();
    assert!(next.take_interrupt());
}

#[test]
fn limits_hold_for_address_space_that_is_ready() {
    let pool = Pool::new(FaultDetection::best(), 4);
    let template = template(1);
    let guests: Vec<_> = (0..3).map(|_| Memory::pooled(&pool, LIMIT, LOWEST, &template).unwrap()).collect();
    drop(guests);
    let refused = Memory::pooled(&pool, 0x4000, LOWEST, &template).unwrap_err();
    assert!(matches!(refused, MemoryError::Limit { limit: 0x4000, wanted } if wanted == template.size()), "{refused}");
    let low = Memory::pooled(&pool, LIMIT, 0x11000, &template).unwrap_err();
    assert!(matches!(low, MemoryError::TooLow { address: 0x10000, lowest: 0x11000, .. }), "{low}");
    check(&Memory::pooled(&pool, LIMIT, LOWEST, &template).unwrap(), 1);
}

#[test]
fn pools_and_templates_may_go_in_any_order() {
    for order in 0..6 {
        let pool = Pool::new(FaultDetection::best(), 2);
        let template = template(3);
        let guests: Vec<_> = (0..4).map(|_| Memory::pooled(&pool, LIMIT, LOWEST, &template).unwrap()).collect();
        let mut things =
            [Some(Box::new(pool) as Box<dyn std::any::Any>), Some(Box::new(template)), Some(Box::new(guests))];
        let (first, second) = (order / 2, order % 2);
        drop(things[first].take());
        let mut rest = things.iter_mut().filter(|thing| thing.is_some());
        drop(rest.nth(second).unwrap().take());
    }
}

#[test]
fn guests_can_be_kept_from_address_zero() {
    let pool = Pool::new(FaultDetection::best(), 4);
    let template = Arc::new(Template::new(AREAS, []).unwrap().elsewhere());
    for _ in 0..3 {
        let mut guest = Memory::pooled(&pool, LIMIT, LOWEST, &template).unwrap();
        assert!(!guest.base().is_null());
    }
}

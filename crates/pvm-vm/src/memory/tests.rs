//! Rights, limits, contents and the heap of guest memory.

use super::*;
use pvm_ops::Memory as _;
use std::sync::Arc;

const UNLIMITED: u64 = SPACE;

fn memory(pages: &[(u32, Access)]) -> Memory {
    let mut memory = Memory::new(UNLIMITED, FaultDetection::best(), 0).unwrap();
    for &(address, access) in pages {
        memory.map(address, 4096, access).unwrap();
    }
    memory
}

#[test]
fn accesses_need_the_right_on_every_page() {
    let mut memory = memory(&[(0x20000, Access::ReadWrite), (0x21000, Access::Read)]);
    assert_eq!(memory.store(0x20ffc, [1, 2, 3, 4]), Ok(()));
    assert_eq!(memory.load::<8>(0x20ffc), Ok([1, 2, 3, 4, 0, 0, 0, 0]));
    assert_eq!(memory.store(0x20ffc, [9; 8]), Err(MemoryFault { address: 0x21000 }));
    assert_eq!(memory.load::<4>(0x20ffc), Ok([1, 2, 3, 4]), "no half of the store is left");
    assert_eq!(memory.load::<2>(0x21fff), Err(MemoryFault { address: 0x22000 }));
    assert_eq!(memory.load::<1>(0), Err(MemoryFault { address: 0 }));
}

#[test]
fn accesses_wrap_at_the_end() {
    let mut memory = memory(&[(0xffff_f000, Access::ReadWrite)]);
    assert_eq!(memory.store(0xffff_ffff, [1, 2]), Err(MemoryFault { address: 0 }));
    assert_eq!(memory.load::<1>(0xffff_ffff), Ok([0]));
    memory.map(0, 4096, Access::ReadWrite).unwrap();
    assert_eq!(memory.store(0xffff_ffff, [1, 2]), Ok(()));
    assert_eq!((memory.load::<1>(0xffff_ffff), memory.load::<1>(0)), (Ok([1]), Ok([2])));
    assert_eq!(memory.read(0xffff_ffff, &mut [0; 2]), Err(MemoryFault { address: 0 }));
}

#[test]
fn the_limit_holds_and_reset_forgets() {
    let mut memory = Memory::new(8192, FaultDetection::best(), 0).unwrap();
    memory.map(0x10000, 8192, Access::ReadWrite).unwrap();
    assert!(matches!(memory.map(0x20000, 4096, Access::Read), Err(MemoryError::Limit { wanted: 12288, limit: 8192 })));
    memory.protect(0x10000, 4096, Access::Read).unwrap();
    memory.write(0x11000, &[7]).unwrap();
    memory.reset().unwrap();
    assert_eq!(memory.accessible_bytes(), 0);
    memory.protect(0x11000, 4096, Access::Read).unwrap();
    let mut byte = [1];
    memory.read(0x11000, &mut byte).unwrap();
    assert_eq!(byte, [0]);
}

#[test]
fn ranges_are_checked() {
    let mut memory = memory(&[]);
    assert!(matches!(memory.map(1, 4096, Access::Read), Err(MemoryError::Range { .. })));
    assert!(matches!(memory.map(0, 4095, Access::Read), Err(MemoryError::Range { .. })));
    assert!(matches!(memory.map(0xffff_f000, 8192, Access::Read), Err(MemoryError::Range { .. })));
    assert!(memory.protect(0, SPACE, Access::None).is_ok());
}

#[test]
fn the_heap_grows_to_its_limit_byte_by_byte() {
    let mut memory = memory(&[(0x20000, Access::ReadWrite)]);
    memory.set_heap(0x21000, 0x24000, false);
    assert_eq!(memory.sbrk(0), 0x21000);
    assert_eq!(memory.access(0x21000), Access::None);
    assert_eq!(memory.sbrk(1), 0x21000);
    assert_eq!((memory.access(0x21000), memory.access(0x22000)), (Access::ReadWrite, Access::None));
    memory.store(0x21ff0, [5]).unwrap();
    assert_eq!(memory.sbrk(0x1fff), 0x21001);
    assert_eq!(memory.load(0x21ff0), Ok([5]));
    assert_eq!(memory.access(0x22000), Access::ReadWrite);
    assert_eq!((memory.sbrk(0x1001), memory.sbrk(u64::MAX)), (0, 0));
    assert_eq!(memory.sbrk(0x1000), 0x23000);
    assert_eq!(memory.sbrk(1), 0);
    let mut none = self::memory(&[]);
    assert_eq!((none.sbrk(0), none.sbrk(1)), (0, 0));
}

#[test]
fn only_one_guest_is_where_its_addresses_are_the_hosts() {
    if FaultDetection::best() != FaultDetection::Signals {
        return;
    }
    let lowest = 0x10000;
    let mut memories: Vec<_> =
        (0..3).map(|_| Memory::new(UNLIMITED, FaultDetection::Signals, lowest).unwrap()).collect();
    // Another test may have the place just now.
    assert!(memories.iter_mut().filter_map(|memory| memory.base().is_null().then_some(())).count() <= 1);
    for (value, memory) in (1..).zip(&mut memories) {
        for address in [lowest, 0xffff_f000] {
            memory.map(address, 4096, Access::ReadWrite).unwrap();
            memory.store(address + 4092, [value; 4]).unwrap();
        }
        let low = memory.protect(lowest - 4096, 8192, Access::Read);
        assert!(matches!(low, Err(MemoryError::TooLow { lowest: 0x10000, .. })), "{low:?}");
        memory.protect(0, 8192, Access::None).unwrap();
    }
    for (value, memory) in (1..).zip(&mut memories) {
        assert_eq!(memory.load(lowest + 4092), Ok([value; 4]));
        assert_eq!(memory.load(0xffff_fffc), Ok([value; 4]));
        memory.reset().unwrap();
        memory.map(lowest, 4096, Access::Read).unwrap();
        assert_eq!(memory.load(lowest + 4092), Ok([0; 4]));
    }
    let mut high = Memory::new(UNLIMITED, FaultDetection::Signals, lowest - 1).unwrap();
    assert!(!high.base().is_null(), "a guest that may use lower addresses is elsewhere");
}

#[test]
fn interruptions_are_announced_once_that_is_asked_for() {
    let template = Arc::new(Template::new([], []).unwrap());
    let pool = crate::Pool::new(FaultDetection::best(), 4);
    // The first is at zero, if there is room.
    let mut memories = [(); 2].map(|()| Memory::pooled(&pool, SPACE, 0x10000, &template).unwrap());
    for memory in &mut memories {
        let interrupter = memory.interrupter();
        interrupter.interrupt();
        assert!(memory.is_interrupted() && memory.take_interrupt() && memory.was_requested());
        interrupter.time_is_up();
        memory.announce_interrupts().unwrap();
        assert!(memory.announces_interrupts() && memory.is_interrupted());
        // Nothing but the reason that is taken back goes.
        interrupter.interrupt();
        interrupter.withdraw();
        assert!(memory.take_interrupt() && memory.was_requested() && !memory.is_interrupted());
        memory.announce_interrupts().unwrap();
        assert!(!memory.take_interrupt());
    }
}

//! A process with as many mappings as it may have. Each case is alone in a process, as nobody else gets any then.
#![cfg(target_os = "linux")]

use memmap2::{Mmap, MmapMut};
use pvm_ops::Access;
use pvm_vm::{FaultDetection, Memory, MemoryError, Pool, Template};
use std::process::Command;
use std::sync::Arc;

/// Beyond that it would take too long, and too much of the host's memory, to get there.
const MOST: usize = 1 << 18;

/// Says that a process is for one test.
const IS_CHILD: &str = "PVM_MAPPINGS_CHILD";

/// The host's limit, in a process of its own for `test`; `None` in the process that has started it, or if the host has none.
fn limit_alone(test: &str) -> Option<usize> {
    let limit = std::fs::read_to_string("/proc/sys/vm/max_map_count").unwrap();
    let limit = limit.trim().parse().unwrap();
    if FaultDetection::best() == FaultDetection::Checks || limit > MOST {
        return None;
    }
    if std::env::var_os(IS_CHILD).is_some() {
        return Some(limit);
    }
    let child =
        Command::new(std::env::current_exe().unwrap()).args(["--exact", test]).env(IS_CHILD, "").output().unwrap();
    assert!(child.status.success(), "{}", String::from_utf8_lossy(&child.stdout));
    None
}

/// Every other page, so many of them, a mapping each.
fn template(pages: u32) -> Arc<Template> {
    let areas = (0..pages).map(|page| (0x20000 + 0x2000 * page, 0x1000, Access::ReadWrite));
    Arc::new(Template::new(areas, [(0x20000, &[7; 8][..])]).unwrap())
}

fn make(pool: &Arc<Pool>, template: &Arc<Template>) -> Result<Memory, MemoryError> {
    Memory::pooled(pool, 1 << 32, 0x10000, template)
}

/// A mapping of the process itself.
fn own_mapping(is_writable: bool) -> Option<(Option<MmapMut>, Option<Mmap>)> {
    let map = MmapMut::map_anon(1 << 12).ok()?;
    Some(if is_writable { (Some(map), None) } else { (None, Some(map.make_read_only().ok()?)) })
}

#[test]
fn guests_leave_mappings_to_others() {
    let Some(limit) = limit_alone("guests_leave_mappings_to_others") else { return };
    let pool = Pool::new(FaultDetection::Signals, 16);
    let (large, small) = (template(500), template(1));
    let mut memories = Vec::new();
    let error = (0..limit).find_map(|_| make(&pool, &large).map(|memory| memories.push(memory)).err()).unwrap();
    assert_eq!(memories.len(), limit / 4 * 3 / 1000);
    assert!(error.to_string().contains("three quarters of vm.max_map_count"), "{error}");
    assert!(memories.iter().all(|memory| memory.read_u64(0x20000) == Ok(0x0707_0707_0707_0707)));
    // Whoever goes makes room for others; what is idle counts, too.
    for _ in 0..3 {
        memories.pop();
        memories.push(make(&pool, &large).unwrap());
    }
    drop(memories);
    let memories: Vec<_> = (0..1000).map(|_| make(&pool, &small).unwrap()).collect();
    assert!(memories.iter().all(|memory| memory.read_u64(0x20000) == Ok(0x0707_0707_0707_0707)));
}

#[test]
fn a_guest_cannot_have_them_all() {
    let Some(limit) = limit_alone("a_guest_cannot_have_them_all") else { return };
    let pool = Pool::new(FaultDetection::Signals, 16);
    let (large, small) = (template(500), template(1));
    let mut many = make(&pool, &small).unwrap();
    // Every other page is two mappings more.
    let at = |page: usize| 0x100_0000 + 0x2000 * page as u32;
    let error = (0..limit).find_map(|page| many.map(at(page), 0x1000, Access::ReadWrite).err()).unwrap();
    assert!(error.to_string().contains("three quarters of vm.max_map_count"), "{error}");
    assert!(make(&pool, &large).is_err());
    // With the same rights they are one.
    many.map(at(0), 0x2000 * 2000, Access::ReadWrite).unwrap();
    let mut others: Vec<_> = (0..3).map(|_| make(&pool, &large).unwrap()).collect();
    many.begin(&small).unwrap();
    others.extend((0..20).map(|_| make(&pool, &large).unwrap()));
    assert!(others.iter().all(|memory| memory.read_u64(0x20000) == Ok(0x0707_0707_0707_0707)));
}

#[test]
fn the_host_s_limit_is_named() {
    // A sanitizer ends the process when it gets no mapping for itself.
    if std::env::var_os("ASAN_OPTIONS").is_some() {
        return;
    }
    let Some(limit) = limit_alone("the_host_s_limit_is_named") else { return };
    let pool = Pool::new(FaultDetection::Signals, 16);
    let template = template(1);
    let mut many = make(&pool, &template).unwrap();
    many.map(0x100_0000, 0x1000, Access::ReadWrite).unwrap();
    // Mappings of the process itself, alternately with and without rights, so that none is joined with another.
    let mut own = Vec::with_capacity(limit);
    own.extend((0..limit).map_while(|at| own_mapping(at % 2 == 0)));
    let error = (0..16).find_map(|page| many.map(0x200_0000 + 0x2000 * page, 0x1000, Access::ReadWrite).err()).unwrap();
    assert!(error.to_string().contains(&format!("vm.max_map_count is {limit}")), "{error}");
    let mut others = Vec::new();
    let error = (0..16).find_map(|_| make(&pool, &template).map(|memory| others.push(memory)).err()).unwrap();
    assert!(error.to_string().contains("vm.max_map_count"), "{error}");
    // What is there can be used and given back.
    many.write(0x100_0000, &[1; 8]).unwrap();
    many.interrupter().interrupt();
    assert!(many.take_interrupt());
    drop((many, others, own));
    let memories: Vec<_> = (0..16).map(|_| make(&pool, &template).unwrap()).collect();
    assert!(memories.iter().all(|memory| memory.read_u64(0x20010) == Ok(0)));
}

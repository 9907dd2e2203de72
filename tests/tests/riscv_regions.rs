//! What of a RISC-V program is compiled, and how often.

use pvm_program::Executable;
use pvm_runtime::{CompileStats, Config, Engine, Exit, Instance, Jit, Module, Options};
use std::sync::atomic::{AtomicU64, Ordering};

const BASE: u32 = 0x1_0000;
const ZERO: u32 = 0;
const T0: u32 = 5;
const S1: u32 = 9;
const A0: u32 = 10;
const A1: u32 = 11;
const S2: u32 = 18;

fn addi(to: u32, from: u32, immediate: i32) -> u32 {
    (immediate as u32) << 20 | from << 15 | to << 7 | 0x13
}

/// A way `offset` words on, if two registers differ: a branch around a jump.
fn go_if_differ(left: u32, right: u32, offset: i32) -> [u32; 2] {
    [4 << 8 | right << 20 | left << 15 | 0x63 /* beq left, right, 8 */, jump(offset - 1)]
}

/// A jump, `offset` in words.
fn jump(offset: i32) -> u32 {
    let at = (4 * offset) as u32;
    (at >> 20 & 1) << 31 | (at >> 1 & 0x3ff) << 21 | (at >> 11 & 1) << 20 | (at >> 12 & 0xff) << 12 | 0x6f
}

/// Ways through the loop, each of which is hot in a phase of its own.
const WAYS: i32 = 16;
const ROUNDS: u64 = 3000;
/// What the loop could lead to, and never does.
const NEVER: usize = 1200;

/// What stands on each way, and between two.
const STRETCH: usize = 8;

/// A loop that is run once for each of its ways, after other instructions, which are executed once; and how many of the loop
/// are ever executed.
fn phases(once: usize) -> (Vec<u32>, usize) {
    // Before the loop three words, at its beginning two, and for each way a comparison, a way there, and a stretch; at its end
    // two times a comparison and a way back, and the end of the program.
    let piece = 3 + STRETCH as i32;
    let (start, end) = (3, 5 + WAYS * piece);
    let never = end + 8;
    let side = |way| never + NEVER as i32 + 1 + way * (STRETCH as i32 + 1);
    let mut words = vec![addi(S1, ZERO, 0), 0x0000_1937 /* lui s2, 1 */, addi(S2, S2, ROUNDS as i32 - 0x1000)];
    words.extend(go_if_differ(ZERO, ZERO, never - start));
    for way in 0..WAYS {
        words.push(addi(T0, ZERO, way));
        words.extend([0x0050_1463 | S1 << 15 /* bne s1, t0, 8 */, jump(side(way) - (words.len() as i32 + 1))]);
        words.extend([addi(A0, A0, 1); STRETCH]);
    }
    assert_eq!(words.len(), end as usize);
    words.push(addi(S2, S2, -1));
    words.extend(go_if_differ(S2, ZERO, start - (end + 1)));
    words.extend([addi(S1, S1, 1), addi(T0, ZERO, WAYS)]);
    words.extend(go_if_differ(S1, T0, 1 - (end + 5)));
    words.push(0x73 /* ecall */);
    assert_eq!(words.len(), never as usize);
    words.extend([addi(A1, A1, 3); NEVER]);
    words.push(jump(start - words.len() as i32));
    for way in 0..WAYS {
        assert_eq!(words.len(), side(way) as usize);
        words.extend([addi(A1, A1, 1); STRETCH]);
        words.push(jump(5 + way * piece + 3 - words.len() as i32));
    }
    let executed = words.len() - NEVER - 1;
    // The ways are relative.
    words.splice(0..0, (0..once).map(|_| addi(T0, T0, 1)));
    (words, executed)
}

/// Runs a program until it ends.
fn run_as(words: &[u32], config: &Config) -> Instance {
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let executable = Executable::flat(&bytes, BASE).expect("it is small");
    let engine = Engine::new(config).expect("there is a compiler");
    let module = Module::from_executable(&engine, executable, Options::default()).expect("it is not metered");
    let mut guest = Instance::new(&module, &[]).expect("there is memory");
    assert_eq!(guest.run(), Exit::Ecall);
    guest
}

/// The same, compiled as it is here.
fn run(words: &[u32]) -> Instance {
    run_as(words, &Config { jit_threshold: THRESHOLD, ..Config::default() })
}

/// Runs the phases, and returns what was compiled of how many instructions.
fn compiled(once: usize) -> (CompileStats, u64) {
    let (words, executed) = phases(once);
    let guest = run(&words);
    let (registers, stats) = (guest.all_registers(), guest.compile_stats());
    let (ways, stretch) = (WAYS as u64, STRETCH as u64);
    assert_eq!(registers[A0 as usize], ways * ROUNDS * ways * stretch);
    assert_eq!(registers[A1 as usize], ways * ROUNDS * stretch);
    (stats, executed as u64)
}

/// Compiling may take any time where code is hot so soon: what is compiled does not depend on how fast that is.
const THRESHOLD: u32 = 50;

#[test]
fn what_is_hot_in_a_small_program_is_one_region_and_compiled_again_only_for_what_is_new() {
    let (stats, executed) = compiled(0);
    assert!(stats.instructions >= executed, "{stats:?}, {executed} executed");
    // In each phase a way gets hot, which has a region of its own with all that was executed so far, and perhaps the region
    // that led there takes it in. What the guest has not come to is in none.
    assert!(stats.regions <= 2 * WAYS as u64, "{stats:?}");
    assert!(stats.instructions <= stats.regions * executed, "{stats:?}, {executed} executed");
}

#[test]
fn regions_of_a_large_program_end_where_others_begin() {
    let (stats, executed) = compiled(10_000);
    assert!(stats.instructions >= executed, "{stats:?}, {executed} executed");
    // Each way has a region, which takes in the loop from where the way comes back to up to the next place that others have: less
    // than half of the loop. Without such an end it is five times as much.
    assert!(stats.instructions <= WAYS as u64 / 2 * executed, "{stats:?}, {executed} executed");
}

#[test]
fn a_loop_of_a_large_program_is_one_region_in_the_end() {
    // A loop that leaves a way out until it is hot, and takes it then: that is a region of its own, so that each round enters
    // machine code twice.
    let rounds = 1_600_000;
    let mut words = vec![addi(T0, T0, 1); 10_000];
    words.extend([0x0000_14b7 /* lui s1, 1 */, addi(S2, ZERO, 0)]);
    let start = words.len() as i32;
    let to = |words: &Vec<u32>, target: i32| target - words.len() as i32;
    words.push(addi(A0, A0, 1));
    let way = start + 12;
    words.extend(go_if_differ(S2, ZERO, to(&words, way)));
    words.push(addi(S1, S1, -1));
    words.extend(go_if_differ(S1, ZERO, to(&words, start)));
    words.extend(go_if_differ(S2, ZERO, to(&words, start + 11)));
    words.extend([0x0018_74b7 /* lui s1, 391 */, addi(S2, ZERO, 1)]);
    words.push(jump(to(&words, start)));
    words.push(0x73 /* ecall */);
    assert_eq!(words.len() as i32, way);
    words.extend([addi(A1, A1, 1), jump(start + 3 - (way + 1))]);
    let guest = run(&words);
    let registers = guest.all_registers();
    assert_eq!((registers[A0 as usize], registers[A1 as usize]), (4096 + (391 << 12), 391 << 12));
    assert!(guest.stats().native_entries < rounds, "{:?}", guest.stats());
    assert!(guest.compile_stats().regions <= 8, "{:?}", guest.compile_stats());
}

#[test]
fn a_region_that_would_be_the_same_is_not_compiled_again() {
    // A loop over two pages, one of which changes after the loop has run; and the loop once more. What has changed is kept apart
    // from what has not, so that each half is left for the other in each round.
    let mut words = vec![addi(S1, ZERO, 2), 0x0000_1937 /* lui s2, 1 */, addi(S2, S2, ROUNDS as i32 - 0x1000)];
    words.extend([jump(1024 - 3), addi(S2, S2, -1)]);
    words.extend(go_if_differ(S2, ZERO, 3 - 5));
    words.extend([0x0001_12b7 /* lui t0, 0x11 */, 0x0002_a303 /* lw t1, (t0) */]);
    words.extend([
        0x0010_03b7, /* lui t2, 0x100 */
        0x0073_0333, /* add t1, t1, t2: what is added to a0, and one */
    ]);
    words.extend([0x0062_a023 /* sw t1, (t0) */, 0x0000_100f /* fence.i */, addi(S1, S1, -1)]);
    words.extend(go_if_differ(S1, ZERO, 1 - 14));
    words.push(0x73 /* ecall */);
    words.resize(1024, 0);
    words.extend([addi(A0, A0, 1), jump(4 - 1025)]);
    let guest = run(&words);
    let stats = guest.compile_stats();
    assert_eq!(guest.all_registers()[A0 as usize], ROUNDS + 2 * ROUNDS);
    assert_eq!((stats.regions, stats.evicted), (3, 1), "{stats:?}");
}

#[test]
fn what_takes_much_memory_to_compile_is_compiled_in_pieces() {
    static ROOM_MADE: AtomicU64 = AtomicU64::new(0);
    const ADDITIONS: usize = 1900;
    // A loop of a block with as many instructions as a region may have; each takes ten times as much IR as a simple one does.
    let mut words = vec![0x0001_4937 /* lui s2, 0x14 */, addi(A0, ZERO, 1), 0x0000_14b7 /* lui s1, 1 */];
    words.extend([0x00a9_25af /* amoadd.w a1, a0, (s2) */; ADDITIONS]);
    words.push(addi(S1, S1, -1));
    words.extend(go_if_differ(S1, ZERO, 3 - (ADDITIONS as i32 + 4)));
    words.push(0x73 /* ecall */);
    words.resize(0x4000 / 4 + 1, 0);
    let config = Config {
        jit_threshold: THRESHOLD,
        make_room: || _ = ROOM_MADE.fetch_add(1, Ordering::Relaxed),
        ..Config::default()
    };
    let guest = run_as(&words, &config);
    assert_eq!(guest.all_registers()[A1 as usize], 4096 * ADDITIONS as u64 - 1);
    let stats = guest.compile_stats();
    assert!(stats.regions > 1, "{stats:?}");
    assert!(stats.instructions < stats.regions * ADDITIONS as u64 * 2 / 3, "{stats:?}");
    assert!((1..=stats.regions).contains(&ROOM_MADE.load(Ordering::Relaxed)));
}

/// Regions of a program with more than eight times as many instructions as they may have keep registers in the context: what they
/// leave there is what the interpreter has.
#[test]
fn registers_of_brief_regions_are_in_the_context() {
    const BLOCKS: u32 = 60;
    let mut words = vec![addi(S2, ZERO, 500)];
    for block in 0..BLOCKS {
        let (to, from) = (20 + block % 8, 10 + block % 7);
        words.extend([addi(from, from, block as i32 - 20), addi(to, from, -7), addi(from, to, 3), jump(1)]);
    }
    words.push(addi(S2, S2, -1));
    words.extend(go_if_differ(S2, ZERO, 1 - words.len() as i32));
    words.push(0x73 /* ecall */);
    let end = |jit, region_limit| {
        let guest = run_as(&words, &Config { jit, jit_threshold: THRESHOLD, region_limit, ..Config::default() });
        (*guest.all_registers(), guest.stats().native_entries)
    };
    let (expected, _) = end(Jit::Off, 1000);
    for region_limit in [10, 20] {
        let (registers, entries) = end(Jit::Cranelift, region_limit);
        assert!(entries > 1000, "{entries} entries into regions of {region_limit}");
        assert_eq!(registers, expected, "regions of {region_limit}");
    }
}

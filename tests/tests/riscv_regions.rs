//! What of a RISC-V program is compiled, and how often.

use pvm_program::Executable;
use pvm_runtime::{Config, Engine, Exit, Instance, Module, Options};

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

/// A branch, `offset` in words, if two registers differ.
fn bne(left: u32, right: u32, offset: i32) -> u32 {
    let at = (4 * offset) as u32;
    (at >> 12 & 1) << 31
        | (at >> 5 & 0x3f) << 25
        | right << 20
        | left << 15
        | 1 << 12
        | (at >> 1 & 0xf) << 8
        | (at >> 11 & 1) << 7
        | 0x63
}

/// A jump, `offset` in words.
fn jump(offset: i32) -> u32 {
    let at = (4 * offset) as u32;
    (at >> 20 & 1) << 31 | (at >> 1 & 0x3ff) << 21 | (at >> 11 & 1) << 20 | (at >> 12 & 0xff) << 12 | 0x6f
}

/// Ways through the loop, each of which is hot in a phase of its own.
const WAYS: i32 = 16;
const ROUNDS: u64 = 3000;
/// What stands on each way, and what between two.
const STRETCH: usize = 8;
/// What the loop could lead to, and never does.
const NEVER: usize = 120;

/// A loop that is run once for each of its ways, and the number of its instructions that are ever executed.
fn phases() -> (Vec<u32>, usize) {
    // Two words before the loop, and for each way a comparison, a branch, a jump, and a stretch.
    let piece = 3 + STRETCH as i32;
    let (start, end) = (3, 3 + 1 + WAYS * piece);
    let side = |way| end + 6 + NEVER as i32 + 1 + way * (STRETCH as i32 + 1);
    let mut words =
        vec![addi(S1, ZERO, 0), 0x0000_1937 /* outer: lui s2, 1 */, addi(S2, S2, ROUNDS as i32 - 0x1000)];
    words.push(bne(ZERO, ZERO, end + 6 - start));
    for way in 0..WAYS {
        let at = words.len() as i32;
        words.extend([addi(T0, ZERO, way), bne(S1, T0, 2), jump(side(way) - (at + 2))]);
        words.extend([addi(A0, A0, 1); STRETCH]);
    }
    assert_eq!(words.len(), end as usize);
    words.extend([addi(S2, S2, -1), bne(S2, ZERO, start - (end + 1))]);
    words.extend([addi(S1, S1, 1), addi(T0, ZERO, WAYS), bne(S1, T0, 1 - (end + 4)), 0x73 /* ecall */]);
    words.extend([addi(A1, A1, 3); NEVER]);
    words.push(jump(start + 1 - words.len() as i32));
    for way in 0..WAYS {
        assert_eq!(words.len(), side(way) as usize);
        words.extend([addi(A1, A1, 1); STRETCH]);
        words.push(jump(start + 1 + way * piece + 3 - words.len() as i32));
    }
    let executed = words.len() - NEVER - 1;
    (words, executed)
}

#[test]
fn regions_end_where_others_begin_and_take_in_only_what_the_guest_has_come_to() {
    let (words, executed) = phases();
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
    let executable = Executable::flat(&bytes, BASE).expect("it is small");
    let engine = Engine::new(&Config::default()).expect("there is a compiler");
    let module = Module::from_executable(&engine, executable, Options::default()).expect("it is not metered");
    let mut guest = Instance::new(&module, &[]).expect("there is memory");
    assert_eq!(guest.run(), Exit::Ecall);
    let (ways, stretch) = (WAYS as u64, STRETCH as u64);
    let registers = guest.all_registers();
    assert_eq!(registers[A0 as usize], ways * ROUNDS * ways * stretch);
    assert_eq!(registers[A1 as usize], ways * ROUNDS * stretch);
    let compiled = module.compile_stats().instructions as usize;
    assert!(compiled >= executed / 2, "{compiled} instructions compiled, {executed} executed often");
    // Each way has a region, which takes in the loop from where the way comes back to up to the next place at which a region can
    // be entered: half of the loop, in the mean. All of it would be twice as much.
    assert!(compiled < WAYS as usize / 2 * executed, "{compiled} instructions compiled, {executed} executed");
}

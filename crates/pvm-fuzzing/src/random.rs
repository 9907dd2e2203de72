//! Structured random cases: programs that nobody would write, but that get somewhere.
//!
//! A program of random bytes traps at once. These are put together from what programs are made of: loops with counters,
//! branches to and fro, calls and returns through the jump table, groups of accesses off one register. Then some of it is
//! spoilt: operands are cut short or have bytes too many, registers are numbered past the last, opcodes are undefined,
//! bits of the bitmask flip. A case is a function of its seed.
//!
//! | module | what it makes |
//! |---|---|
//! | `values` | numbers at which something turns, and the lay-out of memory |
//! | `emit` | instructions in every form of encoding, with targets that are known later |
//! | `body` | what stands within blocks |
//! | `flow` | blocks, loops, calls, jumps |
//! | `damage` | what is spoilt |
//! | `host` | the script |

mod body;
mod damage;
mod emit;
mod flow;
mod host;
mod values;

use crate::{Case, Page};
use fastrand::Rng;
use pvm_gas::GasModel;
use pvm_isa::Profile;
use pvm_runtime::Access;
use values::one_in;

/// What a case is for, which decides what it may hold.
#[derive(Clone, Copy, Debug)]
struct Style {
    profile: Profile,
    /// Nothing that `polkavm` is known to see differently.
    for_peer: bool,
    /// One encoding in so many is strange.
    strange: u32,
    /// One loop in so many has many rounds, and how many at most.
    long_loops: (u32, i32),
}

/// The case of a seed.
pub fn case(seed: u64) -> Case {
    let rng = &mut Rng::with_seed(seed);
    let for_peer = rng.u32(..100) < 55;
    let (profile, gas_model) = match for_peer {
        true => (Profile::Draft, GasModel::Instruction),
        false => (Profile::ALL[rng.usize(..3)], GasModel::ALL[rng.usize(..4)]),
    };
    let strange = [20, 60, 1000][rng.usize(..3)];
    // Without gas, what matters is whether a run can be interrupted, so it should last.
    let long_loops = if gas_model == GasModel::None { (2, 20_000) } else { (8, 60) };
    let style = Style { profile, for_peer, strange, long_loops };

    let pages = pages(rng, for_peer);
    let mut blob = flow::program(rng, style, &pages);
    damage::spoil(rng, style, &mut blob);
    let registers = flow::registers(rng, &pages);
    let starts: Vec<u32> = (0..blob.code.len() as u32).filter(|&pc| blob.starts_instruction(pc)).collect();
    let pc = match rng.u32(..20) {
        0 => rng.u32(..blob.code.len() as u32 + 3),
        1 | 2 if !starts.is_empty() => starts[rng.usize(..starts.len())],
        _ => 0,
    };
    let heap = (!for_peer && one_in(rng, 3)).then(|| {
        let start = 0x2_4000 + if one_in(rng, 2) { 0 } else { rng.u32(..5000) };
        (start, start + rng.u32(..0x4000))
    });
    let mut case = Case {
        note: String::new(),
        profile,
        gas_model,
        program: Vec::new(),
        pc,
        gas: gas(rng),
        registers,
        script: host::script(rng, for_peer, &pages, &starts),
        pages,
        heap,
    };
    case.set_blob(&blob);
    case
}

/// Pages: read-only and writable ones, next to each other and alone.
fn pages(rng: &mut Rng, for_peer: bool) -> Vec<Page> {
    let mut pages = Vec::new();
    for (address, chance) in
        [(0x1_0000, 5), (0x2_0000, 9), (0x2_1000, 5), (0x2_2000, 5), (0x2_3000, 3), (0xfefd_f000, 3)]
    {
        if rng.u32(..10) < chance {
            let access = if one_in(rng, 3) { Access::Read } else { Access::ReadWrite };
            pages.push(Page { address, access });
        }
    }
    if one_in(rng, if for_peer { 50 } else { 8 }) {
        pages.push(Page { address: 0xffff_f000, access: Access::ReadWrite });
    }
    pages
}

fn gas(rng: &mut Rng) -> u64 {
    match rng.u32(..200) {
        0 => u64::MAX - rng.u64(..3),
        1 => 1 << rng.u32(50..63),
        // About a slice of gas, of which a run gets one at a time.
        2 => (1 << 21) * rng.u64(1..3) + rng.u64(..40) - 20,
        3..60 => rng.u64(..40),
        60..140 => rng.u64(..600),
        _ => rng.u64(..10_000),
    }
}
